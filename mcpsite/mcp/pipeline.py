"""The call pipeline: what happens around each call, once for all tools.

permission → limit → scope → arguments → deadline → database section → tool → size → compact result → audit

`call` runs a tool, `use` reads something from a client's menus. From the outside in: `recorded` writes the
event for the audit, `_attempt` applies the limit of calls at once and the deadline, `_admit` checks the
caller, their permission, the limits, the scope and the arguments, `written` measures and writes the
answer. A tool cannot bypass any of it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from django.conf import settings

from mcpsite.access import audit, scopes
from mcpsite.access.caller import Caller, Claims
from mcpsite.access.identities import AccessDenied, caller_for
from mcpsite.access.limits import LimitExceeded, limits
from mcpsite.access.scopes import MissingScope
from mcpsite.core.logs import where
from mcpsite.core.outage import AWAY, is_outage, is_too_long
from mcpsite.core.postgresql import BELOW, statements_within
from mcpsite.core.texts import clean
from mcpsite.mcp.arguments import checked
from mcpsite.mcp.calls import Call, Record, recorded
from mcpsite.mcp.database import in_database
from mcpsite.mcp.menus import NotOffered
from mcpsite.mcp.outcomes import Kind, Outcome, Unanswered, UnknownTool, number_of_rows
from mcpsite.mcp.registry import Answer, Registry, Tool, ToolError
from mcpsite.mcp.shares import work_of
from mcpsite.mcp.writing import written

logger = logging.getLogger(__name__)

UNEXPECTED = "The server could not answer because of an error; try again, or give its operator the reference."
UNKNOWN = "unknown tools"
"""The name under which the limits count all names that are no tool of this caller's."""

R = TypeVar("R")


async def offered(claims: Claims, find: Callable[[Caller], list[R]]) -> list[R]:
    """Return what `find` says that the caller is offered; nothing for a caller without access."""
    try:
        async with _deadline():
            return await in_database(lambda: find(caller_for(claims)))
    except AccessDenied:
        return []


def tools_for(registry: Registry, caller: Caller) -> list[Tool]:
    """Return the tools that the caller may use, in their registered order.

    Tools for which the token lacks a scope are included: a client can request it only if it knows the tool.
    """
    return [tool for tool in registry.all() if tool.admits(caller)]


async def call(
    registry: Registry,
    name: str,
    arguments: Any,
    claims: Claims,
    *,
    origin: audit.Origin = audit.Origin(),  # noqa: B008 (immutable)
    record: Record,
) -> Outcome:
    """Call the tool `name` for the bearer of `claims`, and give `record` exactly one event.

    If anything goes wrong within the tool, the Outcome has no value, and its text is one sentence.
    Raises UnknownTool and MissingScope.
    """
    call = Call(name=name, arguments=arguments, claims=claims)
    tool = registry.get(name)
    # As a rule, the tools of one app read from one place.
    source = tool.permission.partition(".")[0] if tool else ""
    with recorded(call, origin, record), work_of(source, _person(claims)):
        call.outcome = await _attempt(call, partial(_answer, tool, call))
        if tool is None and call.outcome.kind is Kind.LIMITED:
            call.name = UNKNOWN
    return call.outcome


async def use(
    method: str,
    arguments: Mapping[str, Any],
    claims: Claims,
    function: Callable[[Caller], R],
    measure: Callable[[R], tuple[int, int]],
    *,
    origin: audit.Origin,
    record: Record,
) -> R:
    """Return what `function` finds for the bearer of `claims`, who asks for it by `method`; record one event.

    `measure` returns how many rows and bytes that is. Raises Unanswered, NotOffered and MissingScope.
    """
    call = Call(name=method, arguments=arguments, claims=claims)

    def find() -> R:
        call.caller = caller = caller_for(claims)
        limits().count_call(caller.user_id, method)
        return function(caller)

    with recorded(call, origin, record), work_of(method, _person(claims)):
        found = await _attempt(call, partial(in_database, find))
        if isinstance(found, Outcome):
            call.outcome = found
            raise Unanswered(found.text, found.kind)
        rows, size = measure(found)
        call.outcome = Outcome(text="", value={}, rows=rows, size=size)
    return found


@asynccontextmanager
async def _deadline() -> AsyncIterator[None]:
    """Cancel the block at the deadline; PostgreSQL ends its statements a little earlier."""
    with statements_within(settings.MCP_DEADLINE_SECONDS):
        async with asyncio.timeout(settings.MCP_DEADLINE_SECONDS):
            yield


def _person(claims: Claims) -> str:
    return f"{claims.issuer} {claims.subject}"


async def _attempt(call: Call, run: Callable[[], Awaitable[R]]) -> R | Outcome:
    """Return what `run` returns, within the limits and the deadline; an error's Outcome if it fails."""
    try:
        with limits().slot(call.claims.issuer, call.claims.subject):
            async with _deadline():
                return await run()
    except ToolError as error:
        return Outcome(text=clean(str(error)), kind=Kind.TOOL_ERROR)
    except AccessDenied as error:
        return Outcome(text=str(error), kind=Kind.DENIED)
    except LimitExceeded as error:
        return Outcome(text=str(error), kind=Kind.LIMITED)
    except TimeoutError:
        return _too_late(call)
    except (UnknownTool, NotOffered, MissingScope):
        raise
    except Exception as error:
        if is_too_long(error):
            return _too_late(call)
        away = is_outage(error)
        if away:
            logger.exception("%.100a failed; reference %s", call.name, call.reference)
        else:
            logger.error("%.100a failed; reference %s\n%s", call.name, call.reference, where(error))
        sentence = AWAY if away else UNEXPECTED
        when = datetime.fromtimestamp(call.began, UTC)
        return Outcome(
            text=f"{sentence} Reference {call.reference}, {when:%Y-%m-%d %H:%M:%S} UTC.", kind=Kind.FAILED
        )


def _too_late(call: Call) -> Outcome:
    """Return the outcome of a call that this site, or the database, has ended."""
    seconds = time.time() - call.began
    if seconds > settings.MCP_DEADLINE_SECONDS * BELOW * 0.95:
        logger.warning("%.100a did not answer within %g s", call.name, settings.MCP_DEADLINE_SECONDS)
        sentence = f"The answer took longer than {settings.MCP_DEADLINE_SECONDS:g} s; narrow the question."
    else:
        # By a shorter limit that somebody has set there, or by hand.
        logger.warning("the database ended a statement of %.100a after %.1f s", call.name, seconds)
        sentence = f"The database ended this after {seconds:.1f} s; narrow the question, or try again."
    return Outcome(text=sentence, kind=Kind.DEADLINE)


async def _answer(tool: Tool | None, call: Call) -> Outcome:
    """Return what the tool returns, as it is sent. Raises what the tool and `_admit` raise, and ToolError."""
    if tool is not None and tool.is_async:
        run = await in_database(_admit, tool, call)
        result = await run()
    else:
        result = await in_database(lambda: _admit(tool, call)())
    answer = result if isinstance(result, Answer) else Answer(value=result)
    value, text = written(answer.value, page=tool.page if tool else "", offset=call.offset)
    encoded = text.encode()
    return Outcome(
        text=clean(answer.text) or text,
        value=value,
        json=encoded,
        meta=answer.meta,
        rows=number_of_rows(value),
        size=len(encoded),
    )


def _admit(tool: Tool | None, call: Call) -> Callable[[], Any]:
    """Return the tool's function with the arguments of a call that the caller may make now.

    A tool that does not exist is treated like a forbidden one. Raises AccessDenied, LimitExceeded,
    UnknownTool, MissingScope and ToolError.
    """
    call.caller = caller = caller_for(call.claims)
    if tool is None or not tool.admits(caller):
        # Their limit is counted in one row, whose name must not be the caller's to choose.
        asked, call.name = call.name, UNKNOWN
        limits().count_call(caller.user_id, UNKNOWN)
        call.name = asked
        logger.info("user %s may not call %.100a", caller.user_id, call.name)
        raise UnknownTool(call.name)
    limits().count_call(caller.user_id, tool.name)
    scopes.demand(call.claims, tool.scopes)
    arguments = checked(tool, call.arguments)
    call.offset = arguments.get("offset")
    return partial(tool.function, *([caller] if tool.takes_caller else []), **arguments)
