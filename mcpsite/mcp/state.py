"""What this site knows of a request to `/mcp` beside what the SDK carries: one object in its ASGI scope."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcpsite.access.caller import Claims

KEY = "mcpsite.request"


@dataclass(kw_only=True, slots=True)
class RequestState:
    """One request with a good token, from the transport to its answer."""

    claims: Claims
    """The token's, verified."""
    arguments: Any = None
    """A tool call's, which do not go through the SDK."""
    recorded: bool = False
    """Whether the audit has, or will have, its row."""
    missing_scopes: tuple[str, ...] = ()
    """What the request needs where its token lacks some of it: the answer becomes a challenge."""


def state_of(scope: Mapping[str, Any]) -> RequestState | None:
    """Return the state of the request with this ASGI scope; None for one that the transport did not admit."""
    state = scope.get(KEY)
    return state if isinstance(state, RequestState) else None
