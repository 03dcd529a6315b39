"""Who a person is whom the provider signed in: the user of (issuer, subject), as for their tokens."""

import logging
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.utils import import_from_settings

from mcpsite.access import claimed_groups
from mcpsite.access.caller import Claims
from mcpsite.access.identities import AccessDenied, caller_for
from mcpsite.access.signin.faults import NotAllowed
from mcpsite.access.signin.provider import provider

logger = logging.getLogger(__name__)


def library_settings(attr: str, *default: Any) -> Any:
    """Return a setting of the library; the provider's addresses are discovered and not among them."""
    return "" if attr.startswith("OIDC_OP_") else import_from_settings(attr, *default)


class Backend(OIDCAuthenticationBackend):
    """The library's code flow, with every answer of the provider verified before it counts."""

    get_settings = staticmethod(library_settings)
    request: HttpRequest

    def authenticate(self, request: HttpRequest | None, *, nonce: str, code_verifier: str) -> Any:
        """Return the user whom the provider's `code` stands for. Raises SignInFailed."""
        return super().authenticate(request, nonce=nonce, code_verifier=code_verifier)

    def get_token(self, payload: dict[str, Any]) -> dict[str, Any]:
        return provider().tokens(
            code=payload["code"], verifier=payload["code_verifier"], redirect_uri=redirect_uri()
        )

    def verify_token(self, token: object, **kwargs: Any) -> dict[str, Any]:
        return provider().id_claims(token, nonce=kwargs["nonce"])

    def store_tokens(self, _access_token: object, id_token: str) -> None:
        # Not in the session yet: that of somebody else is emptied when this person is signed in.
        self.request.META["mcpsite.access.signin.id_token"] = id_token

    def get_or_create_user(self, access_token: object, _id_token: str, payload: dict[str, Any]) -> Any:
        """Return the user of (issuer, subject), with the rights from the provider. Raises NotAllowed."""
        said = provider().userinfo(access_token, subject=payload["sub"])
        claims = Claims(
            issuer=payload["iss"],
            subject=payload["sub"],
            client_id=settings.OIDC_RP_CLIENT_ID,
            scopes=frozenset(),
            expires_at=float(payload["exp"]),
            # The signed claims come first.
            raw={**said, **payload},
        )
        try:
            caller = caller_for(claims)
        except AccessDenied as denied:
            raise NotAllowed(str(denied), reason=f"subject {claims.subject!a}: {denied}") from denied
        user = get_user_model()._default_manager.get(pk=caller.user_id)
        follow_rights(user, claims)
        return user

    # The library's own method lets deactivated users in.
    get_user = ModelBackend.get_user


def redirect_uri() -> str:
    """Return where the provider sends people back to, as registered there."""
    return f"{settings.SITE_URL}/accounts/oidc/callback/"


def follow_rights(user: Any, claims: Claims) -> None:
    """Give or take away access to the admin as the groups claim says, if OIDC_*_GROUP names its groups."""
    if not (settings.OIDC_STAFF_GROUP or settings.OIDC_SUPERUSER_GROUP):
        return
    if claimed_groups.overflows(claims.raw, settings.OIDC_GROUPS_CLAIM):
        logger.warning("The sign-in of %a: %s.", claims.subject, claimed_groups.OVERAGE)
        return
    groups = claimed_groups.named(claims.raw, settings.OIDC_GROUPS_CLAIM)
    above = claimed_groups.holds(groups, settings.OIDC_SUPERUSER_GROUP)
    staff = above or claimed_groups.holds(groups, settings.OIDC_STAFF_GROUP)
    wanted = {"is_staff": staff}
    if settings.OIDC_SUPERUSER_GROUP:
        wanted["is_superuser"] = above
    changed = {name: value for name, value in wanted.items() if getattr(user, name) != value}
    if not changed:
        return
    for name, value in changed.items():
        setattr(user, name, value)
    user.save(update_fields=[*changed])
    logger.info("The groups claim of %a sets %s.", claims.subject, changed)
