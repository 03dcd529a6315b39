"""The tokens of the built-in server.

Access tokens are signed and look like any identity provider's (RFC 9068); refresh tokens are random
text that means nothing to anybody else.
"""

import secrets
import time
from typing import Any

from mcpsite.access import signing
from mcpsite.access.oauth import grants


def access_token(request: Any) -> str:
    """Return an access token for a granted oauthlib request.

    django-oauth-toolkit calls this before it saves anything, so the resource and the grant are decided
    here. The audience is this server's own resource, whatever was sent: other resources were refused.
    """
    return signing.issue(
        signing.own_subject(request.user),
        scopes=request.scopes,
        lifetime=int(request.expires_in),
        client_id=request.client.client_id,
        more={grants.CLAIM: request.grant.hex},
    )


def refresh_token(_request: Any) -> str:
    return secrets.token_urlsafe(32)


def add_id_token(token: dict[str, Any], _handler: Any, request: Any) -> dict[str, Any]:
    """Add an ID token (OpenID Connect Core §2) to an access token that has the scope `openid`."""
    if "openid" not in request.scopes:
        return token
    now = int(time.time())
    user = request.user
    claims: dict[str, Any] = {
        "iss": signing.issuer(),
        "sub": signing.own_subject(user),
        "aud": request.client.client_id,
        "iat": now,
        "exp": now + int(request.expires_in),
    }
    if user.last_login is not None:
        claims["auth_time"] = int(user.last_login.timestamp())
    if getattr(request, "nonce", None):
        claims["nonce"] = request.nonce
    if "profile" in request.scopes:
        claims |= {"name": user.get_full_name() or user.get_username()}
        claims |= {"preferred_username": user.get_username()}
    if "email" in request.scopes and user.email:
        claims |= {"email": user.email, "email_verified": False}
    token["id_token"] = signing.sign(claims, "JWT")
    return token
