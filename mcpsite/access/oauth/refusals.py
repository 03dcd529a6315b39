"""Why the token endpoint refused a request, for the log.

The answer has to be vague (`invalid_grant`), so the code that finds the reason notes it here.
"""

from contextvars import ContextVar

_reason: ContextVar[str] = ContextVar("reason", default="")


def note(reason: str) -> None:
    """Remember why this request is refused; `reason` contains no code, token or secret."""
    _reason.set(reason)


def noted() -> str:
    """Return what was noted since the last call, and forget it."""
    reason = _reason.get()
    _reason.set("")
    return reason
