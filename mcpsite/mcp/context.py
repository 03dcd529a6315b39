"""The registration context: what happens around each tool call, once and for all tools.

Arguments are checked, the caller is looked up, the permission is asked, the function runs with a
database connection under a deadline, and the answer is measured and written as compact JSON. A tool
cannot go round any of it.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, to_json

from access.caller import Caller, Claims
from access.identities import AccessDenied, caller_for
from mcpsite.mcp.database import in_database
from mcpsite.mcp.registry import Answer, Registry, Tool, ToolError

logger = logging.getLogger(__name__)


class UnknownTool(Exception):
    """No tool of this name for this caller; one they may not use is told in the same words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a call came to, ready for the wire."""

    text: str
    """The answer as compact JSON, or the sentence of an error."""
    value: Mapping[str, Any] | None = None
    """The answer itself; None for an error."""
    meta: Mapping[str, Any] = field(default_factory=dict)


async def tools_for(registry: Registry, claims: Claims) -> list[Tool]:
    """The tools that the caller may use, in their registered order; none for a caller without access."""
    try:
        caller = await in_database(caller_for, claims)
    except AccessDenied:
        return []
    return [tool for tool in registry.all() if caller.has_perm(tool.permission)]


async def call(registry: Registry, name: str, arguments: Mapping[str, Any], claims: Claims) -> Outcome:
    """Call the tool `name` for the bearer of `claims`.

    Whatever goes wrong within the tool is an Outcome without a value, whose text is one sentence.
    Raises UnknownTool.
    """
    tool = registry.get(name)
    if tool is None:
        raise UnknownTool(name)
    try:
        async with asyncio.timeout(settings.MCP_DEADLINE_SECONDS):
            result = await _run(tool, arguments, claims)
    except (ToolError, AccessDenied) as error:
        return Outcome(text=str(error))
    except TimeoutError:
        logger.warning("%s did not answer within %g s", name, settings.MCP_DEADLINE_SECONDS)
        return Outcome(
            text=f"The answer took longer than {settings.MCP_DEADLINE_SECONDS:g} s; narrow the question."
        )
    except UnknownTool:
        raise
    except Exception:
        logger.exception("%s failed", name)
        return Outcome(
            text="The server could not answer this; try again, or tell its operator the time of the call."
        )
    answer = result if isinstance(result, Answer) else Answer(value=result)
    text = to_json(answer.value)
    if len(text) > settings.MCP_MAX_RESULT_BYTES:
        return Outcome(
            text=f"The answer would hold {len(text):,} bytes and at most "
            f"{settings.MCP_MAX_RESULT_BYTES:,} are sent; ask for fewer rows or narrow the filters."
        )
    return Outcome(text=text.decode(), value=answer.value, meta=answer.meta)


async def _run(tool: Tool, arguments: Mapping[str, Any], claims: Claims) -> Any:
    if not tool.is_async:
        return await in_database(_run_sync, tool, arguments, claims)
    caller = await in_database(_admit, tool, claims)
    return await tool.function(*_positional(tool, caller), **_check(tool, arguments))


def _run_sync(tool: Tool, arguments: Mapping[str, Any], claims: Claims) -> Any:
    caller = _admit(tool, claims)
    return tool.function(*_positional(tool, caller), **_check(tool, arguments))


def _admit(tool: Tool, claims: Claims) -> Caller:
    caller = caller_for(claims)
    if not caller.has_perm(tool.permission):
        logger.info("user %s may not call %s", caller.user_id, tool.name)
        raise UnknownTool(tool.name)
    return caller


def _positional(tool: Tool, caller: Caller) -> tuple[Caller, ...]:
    return (caller,) if tool.takes_caller else ()


def _check(tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as the function takes them; raises ToolError for the first that does not fit."""
    try:
        checked: BaseModel = tool.arguments.model_validate(arguments)
    except ValidationError as error:
        raise ToolError(_sentence(tool, error.errors(include_url=False, include_context=False)[0])) from None
    return {name: getattr(checked, name) for name in tool.arguments.model_fields}


def _sentence(tool: Tool, error: ErrorDetails) -> str:
    where = ".".join(str(part) for part in error["loc"])[:80]
    if error["type"] == "extra_forbidden":
        known = ", ".join(tool.arguments.model_fields) or "no arguments"
        return f"{tool.name} has no argument {where!r}; it takes {known}."
    if error["type"] == "missing":
        return f"{tool.name} needs the argument {where!r}."
    reason = error["msg"].removeprefix("Value error, ")
    return f"The argument {where!r} does not fit: {reason[:1].lower()}{reason[1:]}."
