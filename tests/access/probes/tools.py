"""Tools whose calls come to each of the outcomes."""

import time
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from mcpsite.mcp import Answer, ToolError, tool


class Row(TypedDict):
    n: int


class Rows(TypedDict):
    rows: list[Row]


Count = Annotated[int, Field(description="How many rows", ge=0, le=100)]
Seconds = Annotated[float, Field(description="How long")]


@tool(permission="auth.view_user", title="Count")
def probe_count(count: Count = 3, password: Annotated[str, Field(description="Ignored")] = "") -> Rows:
    """Answer with rows."""
    return {"rows": [{"n": n} for n in range(count)]}


@tool(permission="auth.view_user", title="Fall back")
def probe_fallback() -> Rows:
    """Answer by another way than usual."""
    return Answer(value={"rows": []}, meta={"probe/fallback": "the store did not answer"})  # type: ignore[return-value]


@tool(permission="auth.view_user", title="Complain")
def probe_complain() -> Rows:
    """Raise a tool's own error."""
    raise ToolError("Name a route such as JFK-LAX.")


@tool(permission="auth.view_user", title="Puzzle")
def probe_puzzle(complain: Annotated[bool, Field(description="Whether to raise an error")] = False) -> Rows:
    """Say what cannot be written."""
    if complain:
        raise ToolError("half of a pair: \ud800.")
    meta = {"probe/puzzle": [float("nan"), "\ud800?"]}
    return Answer(value={"rows": []}, meta=meta)  # type: ignore[return-value]


@tool(permission="auth.view_user", title="Crash")
def probe_crash() -> Rows:
    """Raise what nobody foresaw."""
    raise RuntimeError("SELECT secret")


@tool(permission="auth.view_user", title="Dawdle")
def probe_dawdle(seconds: Seconds) -> Rows:
    """Take long."""
    time.sleep(seconds)
    return {"rows": []}


@tool(permission="auth.delete_user", title="Forbid")
def probe_forbidden() -> Rows:
    """What Alice may not call."""
    return {"rows": []}
