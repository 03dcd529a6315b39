"""Writing the history: code that changes objects records here what it did, in the same transaction."""

import getpass
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import islice
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import EmptyResultSet
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.db.models import F, Model, QuerySet, Value
from django.db.models.expressions import Combinable

from mcpsite.history.models import Change, ChangedObject

Values = Mapping[str, tuple[Any, Any]]
"""Field → (before, after), as JSON types."""

BATCH = 500
LABEL = 300
"""Characters of an object's name that are kept."""


class Recorder:
    """What a person or a command is doing. Nothing is written until there is something to record.

    Its objects may be of several models; there is a `Change` for each model.
    """

    def __init__(
        self,
        name: Change.Action,
        *,
        by: AbstractBaseUser | None,
        author: str,
        source: str,
        reason: str,
        reverts: Change | None,
    ) -> None:
        self.name = name
        self._about = {
            "user": by,
            "username": (by.get_username() if by else author)[:150],
            "source": source,
            "reason": reason[:500],
            "reverts": reverts,
        }
        self._changes: dict[tuple[type[Model], str], int] = {}

    def add(self, changed: Model, values: Values) -> None:
        """Record that `changed` got `values`; nothing is written if there are none."""
        if values:
            self.add_many(type(changed), [(changed.pk, str(changed), values)])

    def add_many(self, model: type[Model], changed: Iterable[tuple[int, str, Values]]) -> None:
        """Record that objects of `model`, by id and name, got values, each its own."""
        rest = iter(changed)
        while batch := list(islice(rest, BATCH)):
            change = self._change(model, None, len(batch))
            ChangedObject.objects.bulk_create(
                ChangedObject(change_id=change, object_id=pk, label=label[:LABEL], values=json_values(values))
                for pk, label, values in batch
            )

    def add_all(self, objects: QuerySet[Any], values: Values, label: Combinable, identity: str = "pk") -> int:
        """Record that all of `objects`, as they are before they change, get the same values; return how many.

        It is one statement, whatever their number; `label` is the expression for their names, and `identity`
        the field that identifies them (see `Kind`).
        """
        change = self._change(objects.model, json_values(values), 0)
        chosen = objects.order_by().values_list(Value(change), identity, label)
        number = 0
        with suppress(EmptyResultSet), connection.cursor() as cursor:
            sql, parameters = chosen.query.get_compiler(connection=connection).as_sql()
            cursor.execute(
                f"INSERT INTO history_changedobject (change_id, object_id, label) {sql}", parameters
            )
            number = int(cursor.rowcount)
        if number:
            Change.objects.filter(pk=change).update(size=F("size") + number)
        else:
            Change.objects.filter(pk=change, size=0).delete()
        return number

    def _change(self, model: type[Model], values: dict[str, Any] | None, more: int) -> int:
        """Return the change for these objects, `more` of which are about to be added to it."""
        key = (model, json.dumps(values))
        known = self._changes.get(key)
        # It is gone if the transaction that made it was undone.
        if known is None or not Change.objects.filter(pk=known).update(size=F("size") + more):
            kind = ContentType.objects.get_for_model(model)
            change = Change.objects.create(
                content_type=kind, action=self.name, values=values, size=more, **self._about
            )
            self._changes[key] = known = change.pk
        return known


def json_values(values: Values) -> dict[str, Any]:
    """Return `values` as they will be read again: dates as texts, pairs as lists."""
    plain: dict[str, Any] = json.loads(json.dumps(values, cls=DjangoJSONEncoder))
    return plain


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Values:
    """Return what differs between two states of an object; a field that one of them lacks is None there."""
    names = dict.fromkeys([*before, *after])
    pairs = {name: (before.get(name), after.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def operator() -> str:
    """Return the account of this machine that runs a command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container's user may have no name.
        return "unknown"


_current: ContextVar[Recorder | None] = ContextVar("action", default=None)


@contextmanager
def action(
    name: Change.Action,
    *,
    by: AbstractBaseUser | None = None,
    author: str = "",
    source: str = "",
    reason: str = "",
    reverts: Change | None = None,
) -> Iterator[Recorder]:
    """Record all in the block as this action, done by a user or, without one, by what `author` names.

    Inside another action everything belongs to the outer one: an import of a hundred edits is one
    change of a hundred rows. `source` names a command or an import. The transaction is the caller's.
    """
    outer = _current.get()
    if outer is not None:
        yield outer
        return
    recorder = Recorder(name, by=by, author=author, source=source, reason=reason, reverts=reverts)
    token = _current.set(recorder)
    try:
        yield recorder
    finally:
        _current.reset(token)
