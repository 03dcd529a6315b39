"""The OpenAI API as this app calls it: opening a client, waiting, trying again, explaining failures."""

import asyncio
import random
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from math import ceil, isfinite
from typing import TypeVar

import httpx2
import openai
from django.conf import settings
from django.utils import timezone
from openai.pagination import AsyncCursorPage

from transcripts.stores.answers import BadSetting, CheckedClient, NotOpenAI, base_url

T = TypeVar("T")

MINUTE = 60.0
WEEK = 7 * 24 * 60 * MINUTE
LONGEST_WAIT = MINUTE
"""Seconds of `Retry-After` that are slept through; a longer time is reported to the person."""
FIRST_DELAY = 0.5
LONGEST_DELAY = 8.0


def open_client(*, timeout: float, connections: int) -> openai.AsyncOpenAI:
    """Return a client for OPENAI_BASE_URL that waits `timeout` seconds for an answer and repeats no call.

    It does not repeat because the API takes no idempotency key: a POST that is sent again after a lost answer
    makes a second file. The caller decides (see `patiently`). Its answers are checked, see
    `transcripts.stores.answers`. Raises BadSetting.
    """
    if not re.fullmatch(r"[!-~]+", settings.OPENAI_API_KEY):
        raise BadSetting(
            "OPENAI_API_KEY is empty or contains characters that a key cannot have; copy it again."
        )
    http_client = CheckedClient(
        timeout=timeout,
        limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
    )
    try:
        return openai.AsyncOpenAI(
            api_key=settings.OPENAI_API_KEY,
            base_url=settings.OPENAI_BASE_URL or None,
            max_retries=0,
            http_client=http_client,
            timeout=timeout,
            _strict_response_validation=settings.OPENAI_STRICT_ANSWERS,
        )
    except httpx2.InvalidURL as error:
        raise BadSetting(f"OPENAI_BASE_URL is not an address ({error}); correct it.") from error


def sendable(text: str) -> str:
    """Return `text` without what JSON cannot carry (halves of surrogate pairs) and what ends texts (NUL)."""
    return text.encode("utf-8", "ignore").decode().replace("\0", " ").strip()


def may_have_happened(error: openai.APIError) -> bool:
    """Return whether the call that ended in `error` may have been performed all the same."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409) or error.status_code >= 500
    return True


def out_of_quota(error: Exception) -> bool:
    """Return whether a person, not patience, has to end this 429."""
    return isinstance(error, openai.RateLimitError) and error.code == "insufficient_quota"


def worth_another_try(error: openai.APIError) -> bool:
    """Return whether the same call may well succeed later."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409, 429) or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError)


async def patiently(work: Callable[[], Awaitable[T]], *, attempts: int) -> T:
    """Return what `work` gives, called up to `attempts` times while its failures are worth another try.

    Waits as long as `Retry-After` says, else twice as long each time. Raises the last failure, at once if
    the wait would be longer than LONGEST_WAIT.
    """
    for attempt in range(attempts):
        try:
            return await work()
        except openai.APIError as error:
            delay = retry_after(error)
            if (
                attempt + 1 == attempts
                or out_of_quota(error)
                or not worth_another_try(error)
                or (delay or 0) > LONGEST_WAIT
            ):
                raise
            # Spread, because several calls refused together must not come back together.
            grown = min(FIRST_DELAY * 2**attempt, LONGEST_DELAY) * random.uniform(0.75, 1)  # noqa: S311
        await asyncio.sleep(max(delay or 0.0, grown))
    raise AssertionError("unreachable")


def retry_after(error: Exception) -> float | None:
    """Return the seconds of an answer's `Retry-After` (RFC 9110 §10.2.3), a number or a date, or None."""
    if not isinstance(error, openai.APIStatusError):
        return None
    value = error.response.headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            until = parsedate_to_datetime(value)
        except ValueError:
            return None
        # A date without a zone is in GMT, like all of HTTP's.
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        seconds = (until - timezone.now()).total_seconds()
    return min(max(0.0, seconds), WEEK) if isfinite(seconds) else None


async def listed(first: Awaitable[AsyncCursorPage[T]]) -> AsyncIterator[T]:
    """Yield the items of a list, page by page. Raises NotOpenAI if it leads back to where it was."""
    cursors: set[str] = set()
    async for page in (await first).iter_pages():
        for item in page.data:
            yield item
        cursor = str(getattr(page.data[-1], "id", "")) if page.data else ""
        if page.has_more and cursor in cursors:
            raise NotOpenAI(httpx2.Request("GET", base_url()), "gives a page of a list again and again")
        cursors.add(cursor)


class Pace:
    """At most `per_minute` starts in any minute."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._starts: deque[float] = deque()

    async def start(self) -> None:
        """Wait for a place and occupy it."""
        while True:
            now = time.monotonic()
            while self._starts and now - self._starts[0] >= MINUTE:
                self._starts.popleft()
            if len(self._starts) < self._per_minute:
                self._starts.append(now)
                return
            await asyncio.sleep(MINUTE - (now - self._starts[0]))


def api_error(error: Exception) -> str:
    """Return what `error` means, in one sentence for a person who runs this site."""
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        return "OpenAI did not answer in time; try again in a while."
    if isinstance(error, NotOpenAI | BadSetting):
        return error.message
    if isinstance(error, openai.APIResponseValidationError):
        return "The server answered in a form that is not OpenAI's; check OPENAI_BASE_URL."
    if isinstance(error, openai.APIConnectionError):
        return "OpenAI could not be reached; check the network and OPENAI_BASE_URL."
    if isinstance(error, openai.AuthenticationError):
        return "OpenAI refused the key; check OPENAI_API_KEY."
    if isinstance(error, openai.PermissionDeniedError):
        return "The OpenAI key may not use files and vector stores; give it that permission."
    if isinstance(error, openai.NotFoundError):
        return "OpenAI does not know the vector store or file that was asked for; check VECTOR_STORE_ID."
    if out_of_quota(error):
        return "The OpenAI account's quota is used up; raise it in OpenAI's billing settings."
    if isinstance(error, openai.RateLimitError):
        return f"OpenAI does not accept more requests at the moment; try again {_when(error, 'in a minute')}."
    if isinstance(error, openai.APIStatusError):
        if error.status_code >= 500:
            when = _when(error, "in a while")
            return f"OpenAI had an internal error (HTTP {error.status_code}); try again {when}."
        return f"OpenAI refused the request (HTTP {error.status_code}): {_reason(error)}"
    return "OpenAI could not be used."


def _when(error: openai.APIStatusError, otherwise: str) -> str:
    """Return when to come back: by the answer's `Retry-After` if that is longer than a minute."""
    seconds = retry_after(error) or 0
    if seconds <= LONGEST_WAIT:
        return otherwise
    minutes = ceil(seconds / MINUTE)
    wait = f"{minutes} minutes" if minutes < 120 else f"{round(minutes / 60)} hours"
    return f"in {wait}, after {timezone.localtime() + timedelta(minutes=minutes):%Y-%m-%d %H:%M %Z}"


def _reason(error: openai.APIStatusError) -> str:
    message = error.body.get("message") if isinstance(error.body, dict) else None
    return str(message or "no reason was given.")[:300]
