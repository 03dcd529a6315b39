"""The scopes that can be granted, each with its sentence on the consent page."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from oauth2_provider.scopes import BaseScopes

from mcpsite.access.scopes import offered_scopes

OFFLINE = "offline_access"
IDENTITY = {
    "openid": "know that it is you",
    "profile": "know your name",
    "email": "know your e-mail address",
}


def descriptions() -> dict[str, str]:
    """Return scope → what a client with it can do, to follow “It will be able to”."""
    own = {scope: _ability(scope, offered_scopes().get(scope, [])) for scope in _own()}
    return {**own, OFFLINE: "stay connected until you disconnect it", **IDENTITY}


def granted(asked: Iterable[str]) -> list[str]:
    """Return which of the scopes `asked` for to grant; the defaults if none of them is known.

    Unknown ones are left out and the answer says what was granted (RFC 6749 §3.3): clients ask for
    scopes of their own, and a refusal would end their sign-in.
    """
    known = descriptions()
    return list(dict.fromkeys(scope for scope in asked if scope in known)) or defaults()


def defaults() -> list[str]:
    """Return what a client gets that asks for no scope: what calls to this server need."""
    return list(dict.fromkeys([*settings.REQUIRED_SCOPES, *offered_scopes(), OFFLINE]))


def _own() -> list[str]:
    every = dict.fromkeys([*settings.REQUIRED_SCOPES, *offered_scopes(), *settings.OAUTH_SCOPES])
    return [scope for scope in every if scope not in IDENTITY]


def _ability(scope: str, titles: list[str]) -> str:
    uses = ", ".join(f"“{title}”" for title in titles)
    return f"use {uses} (scope “{scope}”)" if uses else f"use the scope “{scope}” of this server"


class Scopes(BaseScopes):
    """The same for django-oauth-toolkit."""

    def get_all_scopes(self) -> dict[str, str]:
        return descriptions()

    def get_available_scopes(self, *_: Any, **__: Any) -> list[str]:
        return list(descriptions())

    def get_default_scopes(self, *_: Any, **__: Any) -> list[str]:
        return defaults()
