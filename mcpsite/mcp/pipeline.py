"""The call pipeline: what happens around each call, once and for all tools.

The caller is looked up, the permission is asked, the limits are counted, the scope is asked, arguments
are checked, the function runs with a database connection, all of it under a deadline; the answer is
measured and written as compact JSON, and the call is recorded for the audit. A tool cannot go round any
of it, and what is read from a client's menus (`use`) goes the same way.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from django.conf import settings

from mcpsite.access import audit, scopes
from mcpsite.access.caller import Caller, Claims
from mcpsite.access.identities import AccessDenied, caller_for
from mcpsite.access.limits import LimitExceeded, limits
from mcpsite.access.models import AuditEvent
from mcpsite.access.scopes import MissingScope
from mcpsite.core.outage import AWAY, is_outage
from mcpsite.core.texts import clean
from mcpsite.mcp.arguments import checked, json_object
from mcpsite.mcp.database import in_database
from mcpsite.mcp.menus import NotOffered
from mcpsite.mcp.registry import Answer, Registry, Tool, ToolError
from mcpsite.mcp.shares import work_of
from mcpsite.mcp.writing import written

logger = logging.getLogger(__name__)

Kind = AuditEvent.Outcome

FALLBACK = "/fallback"
"""The end of the key under which a tool's `Answer.meta` says that it answered by another way than usual."""


UNEXPECTED = "The server could not answer this; try again, or tell its operator the reference."
UNKNOWN = "unknown tools"
"""What the limits count together: names that are no tool of this caller's."""

ANY_REQUEST = "requests"
"""What stands in a tool's place where a request was refused before it was read."""

R = TypeVar("R")


class UnknownTool(Exception):
    """No tool of this name for this caller; one they may not use is told in the same words."""


class Refused(Exception):
    """A request other than a tool call that is not answered: one plain sentence, and of which kind."""

    def __init__(self, sentence: str, kind: Kind) -> None:
        super().__init__(sentence)
        self.kind = kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a call came to, ready for the wire."""

    text: str
    """The answer as compact JSON or in the tool's own words, or the sentence of an error."""
    value: Mapping[str, Any] | None = None
    """The answer itself; None for an error."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    kind: Kind = Kind.OK
    rows: int = 0
    size: int = 0
    """Bytes of the answer as JSON; 0 for an error."""


GIVEN_UP = Outcome(text="The call was given up before it was answered.", kind=Kind.FAILED)
"""What stands when the wait is cancelled: the client has gone, or the process ends."""


@dataclass(kw_only=True, slots=True)
class _Call:
    """One call on its way."""

    name: str
    """The tool's, or the method where it is no tool that is used."""
    arguments: Any
    """As they were sent."""
    claims: Claims
    caller: Caller | None = None
    """Known once the call is admitted, or refused for want of a permission."""
    offset: int | None = None
    """Where the page begins that is asked for; None for a tool that knows no such place."""
    outcome: Outcome = GIVEN_UP
    began: float = field(default_factory=time.time)
    """Seconds since the epoch."""
    id: str = ""
    """Of its audit event."""

    def __post_init__(self) -> None:
        self.id = audit.new_id(self.began)

    @property
    def reference(self) -> str:
        """The id as the admin's search for audit events finds it."""
        return str(uuid.UUID(self.id))


async def offered(claims: Claims, find: Callable[[Caller], list[R]]) -> list[R]:
    """What `find` says that the caller is offered; nothing for a caller without access."""
    try:
        async with asyncio.timeout(settings.MCP_DEADLINE_SECONDS):
            return await in_database(lambda: find(caller_for(claims)))
    except AccessDenied:
        return []


def tools_for(registry: Registry, caller: Caller) -> list[Tool]:
    """The tools that the caller may use, in their registered order.

    Also those for which the token lacks a scope: a client can ask for it only if it knows the tool.
    """
    return [tool for tool in registry.all() if caller.has_perm(tool.permission)]


async def call(
    registry: Registry,
    name: str,
    arguments: Any,
    claims: Claims,
    *,
    origin: audit.Origin = audit.Origin(),  # noqa: B008 (immutable)
    record: Callable[[audit.Event], None],
) -> Outcome:
    """Call the tool `name` for the bearer of `claims`, and give `record` exactly one event.

    Whatever goes wrong within the tool is an Outcome without a value, whose text is one sentence.
    Raises UnknownTool and MissingScope.
    """
    call = _Call(name=name, arguments=arguments, claims=claims)
    tool = registry.get(name)
    # What the tools of one app read lies in one place, as a rule.
    source = tool.permission.partition(".")[0] if tool else ""
    with _recorded(call, origin, record), work_of(source, _person(claims)):
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
    record: Callable[[audit.Event], None],
) -> R:
    """What `function` finds for the bearer of `claims`, who asks for it by `method`; one event too.

    `measure` tells how many rows and bytes that is. Raises Refused, NotOffered and MissingScope.
    """
    call = _Call(name=method, arguments=arguments, claims=claims)
    with _recorded(call, origin, record), work_of(method, _person(claims)):
        result = await _attempt(call, partial(in_database, _find, function, call))
        if isinstance(result, Outcome):
            call.outcome = result
            raise Refused(result.text, result.kind)
        rows, size = measure(result)
        call.outcome = Outcome(text="", value={}, rows=rows, size=size)
    found: R = result
    return found


def _person(claims: Claims) -> str:
    return f"{claims.issuer} {claims.subject}"


def malformed(name: str, claims: Claims, origin: audit.Origin) -> audit.Event:
    """The event of a call that nobody could make sense of."""
    call = _Call(name=name, arguments={}, claims=claims)
    call.outcome = Outcome(text="The request did not fit the protocol.", kind=Kind.TOOL_ERROR)
    return _event(call, origin, 0.0)


def over_limit(sentence: str, claims: Claims, origin: audit.Origin) -> audit.Event:
    """The event of a request that was refused, for a limit, before it was read."""
    call = _Call(name=ANY_REQUEST, arguments={}, claims=claims)
    call.outcome = Outcome(text=sentence, kind=Kind.LIMITED)
    return _event(call, origin, 0.0)


@contextmanager
def _recorded(call: "_Call", origin: audit.Origin, record: Callable[[audit.Event], None]) -> Iterator[None]:
    """Give `record` one event of `call`, whatever becomes of it."""
    began = time.perf_counter()
    try:
        yield
    except (UnknownTool, NotOffered):
        call.outcome = Outcome(text="", kind=Kind.DENIED)
        raise
    except MissingScope as error:
        call.outcome = Outcome(text=str(error), kind=Kind.DENIED)
        raise
    finally:
        record(_event(call, origin, (time.perf_counter() - began) * 1000))


async def _attempt(call: _Call, run: Callable[[], Awaitable[Any]]) -> Any:
    """What `run` returns, under the limits and the deadline; an Outcome without a value where it fails."""
    try:
        with limits().slot(call.claims.issuer, call.claims.subject):
            async with asyncio.timeout(settings.MCP_DEADLINE_SECONDS):
                return await run()
    except ToolError as error:
        return Outcome(text=str(error), kind=Kind.TOOL_ERROR)
    except AccessDenied as error:
        return Outcome(text=str(error), kind=Kind.DENIED)
    except LimitExceeded as error:
        return Outcome(text=str(error), kind=Kind.LIMITED)
    except TimeoutError:
        logger.warning("%.100a did not answer within %g s", call.name, settings.MCP_DEADLINE_SECONDS)
        return Outcome(
            text=f"The answer took longer than {settings.MCP_DEADLINE_SECONDS:g} s; narrow the question.",
            kind=Kind.DEADLINE,
        )
    except (UnknownTool, NotOffered, MissingScope):
        raise
    except Exception as error:
        logger.exception("%.100a failed; reference %s", call.name, call.reference)
        sentence = AWAY if is_outage(error) else UNEXPECTED
        when = datetime.fromtimestamp(call.began, UTC)
        return Outcome(
            text=f"{sentence} Reference {call.reference}, {when:%Y-%m-%d %H:%M:%S} UTC.", kind=Kind.FAILED
        )


async def _answer(tool: Tool | None, call: _Call) -> Outcome:
    """Return what a tool returns, as it is sent. Raises what the tool raises, and ToolError."""
    result = await _run(tool, call)
    answer = result if isinstance(result, Answer) else Answer(value=result)
    value, text = written(answer.value, page=tool.page if tool else "", offset=call.offset)
    return Outcome(
        text=clean(answer.text) or text,
        value=value,
        meta=answer.meta,
        rows=_rows(value),
        size=len(text.encode()),
    )


async def _run(tool: Tool | None, call: _Call) -> Any:
    if tool is None or not tool.is_async:
        return await in_database(_run_sync, tool, call)
    caller = await in_database(_admit, tool, call)
    return await tool.function(*_positional(tool, caller), **_checked(tool, call))


def _run_sync(tool: Tool | None, call: _Call) -> Any:
    caller = _admit(tool, call)
    assert tool is not None  # noqa: S101 (_admit lets nobody call what does not exist)
    return tool.function(*_positional(tool, caller), **_checked(tool, call))


def _checked(tool: Tool, call: _Call) -> dict[str, Any]:
    """Return the call's arguments as the tool takes them, and remember where its page begins."""
    arguments = checked(tool, call.arguments)
    call.offset = arguments.get("offset")
    return arguments


def _admit(tool: Tool | None, call: _Call) -> Caller:
    """The caller, who may call `tool` now. A tool that does not exist goes the same way as a forbidden one.

    Raises AccessDenied, LimitExceeded, UnknownTool and MissingScope.
    """
    call.caller = caller = caller_for(call.claims)
    if tool is None or not caller.has_perm(tool.permission):
        # Over the limit they share a row, whose name must not be the caller's to choose.
        asked, call.name = call.name, UNKNOWN
        limits().count_call(caller.user_id, UNKNOWN)
        call.name = asked
        logger.info("user %s may not call %.100a", caller.user_id, call.name)
        raise UnknownTool(call.name)
    limits().count_call(caller.user_id, tool.name)
    scopes.demand(call.claims, tool.scopes)
    return caller


def _find(function: Callable[[Caller], R], call: _Call) -> R:
    call.caller = caller = caller_for(call.claims)
    limits().count_call(caller.user_id, call.name)
    return function(caller)


def _event(call: _Call, origin: audit.Origin, milliseconds: float) -> audit.Event:
    claims, caller, outcome = call.claims, call.caller, call.outcome
    note = outcome.text if outcome.value is None else _fallback(outcome.meta)
    return audit.Event(
        id=call.id,
        time=call.began,
        user_id=caller.user_id if caller else None,
        username=caller.username if caller else "",
        issuer=claims.issuer,
        subject=claims.subject,
        client_id=audit.plain(claims.client_id, 500),
        client_name=audit.plain(origin.client_name, 200),
        tool=audit.plain(call.name, 128),
        arguments=audit.shown(json_object(call.arguments)),
        outcome=outcome.kind.value,
        note=audit.redacted(note, 500) if note else "",
        rows=outcome.rows,
        bytes=outcome.size,
        milliseconds=round(milliseconds, 2),
        protocol=audit.plain(origin.protocol, 20),
        request_id=audit.plain(origin.request_id, 64),
    )


def _fallback(meta: Mapping[str, Any]) -> str:
    return "; ".join(str(value) for key, value in meta.items() if key.endswith(FALLBACK)) if meta else ""


def _rows(value: Mapping[str, Any]) -> int:
    """How many things an answer holds: `rows_returned`, else its first list of objects, else itself."""
    stated = value.get("rows_returned")
    if isinstance(stated, int):
        return stated
    for part in value.values():
        if isinstance(part, list) and (not part or isinstance(part[0], Mapping)):
            return len(part)
    return 1


def _positional(tool: Tool, caller: Caller) -> tuple[Caller, ...]:
    return (caller,) if tool.takes_caller else ()
