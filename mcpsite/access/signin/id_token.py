"""ID tokens: from the text that the provider's token endpoint gave to claims that can be trusted.

OpenID Connect Core §3.1.3.7, RFC 8725. What the header says about keys (`jku`, `jwk`, `x5u`) is never
used.
"""

from collections.abc import Mapping
from typing import Any

import jwt

from mcpsite.access.keys import Keys, KeysUnavailable
from mcpsite.access.signin.faults import ProviderUnavailable, SignInFailed
from mcpsite.access.tokens import FEWER_CLAIMS, LEEWAY, MAX_KID_LENGTH, MAX_SUBJECT_LENGTH, MAX_TOKEN_BYTES

REQUIRED = ("iss", "sub", "aud", "exp", "iat")
LONGEST_AGE = 600.0
"""Seconds since `iat`: the token was made for this sign-in, a moment ago."""
AGAIN = "The answer of your company's sign-in could not be verified; try again."


def refused(reason: str) -> SignInFailed:
    return SignInFailed(AGAIN, reason=f"the ID token is refused: {reason}")


async def proven(
    token: object, *, keys: Keys, issuer: str, client_id: str, algorithm: str, nonce: str, now: float
) -> dict[str, Any]:
    """Return the claims of `token`, made by `issuer` for us and for this sign-in.

    `now`: seconds since the epoch. Raises SignInFailed, and ProviderUnavailable if the provider's keys
    cannot be read.
    """
    if not isinstance(token, str) or not token.isascii():
        raise refused("it is missing or not ASCII text.")
    if len(token) > MAX_TOKEN_BYTES:
        raise refused(f"it is too long, {len(token):,} bytes of {MAX_TOKEN_BYTES:,}; {FEWER_CLAIMS}.")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise refused("it is not a signed JWT.") from None
    if header.get("alg") != algorithm or "crit" in header:
        raise refused(f"it is not signed with {algorithm} (OIDC_RP_SIGN_ALGO), or has a critical header.")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            await _key(keys, header.get("kid"), algorithm),
            algorithms=[algorithm],
            issuer=issuer,
            audience=client_id,
            leeway=LEEWAY,
            options={"require": list(REQUIRED)},
        )
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        # The library's sentence may quote the token; the kind of fault says enough.
        raise refused(f"{type(error).__name__}.") from None
    _check_audience(claims, client_id)
    if not nonce or claims.get("nonce") != nonce:
        raise refused("its nonce is not the one of this sign-in.")
    if claims["iat"] < now - LONGEST_AGE:
        raise refused("it was issued too long ago; is this machine's clock right?")
    subject = claims["sub"]
    if not 1 <= len(subject) <= MAX_SUBJECT_LENGTH or not subject.isprintable():
        raise refused(f"its sub is not a text of 1 to {MAX_SUBJECT_LENGTH} characters.")
    return claims


async def _key(keys: Keys, kid: object, algorithm: str) -> Any:
    if kid is not None and not (isinstance(kid, str) and 1 <= len(kid) <= MAX_KID_LENGTH):
        raise refused("its kid is not a text of a usable length.")
    try:
        key_set = await keys.current()
        if not key_set.knows(kid):
            key_set = await keys.refetched()
    except KeysUnavailable as error:
        raise ProviderUnavailable("the provider's keys cannot be read.") from error
    key = key_set.find(kid, algorithm)
    if key is None:
        raise refused("it is signed with a key that the provider does not publish for this algorithm.")
    return key.public


def _check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    """Check that `azp` names us; it is required if the token is for others too (§3.1.3.7, 4 and 5)."""
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client_id) != client_id:
        raise refused("it was issued to another client (azp).")
