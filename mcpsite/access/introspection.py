"""Token introspection (RFC 7662): asking the issuer about a token that cannot be read here.

It is for opaque tokens, and used only if INTROSPECTION_ENDPOINT is set. An answer is remembered for a
moment by the token's digest, so that a busy client costs the issuer one question in CACHE_SECONDS;
`mcpsite.access.tokens` judges the answer.
"""

import asyncio
import base64
import hashlib
import logging
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2

from mcpsite.access.discovery import DiscoveryFailed, Unreachable, ask, http_client
from mcpsite.access.keys import KeysUnavailable

logger = logging.getLogger(__name__)

Value = TypeVar("Value")

REQUEST_SECONDS = 5.0
"""The time limit of one question."""
WAIT_SECONDS = 3.0
"""How long a token waits for its question."""
AT_ONCE = 12
"""Questions under way at the same time; a flood of tokens does not reach the issuer."""
AT_ONCE_KNOWN = 4
"""Further questions, about tokens that were active when they were last asked about."""
AT_ONCE_ADDRESS = 4
"""From one address, about unknown tokens: made-up tokens hold up only others at the same address."""
WAITING_ADDRESS = 32
CACHE_SECONDS = 30.0
"""How long an answer is used, and so how long a revoked token may still work; never longer than its `exp`."""
REMEMBERED = 2048
PAUSE = 2.0
"""Seconds without another question after the endpoint could not be reached."""

_BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""RFC 6750 §2.1."""


class Introspection:
    """Answers of one introspection endpoint. Belongs to one process; used on its event loop."""

    def __init__(
        self,
        *,
        endpoint: str,
        client_id: str,
        client_secret: str,
        time_limit: float = REQUEST_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Ask `endpoint` (see `mcpsite.core.conf.introspection_endpoint`). `clock`: seconds since epoch."""
        # RFC 6749 §2.3.1: both are form-encoded before they are joined.
        pair = f"{quote(client_id, safe='')}:{quote(client_secret, safe='')}"
        self._authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
        self._endpoint = endpoint
        self._time_limit = time_limit
        self._clock = clock
        self._active: dict[bytes, tuple[float, Mapping[str, Any]]] = {}
        # Separate, so that a flood of bad tokens does not push out the good ones.
        self._inactive: dict[bytes, float] = {}
        self._asking: dict[bytes, asyncio.Task[Mapping[str, Any] | None]] = {}
        self._gates: tuple[asyncio.AbstractEventLoop, _Gates] | None = None
        self._next_attempt = 0.0

    async def claims(self, token: str, address: str = "") -> Mapping[str, Any] | None:
        """Return the members of an active `token` (RFC 7662 §2.2); None for one that is not active.

        `address` is where it came from, as `mcpsite.access.limits.network` returns it. Raises KeysUnavailable
        if the endpoint gives no usable answer, or there is no turn for the question.
        """
        if not _BEARER.fullmatch(token):
            return None
        digest = hashlib.sha256(token.encode("ascii")).digest()
        now = self._clock()
        until, claims = self._active.get(digest, (0.0, None))
        if claims is not None and until > now:
            return claims
        if self._inactive.get(digest, 0.0) > now:
            return None
        if now < self._next_attempt <= now + PAUSE:
            raise KeysUnavailable(self._next_attempt - now)
        loop = asyncio.get_running_loop()
        asking = self._asking.get(digest)
        if asking is None or asking.get_loop() is not loop:
            asking = self._asking[digest] = loop.create_task(self._ask(token, digest, address))
            asking.add_done_callback(lambda done: self._forget(digest, done))
        # One caller's deadline must not end the question that others wait for.
        return await asyncio.shield(asking)

    def _forget(self, digest: bytes, done: "asyncio.Task[Mapping[str, Any] | None]") -> None:
        if self._asking.get(digest) is done:
            del self._asking[digest]
        if not done.cancelled():
            done.exception()  # Retrieved, even if every caller has gone.

    async def _ask(self, token: str, digest: bytes, address: str) -> Mapping[str, Any] | None:
        async with self._gate().turn(address, known=digest in self._active):
            return await self._asked(token, digest)

    async def _asked(self, token: str, digest: bytes) -> Mapping[str, Any] | None:
        asked_at = self._clock()
        try:
            async with asyncio.timeout(self._time_limit):
                answer = await self._post(token)
        except (TimeoutError, Unreachable) as error:
            # Only this delays the next question: no made-up token can cause it.
            self._next_attempt = self._clock() + PAUSE
            raise self._unavailable(
                str(error) or f"{self._endpoint} did not answer within {self._time_limit:g} s"
            ) from error
        if answer.get("active") is not True:
            _put(self._inactive, digest, asked_at + CACHE_SECONDS)
            return None
        until = asked_at + CACHE_SECONDS
        expires_at = answer.get("exp")
        if isinstance(expires_at, int | float):
            until = min(until, float(expires_at))
        _put(self._active, digest, (until, answer))
        return answer

    async def _post(self, token: str) -> dict[str, Any]:
        headers = {"Authorization": self._authorization}
        form = {"token": token, "token_type_hint": "access_token"}
        try:
            async with http_client(self._endpoint) as client:
                status, answer = await ask(
                    client, "POST", self._endpoint, self._endpoint, form=form, headers=headers
                )
        except Unreachable:
            raise
        except DiscoveryFailed as error:
            raise self._unavailable(str(error)) from error
        if status == httpx2.codes.UNAUTHORIZED:
            raise self._unavailable(
                f"{self._endpoint} refused this site (401); INTROSPECTION_CLIENT_ID or "
                "INTROSPECTION_CLIENT_SECRET is wrong"
            )
        if status != httpx2.codes.OK:
            raise self._unavailable(f"{self._endpoint} answered {status}")
        if answer is None:
            raise self._unavailable(f"{self._endpoint} did not answer with a JSON object")
        return answer

    def _gate(self) -> "_Gates":
        loop = asyncio.get_running_loop()
        if self._gates is None or self._gates[0] is not loop:
            self._gates = (loop, _Gates())
        return self._gates[1]

    def _unavailable(self, fault: str) -> KeysUnavailable:
        logger.warning("Introspection: %s.", fault)
        return KeysUnavailable(PAUSE)


class _Gates:
    """The order of questions: a limit for each address, then one for all, and one for known tokens."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(AT_ONCE)
        self._known = asyncio.Semaphore(AT_ONCE_KNOWN)
        self._addresses: dict[str, asyncio.Semaphore] = {}
        self._waiting: Counter[str] = Counter()

    @asynccontextmanager
    async def turn(self, address: str, *, known: bool) -> AsyncIterator[None]:
        """Hold a place for one question. Raises KeysUnavailable if it would take too long."""
        if known:
            gates = [self._known]
        elif self._waiting[address] >= AT_ONCE_ADDRESS + WAITING_ADDRESS:
            raise KeysUnavailable(WAIT_SECONDS)
        else:
            gates = [self._addresses.setdefault(address, asyncio.Semaphore(AT_ONCE_ADDRESS)), self._all]
        self._waiting[address] += 1
        acquired = []
        try:
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    for gate in gates:
                        await gate.acquire()
                        acquired.append(gate)
            except TimeoutError as error:
                # This says nothing about the endpoint, so nobody else is held back.
                raise KeysUnavailable(WAIT_SECONDS) from error
            yield
        finally:
            for gate in acquired:
                gate.release()
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]
                self._addresses.pop(address, None)


def _put(remembered: dict[bytes, Value], digest: bytes, value: Value) -> None:
    """Remember `value`, and forget the oldest if there are too many."""
    remembered.pop(digest, None)
    while len(remembered) >= REMEMBERED:
        del remembered[next(iter(remembered))]
    remembered[digest] = value
