"""OAuth as far as this server supports it: the code flow with PKCE S256, and refreshing. Nothing else.

oauthlib's ready-made servers include the implicit, password, client credentials and device grants;
this one is put together from the same parts without them.
"""

import logging
import re
from typing import Any

from django.conf import settings
from oauthlib.oauth2.rfc6749 import errors
from oauthlib.oauth2.rfc6749.endpoints import AuthorizationEndpoint, RevocationEndpoint, TokenEndpoint
from oauthlib.oauth2.rfc6749.grant_types import AuthorizationCodeGrant, RefreshTokenGrant
from oauthlib.oauth2.rfc6749.grant_types.authorization_code import code_challenge_method_s256
from oauthlib.oauth2.rfc6749.tokens import BearerToken

from mcpsite.access.audit import printable
from mcpsite.access.oauth.tokens import add_id_token

logger = logging.getLogger(__name__)

CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""RFC 7636 §4.2: a SHA-256 in base64url without padding."""
MAX_NONCE_LENGTH = 255


class CodeGrant(AuthorizationCodeGrant):
    """The authorization code grant without the challenge method `plain`, which protects nothing."""

    _code_challenge_methods = {"S256": code_challenge_method_s256}


class Server(AuthorizationEndpoint, TokenEndpoint, RevocationEndpoint):
    """The three endpoints of oauthlib, sharing one set of grants."""

    def __init__(
        self,
        request_validator: Any,
        *,
        token_expires_in: int,
        token_generator: Any,
        refresh_token_generator: Any,
        **_: Any,
    ) -> None:
        bearer = BearerToken(request_validator, token_generator, token_expires_in, refresh_token_generator)
        code = CodeGrant(request_validator, post_auth=[check_authorization], pre_token=[bind_resource])
        code.register_token_modifier(add_id_token)
        refresh = RefreshTokenGrant(request_validator, pre_token=[bind_resource])
        AuthorizationEndpoint.__init__(self, "code", bearer, {"code": code})
        TokenEndpoint.__init__(
            self, "authorization_code", bearer, {"authorization_code": code, "refresh_token": refresh}
        )
        RevocationEndpoint.__init__(self, request_validator)


def check_authorization(request: Any) -> dict[str, Any]:
    """Check what oauthlib leaves open in an authorization request; return the nonce, to be passed on."""
    bind_resource(request)
    # None only if PKCE may be left out; oauthlib has checked.
    if request.code_challenge is not None and not CHALLENGE.fullmatch(request.code_challenge):
        raise errors.InvalidRequestError(
            description="The code_challenge is not the base64url of a SHA-256.", request=request
        )
    nonce = request.nonce or ""
    if len(nonce) > MAX_NONCE_LENGTH or not nonce.isprintable():
        raise errors.InvalidRequestError(description="The nonce is too long.", request=request)
    return {"nonce": nonce}


def bind_resource(request: Any) -> None:
    """Bind the request to this server's resource; raise `invalid_target` for any other (RFC 8707 §2).

    Behind a tunnel that gives this server another address, clients name that one: it is in JWT_AUDIENCES. A
    client that names no resource (older than MCP 2025-06-18) gets the only one there is.
    """
    ours = settings.RESOURCE_SERVER_URL
    resource = request.resource or []
    named = [resource] if isinstance(resource, str) else list(resource)
    for pairs in (request.uri_query_params, request.decoded_body or []):
        named += [value for name, value in pairs if name == "resource"]
    known = {name.rstrip("/") for name in (ours, *settings.JWT_AUDIENCES)}
    strange = [value for each in named for value in each.split() or [each] if value.rstrip("/") not in known]
    if strange:
        logger.warning(
            "Tokens were asked for %s; if that is this server behind a tunnel, add it to JWT_AUDIENCES.",
            printable(strange[0], 300),
        )
        raise errors.CustomOAuth2Error(
            "invalid_target", description=f"The only resource here is {ours}.", request=request
        )
    request.resource = [ours]
