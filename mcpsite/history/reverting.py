"""Undoing a change: what would be set to what, and doing that.

A field that had its file's value before a person wrote over it gets the file's value *now*, which is a
different one if the file was loaded again. Every other field gets its value from before.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from mcpsite.history import kinds, recording
from mcpsite.history.kinds import CannotRevert
from mcpsite.history.models import Change, ChangedObject
from mcpsite.history.recording import BATCH


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A field of an object: what the change made of it, its value now, and what it would be set to."""

    name: str
    before: Any
    after: Any
    now: Any
    to: Any
    of_file: bool
    """Whether `to` is the file's value now."""

    @property
    def changed_since(self) -> bool:
        return self.now not in (self.after, self.to)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What a revert would do to one object."""

    changed: ChangedObject
    fields: list[Field]
    gone: bool = False

    @property
    def wanted(self) -> dict[str, Any]:
        return {field.name: field.to for field in self.fields if field.now != field.to}

    @property
    def changed_since(self) -> bool:
        return any(field.changed_since for field in self.fields)


@dataclass(kw_only=True)
class Plan:
    """What a revert would do, counted, with the first objects in full."""

    single: bool
    """Whether it is about one object, which is reverted even if it was changed since."""
    to_revert: int = 0
    already: int = 0
    changed_since: int = 0
    gone: int = 0
    shown: list[Step] = field(default_factory=list)
    seen: str = ""
    """What the person saw: compared when they confirm it."""


SHOWN = 10
NOT_REVERTED = (Change.Action.ADD, Change.Action.DELETE, Change.Action.LOAD, Change.Action.PRUNE)
"""Changes by files are undone by files, and deleted objects are not made again."""


def revertable(change: Change, values: dict[str, Any] | None) -> bool:
    """Return whether what was done to an object can be undone."""
    kind = kinds.of(change.content_type.model_class())
    if kind is None or kind.write is None or change.action in NOT_REVERTED:
        return False
    return any(name in kind.fields for name in (values if values is not None else change.values or {}))


def plan(change: Change, only: ChangedObject | None) -> Plan:
    """Return what undoing `change`, or what it did to one object, would do now."""
    result = Plan(single=only is not None or change.size == 1)
    seen = hashlib.sha256()
    for batch in _batches(change, only):
        for step in _steps(change, batch):
            verdict = _verdict(step, single=result.single)
            setattr(result, verdict, getattr(result, verdict) + 1)
            shown = [[field.name, field.now, field.to] for field in step.fields]
            seen.update(json.dumps([step.changed.pk, verdict, shown], default=str).encode())
            if len(result.shown) < SHOWN:
                result.shown.append(step)
    result.seen = seen.hexdigest()
    return result


def revert(change: Change, only: ChangedObject | None, by: User, reason: str, seen: str) -> Plan | None:
    """Undo `change`, or what it did to one object; return None if that is no longer what the person saw.

    Several objects are reverted if they are as the change left them, and stay as they are if they were
    changed since. Raises CannotRevert.
    """
    with transaction.atomic():
        current = plan(change, only)
        if current.seen != seen:
            return None
        kind = kinds.of(change.content_type.model_class())
        if kind is None or kind.write is None:
            raise CannotRevert("This cannot be reverted from here.")
        with recording.action(Change.Action.REVERT, by=by, reason=reason, reverts=change):
            for batch in _batches(change, only):
                wanted = [
                    (step.changed.object_id, step.wanted)
                    for step in _steps(change, batch)
                    if _verdict(step, single=current.single) == "to_revert"
                ]
                if wanted:
                    kind.write(wanted, by)
    return current


def _verdict(step: Step, *, single: bool) -> str:
    if step.gone:
        return "gone"
    if not step.wanted:
        return "already"
    return "changed_since" if step.changed_since and not single else "to_revert"


def _batches(change: Change, only: ChangedObject | None) -> Iterator[list[ChangedObject]]:
    if only is not None:
        yield [only]
        return
    last = 0
    while batch := list(change.changed.filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield batch
        last = batch[-1].pk


def _steps(change: Change, batch: list[ChangedObject]) -> Iterator[Step]:
    kind = kinds.of(change.content_type.model_class())
    if kind is None:
        return
    ids = [each.object_id for each in batch]
    values = [each.values if each.values is not None else change.values or {} for each in batch]
    names = {name for each in values for name in each if name in kind.fields and name != kind.corrected}
    stored = {pk: recording.json_values(fields) for pk, fields in kind.stored_values(ids, names).items()}
    files = (
        {pk: recording.json_values(said) for pk, said in kind.from_file(ids).items()}
        if any(kind.corrected in each for each in values)
        else {}
    )
    for changed, each in zip(batch, values, strict=True):
        now = stored.get(changed.object_id)
        if now is None:
            yield Step(changed=changed, fields=[], gone=True)
            continue
        file = files.get(changed.object_id, {})
        # If no field became or ceased to be a person's, the value before was a person's too.
        persons = each[kind.corrected][0] if kind.corrected in each else list(each)
        fields = []
        for name, (before, after) in each.items():
            if name in names:
                of_file = name not in persons and name in file
                to = file[name] if of_file else before
                fields.append(
                    Field(name=name, before=before, after=after, now=now[name], to=to, of_file=of_file)
                )
        yield Step(changed=changed, fields=fields)
