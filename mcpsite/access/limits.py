"""How often and how many at once: limits on calls, and on failed authentication.

The `limits` library counts in fixed windows, the cheapest of its strategies and the only one that can
say exactly when the caller may come back. The counts are in this process, or in Redis if CACHE_URL
says so, where all processes share them; while it is away, each process counts by itself.
"""

import hashlib
import ipaddress
import math
import re
import threading
import time
from asyncio import to_thread
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerHour, parse
from limits.errors import StorageError
from limits.storage import RedisStorage, Storage
from limits.strategies import FixedWindowRateLimiter

from mcpsite.core.shared_store import SCHEMES, SharedStore, options, shared_store

MAX_COUNTERS = 100_000
"""Counters of one process; far more than there are callers and tools."""


COMMON = 100
"""How many times as many requests all strangers together may make as one address."""
NO_LIMIT = ("", "none", "off", "0")
_RATE = re.compile(
    r"[0-9]{1,9}\s*(/|per)\s*([1-9][0-9]{0,3}\s*)?(second|minute|hour|day|month|year)s?", re.IGNORECASE
)


SIGNED_IN = RateLimitItemPerDay(1, 90)
"""Not a limit: its counter records for so long that a person signed in to an account from an address."""
R = TypeVar("R")
Use = tuple[Any, ...]
"""A limit, and the names of its counter."""


class LimitExceeded(Exception):
    """Too many calls: one plain sentence that says when to come back, which is in `seconds`."""

    def __init__(self, sentence: str, seconds: int) -> None:
        super().__init__(sentence)
        self.seconds = seconds


class ProcessMemory(Storage):
    """Counters of this process.

    The library's own keeps a timer thread running while it is in use, which costs ten times as much as
    the counting; here an expired counter is found when it is next used or when room is needed.
    """

    STORAGE_SCHEME = None

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._counters: dict[str, tuple[int, float]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        now = self._clock()
        with self._lock:
            count, ends = self._counters.get(key, (0, 0.0))
            if ends <= now:
                count, ends = 0, now + expiry
                if len(self._counters) >= MAX_COUNTERS:
                    self._make_room(now)
            self._counters[key] = (count + amount, ends)
            return count + amount

    def get(self, key: str) -> int:
        count, ends = self._counters.get(key, (0, 0.0))
        return count if ends > self._clock() else 0

    def get_expiry(self, key: str) -> float:
        return max(self._clock(), self._counters.get(key, (0, 0.0))[1])

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        with self._lock:
            count = len(self._counters)
            self._counters.clear()
            return count

    def clear(self, key: str) -> None:
        with self._lock:
            self._counters.pop(key, None)

    def _make_room(self, now: float) -> None:
        self._counters = {key: counter for key, counter in self._counters.items() if counter[1] > now}
        # An attacker chooses addresses, so the oldest counters are dropped before memory runs out.
        while len(self._counters) >= MAX_COUNTERS:
            del self._counters[next(iter(self._counters))]


@dataclass(frozen=True, kw_only=True, slots=True)
class Password:
    """A password that somebody tries."""

    uses: list[Use]
    """The limits it counts against."""
    known: bool
    """Whether it comes from a browser or an address that signed in to this account before."""
    signed_in: Use


class Limits:
    """The limits of one process; safe to use from its threads."""

    def __init__(
        self,
        *,
        requests: RateLimitItem | None = None,
        calls: RateLimitItem | None,
        tools: Mapping[str, RateLimitItem | None],
        concurrent: int,
        failures: RateLimitItem | None,
        sign_ins: RateLimitItem | None = None,
        account_sign_ins: RateLimitItem | None = None,
        strangers: int = 0,
        storage: Storage,
        store: SharedStore | None = None,
    ) -> None:
        """Set each kind of limit.

        `requests`: of each caller, for anything. `calls`: of each caller to each tool, except those in
        `tools`. `concurrent`: calls of one caller in this process at once, 0 for any number. `failures`:
        failed authentications of an address. `sign_ins`, `account_sign_ins`: wrong passwords of an address,
        and for an account. `strangers`: requests of each kind by an address to the authorization server in an
        hour. `store`: the Redis that `storage` is in; while it is away, this process counts by itself.
        """
        self._requests = requests
        self._calls = calls
        self._tools = tools
        self._concurrent = concurrent
        self._failures = failures
        self._sign_ins = sign_ins
        self._account_sign_ins = account_sign_ins
        self._strangers = strangers
        self._strategy = FixedWindowRateLimiter(storage)
        self._store = store
        self._meanwhile = FixedWindowRateLimiter(ProcessMemory())
        self._running: dict[tuple[str, str], int] = {}

    @contextmanager
    def slot(self, issuer: str, subject: str) -> Iterator[None]:
        """Occupy one of the calls that this caller may have running at once; raises LimitExceeded.

        Each process counts for itself, because it is this process's threads that are shared out. Belongs to
        the event loop's thread.
        """
        key = (issuer, subject)
        running = self._running.get(key, 0)
        if self._concurrent and running >= self._concurrent:
            raise LimitExceeded(
                f"You have {running} calls running, the most that one caller may have; try again in 1 "
                "second, or when one of them has finished.",
                1,
            )
        self._running[key] = running + 1
        try:
            yield
        finally:
            left = self._running[key] - 1
            if left:
                self._running[key] = left
            else:
                del self._running[key]

    def count_call(self, user_id: int, tool: str) -> None:
        """Count a call; raises LimitExceeded. May wait for Redis, so not for the event loop's thread."""
        limit = self._tools.get(tool, self._calls)
        if limit is None:
            return
        seconds = self._exceeded(limit, "call", str(user_id), tool)
        if seconds is not None:
            raise LimitExceeded(
                f"You may call {tool} {_times(limit.amount)} {_per(limit)}; "
                f"try again in {seconds_in_words(seconds)}.",
                seconds,
            )

    async def count_request(self, issuer: str, subject: str) -> None:
        """Count a request before anything of it is read; raises LimitExceeded."""
        limit = self._requests
        if limit is None:
            return
        names = (limit, "request", issuer, subject)
        # In this process's memory it takes less time than switching to a thread.
        seconds = await to_thread(self._exceeded, *names) if self._store else self._exceeded(*names)
        if seconds is not None:
            rate, pause = f"{limit.amount} requests {_per(limit)}", seconds_in_words(seconds)
            raise LimitExceeded(f"You may send {rate}; try again in {pause}.", seconds)

    async def count_failure(self, address: str) -> int | None:
        """Count a failed authentication from an address; return the seconds to wait, or None for no wait."""
        if self._failures is None:
            return None
        return await to_thread(self._exceeded, self._failures, "failure", network(address))

    def count_stranger(self, kind: str, address: str) -> int:
        """Count a request of this kind to the authorization server; return 0, or the seconds to wait.

        All addresses together may make COMMON times as many, so that a few keep nobody else out.
        """
        for amount, whose in ((self._strangers, network(address)), (self._strangers * COMMON, "all")):
            if seconds := self._exceeded(RateLimitItemPerHour(amount), kind, whose):
                return seconds
        return 0

    def password(self, address: str, account: str, device: str = "") -> "Password":
        """Return the counters of a password tried from `address` for `account`. May wait for Redis.

        `device`: the browser, if it signed in to the account before. Strangers cannot use up its tries; nor,
        by trying elsewhere, those of an address from which somebody signed in.
        """
        # The field may contain any text: the key is short, and the same for a name in other letter cases.
        digest = hashlib.sha256(account.strip().casefold().encode()).hexdigest()
        place = network(address)
        known = not device and self._wait("test", SIGNED_IN, digest, place) is not None
        uses: list[Use] = []
        if self._sign_ins is not None and not device:
            uses.append((self._sign_ins, "sign-in", place))
        if self._account_sign_ins is not None:
            whose = (device,) if device else (digest, place) if known else (digest,)
            uses.append((self._account_sign_ins, "sign-in of", *whose))
        return Password(uses=uses, known=known or bool(device), signed_in=(SIGNED_IN, digest, place))

    def count_password(self, password: "Password") -> int:
        """Count a password before it is tried; return 0 if it may be, else the seconds to wait."""
        for place, use in enumerate(password.uses):
            seconds = self._exceeded(*use)
            if seconds is not None:
                self._give_back(password.uses[:place])
                return seconds
        return 0

    def forget_password(self, password: "Password", *, right: bool) -> None:
        """Undo the count of a password that was not tried, or was `right`."""
        self._give_back(password.uses)
        if right:
            self._exceeded(*password.signed_in)

    def _give_back(self, uses: "list[Use]") -> None:
        def give_back(strategy: FixedWindowRateLimiter) -> None:
            for limit, *names in uses:
                key = limit.key_for(*names)
                # If the window has ended, there is nothing to undo.
                if strategy.storage.get(key) > 0:
                    strategy.storage.incr(key, limit.get_expiry(), -1)

        self._count(give_back)

    def _exceeded(self, limit: RateLimitItem, *key: str) -> int | None:
        """Return the seconds until the window ends if this use is one too many, else None."""
        return self._wait("hit", limit, *key)

    def _wait(self, way: Literal["hit", "test"], limit: RateLimitItem, *key: str) -> int | None:
        """Return the seconds until the window ends, unless the limit has room for a hit, or a test of one."""

        def wait(strategy: FixedWindowRateLimiter) -> int | None:
            if getattr(strategy, way)(limit, *key):
                return None
            ends = strategy.get_window_stats(limit, *key).reset_time
            return max(1, math.ceil(ends - time.time()))

        return self._count(wait)

    def _count(self, count: Callable[[FixedWindowRateLimiter], R]) -> R:
        """Return what `count` finds in the store, or in this process's own memory while the store is away."""
        if self._store is None:
            return count(self._strategy)
        if self._store.is_usable():
            try:
                result = count(self._strategy)
            except StorageError as error:
                self._store.failed(error.storage_error)
            else:
                self._store.succeeded()
                return result
        return count(self._meanwhile)


def network(address: str) -> str:
    """Return whom an address stands for: itself, or the /64 from which an IPv6 host may choose its own."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"  # a Unix socket: there is no address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return str(parsed)


def rate(name: str, text: str) -> RateLimitItem | None:
    """Return the setting `name`, such as `120/minute`; None for `none`, which limits nothing.

    Raises ImproperlyConfigured.
    """
    if text.strip().lower() in NO_LIMIT:
        return None
    # The library accepts more, and reads only the first of several.
    if not _RATE.fullmatch(text.strip()):
        raise ImproperlyConfigured(
            f"{name} contains {text!r}; write for example 120/minute, 20/second or 1000/hour, or none."
        )
    return parse(text)


def tool_rates(texts: Mapping[str, str]) -> dict[str, RateLimitItem | None]:
    """Return the setting TOOL_RATE_LIMITS: tool → limit, not RATE_LIMIT. Raises ImproperlyConfigured."""
    return {tool: rate(f"TOOL_RATE_LIMITS for {tool}", text) for tool, text in texts.items()}


@cache
def limits() -> Limits:
    """Return this process's limits by the settings, anew if one changes; or raise ImproperlyConfigured."""
    return Limits(
        requests=rate("REQUEST_RATE_LIMIT", settings.REQUEST_RATE_LIMIT),
        calls=rate("RATE_LIMIT", settings.RATE_LIMIT),
        tools=tool_rates(settings.TOOL_RATE_LIMITS),
        concurrent=settings.CONCURRENT_CALLS,
        failures=rate("FAILED_AUTH_RATE_LIMIT", settings.FAILED_AUTH_RATE_LIMIT),
        sign_ins=rate("FAILED_SIGN_IN_RATE_LIMIT", settings.FAILED_SIGN_IN_RATE_LIMIT),
        account_sign_ins=rate(
            "FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT", settings.FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT
        ),
        strangers=settings.OAUTH_REGISTRATIONS_PER_HOUR,
        storage=_storage(settings.CACHES["default"]),
        store=shared_store(),
    )


def _storage(config: Mapping[str, Any]) -> Storage:
    location = config.get("LOCATION", "")
    if not location.startswith(SCHEMES):
        return ProcessMemory()
    uri = f"redis+{location}" if location.startswith("unix://") else location
    return RedisStorage(uri, key_prefix="mcpsite", wrap_exceptions=True, **options())


def _times(amount: int) -> str:
    return "once" if amount == 1 else f"{amount} times"


def _per(limit: RateLimitItem) -> str:
    unit = limit.GRANULARITY.name
    return f"per {unit}" if limit.multiples == 1 else f"per {limit.multiples} {unit}s"


def seconds_in_words(seconds: int) -> str:
    return "1 second" if seconds == 1 else f"{seconds} seconds"


_SETTINGS = (
    "REQUEST_RATE_LIMIT",
    "RATE_LIMIT",
    "TOOL_RATE_LIMITS",
    "CONCURRENT_CALLS",
    "FAILED_AUTH_RATE_LIMIT",
    "FAILED_SIGN_IN_RATE_LIMIT",
    "FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT",
    "OAUTH_REGISTRATIONS_PER_HOUR",
    "CACHES",
)


def _forget_limits(*, setting: str, **_: object) -> None:
    if setting in _SETTINGS:
        limits.cache_clear()


setting_changed.connect(_forget_limits, dispatch_uid="mcpsite.access.limits")
