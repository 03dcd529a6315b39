"""What a curator does to rows: hide, publish, edit, restore, delete.

Each is one transaction that changes rows of the current loads, and records the wishes by file and key
(see `mcpsite.datasets.edits`), so that they outlive every load. A row is curated if it is hidden, edited or
vanished from its file.

A person's changes are written to the history, in the same transaction; what a load does to plain rows is
not.
"""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, cast

from django.contrib.auth.models import User
from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from mcpsite.datasets import edits, versions
from mcpsite.datasets.combinations import Counts, Ids
from mcpsite.datasets.declaration import DataSet, data_set_of
from mcpsite.datasets.edits import BATCH, chunks, count, lay, place_of, touch, write
from mcpsite.datasets.loads import data_set_of_file
from mcpsite.datasets.models import Edit, Row, SourceFile
from mcpsite.datasets.texts import Texts
from mcpsite.history import recording
from mcpsite.history.models import Change

EDITED = "edited"
"""In the history: the names of a row's edited fields, before and after; others have the file's values."""


def curated(source: SourceFile) -> QuerySet[Any]:
    """Return the curated rows of a file."""
    rows = data_set_of_file(source).model.objects.filter(
        key__in=Edit.objects.filter(file=source).values("key")
    )
    return rows.filter(Q(hidden=True) | Q(vanished=True) | Q(file_values__isnull=False))


def hide(rows: QuerySet[Any], *, by: User | None = None, reason: str = "") -> int:
    """Remove `rows` from every answer; return how many were in one."""
    return _set_hidden(rows.filter(hidden=False), hidden=True, by=by, reason=reason)


def publish(rows: QuerySet[Any], *, by: User | None = None, reason: str = "") -> int:
    """Put hidden `rows` back into the answers; return how many there were."""
    return _set_hidden(rows.filter(hidden=True), hidden=False, by=by, reason=reason)


def _set_hidden(rows: QuerySet[Any], *, hidden: bool, by: User | None, reason: str) -> int:
    data_set = data_set_of(rows.model)
    name = Change.Action.HIDE if hidden else Change.Action.PUBLISH
    with (
        transaction.atomic(),
        versions.changing(data_set) as changing,
        recording.action(name, by=by, reason=reason) as action,
    ):
        chosen = _chosen(rows)
        counts = Counts()
        counts.add_rows(data_set, chosen, -1 if hidden else 1)
        label = data_set.label_expression
        action.add_all(chosen, {"hidden": (not hidden, hidden)}, label, identity="key")
        serials = _touch(chosen)
        _remember_hidden(data_set, chosen, hidden=hidden, by=by)
        # The chosen rows may have changed: the edits of this serial say which they were.
        edited = Edit.objects.filter(file__in=serials, serial=F("file__serial"))
        changed = data_set.model.objects.filter(key__in=edited.values("key")).update(hidden=hidden)
        changing |= counts.combinations
        counts.store()
        _forget_void(data_set, serials)
    return changed


def _chosen(rows: QuerySet[Any]) -> QuerySet[Any]:
    return data_set_of(rows.model).model.objects.filter(pk__in=rows.order_by().values("id"))


def _touch(rows: QuerySet[Any]) -> dict[int, int]:
    """Return the serial of the edits of `rows` that are made now, by file."""
    return touch(list(rows.order_by().values_list("load__file", flat=True).distinct()))


def _remember_hidden(data_set: DataSet, rows: QuerySet[Any], *, hidden: bool, by: User | None) -> None:
    with suppress(EmptyResultSet), connection.cursor() as cursor:
        sql, parameters = rows.values("id").query.sql_with_params()
        cursor.execute(
            "INSERT INTO datasets_edit "
            '(file_id, key, serial, "values", met, hidden, deleted, edited_at, edited_by_id) '
            "SELECT file.id, stored.key, file.serial, '{}', '{}', %s, %s, %s, %s "
            f"FROM {data_set.sql} stored JOIN datasets_sourcefile file ON file.current_id = stored.load_id "
            f"WHERE stored.id IN ({sql}) "
            "ON CONFLICT (key, file_id) DO UPDATE SET hidden = excluded.hidden, deleted = excluded.deleted, "
            "serial = excluded.serial, edited_at = excluded.edited_at, edited_by_id = excluded.edited_by_id",
            [hidden, False, timezone.now(), by.pk if by else None, *parameters],
        )


def _forget_void(data_set: DataSet, serials: Mapping[int, int]) -> None:
    """Delete the edits that have just become void, unless a load has to know of them."""
    for file, serial in serials.items():
        edits.forget_void(data_set, Edit.objects.filter(file=file, serial=serial))


def edit(row: Row, values: Mapping[str, Any], by: User | None, *, reason: str = "") -> None:
    """Set the editable columns of `row` named in `values`; the file's values are remembered.

    A column that is set to the file's value is no longer edited; derived columns are updated.
    """
    edit_each(data_set_of(type(row)), [(row.key, values)], by, reason=reason)


def edit_each(
    data_set: DataSet,
    edited: Iterable[tuple[int, Mapping[str, Any]]],
    by: User | None,
    *,
    action: Change.Action = Change.Action.EDIT,
    reason: str = "",
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Edit many rows by their keys, each with its own values; return how many were changed.

    Whatever their number, a few hundred are in memory at a time. A key without a row is skipped.
    `progress` is called with the number of edits done.
    """
    changed = seen = 0
    rest = iter(edited)
    with (
        transaction.atomic(),
        versions.changing(data_set) as changing,
        recording.action(action, by=by, reason=reason) as recorded,
    ):
        texts, ids = Texts(data_set), Ids(data_set)
        while batch := list(islice(rest, BATCH)):
            differences = _edit(data_set, dict(batch), by, texts, ids, changing)
            recorded.add_many(data_set.model, differences)
            changed += len(differences)
            seen += len(batch)
            progress(seen)
    return changed


def correct(
    data_set: DataSet,
    corrections: Mapping[int, Mapping[str, Any]],
    by: User | None,
    *,
    action: Change.Action = Change.Action.EDIT,
    reason: str = "",
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> None:
    """Set editable columns and `hidden` of rows, by their keys."""
    edited = {
        key: {name: value for name, value in values.items() if name != "hidden"}
        for key, values in corrections.items()
    }
    changes = [each for each in edited.items() if each[1]]
    total = len(corrections)
    edit_each(
        data_set, changes, by, action=action, reason=reason, progress=lambda done: progress(done, total)
    )
    for hidden, change in ((True, hide), (False, publish)):
        keys = [key for key, values in corrections.items() if values.get("hidden") is hidden]
        for chunk in chunks(keys, 10 * BATCH):
            change(data_set.model.objects.filter(key__in=chunk), by=by, reason=reason)


def _edit(
    data_set: DataSet,
    batch: Mapping[int, Mapping[str, Any]],
    by: User | None,
    texts: Texts,
    ids: Ids,
    changing: set[int],
) -> list[tuple[int, str, recording.Values]]:
    """Edit the rows of a batch; return what became different, for the history.

    The combinations of rows that moved are added to `changing`.
    """
    rows = data_set.model.objects.filter(key__in=batch).select_related("load__file", *data_set.proses)
    edited_before = Edit.objects.of(data_set.model).filter(key__in=batch)
    wanted: dict[int, dict[str, Any]] = dict(edited_before.values_list("key", "values"))
    for name in data_set.proses:
        texts.numbers([data_set.as_stored(name, each[name]) for each in batch.values() if name in each])
    counts, changed, places = Counts(), [], []
    differences: list[tuple[int, str, recording.Values]] = []
    for row in sorted(rows, key=lambda row: row.position):
        values = {name: data_set.as_stored(name, value) for name, value in batch[row.key].items()}
        before = {name: data_set.value_of(row, name) for name in values}
        different: dict[str, tuple[Any, Any]] = {
            name: (before[name], value) for name, value in values.items() if value != before[name]
        }
        if not different:
            continue
        label = str(row)
        count(data_set, counts, row, -1)
        places.append(place_of(data_set, row))
        edited = wanted.get(row.key, {})
        values = {**edited, **{name: value for name, (_, value) in different.items()}}
        met = lay(data_set, row, values, texts)
        wanted[row.key] = {name: value for name, value in values.items() if name not in met}
        if sorted(wanted[row.key]) != sorted(edited):
            different[EDITED] = (sorted(edited), sorted(wanted[row.key]))
        changed.append(row)
        differences.append((row.key, label, different))
    write(data_set, changed, ids)
    for row, place in zip(changed, places, strict=True):
        count(data_set, counts, row, 1)
        if place != place_of(data_set, row):
            changing |= {place[0], row.combination_id}
    counts.store()
    files = {row.key: cast(SourceFile, row.load.file).pk for row in changed}
    serials = touch(set(files.values()))
    Edit.objects.bulk_create(
        [
            Edit(
                file_id=files[row.key],
                key=row.key,
                values=wanted[row.key],
                serial=serials[files[row.key]],
                edited_by=by,
            )
            for row in changed
        ],
        update_conflicts=True,
        unique_fields=["key", "file"],
        update_fields=["values", "deleted", "serial", "edited_at", "edited_by"],
    )
    _forget_void(data_set, serials)
    return differences


def restore(rows: QuerySet[Any], *, by: User | None = None, reason: str = "") -> int:
    """Give edited `rows` their file's values back; return how many were edited."""
    data_set = data_set_of(rows.model)
    # The keys first, because the rows change during the walk.
    edited = _chosen(rows).filter(key__in=Edit.objects.of(data_set.model).edited().values("key"))
    keys = list(edited.values_list("key", flat=True))
    said = (
        (key, {name: value for name, value in (values or {}).items() if name in data_set.columns})
        for chunk in chunks(keys)
        for key, values in list(
            data_set.model.objects.filter(key__in=chunk).values_list("key", "file_values")
        )
    )
    return edit_each(data_set, said, by, action=Change.Action.RESTORE, reason=reason)


def delete_vanished(rows: QuerySet[Any], *, by: User | None = None, reason: str = "") -> int:
    """Delete those of `rows` that their file no longer has; return how many there were."""
    return _delete(rows.filter(vanished=True), by=by, reason=reason)


def delete_curated(source: SourceFile) -> int:
    """Delete a file's curated rows, which otherwise outlive the file; return how many there were."""
    return _delete(curated(source), by=None, reason="")


def _delete(rows: QuerySet[Any], *, by: User | None, reason: str) -> int:
    data_set = data_set_of(rows.model)
    with (
        transaction.atomic(),
        versions.changing(data_set) as changing,
        recording.action(Change.Action.DELETE, by=by, reason=reason) as action,
    ):
        chosen = _chosen(rows)
        counts = Counts()
        counts.add_rows(data_set, chosen.filter(hidden=False), -1)
        changing |= counts.combinations
        counts.store()
        action.add_many(data_set.model, _last_values(data_set, chosen))
        serials = _touch(chosen)
        keys = list(chosen.values_list("key", flat=True))
        chosen.delete()
        for file, serial in serials.items():
            for chunk in chunks(keys):
                Edit.objects.filter(file=file, key__in=chunk).update(
                    values={}, met={}, hidden=False, deleted=True, serial=serial, edited_by=by
                )
        _forget_void(data_set, serials)
    return len(keys)


def _last_values(data_set: DataSet, rows: QuerySet[Any]) -> Iterator[tuple[int, str, recording.Values]]:
    """Yield the last values of rows that are about to be deleted, so that they can still be read."""
    for row in rows.select_related("load", *data_set.proses).iterator(chunk_size=BATCH):
        held = {name: data_set.value_of(row, name) for name in data_set.editable}
        values = {name: (value, None) for name, value in held.items() if value not in (None, "")}
        yield row.key, str(row), {"file": (row.load.name, None), **values}
