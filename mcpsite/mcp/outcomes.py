"""The result of a call: an answer, or one sentence about why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcpsite.access.models import AuditEvent

Kind = AuditEvent.Outcome


class UnknownTool(Exception):
    """No tool of this name for this caller; a tool that they may not use is refused in the same words."""


class Unanswered(Exception):
    """A request other than a tool call that is not answered: one plain sentence, and the kind of refusal."""

    def __init__(self, sentence: str, kind: Kind) -> None:
        super().__init__(sentence)
        self.kind = kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The result of a call, ready to be sent."""

    text: str
    """The answer as JSON or in the tool's own words, or the sentence of an error."""
    value: Mapping[str, Any] | None = None
    """The answer itself; None for an error."""
    json: bytes = b""
    """The same as JSON."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    kind: Kind = Kind.OK
    rows: int = 0
    size: int = 0
    """Bytes of the answer as JSON; 0 for an error."""


GIVEN_UP = Outcome(text="The call was given up before it was answered.", kind=Kind.FAILED)
"""The outcome if the wait is cancelled: the client has gone, or the process ends."""


def number_of_rows(value: Mapping[str, Any]) -> int:
    """Return how many items an answer has: `rows_returned`, else its first list of objects, else 1."""
    stated = value.get("rows_returned")
    if isinstance(stated, int):
        return stated
    for part in value.values():
        if isinstance(part, list) and (not part or isinstance(part[0], Mapping)):
            return len(part)
    return 1
