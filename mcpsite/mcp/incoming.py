"""The bodies of requests to the endpoint: bounded while they arrive, wait and are parsed.

JSON takes up to thirty times its length in memory when it is parsed, and parsing it stops every other thread.
So a body that is larger than any call needs is parsed in a separate thread, a few at a time, and
only so much of what one caller sends is here at once.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from django.conf import settings
from starlette.types import Receive

from mcpsite.access.caller import Claims
from mcpsite.access.limits import limits
from mcpsite.core.receiving import LATE, Body
from mcpsite.mcp import messages

SMALL = 16 * 1024
"""Bodies up to this are parsed at once: the longest call that the site's own tools take has 10 KB."""
LARGE_AT_ONCE = 2
OF_ONE_CALLER = 32
"""How many bodies of the largest size may be here from one caller at once."""


class BodyRefused(Exception):
    """A body that is not read to its end, or not now: the status of the answer, a sentence and headers."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers


class Incoming:
    """Messages that have arrived and are not answered yet; belongs to one event loop."""

    def __init__(self) -> None:
        self._bytes: Counter[tuple[str, str]] = Counter()
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    @asynccontextmanager
    async def message(self, receive: Receive, claims: Claims) -> AsyncIterator[messages.Message]:
        """Yield the message that `receive` brings, until it is answered.

        Nothing of the caller's limits is used while it is still being sent. Raises BodyRefused, LimitExceeded
        and Malformed.
        """
        caller = (claims.issuer, claims.subject)
        body = bytearray()
        try:
            await self._read(receive, body, caller)
            async with AsyncExitStack() as large:
                if len(body) <= SMALL:
                    message = messages.parse_message(bytes(body))
                else:
                    with limits().slot(*caller):
                        await self._turn(large)
                        message = await asyncio.to_thread(messages.parse_message, bytes(body))
                yield message
        finally:
            self._bytes[caller] -= len(body)
            if not self._bytes[caller]:
                del self._bytes[caller]

    async def _read(self, receive: Receive, body: bytearray, caller: tuple[str, str]) -> None:
        most = settings.MCP_MAX_BODY_BYTES
        incoming, more = Body(receive, most), True
        while more:
            message = await incoming()
            if message["type"] == "http.disconnect":
                break
            piece = message.get("body", b"")
            body += piece
            self._bytes[caller] += len(piece)
            if self._bytes[caller] > OF_ONE_CALLER * most:
                sentence = "You are sending too much data at once; try again in 1 second."
                raise BodyRefused(429, sentence, {"Retry-After": "1"})
            more = message.get("more_body", False)
        if incoming.fault == 413:
            raise BodyRefused(413, f"The request is larger than {most:,} bytes.")
        if incoming.fault:
            raise BodyRefused(incoming.fault, LATE, {"Connection": "close"})

    async def _turn(self, large: AsyncExitStack) -> None:
        """Wait until this may be one of the few large messages."""
        try:
            async with asyncio.timeout(settings.MCP_DEADLINE_SECONDS):
                await large.enter_async_context(self._large)
        except TimeoutError:
            sentence = "Too many large requests are waiting; try again in a minute."
            raise BodyRefused(503, sentence, {"Retry-After": "60"}) from None
