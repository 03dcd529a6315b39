"""Access tokens: from the text in the `Authorization` header to claims that can be trusted.

One verifier for every issuer (RFC 9068 §4, RFC 8725, client-contract 15 to 17 and 19). A refused client
gets one plain sentence; the log says more, because an operator has to correct the provider's settings.
Neither ever contains the token.
"""

import base64
import binascii
import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any

import jwt
from django.conf import settings
from django.core.signals import setting_changed

from mcpsite.access import discovery, signing
from mcpsite.access.algorithms import allowed
from mcpsite.access.caller import Claims
from mcpsite.access.introspection import CACHE_SECONDS, Introspection
from mcpsite.access.keys import Key, Keys, KeySet, KeysUnavailable
from mcpsite.access.limits import network

__all__ = ["ExpiredToken", "InvalidToken", "KeysUnavailable", "Verifier", "verifier"]

logger = logging.getLogger(__name__)

MAX_TOKEN_BYTES = 32 * 1024
"""Entra's tokens of somebody in 200 groups have 11 KB."""
MAX_KID_LENGTH = 256
MAX_SUBJECT_LENGTH = 255
"""OpenID Connect Core §2: a subject has at most 255 characters."""
LEEWAY = 60.0
"""Seconds by which the issuer's clock may be ahead of ours."""
REMEMBERED_TOKENS = 2048
REMEMBERED_BYTES = 8 * 1024 * 1024
"""Bytes of remembered tokens; their claims take about three times as much."""

ACCESS_TOKEN_TYPES = ("at+jwt", "application/at+jwt")
# Providers older than RFC 9068 write JWT or nothing.
TOKEN_TYPES = (*ACCESS_TOKEN_TYPES, "jwt", "")

REMEDY = (
    "the provider was not asked for our audience. Make its API identifier equal to the resource URL; on "
    "Auth0 also switch on the Resource Parameter Compatibility Profile (or set a tenant Default Audience), "
    "promote the connection to domain level, and enable DCR or CIMD"
)

FEWER_CLAIMS = (
    "configure the provider to put less into access tokens, above all fewer groups or roles (on Entra "
    "only the groups assigned to the application, on Keycloak only the roles of this client)"
)

_SIGNATURES = jwt.PyJWS()


class InvalidToken(Exception):
    """The token is not good here: 401 with `error="invalid_token"` (RFC 6750 §3.1)."""

    def __init__(self, description: str, *, reason: str = "", code: str = "malformed") -> None:
        super().__init__(description)
        self.description = description
        """One sentence for `error_description`: printable ASCII, without any of the token."""
        self.reason = reason or description
        """The sentence for the log and `doctor`: more exact, with any remedy; never the token."""
        self.code = code
        """The kind of fault, one of a few: for `doctor` and the metrics."""


class ExpiredToken(InvalidToken):
    """A verified token that has expired: every client sends one before it refreshes, so it is no attack."""


class Verifier:
    """Checks tokens of one issuer. Belongs to one process; `verify` runs on its event loop.

    A good token is remembered by its digest until it expires or the issuer's key set changes, so the next
    call with it costs a hash and a look-up.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audiences: Iterable[str],
        algorithms: Iterable[str],
        keys: Keys,
        max_lifetime: float,
        introspection: Introspection | None = None,
        introspected_audience: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Allow at most `max_lifetime` seconds from `iat` to `exp`. `clock`: seconds since the epoch.

        `introspection` is asked about tokens that are not a JWT; `introspected_audience` is whether its
        answers have to name an audience.
        """
        self._issuer = issuer
        self._audiences = frozenset(audiences)
        self._algorithms = allowed(algorithms)
        self._keys = keys
        self._max_lifetime = max_lifetime
        self._introspection = introspection
        self._introspected_audience = introspected_audience
        self._clock = clock
        self._remembered: dict[bytes, tuple[KeySet, Claims, int]] = {}
        self._remembered_bytes = 0

    async def verify(self, token: str, address: str = "") -> Claims:
        """Return the claims of `token` (compact JWS, without `Bearer `), once verified.

        `address`: where the request came from, each of which has its share of questions to the issuer.
        Raises InvalidToken, and KeysUnavailable if it cannot be known whether the token is good.
        """
        try:
            _check_text(token)
            if self._introspection is not None and not _is_jws(token):
                return await self._introspected(self._introspection, token, address)
            digest = hashlib.sha256(token.encode("ascii")).digest()
            known = self._remembered.get(digest)
            if known and known[0] is self._keys.available() and known[1].expires_at > self._clock():
                return known[1]
            key_set, claims = await self._check(token)
        except InvalidToken as refused:
            logger.warning("Access token refused: %s", refused.reason)
            raise
        self._remember(digest, key_set, claims, len(token))
        return claims

    async def _introspected(self, introspection: Introspection, token: str, address: str) -> Claims:
        """Return the issuer's claims about a token that cannot be read here (RFC 7662 §2.2)."""
        claims = await introspection.claims(token, network(address))
        if claims is None:
            raise InvalidToken(
                "The access token is not active.",
                code="inactive",
                reason="the introspection endpoint says that the token is not active: it is expired, "
                "revoked or not one of its tokens.",
            )
        if "iss" in claims:
            self._check_issuer(claims)
        # If the answer has no times, it is good for as long as it may be remembered.
        now = self._clock()
        expires_at = self._check_times({"iat": now, "exp": now + CACHE_SECONDS, **claims})
        if self._introspected_audience or "aud" in claims:
            self._check_audience(claims)
        kind = claims.get("token_type", "Bearer")
        if not isinstance(kind, str) or kind.lower() not in ("bearer", "access_token"):
            raise InvalidToken(
                "The token is not an access token.",
                code="kind",
                reason=f"the introspection endpoint says that the token_type is {_loggable(kind)}.",
            )
        return self._claims(claims, {}, expires_at)

    def prefetch(self) -> None:
        """Begin to fetch the issuer's keys without waiting for them; called on the event loop."""
        self._keys.available()

    async def ready(self) -> bool:
        """Return whether there are keys of the issuer; if not, start fetching them and wait briefly."""
        return await self._keys.ready()

    def _remember(self, digest: bytes, key_set: KeySet, claims: Claims, size: int) -> None:
        self._forget(digest)
        while len(self._remembered) >= REMEMBERED_TOKENS or self._remembered_bytes > REMEMBERED_BYTES - size:
            self._forget(next(iter(self._remembered)))
        self._remembered[digest] = (key_set, claims, size)
        self._remembered_bytes += size

    def _forget(self, digest: bytes) -> None:
        *_, size = self._remembered.pop(digest, (0,))
        self._remembered_bytes -= size

    async def _check(self, token: str) -> tuple[KeySet, Claims]:
        header, unproven = self._peek(token)
        alg, kid = self._check_header(header)
        # Before any key is looked for: a foreign token must not make us fetch keys.
        self._check_issuer(unproven)
        key_set, key = await self._key(alg, kid)
        try:
            proven = _SIGNATURES.decode_complete(token, key.public, algorithms=[alg])
            claims = json.loads(proven["payload"])
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise InvalidToken("The access token's signature is not valid.", code="signature") from None
        self._check_issuer(claims)
        return key_set, self._check_claims(claims, header)

    def _peek(self, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return header and payload of `token` before anything is verified."""
        dots = token.count(".")
        if dots == 4:
            raise InvalidToken(
                "The access token is encrypted; this server needs a signed JWT for its own audience.",
                code="encrypted",
                reason=f"the token has five parts, so it is encrypted (JWE): {REMEDY}.",
            )
        if dots == 0:
            raise InvalidToken(
                "The access token is opaque; this server needs a signed JWT for its own audience.",
                code="opaque",
                reason=f"the token has no dots, so it is opaque and not a JWT: {REMEDY}.",
            )
        if dots != 2:
            raise InvalidToken(
                "The access token is not a valid JWT.",
                reason=f"a JWT has three parts, this token {dots + 1}.",
            )
        header, payload, _ = token.split(".")
        return _json_object(header, "header"), _json_object(payload, "payload")

    def _check_header(self, header: Mapping[str, Any]) -> tuple[str, str | None]:
        """Return the algorithm and the key's id; `jku`, `jwk` and `x5u` are never used (RFC 8725 §3.10)."""
        if "crit" in header:
            raise InvalidToken("The access token has a critical header that this server does not know.")
        if "b64" in header:
            raise InvalidToken("The access token has a header that this server does not know.")
        alg = header.get("alg")
        if not isinstance(alg, str) or alg not in self._algorithms:
            raise InvalidToken(
                "The access token is not signed with an algorithm that this server allows.",
                code="algorithm",
                reason=f"the token's algorithm is {_loggable(alg)}; JWT_ALGORITHMS allows "
                f"{', '.join(sorted(self._algorithms))}.",
            )
        kind = header.get("typ", "")
        if not isinstance(kind, str) or kind.lower() not in TOKEN_TYPES:
            raise InvalidToken(
                "The token is not an access token.",
                code="kind",
                reason=f"the token's typ is {_loggable(kind)}, an access token's is at+jwt or JWT.",
            )
        if "kid" not in header:
            return alg, None
        kid = header["kid"]
        if not isinstance(kid, str) or not 1 <= len(kid) <= MAX_KID_LENGTH:
            raise InvalidToken(
                "The access token's key id is not valid.",
                reason=f"the token's kid is not a text of 1 to {MAX_KID_LENGTH} characters.",
            )
        return alg, kid

    async def _key(self, alg: str, kid: str | None) -> tuple[KeySet, Key]:
        key_set = await self._keys.current()
        if not key_set.knows(kid):
            key_set = await self._keys.refetched()
        key = key_set.find(kid, alg)
        if key is not None:
            return key_set, key
        if kid is None:
            reason = "the token names no key (kid) and the issuer has more than one that fits, or none."
        elif key_set.knows(kid):
            reason = f"the key that the token names is not for its algorithm, {alg}."
        else:
            reason = f"the token names a key (kid {_loggable(kid)}) that the issuer does not publish."
        raise InvalidToken(
            "The access token is not signed with a key of our issuer.", code="unknown-key", reason=reason
        )

    def _check_issuer(self, claims: Mapping[str, Any]) -> None:
        if claims.get("iss") != self._issuer:
            raise InvalidToken(
                "The access token was not issued by this server's issuer.",
                code="issuer",
                reason=f"the token's iss is {_loggable(claims.get('iss'))}, the issuer in force is "
                f"{self._issuer!r}; they have to be exactly equal, including the trailing slash.",
            )

    def _check_claims(self, claims: dict[str, Any], header: Mapping[str, Any]) -> Claims:
        expires_at = self._check_times(claims)
        self._check_audience(claims)
        return self._claims(claims, header, expires_at)

    def _claims(self, claims: Mapping[str, Any], header: Mapping[str, Any], expires_at: float) -> Claims:
        subject = claims.get("sub")
        # Unprintable characters would be stored, shown and logged.
        if (
            not isinstance(subject, str)
            or not 1 <= len(subject) <= MAX_SUBJECT_LENGTH
            or not subject.isprintable()
        ):
            raise InvalidToken(
                "The access token does not name its user.",
                code="subject",
                reason=f"the token's sub is missing or not a text of 1 to {MAX_SUBJECT_LENGTH} characters.",
            )
        client_id = next(
            (
                claims[name]
                for name in ("client_id", "azp", "cid", "appid")
                if isinstance(claims.get(name), str) and claims[name]
            ),
            "",
        )
        _refuse_id_token(claims, header, client_id)
        return Claims(
            issuer=self._issuer,
            subject=subject,
            client_id=client_id,
            scopes=scopes_of(claims),
            expires_at=expires_at,
            raw=claims,
        )

    def _check_times(self, claims: Mapping[str, Any]) -> float:
        """Return the token's `exp`, after checking all its times (RFC 7519 §4.1.4 to 4.1.6)."""
        now = self._clock()
        expires_at, issued_at = _seconds(claims, "exp"), _seconds(claims, "iat")
        if expires_at is None or issued_at is None:
            raise InvalidToken(
                "The access token does not say when it was issued and when it expires.",
                reason="the token has no usable exp or iat.",
            )
        if expires_at <= now:
            raise ExpiredToken(
                "The access token has expired.",
                code="expired",
                reason=f"the token expired {now - expires_at:.0f} seconds ago.",
            )
        not_before = _seconds(claims, "nbf") if "nbf" in claims else issued_at
        if not_before is None or max(not_before, issued_at) > now + LEEWAY:
            raise InvalidToken(
                "The access token is not valid yet.",
                code="clock",
                reason="the token's nbf or iat lies in the future; is this machine's clock right?",
            )
        if expires_at - issued_at > self._max_lifetime + LEEWAY:
            raise InvalidToken(
                "The access token is valid for longer than this server allows.",
                code="lifetime",
                reason=f"the token is valid for {expires_at - issued_at:.0f} seconds, but "
                f"JWT_MAX_LIFETIME_SECONDS allows {self._max_lifetime:.0f}.",
            )
        return expires_at

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        audience = claims.get("aud")
        named = [audience] if isinstance(audience, str) else audience
        if isinstance(named, list) and any(
            isinstance(each, str) and each in self._audiences for each in named
        ):
            return
        said = "has no aud" if audience is None else f"has the aud {_loggable(audience)}"
        hint = " (Amazon Cognito: bind the token to the resource)" if audience is None else ""
        raise InvalidToken(
            "The access token is not meant for this server.",
            code="audience",
            reason=f"the token {said}, "
            f"JWT_AUDIENCES is {', '.join(sorted(self._audiences))}: {REMEDY}{hint}.",
        )


def _check_text(token: str) -> None:
    """Raise InvalidToken for a text that is too long to be read, or that no token can have."""
    if len(token) > MAX_TOKEN_BYTES:
        most = f"{len(token):,} bytes, and this server takes {MAX_TOKEN_BYTES:,}"
        raise InvalidToken(
            f"The access token is too long: {most}; {FEWER_CLAIMS}.",
            code="too-long",
            reason=f"the token is too long: it has {most}; {FEWER_CLAIMS}.",
        )
    if not token.isascii():
        raise InvalidToken("The access token is not a valid JWT.", reason="the token is not ASCII.")


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """Return the scopes in `scope` (RFC 9068 §2.2.3), `scp` (Okta, Entra) and `permissions` (Auth0)."""
    scopes: set[str] = set()
    for name in ("scope", "scp", "permissions"):
        value = claims.get(name)
        if isinstance(value, str) and name != "permissions":
            scopes.update(value.split())
        elif isinstance(value, list):
            scopes.update(each for each in value if isinstance(each, str))
    return frozenset(scopes)


def _refuse_id_token(claims: Mapping[str, Any], header: Mapping[str, Any], client_id: str) -> None:
    """Raise InvalidToken for a token made for a client to read, and not for us (OpenID Connect Core §2).

    Providers that do not mark access tokens in the header do so in a claim: Keycloak with `typ`, Cognito
    with `token_use`. Only if there is no mark is one inferred.
    """
    kind, use = claims.get("typ"), claims.get("token_use")
    marked = str(header.get("typ", "")).lower() in ACCESS_TOKEN_TYPES or kind == "Bearer" or use == "access"
    # An Entra client that calls its own API has aud equal to azp, and scp or roles.
    grants = marked or any(name in claims for name in ("scope", "scp", "permissions", "roles"))
    audience = claims.get("aud")
    for_client = bool(client_id) and audience in (client_id, [client_id])
    if (
        kind in ("ID", "Refresh", "Offline", "Logout")
        or use not in (None, "access")
        or "at_hash" in claims
        or "c_hash" in claims
        or ("nonce" in claims and not marked)
        or (for_client and not grants)
    ):
        raise InvalidToken(
            "The token is not an access token.",
            code="kind",
            reason="the token is an ID token or of another kind; the client has to send the access token.",
        )


def _is_jws(token: str) -> bool:
    """Return whether `token` looks like a signed JWT: three parts, the first a JSON object with `alg`."""
    if token.count(".") != 2:
        return False
    try:
        return "alg" in _json_object(token.partition(".")[0], "header")
    except InvalidToken:
        return False


def _seconds(claims: Mapping[str, Any], name: str) -> float | None:
    """Return the NumericDate in `name`, or None if it is missing, not a number or beyond all time."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value < 1e12 or not math.isfinite(value):
        return None
    return float(value)


def _json_object(part: str, name: str) -> dict[str, Any]:
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidToken(
            "The access token is not a valid JWT.", reason=f"the token's {name} is not a JSON object."
        )
    return value


def _loggable(value: object) -> str:
    """Return a claim for the log: one line of ASCII, bounded."""
    text = ascii(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


@cache
def verifier() -> Verifier:
    """Return this process's verifier by the settings; made on first use, and anew if a setting changes."""
    issuer = signing.issuer()
    max_stale = float(settings.JWKS_MAX_STALE_SECONDS)
    if signing.is_own_issuer():
        keys = Keys(signing.own_keys, max_stale=max_stale, pause=1.0)
    else:
        keys = Keys(partial(discovery.fetch_keys, issuer), max_stale=max_stale)
    return Verifier(
        issuer=issuer,
        audiences=settings.JWT_AUDIENCES,
        algorithms=settings.JWT_ALGORITHMS,
        keys=keys,
        max_lifetime=settings.JWT_MAX_LIFETIME_SECONDS,
        introspection=_introspection(),
        introspected_audience=settings.INTROSPECTION_REQUIRE_AUDIENCE,
    )


def _introspection() -> Introspection | None:
    if not settings.INTROSPECTION_ENDPOINT:
        return None
    return Introspection(
        endpoint=settings.INTROSPECTION_ENDPOINT,
        client_id=settings.INTROSPECTION_CLIENT_ID,
        client_secret=settings.INTROSPECTION_CLIENT_SECRET,
    )


def _forget_verifier(*, setting: str, **_: object) -> None:
    if setting.startswith(("AUTH0", "INTROSPECTION", "JWT", "JWKS", "SITE_URL", "SIGNING")):
        verifier.cache_clear()


setting_changed.connect(_forget_verifier, dispatch_uid="mcpsite.access.tokens")
