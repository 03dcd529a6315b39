"""What curators want of rows, laid over what files say.

An edit belongs to a file and the key of a row. The rows of the current load have it in them; any other load
is given the edits that it does not know yet before its file points at it. Laying an edit over a row twice
does no more than laying it once, for each row remembers what its file says.
"""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

import datetime
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Concat

from airfare.combinations import Counts, Ids
from airfare.models import NO_DAY, Edit, FareRow, Load, NotableText, SourceFile
from airfare.notables import Texts
from airfare.records import SOURCE_FIELDS, Records, airports_of, day_of, subject_of
from mcpsite.core.texts import clean

_DERIVED = ("position", "snapshot_day", "subject", "origin_airport", "destination_airport")
EDITABLE = (*(name for name in SOURCE_FIELDS if name not in _DERIVED), "notable_event")
"""What a curator may change in a row."""

LABEL = Concat("snapshot_date", Value(" "), "subject", Value(" "), "airline", Value(" "), "season")
"""What a row is called in the history of a bulk action."""

BATCH = 500
"""Rows in memory at once."""

_DAY = SOURCE_FIELDS.index("snapshot_day")


def chunks(ids: Collection[int], size: int = BATCH) -> Iterator[list[int]]:
    """Yield `ids` in order, `size` at a time."""
    ordered = sorted(ids)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


# One row


def said_of(row: FareRow, names: Iterable[str]) -> dict[str, Any]:
    """Return what the file of `row` says of fields."""
    other = row.file_values or {}
    return {name: other[name] if name in other else getattr(row, name) for name in names}


def lay(row: FareRow, values: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    """Give `row` the edited `values`, and what its file says where they are edited no more.

    Returns those of `values` of which the file says the same: they count as its own. What follows from the
    fields (airports, day, subject) follows. Nothing is stored.
    """
    said = said_of(row, {*(row.file_values or {}), *values})
    for name, value in {**said, **values}.items():
        _assign(row, name, value, texts)
    _follow(row)
    row.file_values = {name: said[name] for name in values if values[name] != said[name]} or None
    return {name: value for name, value in values.items() if value == said[name]}


def _assign(row: FareRow, name: str, value: Any, texts: Texts) -> None:
    if name == "notable_event":
        row.notable_id = texts.numbers([value])[0]
    else:
        setattr(row, name, value)


def _follow(row: FareRow) -> None:
    """Bring what follows from other fields of `row` up to date."""
    row.origin_airport, row.destination_airport = airports_of(row.route)
    row.snapshot_day = day_of(row.snapshot_date) or NO_DAY
    row.subject = subject_of(row.route, row.airline, row.season, row.query) or clean(row.load.name)


def count(counts: Counts, row: FareRow, sign: int) -> None:
    """Count `row` in, or out of, its load."""
    day = str(row.snapshot_day)
    counts.add(row.load_id, row.combination_id, 0 if row.hidden else sign, day, day)


def place_of(row: FareRow) -> tuple[int, datetime.date, int | None]:
    """Return what decides which filters `row` matches: its combination, its day and its text."""
    return row.combination_id, row.snapshot_day, row.notable_id


def write(rows: Collection[FareRow], ids: Ids) -> None:
    """Store what a file or a curator decides of `rows`."""
    combinations = ids.of([(row.route, row.airline, row.season) for row in rows])
    for row, combination in zip(rows, combinations, strict=True):
        row.combination_id = combination
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE airfare_farerow SET {', '.join(f'{name} = %s' for name in _WRITTEN)}, file_values = %s "
            "WHERE id = %s",
            [[*(getattr(row, name) for name in _WRITTEN), as_json(row.file_values), row.pk] for row in rows],
        )


def as_json(values: Mapping[str, Any] | None) -> str | None:
    """Return `FareRow.file_values` as a parameter of a statement."""
    return None if values is None else json.dumps(values)


_WRITTEN = (*SOURCE_FIELDS, "combination_id", "notable_id", "hidden")


# The edits of a file


def touch(files: Collection[int]) -> dict[int, int]:
    """Return the serial of the edits that are made now, for each of these files. Under `versions.lock`."""
    chosen = SourceFile.objects.filter(pk__in=files)
    chosen.update(serial=F("serial") + 1)
    return dict(chosen.values_list("pk", "serial"))


def forget_void(among: QuerySet[Edit]) -> None:
    """Delete those edits that want nothing of a row any more, where every load of the file knows it.

    That of a row that has vanished from its file stays with the row. Under `versions.lock`.
    """
    others = Load.objects.filter(file=OuterRef("file"), state__in=(Load.State.WRITING, Load.State.REPLACED))
    vanished = FareRow.objects.filter(key=OuterRef("key"), vanished=True)
    void = among.filter(values={}, hidden=False).exclude(Exists(others))
    void.filter(Q(deleted=True) | ~Exists(vanished)).delete()


@dataclass(frozen=True, slots=True)
class Laid:
    """Rows that are about to be stored, with the edits over them."""

    columns: list[Sequence[Any]]
    notables: list[str]
    hidden: list[bool]
    file_values: list[str | None]


class Overlay:
    """Brings the edits of a file into one of its loads, while that is written or before it is used again."""

    def __init__(self, load: Load, file: SourceFile, alive: Callable[[Load], None]) -> None:
        """`load` is of `file`, which points at another one or at none.

        `alive` is called at the start of each transaction that writes to it, and raises what ends this.
        """
        self._load, self._file, self._before = load, file, file.current_id
        self._alive = alive
        self._serial = load.serial
        self._texts, self._ids = Texts(), Ids()
        self._unseen = set(Edit.objects.filter(file=file).values_list("key", flat=True))
        """Edits of rows that the load has not been seen to hold."""
        self._met: dict[int, dict[str, Any]] = {}
        """By key the edited fields of which the load's file says the same."""
        self.vanished: set[int] = set()
        """Keys of rows that vanished with this load."""

    def over(self, records: Records, keys: Sequence[int]) -> Laid:
        """Lay their edits over rows that are read from the file, before they are stored."""
        laid = Laid(records.columns, records.notables, [False] * len(keys), [None] * len(keys))
        edited = self._unseen.intersection(keys)
        if not edited:
            return laid
        self._unseen -= edited
        places = {key: place for place, key in enumerate(keys) if key in edited}
        columns: list[Any] = list(map(list, records.columns))
        notables = list(records.notables)
        for edit in Edit.objects.filter(file=self._file, key__in=edited):
            place = places[edit.key]
            laid.hidden[place] = edit.hidden
            if edit.values:
                row = FareRow(load=self._load)
                for name, column in zip(SOURCE_FIELDS, columns, strict=True):
                    setattr(row, name, column[place])
                row.notable = NotableText(text=notables[place])
                self._lay(row, edit)
                for name, column in zip(SOURCE_FIELDS, columns, strict=True):
                    column[place] = getattr(row, name)
                columns[_DAY][place] = str(row.snapshot_day)
                notables[place] = edit.values.get("notable_event", notables[place])
                laid.file_values[place] = as_json(row.file_values)
        return Laid(columns, notables, laid.hidden, laid.file_values)

    def _lay(self, row: FareRow, edit: Edit) -> None:
        self._met.pop(edit.key, None)
        if met := lay(row, edit.values, self._texts):
            self._met[edit.key] = met

    def bring(self) -> None:
        """Copy the rows of edits that the load lacks from the load before, marked as vanished.

        In short transactions. To be called once, when all of the file has been read.
        """
        for chunk in chunks(self._unseen):
            with transaction.atomic():
                self._alive(self._load)
                self._bring(chunk)
        self._unseen.clear()

    def _bring(self, keys: Collection[int]) -> None:
        if self._before is None:
            return
        rows = FareRow.all_loads.filter(load=self._before, key__in=keys)
        curated = rows.filter(Q(hidden=True) | Q(vanished=True) | Q(file_values__isnull=False))
        brought = list(curated.select_related("load", "notable"))
        there = set(FareRow.all_loads.filter(load=self._load, key__in=keys).values_list("key", flat=True))
        brought = [row for row in brought if row.key not in there]
        self.vanished.update(row.key for row in brought if not row.vanished)
        counts = Counts()
        for row in brought:
            row.pk, row.load, row.vanished = None, self._load, True
            count(counts, row, 1)
        if brought:
            FareRow.all_loads.bulk_create(brought)
            self._load.extend(brought[0].pk, brought[-1].pk)
            counts.store()

    def catch_up(self) -> None:
        """Lay over the rows what curators did since, in short transactions, until little of it is left."""
        while True:
            serial = SourceFile.objects.values_list("serial", flat=True).get(pk=self._file.pk)
            since = self._since()
            for chunk in chunks(since):
                with transaction.atomic():
                    self._alive(self._load)
                    self._apply(chunk)
            self._serial = serial
            if len(since) <= BATCH:
                return

    def _since(self) -> list[int]:
        later = Edit.objects.filter(file=self._file, serial__gt=self._serial)
        return list(later.values_list("id", flat=True))

    def finish(self) -> None:
        """Lay the last edits over the rows, and remember which are met. In the transaction of the switch."""
        for chunk in chunks(self._since()):
            self._apply(chunk)
        for chunk in chunks(self._met):
            edits = list(Edit.objects.filter(file=self._file, key__in=chunk))
            for edit in edits:
                edit.met, edit.met_in = self._met[edit.key], self._load
                edit.values = {name: value for name, value in edit.values.items() if name not in edit.met}
            Edit.objects.bulk_update(edits, ["met", "met_in", "values"])

    def _apply(self, ids: Collection[int]) -> None:
        """Lay edits over the load's rows."""
        edits = {edit.key: edit for edit in Edit.objects.filter(id__in=ids)}
        self._bring(edits)
        stored = FareRow.all_loads.filter(load=self._load, key__in=edits).select_related("load", "notable")
        gone = set(
            FareRow.all_loads.filter(load=self._before, key__in=edits, vanished=True).values_list(
                "key", flat=True
            )
        )
        counts = Counts()
        rows: list[FareRow] = []
        deleted: list[FareRow] = []
        for row in stored:
            edit = edits[row.key]
            count(counts, row, -1)
            self._lay(row, edit)
            row.hidden = edit.hidden
            void = edit.deleted or not (edit.values or edit.hidden or row.key in gone)
            (deleted if row.vanished and void else rows).append(row)
        write(rows, self._ids)
        FareRow.all_loads.filter(id__in=[row.pk for row in deleted]).delete()
        self.vanished.difference_update(row.key for row in deleted)
        for row in rows:
            count(counts, row, 1)
        counts.store()
