"""What django-oauth-toolkit asks about clients, codes and tokens, answered more strictly.

The token view holds a transaction around each request, so a row locked here stays locked until the
answer is decided: of two requests with one code or one refresh token, the second finds it used.
"""

import hashlib
from typing import Any

from django.conf import settings
from oauth2_provider.models import Grant, RefreshToken
from oauth2_provider.oauth2_validators import OAuth2Validator

from access.oauth import clients, grants, scopes, tokens


class Validator(OAuth2Validator):
    def validate_redirect_uri(self, _client_id: str, redirect_uri: str, request: Any, *_: Any) -> bool:
        if clients.redirect_fault(redirect_uri):
            return False
        allowed: bool = request.client.redirect_uri_allowed(redirect_uri)
        return allowed

    def validate_scopes(self, _client_id: str, asked: list[str], _client: Any, request: Any) -> bool:
        request.scopes = scopes.granted(asked)
        return True

    def is_within_original_scope(self, asked: list[str], refresh_token: str, request: Any) -> bool:
        """Whether a refresh asks for no more than was granted; scopes that nobody knows do not count."""
        original = self.get_original_scopes(refresh_token, request).split()
        known = scopes.descriptions()
        if any(scope in known and scope not in original for scope in asked):
            return False
        request.scopes = [scope for scope in asked if scope in original] or original
        return True

    def validate_code(self, client_id: str, code: str, client: Any, request: Any) -> bool:
        """Whether the code is good; one that was used before ends its grant (RFC 6749 §4.1.2)."""
        grant = Grant.objects.select_for_update().filter(code=code, application=client).first()
        if grant is None:
            family = RefreshToken.objects.filter(token_family=grants.of_code(code), application=client)
            if family.exists():
                grants.end(grants.of_code(code))
            return False
        good: bool = super().validate_code(client_id, code, client, request)
        return good and grant.user.is_active

    def validate_refresh_token(self, refresh_token: str, client: Any, request: Any) -> bool:
        checksum = hashlib.sha256(refresh_token.encode()).hexdigest()
        list(RefreshToken.objects.select_for_update().filter(token_checksum=checksum, application=client))
        good: bool = super().validate_refresh_token(refresh_token, client, request)
        return good and request.user.is_active

    def _create_refresh_token(self, request: Any, value: str, access_token: Any, previous: Any) -> Any:
        created = super()._create_refresh_token(request, value, access_token, previous)
        if previous is None:
            created.token_family = tokens.grant_of(request)
            created.save(update_fields=["token_family"])
        return created

    def _check_and_set_request_resource(self, request: Any) -> None:
        """Other resources than ours were refused before the token was made."""
        request.resource = [settings.RESOURCE_SERVER_URL]

    def _load_id_token(self, _token: str) -> None:
        """ID tokens are for the client to read and are not kept (`tokens.add_id_token`)."""

    def is_origin_allowed(self, *_: Any, **__: Any) -> bool:
        """The views answer browsers of any origin themselves."""
        return False
