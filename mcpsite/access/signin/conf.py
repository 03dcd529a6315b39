"""What the settings of the sign-in mean: pure functions, imported by the settings, so no models.

A mistake is an `ImproperlyConfigured` at start-up whose message holds the remedy.
"""

from django.core.exceptions import ImproperlyConfigured

from mcpsite.access.algorithms import KEY_TYPES
from mcpsite.core import conf

APP = "mcpsite.access.signin"
OIDC_BACKEND = "mcpsite.access.signin.backend.Backend"
PASSWORD_BACKEND = "django.contrib.auth.backends.ModelBackend"  # noqa: S105


def oidc_issuer(value: str, *, client_id: str, client_secret: str, auth0_issuer: str) -> str:
    """Return OIDC_ISSUER, the provider with which people sign in; "" if there is none.

    By default the issuer of the tokens. Raises ImproperlyConfigured.
    """
    if not client_id:
        if value or client_secret:
            raise ImproperlyConfigured(
                f"{'OIDC_ISSUER' if value else 'OIDC_RP_CLIENT_SECRET'} is set without OIDC_RP_CLIENT_ID; "
                "set OIDC_RP_CLIENT_ID to the client id of this site at your identity provider, or unset it."
            )
        return ""
    chosen = value or auth0_issuer
    if not chosen:
        raise ImproperlyConfigured(
            "OIDC_RP_CLIENT_ID is set, but neither OIDC_ISSUER nor AUTH0_ISSUER; set OIDC_ISSUER to your "
            "identity provider's issuer, exactly as it writes it."
        )
    conf.check_issuer("OIDC_ISSUER" if value else "AUTH0_ISSUER", chosen)
    return chosen


def algorithm(value: str) -> str:
    """Return OIDC_RP_SIGN_ALGO, the algorithm of the provider's ID tokens. Raises ImproperlyConfigured."""
    if value not in KEY_TYPES:
        raise ImproperlyConfigured(
            f"OIDC_RP_SIGN_ALGO is {value!r}; it can be one of {', '.join(KEY_TYPES)}. Nearly every "
            "identity provider uses RS256."
        )
    return value


def scopes(value: str) -> str:
    """Return OIDC_RP_SCOPES, asked of the provider, with blanks between. Raises ImproperlyConfigured."""
    if "openid" not in value.split() or "," in value:
        raise ImproperlyConfigured(
            f"OIDC_RP_SCOPES is {value!r}; write openid profile email, and any scope that your provider "
            "needs for groups, separated by spaces; sign-in needs openid."
        )
    return value


def backends(*, client_id: str, password: bool) -> list[str]:
    """Return AUTHENTICATION_BACKENDS. Raises ImproperlyConfigured if nobody could sign in."""
    if not client_id and not password:
        raise ImproperlyConfigured(
            "PASSWORD_SIGN_IN is off and OIDC_RP_CLIENT_ID is not set, so nobody could sign in; set "
            "OIDC_RP_CLIENT_ID, or leave PASSWORD_SIGN_IN on."
        )
    return [*([OIDC_BACKEND] if client_id else []), *([PASSWORD_BACKEND] if password else [])]
