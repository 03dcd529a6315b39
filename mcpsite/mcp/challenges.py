"""Refusals that tell an OAuth client how to continue (RFC 6750 §3, RFC 9728 §5.1).

The SDK's own challenges have no `scope` and say `invalid_token` if no token was sent.
"""

from starlette.responses import JSONResponse

from mcpsite.mcp.metadata import Resource


def unauthorized(resource: Resource, description: str | None = None) -> JSONResponse:
    """Return a 401. `description` is set only if a token was sent and refused (RFC 6750 §3.1)."""
    error = (
        {} if description is None else {"error": "invalid_token", "error_description": _quotable(description)}
    )
    parts = {"resource_metadata": resource.metadata_url, "scope": " ".join(resource.scopes), **error}
    return _refusal(
        401, parts, error or {"error": "unauthorized", "error_description": "Sign in to use this server."}
    )


def insufficient_scope(resource: Resource, needed: tuple[str, ...]) -> JSONResponse:
    """Return a 403 with the scopes that this operation needs (RFC 6750 §3.1)."""
    error = {
        "error": "insufficient_scope",
        "error_description": "The token lacks a scope that this call needs.",
    }
    return _refusal(
        403, {**error, "scope": " ".join(needed), "resource_metadata": resource.metadata_url}, error
    )


def too_many_failures(seconds: int) -> JSONResponse:
    """Return a 429 (RFC 6585 §4) for an address that has sent too many invalid tokens."""
    body = {
        "error": "too_many_requests",
        "error_description": f"Too many tokens were refused; try again in {seconds} s.",
    }
    return JSONResponse(body, 429, {"Retry-After": str(seconds), "Cache-Control": "no-store"})


def _refusal(status: int, parts: dict[str, str], body: dict[str, str]) -> JSONResponse:
    challenge = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in parts.items() if value)
    return JSONResponse(body, status, {"WWW-Authenticate": challenge, "Cache-Control": "no-store"})


def _quotable(text: str) -> str:
    """Return `text` reduced to the characters that error_description may have (RFC 6750 §3)."""
    return "".join(each for each in text if " " <= each <= "~" and each not in '"\\')
