"""What a curator does to rows: hide, publish, edit, restore, delete.

Each is one transaction that changes rows of the current loads, and remembers by file and key what is wanted
of them (see `airfare.edits`), so that it outlives every load. A row is curated when it is hidden, edited or
vanished from its file.

What is done by a person is written to the history, in the same transaction; what a load does to plain
rows is not.
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

from airfare import edits, versions
from airfare.combinations import Counts, Ids
from airfare.edits import BATCH, EDITABLE, LABEL, chunks, count, lay, place_of, touch, write
from airfare.models import Edit, FareRow, SourceFile
from airfare.notables import Texts
from airfare.records import as_stored
from mcpsite.history import recording
from mcpsite.history.models import Change

EDITED = "edited"
"""In the history: the names of a row's edited fields, before and after; others hold the file's values."""


def curated(source: SourceFile) -> QuerySet[FareRow]:
    """Return the curated rows of a file."""
    rows = FareRow.objects.filter(key__in=Edit.objects.filter(file=source).values("key"))
    return rows.filter(Q(hidden=True) | Q(vanished=True) | Q(file_values__isnull=False))


def hide(rows: QuerySet[FareRow], *, by: User | None = None, reason: str = "") -> int:
    """Take `rows` out of every answer; returns how many were in one."""
    return _set_hidden(rows.filter(hidden=False), hidden=True, by=by, reason=reason)


def publish(rows: QuerySet[FareRow], *, by: User | None = None, reason: str = "") -> int:
    """Put hidden `rows` back into the answers; returns how many there were."""
    return _set_hidden(rows.filter(hidden=True), hidden=False, by=by, reason=reason)


def _set_hidden(rows: QuerySet[FareRow], *, hidden: bool, by: User | None, reason: str) -> int:
    name = Change.Action.HIDE if hidden else Change.Action.PUBLISH
    with (
        transaction.atomic(),
        versions.changing() as changing,
        recording.action(name, by=by, reason=reason) as action,
    ):
        chosen = _chosen(rows)
        counts = Counts()
        counts.add_rows(chosen, -1 if hidden else 1)
        action.add_all(chosen, {"hidden": (not hidden, hidden)}, LABEL, identity="key")
        serials = _touch(chosen)
        _remember_hidden(chosen, hidden=hidden, by=by)
        # What was chosen may be so no longer: the edits of this serial tell which rows they were.
        edited = Edit.objects.filter(file__in=serials, serial=F("file__serial"))
        changed = FareRow.objects.filter(key__in=edited.values("key")).update(hidden=hidden)
        changing |= counts.combinations
        counts.store()
        _forget_void(serials)
    return changed


def _chosen(rows: QuerySet[FareRow]) -> QuerySet[FareRow]:
    return FareRow.objects.filter(id__in=rows.order_by().values("id"))


def _touch(rows: QuerySet[FareRow]) -> dict[int, int]:
    """Return the serial of the edits of `rows` that are made now, by file."""
    return touch(list(rows.order_by().values_list("load__file", flat=True).distinct()))


def _remember_hidden(rows: QuerySet[FareRow], *, hidden: bool, by: User | None) -> None:
    with suppress(EmptyResultSet), connection.cursor() as cursor:
        sql, parameters = rows.values("id").query.sql_with_params()
        cursor.execute(
            "INSERT INTO airfare_edit "
            '(file_id, key, serial, "values", met, hidden, deleted, edited_at, edited_by_id) '
            "SELECT file.id, stored.key, file.serial, '{}', '{}', %s, %s, %s, %s "
            "FROM airfare_farerow stored JOIN airfare_sourcefile file ON file.current_id = stored.load_id "
            f"WHERE stored.id IN ({sql}) "
            "ON CONFLICT (key, file_id) DO UPDATE SET hidden = excluded.hidden, deleted = excluded.deleted, "
            "serial = excluded.serial, edited_at = excluded.edited_at, edited_by_id = excluded.edited_by_id",
            [hidden, False, timezone.now(), by.pk if by else None, *parameters],
        )


def _forget_void(serials: Mapping[int, int]) -> None:
    """Delete the edits that were just made void, where no load has to know of them."""
    for file, serial in serials.items():
        edits.forget_void(Edit.objects.filter(file=file, serial=serial))


def edit(row: FareRow, values: Mapping[str, Any], by: User | None, *, reason: str = "") -> None:
    """Give the fields of `row` named in `values` (of EDITABLE) new values; its file's are remembered.

    A field that gets the file's value back is no longer edited; what follows from the fields
    (airports, day, subject) follows.
    """
    edit_each([(row.key, values)], by, reason=reason)


def edit_each(
    edited: Iterable[tuple[int, Mapping[str, Any]]],
    by: User | None,
    *,
    action: Change.Action = Change.Action.EDIT,
    reason: str = "",
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Edit many rows by their keys, each with values of its own; returns how many were changed.

    Whatever their number, a few hundred are in memory at a time. A key without a row is passed over.
    `progress` is told how many of the edits have been looked at.
    """
    changed = seen = 0
    rest = iter(edited)
    with (
        transaction.atomic(),
        versions.changing() as changing,
        recording.action(action, by=by, reason=reason) as recorded,
    ):
        texts, ids = Texts(), Ids()
        while batch := list(islice(rest, BATCH)):
            differences = _edit(dict(batch), by, texts, ids, changing)
            recorded.add_many(FareRow, differences)
            changed += len(differences)
            seen += len(batch)
            progress(seen)
    return changed


def correct(
    corrections: Mapping[int, Mapping[str, Any]],
    by: User | None,
    *,
    action: Change.Action = Change.Action.EDIT,
    reason: str = "",
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> None:
    """Give rows, by their keys, new values of EDITABLE fields and of `hidden`."""
    edited = {
        key: {name: value for name, value in values.items() if name != "hidden"}
        for key, values in corrections.items()
    }
    changes = [each for each in edited.items() if each[1]]
    total = len(corrections)
    edit_each(changes, by, action=action, reason=reason, progress=lambda done: progress(done, total))
    for hidden, change in ((True, hide), (False, publish)):
        keys = [key for key, values in corrections.items() if values.get("hidden") is hidden]
        for chunk in chunks(keys, 10 * BATCH):
            change(FareRow.objects.filter(key__in=chunk), by=by, reason=reason)


def _edit(
    batch: Mapping[int, Mapping[str, Any]], by: User | None, texts: Texts, ids: Ids, changing: set[int]
) -> list[tuple[int, str, recording.Values]]:
    """Edit the rows of a batch; returns what became different, for the history.

    The combinations of rows that moved are added to `changing`.
    """
    rows = FareRow.objects.filter(key__in=batch).select_related("load__file", "notable")
    wanted: dict[int, dict[str, Any]] = dict(Edit.objects.filter(key__in=batch).values_list("key", "values"))
    texts.numbers(
        [
            as_stored("notable_event", given["notable_event"])
            for given in batch.values()
            if "notable_event" in given
        ]
    )
    counts, changed, places = Counts(), [], []
    differences: list[tuple[int, str, recording.Values]] = []
    for row in sorted(rows, key=lambda row: row.position):
        values = {name: as_stored(name, value) for name, value in batch[row.key].items()}
        before = {name: getattr(row, name) for name in values}
        different: dict[str, tuple[Any, Any]] = {
            name: (before[name], value) for name, value in values.items() if value != before[name]
        }
        if not different:
            continue
        label = str(row)
        count(counts, row, -1)
        places.append(place_of(row))
        edited = wanted.get(row.key, {})
        values = {**edited, **{name: value for name, (_, value) in different.items()}}
        met = lay(row, values, texts)
        wanted[row.key] = {name: value for name, value in values.items() if name not in met}
        if sorted(wanted[row.key]) != sorted(edited):
            different[EDITED] = (sorted(edited), sorted(wanted[row.key]))
        changed.append(row)
        differences.append((row.key, label, different))
    write(changed, ids)
    for row, place in zip(changed, places, strict=True):
        count(counts, row, 1)
        if place != place_of(row):
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
    _forget_void(serials)
    return differences


def restore(rows: QuerySet[FareRow], *, by: User | None = None, reason: str = "") -> int:
    """Give edited `rows` their file's values back; returns how many were edited."""
    # The keys first: what is being walked through changes on the way.
    edited = _chosen(rows).filter(key__in=Edit.objects.edited().values("key"))
    keys = list(edited.values_list("key", flat=True))
    said = (
        (key, values or {})
        for chunk in chunks(keys)
        for key, values in list(FareRow.objects.filter(key__in=chunk).values_list("key", "file_values"))
    )
    return edit_each(said, by, action=Change.Action.RESTORE, reason=reason)


def delete_vanished(rows: QuerySet[FareRow], *, by: User | None = None, reason: str = "") -> int:
    """Delete those of `rows` that their file no longer holds; returns how many there were."""
    return _delete(rows.filter(vanished=True), by=by, reason=reason)


def delete_curated(source: SourceFile) -> int:
    """Delete a file's curated rows, which outlive the file otherwise; returns how many there were."""
    return _delete(curated(source), by=None, reason="")


def _delete(rows: QuerySet[FareRow], *, by: User | None, reason: str) -> int:
    with (
        transaction.atomic(),
        versions.changing() as changing,
        recording.action(Change.Action.DELETE, by=by, reason=reason) as action,
    ):
        chosen = _chosen(rows)
        counts = Counts()
        counts.add_rows(chosen.filter(hidden=False), -1)
        changing |= counts.combinations
        counts.store()
        action.add_many(FareRow, _last_values(chosen))
        serials = _touch(chosen)
        keys = list(chosen.values_list("key", flat=True))
        chosen.delete()
        for file, serial in serials.items():
            for chunk in chunks(keys):
                Edit.objects.filter(file=file, key__in=chunk).update(
                    values={}, met={}, hidden=False, deleted=True, serial=serial, edited_by=by
                )
        _forget_void(serials)
    return len(keys)


def _last_values(rows: QuerySet[FareRow]) -> Iterator[tuple[int, str, recording.Values]]:
    """What rows held that are about to be deleted, so that it can still be read."""
    for row in rows.select_related("load", "notable").iterator(chunk_size=BATCH):
        held = {name: getattr(row, name) for name in EDITABLE}
        values = {name: (value, None) for name, value in held.items() if value not in (None, "")}
        yield row.key, str(row), {"file": (row.load.name, None), **values}
