"""Which scopes of the token a use of this server needs, beside those that every request needs.

A tool, a prompt or a kind of resource may name scopes, and TOOL_SCOPES may name others instead, because an
operator uses the scopes that the identity provider has. Permission comes first: what somebody may not
use is unknown to them, whatever scopes their token has.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from mcpsite.access.caller import Claims

SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
"""One scope token (RFC 6749 §3.3)."""

_offered: dict[str, list[str]] = {}


class MissingScope(Exception):
    """The token lacks a scope that this use needs; `needed` are all that it needs."""

    def __init__(self, needed: tuple[str, ...]) -> None:
        super().__init__(f"The token lacks a scope; this needs {' '.join(needed)}.")
        self.needed = needed


def needed(name: str, declared: str) -> tuple[str, ...]:
    """Return the scopes that the use of `name` needs: those in TOOL_SCOPES, else those `declared`."""
    return tuple(settings.TOOL_SCOPES.get(name, declared).split())


def demand(claims: Claims, scopes: Iterable[str]) -> None:
    """Raise MissingScope unless the token has all of `scopes`."""
    wanted = tuple(scopes)
    if not claims.has_scopes(wanted):
        raise MissingScope(with_required(wanted))


def with_required(scopes: Iterable[str]) -> tuple[str, ...]:
    """Return `scopes` after those that every request needs."""
    return tuple(dict.fromkeys([*settings.REQUIRED_SCOPES, *scopes]))


def valid_scopes(where: str, text: str) -> str:
    """Return `text` if it is empty or has scopes separated by spaces; raises ImproperlyConfigured."""
    if text and not all(SCOPE.fullmatch(scope) for scope in text.split(" ")):
        raise ImproperlyConfigured(
            f"{where} has the scope {text!r}; write one as airfare:read, several separated by single spaces."
        )
    return text


def check_setting(assigned: Mapping[str, Any]) -> None:
    """Raise ImproperlyConfigured for a TOOL_SCOPES that cannot be read."""
    for name, text in assigned.items():
        valid_scopes(f"TOOL_SCOPES for {name}", text)


def offer(titles: Mapping[str, Iterable[str]]) -> None:
    """Tell the authorization server's side which scopes are in use here: scope → titles of what needs it."""
    _offered.clear()
    _offered.update({scope: list(each) for scope, each in titles.items()})


def offered_scopes() -> dict[str, list[str]]:
    """Return scope → titles of what needs it. In a process that serves no MCP, what TOOL_SCOPES names."""
    assigned: dict[str, list[str]] = {
        scope: [] for text in settings.TOOL_SCOPES.values() for scope in text.split()
    }
    return {**assigned, **_offered}
