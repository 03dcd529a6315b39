"""The settings of django-oauth-toolkit for this site; imported by the settings, so without models."""

from collections.abc import Collection
from typing import Any

from django.core.exceptions import ImproperlyConfigured

APPS = ("oauth2_provider", "mcpsite.access.oauth")
HASHERS = ("mcpsite.access.oauth.hashers.ClientSecretHasher",)
CODE_SECONDS = 60


def toolkit_setting(
    issuer: str,
    *,
    access_token_seconds: int,
    refresh_token_seconds: int,
    longest: int,
    algorithms: Collection[str],
) -> dict[str, Any]:
    """Return the setting OAUTH2_PROVIDER for a server that calls itself `issuer`.

    `longest` and `algorithms` are what the verifier of tokens allows. Raises ImproperlyConfigured if it would
    refuse the tokens made here.
    """
    if not 1 <= access_token_seconds <= longest:
        raise ImproperlyConfigured(
            f"OAUTH_ACCESS_TOKEN_SECONDS is {access_token_seconds}; it has to be between 1 and "
            f"JWT_MAX_LIFETIME_SECONDS, {longest}."
        )
    if refresh_token_seconds < 1:
        raise ImproperlyConfigured("OAUTH_REFRESH_TOKEN_SECONDS has to be a positive number of seconds.")
    if "RS256" not in algorithms:
        raise ImproperlyConfigured(
            "The built-in authorization server signs with RS256; add it to JWT_ALGORITHMS."
        )
    return {
        "OIDC_ISS_ENDPOINT": issuer,
        "OAUTH2_SERVER_CLASS": "mcpsite.access.oauth.server.Server",
        "OAUTH2_VALIDATOR_CLASS": "mcpsite.access.oauth.validator.Validator",
        "SCOPES_BACKEND_CLASS": "mcpsite.access.oauth.scopes.Scopes",
        "ACCESS_TOKEN_GENERATOR": "mcpsite.access.oauth.tokens.access_token",
        # Without it, refresh tokens would be made by the line above and pass for access tokens.
        "REFRESH_TOKEN_GENERATOR": "mcpsite.access.oauth.tokens.refresh_token",
        "ACCESS_TOKEN_EXPIRE_SECONDS": access_token_seconds,
        "AUTHORIZATION_CODE_EXPIRE_SECONDS": CODE_SECONDS,
        # Counted from the end of the last access token: how long a client may be away.
        "REFRESH_TOKEN_EXPIRE_SECONDS": refresh_token_seconds,
        "ROTATE_REFRESH_TOKEN": True,
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        # It would return the previous token again, which is stored only as a digest;
        # `mcpsite.access.oauth.grants` has its own time of grace.
        "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0,
        "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
        "PKCE_REQUIRED": True,
        "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
        "COMPLIANT_BCP_RFC9700_PKCE_REQUIRED": True,
        "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
        "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
        "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
        "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
        "COMPLIANT_BCP_RFC9700_REFRESH_TOKEN": True,
        "COMPLIANT_BCP_RFC9700_REDIRECT_URI_MATCHING": True,
        # http is for loopback alone, which `mcpsite.access.oauth.clients` ensures and this check cannot know.
        "COMPLIANT_BCP_RFC9700_REDIRECT_URI_SCHEME": False,
        "ALLOW_LOCALHOST_LOOPBACK": True,
        "CLIENT_SECRET_HASHER": "client_secret",
        "CIMD_ENABLED": True,
        "CIMD_METADATA_FETCHER": "mcpsite.access.oauth.documents.DocumentFetcher",
        "CIMD_REGISTRATION_PERMISSION_CLASSES": ["mcpsite.access.oauth.documents.MayBeRead"],
    }
