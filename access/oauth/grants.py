"""Grants: what a person once allowed a client, from the authorization code to the last refresh token.

A grant is known by the id of its family of refresh tokens, which every access token carries
(`grant_id`). It lives while one token of the family does. So a revoked token, a stolen one that was
used twice, or a connection ended by its owner ends the access tokens too, though they verify locally.
"""

import hashlib
import time
from uuid import UUID

from access import signing
from access.caller import Claims

CLAIM = "grant_id"
REMEMBERED_SECONDS = 5.0
"""How long an access token may live on after its grant was ended, so that calls cost no statement each."""
REMEMBERED = 4096

_seen_alive: dict[UUID, float] = {}


def of_code(code: str) -> UUID:
    """The grant that begins with this authorization code.

    It follows from the code, so that a code which comes a second time names what to revoke
    (RFC 6749 §4.1.2) long after the code itself was deleted.
    """
    return UUID(bytes=hashlib.sha256(b"grant\0" + code.encode()).digest()[:16])


def of_token(claims: Claims) -> UUID | None:
    """The grant of an access token of ours; None for one that was not made by the token endpoint."""
    value = claims.raw.get(CLAIM) if signing.is_own_issuer() else None
    return UUID(value) if isinstance(value, str) else None


def seen_alive(grant: UUID) -> bool:
    """Whether the grant was alive a moment ago; asks nobody."""
    return time.monotonic() - _seen_alive.get(grant, float("-inf")) < REMEMBERED_SECONDS


def is_alive(grant: UUID) -> bool:
    """Whether the grant is alive. Synchronous: one statement, by index."""
    from oauth2_provider.models import RefreshToken  # the app is there only while this server is

    alive: bool = RefreshToken.objects.filter(token_family=grant, revoked__isnull=True).exists()
    if alive:
        while len(_seen_alive) >= REMEMBERED:
            _seen_alive.pop(next(iter(_seen_alive)), None)
        _seen_alive[grant] = time.monotonic()
    else:
        _seen_alive.pop(grant, None)
    return alive


def end(grant: UUID) -> None:
    """End the grant: its refresh tokens are revoked and its access tokens forgotten."""
    from oauth2_provider.models import RefreshToken

    _seen_alive.pop(grant, None)
    RefreshToken.revoke_family(grant)
