"""What a curator does to rows, and how it outlives a reload of their file.

A row is curated when it is hidden, edited or vanished; only such rows and those with a history cost
anything. Their ids stay over a reload: the new file's row with the same source identity (date, route,
airline, season, query, region, provider, and the how-manieth of those it is in the file) flows into
the kept row, except for what was edited. Where the file no longer holds it, a curated row is marked as
vanished.

What is done by a person is written to the history, in the same transaction; what a load does to plain
rows is not.
"""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.models import QuerySet, Value
from django.db.models.functions import Concat

from airfare import versions
from airfare.combinations import Counts, Ids
from airfare.models import NO_DAY, Edit, FareRow
from airfare.notables import Texts
from airfare.records import NUMBERS, SOURCE_FIELDS, Records, airports_of, as_stored, day_of, subject_of
from mcpsite.core.texts import clean
from mcpsite.history import recording
from mcpsite.history.models import Change, ChangedObject

EDITABLE = (
    "snapshot_date",
    "route",
    "airline",
    "season",
    "query",
    "region",
    "provider",
    "collection_window",
    "query_count",
    "week_id",
    "linked_tickers",
    *NUMBERS,
    "notable_event",
)
"""What a curator may change in a row."""

EDITED = "edited"
"""In the history: the names of a row's edited fields, before and after; others hold the file's values."""

LABEL = Concat("snapshot_date", Value(" "), "subject", Value(" "), "airline", Value(" "), "season")
"""What a row is called in the history of a bulk action."""

BATCH = 500
"""Rows in memory at once."""

_IDENTITY = ("snapshot_date", "route", "airline", "season", "query", "region", "provider")
_IDENTITY_PLACES = tuple(SOURCE_FIELDS.index(name) for name in _IDENTITY)

Identity = tuple[str, ...]


# What a curator does


def hide(rows: QuerySet[FareRow], *, by: User | None = None, reason: str = "") -> int:
    """Take `rows` out of every answer; returns how many were in one."""
    return _set_hidden(rows.filter(hidden=False), hidden=True, by=by, reason=reason)


def publish(rows: QuerySet[FareRow], *, by: User | None = None, reason: str = "") -> int:
    """Put hidden `rows` back into the answers; returns how many there were."""
    return _set_hidden(rows.filter(hidden=True), hidden=False, by=by, reason=reason)


def _set_hidden(rows: QuerySet[FareRow], *, hidden: bool, by: User | None, reason: str) -> int:
    name = Change.Action.HIDE if hidden else Change.Action.PUBLISH
    # Chosen once, so that counts and rows are about the same ones, whatever `rows` filters on.
    with transaction.atomic(), recording.action(name, by=by, reason=reason) as action:
        versions.bump()
        chosen = FareRow.objects.filter(id__in=rows.order_by().values("id"))
        counts = Counts()
        counts.add_rows(chosen, -1 if hidden else 1)
        action.add_all(chosen, {"hidden": (not hidden, hidden)}, LABEL)
        changed = chosen.update(hidden=hidden)
        counts.store()
    return changed


def edit(row: FareRow, values: Mapping[str, Any], by: User | None, *, reason: str = "") -> None:
    """Give the fields of `row` named in `values` (of EDITABLE) new values, and remember the file's.

    A field that gets the file's value back is no longer edited; what follows from the fields
    (airports, day, subject) follows.
    """
    edit_each([(row.pk, values)], by, reason=reason)


def edit_each(
    edits: Iterable[tuple[int, Mapping[str, Any]]],
    by: User | None,
    *,
    action: Change.Action = Change.Action.EDIT,
    reason: str = "",
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Edit many rows by their ids, each with values of its own; returns how many were changed.

    Whatever their number, a few hundred are in memory at a time. An id without a row is passed over.
    `progress` is told how many of the edits have been looked at.
    """
    changed = seen = 0
    rest = iter(edits)
    with transaction.atomic(), recording.action(action, by=by, reason=reason) as recorded:
        versions.bump()
        texts = Texts()
        while batch := list(islice(rest, BATCH)):
            differences = _edit(batch, by, texts)
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
    """Give rows, by their ids, new values of EDITABLE fields and of `hidden`."""
    edits = {
        number: {name: value for name, value in values.items() if name != "hidden"}
        for number, values in corrections.items()
    }
    changes = [edit for edit in edits.items() if edit[1]]
    total = len(corrections)
    edit_each(changes, by, action=action, reason=reason, progress=lambda done: progress(done, total))
    for hidden, change in ((True, hide), (False, publish)):
        ids = [number for number, values in corrections.items() if values.get("hidden") is hidden]
        for chunk in _chunks(ids, 10 * BATCH):
            change(FareRow.objects.filter(id__in=chunk), by=by, reason=reason)


def _edit(
    batch: list[tuple[int, Mapping[str, Any]]], by: User | None, texts: Texts
) -> list[tuple[int, str, recording.Values]]:
    """Edit the rows of a batch; returns what became different, for the history."""
    ids = [number for number, _ in batch]
    rows = FareRow.objects.select_related("source_file", "notable").in_bulk(ids)
    kept = dict(Edit.objects.filter(row_id__in=ids).values_list("row_id", "original"))
    texts.numbers(
        [as_stored("notable_event", given["notable_event"]) for _, given in batch if "notable_event" in given]
    )
    counts = Counts()
    originals: dict[int, dict[str, Any]] = {}
    differences: list[tuple[int, str, recording.Values]] = []
    for number, given in batch:
        values = {name: as_stored(name, value) for name, value in given.items()}
        row = rows.get(number)
        if row is None:
            continue
        label = str(row)
        before = {name: getattr(row, name) for name in values}
        different = {name: (before[name], value) for name, value in values.items() if value != before[name]}
        if not different:
            continue
        original = originals.setdefault(number, dict(kept.get(number, {})))
        edited = sorted(original)
        _count(counts, row, -1)
        for name, (old, value) in different.items():
            if name in original and original[name] == value:
                del original[name]
            else:
                original.setdefault(name, old)
            _assign(row, name, value, texts)
        _follow(row)
        if sorted(original) != edited:
            different[EDITED] = (edited, sorted(original))
        differences.append((number, label, different))
    changed = [rows[number] for number in originals]
    _write(changed)
    _remember(originals, by)
    for row in changed:
        _count(counts, row, 1)
    counts.store()
    return differences


def restore(rows: QuerySet[FareRow], *, by: User | None = None, reason: str = "") -> int:
    """Give edited `rows` their file's values back; returns how many were edited."""
    # The ids first: what is being walked through is deleted on the way.
    edited = list(
        Edit.objects.filter(row_id__in=rows.order_by().values("id"))
        .order_by("row_id")
        .values_list("row_id", flat=True)
    )
    originals = (
        each
        for chunk in _chunks(edited)
        for each in list(Edit.objects.filter(row_id__in=chunk).values_list("row_id", "original"))
    )
    return edit_each(originals, by, action=Change.Action.RESTORE, reason=reason)


def delete_vanished(rows: QuerySet[FareRow], *, by: User | None = None, reason: str = "") -> int:
    """Delete those of `rows` that their file no longer holds; returns how many there were."""
    return _delete(rows.filter(vanished=True), by=by, reason=reason)


def delete_curated(source_file_id: int) -> int:
    """Delete a file's curated rows, which outlive the file otherwise; returns how many there were."""
    return sum(
        _delete(FareRow.objects.filter(id__in=chunk), by=None, reason="")
        for chunk in _chunks(curated(source_file_id))
    )


def _delete(rows: QuerySet[FareRow], *, by: User | None, reason: str) -> int:
    with transaction.atomic(), recording.action(Change.Action.DELETE, by=by, reason=reason) as action:
        versions.bump()
        chosen = FareRow.objects.filter(id__in=rows.order_by().values("id"))
        counts = Counts()
        counts.add_rows(chosen.filter(hidden=False), -1)
        counts.store()
        action.add_many(FareRow, _last_values(chosen))
        number = chosen.count()
        chosen.delete()
    return number


def _last_values(rows: QuerySet[FareRow]) -> Iterator[tuple[int, str, recording.Values]]:
    """What rows held that are about to be deleted, so that it can still be read."""
    for row in rows.select_related("source_file", "notable").iterator(chunk_size=BATCH):
        held = {name: getattr(row, name) for name in EDITABLE}
        values = {name: (value, None) for name, value in held.items() if value not in (None, "")}
        yield row.pk, str(row), {"file": (row.source_file.name, None), **values}


def _assign(row: FareRow, name: str, value: Any, texts: Texts) -> None:
    if name == "notable_event":
        row.notable_id = texts.numbers([value])[0]
    else:
        setattr(row, name, value)


def _follow(row: FareRow) -> None:
    """Bring what follows from other fields of `row` up to date."""
    row.origin_airport, row.destination_airport = airports_of(row.route)
    row.snapshot_day = day_of(row.snapshot_date) or NO_DAY
    row.subject = subject_of(row.route, row.airline, row.season, row.query) or clean(row.source_file.name)


def _count(counts: Counts, row: FareRow, sign: int) -> None:
    if not row.hidden:
        day = str(row.snapshot_day)
        counts.add(row.source_file_id, row.combination_id, sign, day, day)


def _write(rows: Collection[FareRow]) -> None:
    """Store what a file or a curator decides of `rows`."""
    ids = Ids().of([(row.route, row.airline, row.season) for row in rows])
    for row, combination in zip(rows, ids, strict=True):
        row.combination_id = combination
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE airfare_farerow SET {', '.join(f'{name} = %s' for name in _WRITTEN)} WHERE id = %s",
            [[*(getattr(row, name) for name in _WRITTEN), row.pk] for row in rows],
        )


_WRITTEN = (*SOURCE_FIELDS, "combination_id", "notable_id", "vanished")


def _remember(originals: Mapping[int, dict[str, Any]], by: User | None) -> None:
    """Keep the file's values of the edited fields of rows; a row without any is no longer edited."""
    Edit.objects.filter(
        row_id__in=[number for number, original in originals.items() if not original]
    ).delete()
    Edit.objects.bulk_create(
        [
            Edit(row_id=number, original=original, edited_by=by)
            for number, original in originals.items()
            if original
        ],
        update_conflicts=True,
        unique_fields=["row"],
        update_fields=["original", "edited_at", "edited_by"],
    )


# How it outlives a reload


Met = list[tuple[int, tuple[Any, ...], str]]
"""Curated rows that a file holds again: the row's id, the file's fields, its notable text."""


class Kept:
    """The rows of a file that keep their ids while it is loaded again; false where there are none.

    These are the curated ones, and those that somebody changed and gave back.
    """

    def __init__(self, source_file_id: int) -> None:
        self._source_file_id = source_file_id
        self.curated = curated(source_file_id)
        """Rows that stay even where the file is gone."""
        self._remembered = _with_history(source_file_id) - self.curated
        """Rows that are as their file has them, and have a history that their id leads to."""
        self._ids = self.curated | self._remembered
        self._unmet = set(self._ids)
        self._places: dict[Identity, dict[int, int]] = defaultdict(dict)
        """By source identity, and by which of those it is in the file (from 0): the curated row's id."""
        self._seen: Counter[Identity] = Counter()
        if self._ids:
            self._find()

    def __bool__(self) -> bool:
        return bool(self._ids)

    def drop_others(self) -> None:
        """Delete the file's other rows."""
        history = (
            " AND id NOT IN (SELECT object_id FROM history_changedobject JOIN history_change c "
            "ON c.id = change_id WHERE c.content_type_id = %s)"
        )
        parameters = [self._source_file_id]
        if self._remembered:
            parameters.append(ContentType.objects.get_for_model(FareRow).pk)
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM airfare_farerow WHERE source_file_id = %s AND NOT hidden AND NOT vanished "
                "AND NOT EXISTS (SELECT 1 FROM airfare_edit WHERE row_id = airfare_farerow.id)"
                + (history if self._remembered else ""),
                parameters,
            )

    def _find(self) -> None:
        """One pass over the rows there are, to learn which of its equals each kept row is."""
        source_file_id = self._source_file_id
        originals = dict(
            Edit.objects.filter(row__source_file_id=source_file_id).values_list("row_id", "original")
        )
        wanted: dict[int, Identity] = {}
        for chunk in _chunks(self._ids):
            for number, *source in FareRow.objects.filter(id__in=chunk).values_list("id", *_IDENTITY):
                original = originals.get(number, {})
                wanted[number] = tuple(
                    original.get(name, value) for name, value in zip(_IDENTITY, source, strict=True)
                )
        identities = set(wanted.values())
        counted: Counter[Identity] = Counter()
        # A vanished row stands behind those the file holds: it is met when there is one more of them.
        every = FareRow.objects.filter(source_file_id=source_file_id).order_by("vanished", "position", "id")
        for number, *source in every.values_list("id", *_IDENTITY).iterator(chunk_size=5_000):
            identity = wanted.get(number) or tuple(source)
            if identity in identities:
                if number in wanted:
                    self._places[identity][counted[identity]] = number
                counted[identity] += 1

    def take(self, records: Records) -> tuple[Records, Met]:
        """Part a file's rows into those that are nobody's and the curated ones."""
        plain: list[tuple[Any, ...]] = []
        plain_notables: list[str] = []
        met: Met = []
        for row, notable in zip(zip(*records.columns, strict=True), records.notables, strict=True):
            identity = tuple([row[place] for place in _IDENTITY_PLACES])
            places = self._places.get(identity)
            if places is not None:
                number = places.get(self._seen[identity])
                self._seen[identity] += 1
                if number is not None:
                    self._unmet.discard(number)
                    met.append((number, row, notable))
                    continue
            plain.append(row)
            plain_notables.append(notable)
        return Records(columns=list(zip(*plain, strict=True)), notables=plain_notables), met

    def renew(self, met: Met, texts: Texts) -> None:
        """Let the file's new values flow into curated rows, except for the fields that were edited."""
        if not met:
            return
        ids = [number for number, _, _ in met]
        rows: dict[int, FareRow] = {}
        edits: dict[int, Edit] = {}
        for chunk in _chunks(ids):
            rows |= FareRow.objects.select_related("source_file", "notable").in_bulk(chunk)
            edits |= {each.row_id: each for each in Edit.objects.filter(row_id__in=chunk)}
        texts.numbers([notable for _, _, notable in met])
        for number, source, notable in met:
            row = rows[number]
            values: dict[str, Any] = dict(zip(SOURCE_FIELDS, source, strict=True))
            values["notable_event"] = notable
            original = self._renew_edit(row, edits.get(number), values)
            row.position = values["position"]
            row.vanished = False
            for name in EDITABLE:
                if name not in original:
                    _assign(row, name, values[name], texts)
            _follow(row)
        _write(rows.values())

    def _renew_edit(self, row: FareRow, edit: Edit | None, values: Mapping[str, Any]) -> dict[str, Any]:
        """The file's values of the fields of `row` that stay edited."""
        if edit is None:
            return {}
        # Where the file says now what the curator said, there is nothing left to keep.
        original = {name: values[name] for name in edit.original if getattr(row, name) != values[name]}
        if original != edit.original:
            _remember({row.pk: original}, edit.edited_by)
        return original

    def mark_vanished(self) -> int:
        """Mark the curated rows that the file no longer holds; returns how many were not marked before.

        What has only a history goes: the history can be read without the row.
        """
        marked = 0
        with recording.action(Change.Action.LOAD) as action:
            for chunk in _chunks(self._unmet - self._remembered):
                rows = FareRow.objects.filter(id__in=chunk, vanished=False)
                action.add_all(rows, {"vanished": (False, True)}, LABEL)
                marked += rows.update(vanished=True)
        for chunk in _chunks(self._unmet & self._remembered):
            FareRow.objects.filter(id__in=chunk).delete()
        return marked

    def count(self, counts: Counts) -> None:
        """Add the published ones among the curated rows to `counts`."""
        for chunk in _chunks(self._ids):
            counts.add_rows(FareRow.objects.filter(id__in=chunk, hidden=False))


def curated(source_file_id: int) -> set[int]:
    """The ids of a file's curated rows, each kind through an index of its own."""
    rows = FareRow.objects.filter(source_file_id=source_file_id).order_by()
    return {
        *rows.filter(hidden=True).values_list("id", flat=True),
        *rows.filter(vanished=True).values_list("id", flat=True),
        *Edit.objects.filter(row__source_file_id=source_file_id).values_list("row_id", flat=True),
    }


def _with_history(source_file_id: int) -> set[int]:
    """The ids of a file's rows that somebody changed at some time."""
    kind = ContentType.objects.get_for_model(FareRow)
    if not Change.objects.filter(content_type=kind).exists():
        return set()
    changed = ChangedObject.objects.filter(change__content_type=kind).values("object_id")
    return set(
        FareRow.objects.filter(id__in=changed, source_file_id=source_file_id).values_list("id", flat=True)
    )


def _chunks(ids: Collection[int], size: int = BATCH) -> Iterator[list[int]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]
