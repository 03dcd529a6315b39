"""Grants: what a person once allowed a client, from the authorization code to the last refresh token.

A grant is identified by its family of refresh tokens, whose id every access token carries (`grant_id`). It
lives while one token of the family does. So a revoked token, a stolen one that is used long after its
owner used it, or a connection ended by its owner also ends the access tokens, although they verify
locally.

A refresh token may be used again for OAUTH_REFRESH_GRACE_SECONDS after its first use, and gives a new
pair each time: clients make several calls at once and each refreshes when the access token expires,
and a lost answer is requested again (client-contract 41). A used token differs from a revoked one by
its access token, which is kept until the grant ends.
"""

import hashlib
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from mcpsite.access import signing
from mcpsite.access.caller import Claims

if TYPE_CHECKING:
    # Imported where it is needed, because the app exists only while this server does.
    from oauth2_provider.models import RefreshToken

CLAIM = "grant_id"
MOST_PAIRS = 200
"""Pairs of tokens that a grant may get in a minute, so that a client cannot fill the database."""
REMEMBERED_SECONDS = 5.0
"""How long an access token may live on after its grant ended, so that not each call costs a statement."""
REMEMBERED = 4096

_seen_alive: dict[UUID, float] = {}


def of_code(code: str) -> UUID:
    """Return the grant that begins with this authorization code.

    It follows from the code, so a code that comes a second time identifies what to revoke
    (RFC 6749 §4.1.2) long after the code itself was deleted.
    """
    return UUID(bytes=hashlib.sha256(b"grant\0" + code.encode()).digest()[:16])


def of_token(claims: Claims) -> UUID | None:
    """Return the grant of an access token of ours; None for one that the token endpoint did not make."""
    value = claims.raw.get(CLAIM) if signing.is_own_issuer() else None
    return UUID(value) if isinstance(value, str) else None


def seen_alive(grant: UUID) -> bool:
    """Return whether the grant was alive a moment ago, without a query."""
    return time.monotonic() - _seen_alive.get(grant, float("-inf")) < REMEMBERED_SECONDS


def is_alive(grant: UUID) -> bool:
    """Return whether the grant is alive. Synchronous: one statement, by index."""
    from oauth2_provider.models import RefreshToken

    live = RefreshToken.objects.filter(token_family=grant, revoked__isnull=True, access_token__isnull=False)
    alive: bool = live.exists()
    if alive:
        while len(_seen_alive) >= REMEMBERED:
            _seen_alive.pop(next(iter(_seen_alive)), None)
        _seen_alive[grant] = time.monotonic()
    else:
        _seen_alive.pop(grant, None)
    return alive


def revoke_grant(grant: UUID) -> None:
    """End the grant: revoke its refresh tokens and delete its access tokens."""
    from oauth2_provider.models import RefreshToken

    _seen_alive.pop(grant, None)
    with transaction.atomic():
        _lock(grant)
        RefreshToken.revoke_family(grant)


def presented(value: str, client: Any) -> "RefreshToken | None":
    """Return the refresh token `value` of `client` if it may be used now; otherwise None.

    One that was used longer ago than the time of grace was stolen, from its owner or by them: its grant
    ends. Called in a transaction; the grant is locked until its end.
    """
    from oauth2_provider.models import RefreshToken

    checksum = hashlib.sha256(value.encode()).hexdigest()
    named = RefreshToken.objects.filter(token_checksum=checksum, application=client)
    grant = named.values_list("token_family", flat=True).first()
    if grant is None:
        return None
    _lock(grant)
    # Read after the lock: what another request did with the grant meanwhile counts.
    token = named.select_related("access_token", "user").first()
    if token is None:
        return None
    if token.revoked is not None:
        # Either way, because the clocks of two machines differ.
        passed = abs(timezone.now() - token.revoked)
        if passed >= timedelta(seconds=settings.OAUTH_REFRESH_GRACE_SECONDS) or token.access_token is None:
            revoke_grant(grant)
            return None
    if token.access_token is None:
        return None
    lifetime = timedelta(seconds=settings.OAUTH_REFRESH_TOKEN_SECONDS)
    return token if timezone.now() < token.access_token.expires + lifetime else None


def pairs_of_a_minute(grant: UUID) -> int:
    """Return how many pairs of tokens the grant got in the last minute."""
    from oauth2_provider.models import RefreshToken

    since = timezone.now() - timedelta(minutes=1)
    pairs: int = RefreshToken.objects.filter(token_family=grant, created__gt=since).count()
    return pairs


def _lock(grant: UUID) -> None:
    """Lock the grant until the transaction ends: it is not ended while tokens are given, nor vice versa.

    Its oldest token stands for the whole, because tokens that are being made cannot be locked yet.
    """
    from oauth2_provider.models import RefreshToken

    RefreshToken.objects.select_for_update().filter(token_family=grant).order_by("pk").first()
