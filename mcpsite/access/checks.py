"""Settings that contradict each other: Django system checks for `manage.py check --deploy` and `doctor`.

What cannot work at all is refused at start-up (`mcpsite.core.conf`); these are settings that start and then
surprise. An Error stops clients, a Warning surprises people. None of them needs the network.
"""

import stat
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004

from mcpsite.access import signing
from mcpsite.core import conf

OPENID_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
SHORTEST_USEFUL_SECONDS = 3600


def check_settings(**_: Any) -> list[CheckMessage]:
    """Return the results of all checks of this module."""
    return [message for check in CHECKS for message in check()]


def public_address() -> Iterator[CheckMessage]:
    if settings.PUBLIC and not settings.RESOURCE_SERVER_URL.startswith("https://"):
        yield Error(
            f"The public address {settings.RESOURCE_SERVER_URL} is not https; clients refuse it, and "
            "tokens could be read in transit.",
            hint="Put TLS in front and set RESOURCE_SERVER_URL to the https:// address.",
            id="access.E001",
        )


def lacks_auth0_slash(issuer: str) -> bool:
    """Return whether `issuer` is an Auth0 tenant's without the slash that each of them ends with."""
    return (urlsplit(issuer).hostname or "").endswith(".auth0.com") and not issuer.endswith("/")


def auth0_issuer() -> Iterator[CheckMessage]:
    if lacks_auth0_slash(settings.AUTH0_ISSUER):
        yield Error(
            f"AUTH0_ISSUER is {settings.AUTH0_ISSUER}, but the issuer of an Auth0 tenant ends with a "
            "slash; every token would be refused.",
            hint=f"Set AUTH0_ISSUER to {settings.AUTH0_ISSUER}/.",
            id="access.E002",
        )


def own_algorithm() -> Iterator[CheckMessage]:
    if signing.is_own_issuer() and signing.ALGORITHM not in settings.JWT_ALGORITHMS:
        yield Error(
            f"This site signs its tokens with {signing.ALGORITHM}, which JWT_ALGORITHMS does not allow.",
            hint=f"Add {signing.ALGORITHM} to JWT_ALGORITHMS.",
            id="access.E003",
        )


def own_lifetime() -> Iterator[CheckMessage]:
    if not signing.is_own_issuer():
        return
    seconds = settings.OAUTH_ACCESS_TOKEN_SECONDS
    if seconds > settings.JWT_MAX_LIFETIME_SECONDS:
        yield Error(
            f"This site's tokens are valid for {seconds} s (OAUTH_ACCESS_TOKEN_SECONDS), more than the "
            f"{settings.JWT_MAX_LIFETIME_SECONDS} s that it accepts (JWT_MAX_LIFETIME_SECONDS).",
            hint="Raise JWT_MAX_LIFETIME_SECONDS or lower OAUTH_ACCESS_TOKEN_SECONDS.",
            id="access.E004",
        )
    elif seconds < SHORTEST_USEFUL_SECONDS:
        yield Warning(
            f"Access tokens expire after {seconds} s; some clients ask people to sign in again that often.",
            hint="Set OAUTH_ACCESS_TOKEN_SECONDS to 3600 or more.",
            id="access.W005",
        )


def own_audience() -> Iterator[CheckMessage]:
    if settings.RESOURCE_SERVER_URL in settings.JWT_AUDIENCES:
        return
    message = (
        f"JWT_AUDIENCES is {', '.join(settings.JWT_AUDIENCES)} and does not include "
        f"{settings.RESOURCE_SERVER_URL}, the resource for which clients request tokens."
    )
    hint = "Add that URL to JWT_AUDIENCES, or make sure that your provider puts one of the others into `aud`."
    if signing.is_own_issuer():
        yield Error(message, hint=hint, id="access.E006")
    else:
        yield Warning(message, hint=hint, id="access.W006")


def openid_scopes() -> Iterator[CheckMessage]:
    found = sorted(OPENID_SCOPES.intersection(settings.REQUIRED_SCOPES))
    if found:
        yield Warning(
            f"REQUIRED_SCOPES contains {', '.join(found)}, which many access tokens do not have.",
            hint="Remove them from REQUIRED_SCOPES, unless you know that your provider grants them.",
            id="access.W007",
        )


def groups_claim() -> Iterator[CheckMessage]:
    if settings.ACCESS_GROUPS_CLAIM and signing.is_own_issuer():
        yield Warning(
            "ACCESS_GROUPS_CLAIM is set without AUTH0_ISSUER and has no effect.",
            hint="Set AUTH0_ISSUER, or assign groups in the admin and unset ACCESS_GROUPS_CLAIM.",
            id="access.W008",
        )


def nobody_gets_in() -> Iterator[CheckMessage]:
    if signing.is_own_issuer() or settings.ACCESS_GROUPS_CLAIM:
        return
    if settings.ACCESS_AUTO_CREATE_USERS and not settings.ACCESS_DEFAULT_GROUP:
        yield Warning(
            "New people have no access until it is granted, because ACCESS_DEFAULT_GROUP is empty.",
            hint="Set ACCESS_DEFAULT_GROUP or ACCESS_GROUPS_CLAIM, unless this is intended.",
            id="access.W009",
        )


def mirrored_metadata() -> Iterator[CheckMessage]:
    if settings.MIRROR_ISSUER_METADATA and signing.is_own_issuer():
        yield Warning(
            "MIRROR_ISSUER_METADATA is set without AUTH0_ISSUER and has no effect.",
            hint="Unset it.",
            id="access.W010",
        )


def introspected_audience() -> Iterator[CheckMessage]:
    if settings.INTROSPECTION_ENDPOINT and not settings.INTROSPECTION_REQUIRE_AUDIENCE:
        yield Warning(
            "INTROSPECTION_REQUIRE_AUDIENCE is off: an opaque token that your provider issued for "
            "another service is accepted here too.",
            hint="Configure the provider to return `aud`, and turn it on again.",
            id="access.W011",
        )


def signing_key_file() -> Iterator[CheckMessage]:
    path = None if settings.SIGNING_KEYS else settings.SIGNING_KEY_FILE
    if not signing.is_own_issuer() or path is None or not path.exists():
        return
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Warning(
            "SIGNING_KEY_FILE can be read by other accounts of this machine, which could issue tokens.",
            hint=f"chmod 600 {path.name}, then manage.py rotate_signing_key.",
            id="access.W012",
        )


def loopback_issuer() -> Iterator[CheckMessage]:
    if settings.PUBLIC and conf.is_loopback(settings.AUTH0_ISSUER):
        yield Error(
            f"The issuer {settings.AUTH0_ISSUER} is on this machine, which clients of the public address "
            "cannot reach.",
            hint="Set AUTH0_ISSUER to the provider's public issuer.",
            id="access.E015",
        )


CHECKS = (
    public_address,
    auth0_issuer,
    own_algorithm,
    own_lifetime,
    own_audience,
    openid_scopes,
    groups_claim,
    nobody_gets_in,
    mirrored_metadata,
    introspected_audience,
    signing_key_file,
    loopback_issuer,
)
