"""What this site knows of a request to `/mcp` beyond what the SDK carries: an object in its ASGI scope."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcpsite.access.caller import Claims

KEY = "mcpsite.request"


@dataclass(kw_only=True, slots=True)
class RequestState:
    """One request with a good token, from the transport to its answer."""

    claims: Claims
    """The verified claims of the token."""
    arguments: Any = None
    """The arguments of a tool call, which do not go through the SDK."""
    result: bytes | None = None
    """The result of a tool call as JSON, which does not go through the SDK either."""
    recorded: bool = False
    """Whether the audit has, or will have, its row."""
    missing_scopes: tuple[str, ...] = ()
    """The scopes that the request needs, if its token lacks some: the answer becomes a challenge."""


def state_of(scope: Mapping[str, Any]) -> RequestState | None:
    """Return the state of the request with this ASGI scope; None for one that the transport did not admit."""
    state = scope.get(KEY)
    return state if isinstance(state, RequestState) else None
