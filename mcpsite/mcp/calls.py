"""A call in the pipeline, and the event that the audit keeps of it."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mcpsite.access import audit
from mcpsite.access.caller import Caller, Claims
from mcpsite.access.scopes import MissingScope
from mcpsite.core import logs, tracing
from mcpsite.mcp.arguments import json_object
from mcpsite.mcp.menus import NotOffered
from mcpsite.mcp.outcomes import GIVEN_UP, Kind, Outcome, UnknownTool

Record = Callable[[audit.Event], None]
"""A function that takes the event of a call, for the audit."""

FALLBACK = "/fallback"
"""The end of the key in `Answer.meta` by which a tool says that it answered in another way than usual."""

ANY_REQUEST = "requests"
"""The name in place of a tool's if a request was refused before it was read."""


@dataclass(kw_only=True, slots=True)
class Call:
    """A call of a tool, or the use of a resource, a prompt or a completion."""

    name: str
    """The tool's name, or the method's if no tool is used."""
    arguments: Any
    """As they were sent."""
    claims: Claims
    caller: Caller | None = None
    """Known after the pipeline has looked them up."""
    offset: int | None = None
    """Where the requested page begins; None for a tool without pages."""
    outcome: Outcome = GIVEN_UP
    began: float = field(default_factory=time.time)
    """Seconds since the epoch."""
    id: str = ""
    """The id of its audit event."""

    def __post_init__(self) -> None:
        self.id = audit.new_id(self.began)

    @property
    def reference(self) -> str:
        """The id as the admin's search for audit events finds it."""
        return str(uuid.UUID(self.id))


@contextmanager
def recorded(call: Call, origin: audit.Origin, record: Record) -> Iterator[None]:
    """Give `record` one event of `call`, whatever happens to it."""
    began = time.perf_counter()
    logged = logs.call_id.set(call.id)
    try:
        yield
    except (UnknownTool, NotOffered):
        call.outcome = Outcome(text="", kind=Kind.DENIED)
        raise
    except MissingScope as error:
        call.outcome = Outcome(text=str(error), kind=Kind.DENIED)
        raise
    finally:
        logs.call_id.reset(logged)
        outcome = call.outcome
        tracing.note(
            reference=call.reference, outcome=outcome.kind.value, rows=outcome.rows, bytes=outcome.size
        )
        record(event(call, origin, (time.perf_counter() - began) * 1000))


def malformed(name: str, claims: Claims, origin: audit.Origin) -> audit.Event:
    """Return the event of a call that could not be understood."""
    outcome = Outcome(text="The request did not fit the protocol.", kind=Kind.TOOL_ERROR)
    return event(Call(name=name, arguments={}, claims=claims, outcome=outcome), origin)


def over_limit(sentence: str, claims: Claims, origin: audit.Origin) -> audit.Event:
    """Return the event of a request that was refused before it was read, because of a limit."""
    outcome = Outcome(text=sentence, kind=Kind.LIMITED)
    return event(Call(name=ANY_REQUEST, arguments={}, claims=claims, outcome=outcome), origin)


def event(call: Call, origin: audit.Origin, milliseconds: float = 0.0) -> audit.Event:
    """Return the event of `call`, without secrets and no longer than its columns."""
    claims, caller, outcome = call.claims, call.caller, call.outcome
    note = outcome.text if outcome.value is None else _fallback(outcome.meta)
    return audit.Event(
        id=call.id,
        time=call.began,
        user_id=caller.user_id if caller else None,
        username=caller.username if caller else "",
        issuer=claims.issuer,
        subject=claims.subject,
        client_id=audit.printable(claims.client_id, 500),
        client_name=audit.printable(origin.client_name, 200),
        tool=audit.printable(call.name, 128),
        arguments=audit.redacted_arguments(json_object(call.arguments)),
        outcome=outcome.kind.value,
        note=audit.redacted(note, 500) if note else "",
        rows=outcome.rows,
        bytes=outcome.size,
        milliseconds=round(milliseconds, 2),
        protocol=audit.printable(origin.protocol, 20),
        request_id=audit.printable(origin.request_id, 64),
    )


def _fallback(meta: Mapping[str, Any]) -> str:
    return "; ".join(str(value) for key, value in meta.items() if key.endswith(FALLBACK)) if meta else ""
