"""What django-oauth-toolkit asks about clients, codes and tokens, answered more strictly.

The token view opens a transaction around each request, so a row locked here stays locked until the
answer is decided: of two requests with one code or one refresh token, the second finds it used.
"""

import hashlib
from typing import Any

from django.conf import settings
from django.utils import timezone
from oauth2_provider.models import Application, Grant, RefreshToken
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.oauth2.rfc6749 import errors

from mcpsite.access.oauth import clients, grants, refusals, scopes, unused
from mcpsite.access.oauth.models import PkceExemption


class TooManyPairs(errors.OAuth2Error):
    """A client that refreshes endlessly; it may come back, so nothing of its grant ends."""

    error = "temporarily_unavailable"
    description = "Too many tokens were given to this client in the last minute."
    status_code = 429
    headers = {"Retry-After": "60"}


class Validator(OAuth2Validator):
    def validate_redirect_uri(self, _client_id: str, redirect_uri: str, request: Any, *_: Any) -> bool:
        if clients.redirect_fault(redirect_uri):
            return False
        allowed: bool = request.client.redirect_uri_allowed(redirect_uri)
        return allowed

    def validate_grant_type(self, client_id: str, grant_type: str, *arguments: Any, **more: Any) -> bool:
        # oauthlib considers “openid” a grant type; the toolkit considers it one that cannot be requested.
        if grant_type not in clients.GRANT_TYPES:
            return False
        return bool(super().validate_grant_type(client_id, grant_type, *arguments, **more))

    def validate_scopes(self, _client_id: str, asked: list[str], _client: Any, request: Any) -> bool:
        request.scopes = scopes.granted(asked)
        return True

    def is_within_original_scope(self, asked: list[str], refresh_token: str, request: Any) -> bool:
        """Return whether a refresh asks for no more than was granted; unknown scopes do not count."""
        original = self.get_original_scopes(refresh_token, request).split()
        known = scopes.descriptions()
        if any(scope in known and scope not in original for scope in asked):
            return False
        request.scopes = [scope for scope in asked if scope in original] or original
        return True

    def is_pkce_required(self, _client_id: str, request: Any) -> bool:
        """Return True for every client, except those with a secret that an operator has exempted by hand."""
        exempted = PkceExemption.objects.filter(
            client=request.client, client__client_type=Application.CLIENT_CONFIDENTIAL
        )
        return not exempted.exists()

    def validate_code(self, client_id: str, code: str, client: Any, request: Any) -> bool:
        """Return whether the code is good; one that was used before ends its grant (RFC 6749 §4.1.2)."""
        grant = Grant.objects.select_for_update().filter(code=code, application=client).first()
        if grant is None:
            family = RefreshToken.objects.filter(token_family=grants.of_code(code), application=client)
            if family.exists():
                grants.revoke_grant(grants.of_code(code))
                refusals.note("the code was used before, so its grant has ended")
            else:
                refusals.note("the code is not one of this client")
            return False
        if request.code_verifier and not grant.code_challenge:
            # Somebody has removed the challenge (RFC 9700 §4.8.2).
            refusals.note("it has a code_verifier, and the code was asked for without a code_challenge")
            return False
        request.grant = grants.of_code(code)
        good: bool = super().validate_code(client_id, code, client, request)
        if not good:
            refusals.note("the code has expired")
        elif not grant.user.is_active:
            refusals.note("the person's account is not active")
        return good and grant.user.is_active

    def confirm_redirect_uri(self, *args: Any, **kwargs: Any) -> bool:
        same: bool = super().confirm_redirect_uri(*args, **kwargs)
        if not same:
            refusals.note("redirect_uri is not the one that the code was asked for with")
        return same

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        proven: bool = super().authenticate_client(request, *args, **kwargs)
        if not proven:
            refusals.note("the client is not known here, or its secret is not right")
        return proven

    def authenticate_client_id(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> bool:
        known: bool = super().authenticate_client_id(client_id, request, *args, **kwargs)
        if not known:
            refusals.note("the client is not known here, or has to prove itself by its secret")
        return known

    def validate_refresh_token(self, refresh_token: str, client: Any, request: Any) -> bool:
        presented = grants.presented(refresh_token, client)
        if presented is None or not presented.user.is_active:
            refusals.note("the refresh token is unknown, used, revoked or expired, or its user is not active")
            return False
        if grants.pairs_of_a_minute(presented.token_family) >= grants.MOST_PAIRS:
            raise TooManyPairs(request=request)
        request.user = presented.user
        request.grant = presented.token_family
        request.refresh_token_instance = presented
        return True

    def get_original_scopes(self, _refresh_token: str, request: Any) -> str:
        scope: str = request.refresh_token_instance.access_token.scope
        return scope

    def _save_bearer_token(self, token: Any, request: Any, *args: Any, **kwargs: Any) -> None:
        """Save a new pair and note that the refresh token was used; the pair that it belongs to stays.

        The toolkit's own rotation ends that pair, and with it everything that the client still does with it.
        """
        presented = getattr(request, "refresh_token_instance", None)
        if presented is not None:
            if presented.revoked is None:
                presented.revoked = timezone.now()
                presented.save(update_fields=["revoked", "updated"])
            request.refresh_token_instance = None
        super()._save_bearer_token(token, request, *args, **kwargs)
        unused.mark_used(request.client)

    def _create_refresh_token(self, request: Any, *args: Any) -> Any:
        created = super()._create_refresh_token(request, *args)
        created.token_family = request.grant
        created.save(update_fields=["token_family"])
        return created

    def revoke_token(self, token: str, _hint: str, request: Any, *_: Any, **__: Any) -> None:
        """End the grant of the token, whichever of its tokens it is (RFC 7009 §2.1)."""
        checksum = hashlib.sha256(token.encode()).hexdigest()
        theirs = RefreshToken.objects.filter(application=request.client)
        for named in (
            theirs.filter(token_checksum=checksum),
            theirs.filter(access_token__token_checksum=checksum),
        ):
            for grant in named.values_list("token_family", flat=True):
                grants.revoke_grant(grant)

    def _check_and_set_request_resource(self, request: Any) -> None:
        """Do nothing, because resources other than ours were refused before the token was made."""
        request.resource = [settings.RESOURCE_SERVER_URL]

    def _load_id_token(self, _token: str) -> None:
        """Return nothing, because ID tokens are for the client and are not stored (`tokens.add_id_token`)."""

    def is_origin_allowed(self, *_: Any, **__: Any) -> bool:
        """Return False, because the views answer browsers of any origin themselves."""
        return False
