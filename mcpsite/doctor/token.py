"""A token: one that the site signs for this check, or what is wrong with the given one."""

import asyncio
import time
from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DatabaseError

from mcpsite.access import claimed_groups, signing
from mcpsite.access.caller import Claims
from mcpsite.access.keys import KeysUnavailable
from mcpsite.access.tokens import FEWER_CLAIMS, REMEDY, InvalidToken, Verifier, verifier
from mcpsite.core.findings import Finding, capital

TOKEN_SECONDS = 300
CHANGES: dict[str, str] = {
    "encrypted": f"{REMEDY}.",
    "opaque": f"{REMEDY}. If your provider only issues opaque tokens, set INTROSPECTION_ENDPOINT.",
    "audience": f"{REMEDY}. Or add the token's aud to JWT_AUDIENCES, if it belongs to this site.",
    "issuer": "Set AUTH0_ISSUER to exactly the token's iss, if that is your provider.",
    "expired": "Get a new token; clients refresh theirs by themselves.",
    "clock": "Synchronize this machine's clock (NTP); the provider's clock is ahead.",
    "unknown-key": "Get a new token: this one was signed with a key that the issuer has withdrawn, or by "
    "another tenant.",
    "signature": "Get a new token and copy all of it; this one was changed or cut off.",
    "algorithm": "Set JWT_ALGORITHMS to the provider's algorithm, or change the algorithm at the provider.",
    "kind": "Use the access token, not the ID token or the refresh token.",
    "lifetime": "Shorten the life of access tokens at the provider, or raise JWT_MAX_LIFETIME_SECONDS.",
    "too-long": f"{FEWER_CLAIMS}.",
    "inactive": "Get a new token; the provider says that this one has expired or was revoked.",
    "subject": "Configure the provider to put `sub` into access tokens.",
}


def own_token() -> tuple[str, list[Finding]]:
    """Return a token that the site signs for this check, or why there is none."""
    if not signing.is_own_issuer():
        skipped = Finding(
            id="token-not-given",
            level="info",
            what="No token was given, so sign-in, search and fetch were not tested.",
            change="Run doctor with --token and an access token of your provider.",
        )
        return "", [skipped]
    try:
        user = get_user_model()._default_manager.filter(is_active=True, is_superuser=True).first()
    except DatabaseError:
        return "", []  # about_database reports that.
    if user is None:
        missing = Finding(
            id="no-administrator",
            level="warning",
            what="There is no active administrator to sign in as, so sign-in, search and fetch were not "
            "tested.",
            change="Run manage.py createsuperuser.",
        )
        return "", [missing]
    token = signing.issue(
        signing.own_subject(user),
        scopes=settings.REQUIRED_SCOPES,
        lifetime=TOKEN_SECONDS,
        client_id="doctor",
    )
    return token, []


def about_token(token: str, *, given: bool) -> Iterator[Finding]:
    """Yield what is wrong with this token, as this site's own verifier sees it."""
    try:
        claims = asyncio.run(_fresh_verifier().verify(token))
    except InvalidToken as error:
        yield Finding(
            id=f"token-{error.code}",
            level="error",
            what=f"The token is refused: {_without_remedy(error.reason)}",
            change=capital(CHANGES.get(error.code, "Get another token from your provider.")),
        )
        return
    except KeysUnavailable:
        yield Finding(
            id="token-not-judged",
            level="error",
            what="The token cannot be verified: the issuer's keys, or its introspection endpoint, cannot "
            "be used.",
            change="See the log and the findings about the issuer.",
        )
        return
    lacking = sorted(set(settings.REQUIRED_SCOPES) - claims.scopes)
    if lacking:
        yield Finding(
            id="token-scopes",
            level="error",
            what=f"The token lacks {', '.join(lacking)}, which REQUIRED_SCOPES demands; it has "
            f"{', '.join(sorted(claims.scopes)) or 'none'}.",
            change="Configure the provider to grant these scopes to the client, or remove them from "
            "REQUIRED_SCOPES.",
        )
        return
    if settings.ACCESS_GROUPS_CLAIM:
        yield from _about_groups(claims)
    left = claims.expires_at - time.time()
    if given:
        yield Finding(id="token", level="ok", what=f"The token is valid for another {left:.0f} s.")


def _about_groups(claims: Claims) -> Iterator[Finding]:
    """Yield what keeps the groups from following this token."""
    claim = settings.ACCESS_GROUPS_CLAIM
    if claimed_groups.overflows(claims.raw):
        what, _, change = claimed_groups.OVERAGE.partition("; ")
        yield Finding(
            id="token-groups-overage", level="warning", what=f"{capital(what)}.", change=f"{capital(change)}."
        )
    elif claimed_groups.value_at(claims.raw, claim) is None:
        yield Finding(
            id="token-groups",
            level="warning",
            what=f"The token has no claim {claim} (ACCESS_GROUPS_CLAIM), so a call with it removes the "
            "groups that another token gave.",
            change=f"Configure the provider to put {claim} into the access tokens of every client, unless "
            "it omits the claim for people who are in no group.",
        )


def _without_remedy(reason: str) -> str:
    return reason.replace(f": {REMEDY}", "").replace(f"; {FEWER_CLAIMS}", "")


def _fresh_verifier() -> Verifier:
    verifier.cache_clear()  # Keys belong to the event loop that fetched them.
    return verifier()
