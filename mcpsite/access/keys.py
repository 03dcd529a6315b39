"""An issuer's signing keys, in memory so that no call waits for them.

`Keys` is the same whether they come over HTTP (an external issuer) or from a file (the site's own):
known keys are used at once, refreshed in the background, and kept through an outage for a bounded
time. A token with an unknown key can cause a refetch, but the pause between refetches is counted from
the last attempt, so a flood of such tokens causes one.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from mcpsite.access.algorithms import KEY_TYPES
from mcpsite.access.discovery import DiscoveryFailed

logger = logging.getLogger(__name__)

MAX_KEYS = 64
MIN_RSA_BITS = 2048
REFRESH_AFTER = 600.0
"""Seconds after which keys are read again, in the background of the call that finds them old."""
MAX_AGE = 2 * REFRESH_AFTER
"""Seconds after which a call waits for fresh keys, unless an attempt has just failed: after a quiet time a
withdrawn key must not work for even one call.
"""
FETCH_SECONDS = 10.0
"""The time limit of one fetch, discovery and key set together."""
PAUSE = 5.0
"""The least number of seconds between two attempts; doubled with each failure, up to LONGEST_PAUSE."""
LONGEST_PAUSE = 60.0
READY_SECONDS = 2.0
"""How long a readiness probe waits for a first fetch, because probes have short time limits."""

_PUBLIC_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}


class KeysUnavailable(Exception):
    """There are no usable keys, so no token can be judged: 503, not 401 (which would end every session)."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("The identity provider's keys are temporarily unavailable.")
        self.retry_after = max(1, round(retry_after))
        """Seconds, for the `Retry-After` header."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One public signing key (RFC 7517 §4)."""

    kid: str
    """Empty if the key has none."""
    kty: str
    crv: str
    alg: str
    """The only algorithm it is for; empty if any that fits its type is right."""
    public: Any
    """The key as an object of `cryptography`."""

    def fits(self, alg: str) -> bool:
        """Return whether a token with the header `alg` may be verified with this key (RFC 8725 §3.1)."""
        kty, crv = KEY_TYPES[alg]
        return self.kty == kty and (not crv or self.crv == crv) and self.alg in ("", alg)


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one issuer at one time; compared by identity: another object is another set."""

    keys: tuple[Key, ...]
    material: frozenset[tuple[tuple[str, str], ...]]

    def find(self, kid: str | None, alg: str) -> Key | None:
        """Return the key for a token with this `kid` and `alg`; without a `kid` the only key that fits."""
        fitting = [key for key in self.keys if key.fits(alg) and kid in (None, key.kid)]
        return fitting[0] if len(fitting) == 1 or (fitting and kid is not None) else None

    def knows(self, kid: str | None) -> bool:
        return kid is None or any(key.kid == kid for key in self.keys)


def key_set(jwks: Iterable[Mapping[str, Any]]) -> KeySet:
    """Return the usable keys among `jwks`; others (encryption, symmetric, short, unknown) are left out.

    Raises DiscoveryFailed if there are too many of them or none is usable.
    """
    jwks = list(jwks)
    if len(jwks) > MAX_KEYS:
        raise DiscoveryFailed(f"the issuer publishes {len(jwks)} keys, more than {MAX_KEYS}")
    usable = [(key, material) for key, material in map(_usable, jwks) if key is not None]
    if not usable:
        raise DiscoveryFailed("the issuer publishes no key that can verify a signature")
    return KeySet(tuple(key for key, _ in usable), frozenset(material for _, material in usable))


def _usable(jwk: Mapping[str, Any]) -> tuple[Key | None, tuple[tuple[str, str], ...]]:
    """Return the key in `jwk` with what distinguishes it from others, or None."""
    kty, kid, alg = jwk.get("kty"), jwk.get("kid", ""), jwk.get("alg", "")
    operations = jwk.get("key_ops", ["verify"])
    if (
        not isinstance(kty, str)
        or kty not in _PUBLIC_MEMBERS
        or not isinstance(kid, str)
        or alg not in ("", *KEY_TYPES)
        or jwk.get("use", "sig") != "sig"
        or not isinstance(operations, list)
        or "verify" not in operations
    ):
        return None, ()
    # Only the public members: a private key published by mistake is not used.
    members: dict[str, Any] = {"kty": kty, **{name: jwk.get(name) for name in _PUBLIC_MEMBERS[kty]}}
    if not all(isinstance(value, str) for value in members.values()):
        return None, ()
    crv = members.get("crv", "")
    fitting = [name for name, needs in KEY_TYPES.items() if needs == (kty, crv if kty != "RSA" else "")]
    if not fitting or (alg and alg not in fitting):
        return None, ()
    try:
        public = jwt.PyJWK(members, algorithm=fitting[0]).key
    except (jwt.PyJWTError, ValueError):
        return None, ()
    if isinstance(public, RSAPublicKey) and public.key_size < MIN_RSA_BITS:
        return None, ()
    material = tuple(sorted({**members, "kid": kid, "alg": alg}.items()))
    return Key(kid=kid, kty=kty, crv=crv, alg=alg, public=public), material


class Keys:
    """The current key set of one issuer, kept fresh from `load`.

    `load` returns the issuer's JWKs or raises DiscoveryFailed. Belongs to one process; its methods are
    called on the event loop. `clock` counts seconds and never goes back.
    """

    def __init__(
        self,
        load: Callable[[], Awaitable[Iterable[Mapping[str, Any]]]],
        *,
        max_stale: float,
        pause: float = PAUSE,
        time_limit: float = FETCH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._max_stale = max_stale
        self._pause = pause
        self._time_limit = time_limit
        self._clock = clock
        self._stored: KeySet | None = None
        self._read_at = 0.0
        self._next_attempt = float("-inf")
        self._failures = 0
        self._failed_at = 0.0
        self._fetching: asyncio.Task[None] | None = None

    def available(self) -> KeySet | None:
        """Return the current keys, without waiting; None if there are none or they are too old to be trusted.

        Starts a refresh in the background when it is due.
        """
        age = self._clock() - self._read_at
        if self._stored is None or age > REFRESH_AFTER:
            self._start()
            outage = self._failures > 0 and self._clock() - self._failed_at < 2 * LONGEST_PAUSE
            if age > (self._max_stale if outage else min(MAX_AGE, self._max_stale)):
                return None
        return self._stored

    async def current(self) -> KeySet:
        """Return the keys, after waiting for a first fetch if there are none; raises KeysUnavailable."""
        keys = self.available()
        if keys is None:
            await self._wait()
            keys = self.available()
        if keys is None:
            raise self._unavailable()
        return keys

    async def refetched(self) -> KeySet:
        """Return the keys after asking the issuer again (unless it is too early): for an unknown `kid`.

        Raises KeysUnavailable if the last attempt failed, because then the key may be good or not.
        """
        self._start()
        await self._wait()
        if self._failures:
            raise self._unavailable()
        return await self.current()

    async def ready(self) -> bool:
        """Return whether tokens can be judged; waits briefly for a first fetch."""
        if self.available() is None and self._fetching is not None:
            await asyncio.wait({self._fetching}, timeout=READY_SECONDS)
        return self.available() is not None

    def _start(self) -> None:
        """Start a fetch unless one is under way or it is too early for another."""
        loop = asyncio.get_running_loop()
        if self._fetching is not None and self._fetching.get_loop() is not loop:
            self._fetching = None  # It ended with its event loop.
        if self._fetching is None and self._clock() >= self._next_attempt:
            self._next_attempt = self._clock() + self._pause
            self._fetching = loop.create_task(self._fetch())

    async def _wait(self) -> None:
        if self._fetching is not None:
            # One caller's deadline must not end the fetch that others wait for.
            await asyncio.shield(self._fetching)

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(self._time_limit):
                fresh = key_set(await self._load())
        except TimeoutError:
            self._failed(f"it took longer than {self._time_limit:g} seconds")
        except DiscoveryFailed as error:
            self._failed(str(error))
        else:
            if self._failures:
                logger.info("The issuer's keys can be read again.")
            self._failures = 0
            self._read_at = self._clock()
            # The same keys stay the same object, so tokens verified with them need no second check.
            if self._stored is None or self._stored.material != fresh.material:
                self._stored = fresh
        finally:
            self._fetching = None

    def _failed(self, reason: str) -> None:
        wait = min(self._pause * 2**self._failures, LONGEST_PAUSE)
        self._failures = min(self._failures + 1, 16)
        self._failed_at = self._clock()
        self._next_attempt = self._failed_at + wait
        holding = "going on with the keys held" if self._stored else "no keys are held"
        logger.warning(
            "The issuer's keys could not be read: %s; %s, next try in %d s.", reason, holding, wait
        )

    def _unavailable(self) -> KeysUnavailable:
        return KeysUnavailable(self._next_attempt - self._clock())
