"""The built-in server's metadata (RFC 8414 §2, OpenID Connect Discovery §3)."""

from typing import Any

from django.conf import settings

from mcpsite.access import signing
from mcpsite.access.oauth import clients, scopes


def document() -> dict[str, Any]:
    """Return one document for both well-known addresses: some clients look only at the second."""
    site = settings.SITE_URL
    secrets = [method for method in clients.AUTH_METHODS if method != "none"]
    return {
        "issuer": signing.issuer(),
        "authorization_endpoint": f"{site}/oauth/authorize",
        "token_endpoint": f"{site}/oauth/token",
        "registration_endpoint": f"{site}/oauth/register",
        "revocation_endpoint": f"{site}/oauth/revoke",
        "introspection_endpoint": f"{site}/oauth/introspect",
        "jwks_uri": f"{site}/.well-known/jwks.json",
        "scopes_supported": list(scopes.descriptions()),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(clients.GRANT_TYPES),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": list(clients.AUTH_METHODS),
        "revocation_endpoint_auth_methods_supported": list(clients.AUTH_METHODS),
        "introspection_endpoint_auth_methods_supported": secrets,
        "authorization_response_iss_parameter_supported": True,
        "client_id_metadata_document_supported": True,
        "protected_resources": [settings.RESOURCE_SERVER_URL],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [signing.ALGORITHM],
        "claims_supported": [
            *("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce"),
            *("name", "preferred_username", "email", "email_verified"),
        ],
    }
