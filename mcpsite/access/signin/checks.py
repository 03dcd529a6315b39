"""Settings of the sign-in that contradict each other, for `manage.py check --deploy` and `doctor`."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004

from mcpsite.access.checks import lacks_auth0_slash
from mcpsite.core import conf


def check_sign_in(**_: Any) -> list[CheckMessage]:
    """Return the results of all checks of this module."""
    if not settings.OIDC_RP_CLIENT_ID:
        return list(unused())
    return [message for check in CHECKS for message in check()]


def unused() -> Iterator[CheckMessage]:
    names = [name for name in ("OIDC_STAFF_GROUP", "OIDC_SUPERUSER_GROUP") if getattr(settings, name)]
    if names:
        yield Warning(
            f"{' and '.join(names)} has no effect without OIDC_RP_CLIENT_ID.",
            hint="Set OIDC_RP_CLIENT_ID to this site's client id at your provider, or unset the groups.",
            id="access.signin.W001",
        )


def auth0_provider() -> Iterator[CheckMessage]:
    if lacks_auth0_slash(settings.OIDC_ISSUER):
        yield Error(
            f"OIDC_ISSUER is {settings.OIDC_ISSUER}, but the issuer of an Auth0 tenant ends with a slash; "
            "nobody could sign in.",
            hint=f"Set OIDC_ISSUER to {settings.OIDC_ISSUER}/.",
            id="access.signin.E002",
        )


def loopback_provider() -> Iterator[CheckMessage]:
    if settings.PUBLIC and conf.is_loopback(settings.OIDC_ISSUER):
        yield Error(
            f"People would be sent to {settings.OIDC_ISSUER} to sign in, which is on their own machine.",
            hint="Set OIDC_ISSUER to the provider's public issuer.",
            id="access.signin.E003",
        )


def nobody_curates() -> Iterator[CheckMessage]:
    if settings.OIDC_STAFF_GROUP or settings.OIDC_SUPERUSER_GROUP or settings.PASSWORD_SIGN_IN:
        return
    yield Warning(
        "Only people who are staff already can open the admin: PASSWORD_SIGN_IN is off, and neither "
        "OIDC_STAFF_GROUP nor OIDC_SUPERUSER_GROUP is set.",
        hint="Set OIDC_SUPERUSER_GROUP to a group of your provider.",
        id="access.signin.W004",
    )


def two_issuers() -> Iterator[CheckMessage]:
    if settings.AUTH0_ISSUER and settings.AUTH0_ISSUER != settings.OIDC_ISSUER:
        yield Warning(
            "OIDC_ISSUER and AUTH0_ISSUER differ, so the same person is one user on the site's pages and "
            "another in clients.",
            hint="Set both to the same text, or leave OIDC_ISSUER out, unless this is intended.",
            id="access.signin.W005",
        )


def nobody_to_ask() -> Iterator[CheckMessage]:
    if settings.PUBLIC and not settings.SUPPORT_CONTACT:
        yield Warning(
            "Pages that refuse somebody do not say whom to ask for help.",
            hint="Set SUPPORT_CONTACT to an e-mail address or a few words that fit after “ask”, such as "
            "the data desk.",
            id="access.signin.W006",
        )


CHECKS = (auth0_provider, loopback_provider, nobody_curates, two_issuers, nobody_to_ask)
