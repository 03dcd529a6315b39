"""Curators' edits of rows, applied over what files say.

An edit belongs to a file and the key of a row. The rows of the current load already include it; any other
load gets the edits that it does not know yet before its file points at it. Applying an edit to a row twice
has the same effect as once, because each row remembers what its file says.
"""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from mcpsite.datasets.combinations import Counts, Ids
from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.kinds import NO_DAY
from mcpsite.datasets.models import Edit, Load, ProseText, Row, SourceFile
from mcpsite.datasets.rows import Rows
from mcpsite.datasets.texts import Texts

BATCH = 500
"""Rows in memory at once."""


def chunks(ids: Collection[int], size: int = BATCH) -> Iterator[list[int]]:
    """Yield `ids` in order, `size` at a time."""
    ordered = sorted(ids)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


# One row


def said_of(data_set: DataSet, row: Row, names: Iterable[str]) -> dict[str, Any]:
    """Return the values of columns according to the file of `row`."""
    other = row.file_values or {}
    return {name: other[name] if name in other else data_set.value_of(row, name) for name in names}


def lay(data_set: DataSet, row: Row, values: Mapping[str, Any], texts: Texts) -> dict[str, Any]:
    """Set the edited `values` of `row`, and the file's values of columns that are no longer edited.

    Returns those of `values` that are the same in the file: they count as the file's. Derived columns are
    updated. Nothing is stored.
    """
    said = said_of(data_set, row, {*(row.file_values or {}), *values})
    for name, value in {**said, **values}.items():
        if name in data_set.columns:  # Others were declared when they were edited, and no longer are.
            data_set.assign(row, name, value, texts)
    data_set.follow(row)
    row.file_values = {name: said[name] for name in values if values[name] != said[name]} or None
    return {name: value for name, value in values.items() if value == said[name]}


def count(data_set: DataSet, counts: Counts, row: Row, sign: int) -> None:
    """Count `row` in, or out of, its load."""
    day = str(getattr(row, data_set.day) if data_set.day else NO_DAY)
    counts.add(row.load_id, row.combination_id, 0 if row.hidden else sign, day, day)


def place_of(data_set: DataSet, row: Row) -> tuple[Any, ...]:
    """Return what decides which combinations, days and texts find `row`."""
    names = ("combination", *data_set.days[:1], *data_set.proses)
    return tuple(getattr(row, data_set.attribute(name)) for name in names)


def write(data_set: DataSet, rows: Collection[Row], ids: Ids) -> None:
    """Store the columns of `rows` that a file or a curator sets."""
    combinations = ids.of([data_set.combination_of(row) for row in rows])
    for row, combination in zip(rows, combinations, strict=True):
        row.combination_id = combination
    names = (*data_set.columns, "combination", "hidden")
    attributes = [data_set.attribute(name) for name in names]
    assigned = ", ".join(f"{data_set.column(name)} = %s" for name in names)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {data_set.sql} SET {assigned}, file_values = %s WHERE id = %s",
            [
                [*(getattr(row, each) for each in attributes), as_json(row.file_values), row.pk]
                for row in rows
            ],
        )


def as_json(values: Mapping[str, Any] | None) -> str | None:
    """Return `Row.file_values` as a parameter of a statement."""
    return None if values is None else json.dumps(values)


# The edits of a file


def touch(files: Collection[int]) -> dict[int, int]:
    """Return the serial of the edits that are made now, for each of these files. Under `versions.lock`."""
    chosen = SourceFile.objects.filter(pk__in=files)
    chosen.update(serial=F("serial") + 1)
    return dict(chosen.values_list("pk", "serial"))


def forget_void(data_set: DataSet, among: QuerySet[Edit]) -> None:
    """Delete the edits that no longer want anything of a row, if every load of the file knows that.

    An edit of a row that has vanished from its file stays with the row. Under `versions.lock`.
    """
    others = Load.objects.filter(file=OuterRef("file"), state__in=(Load.State.WRITING, Load.State.REPLACED))
    vanished = data_set.model.objects.filter(key=OuterRef("key"), vanished=True)
    void = among.filter(values={}, hidden=False).exclude(Exists(others))
    void.filter(Q(deleted=True) | ~Exists(vanished)).delete()


@dataclass(frozen=True, slots=True)
class Laid:
    """Rows that are about to be stored, with the edits applied."""

    columns: Mapping[str, Sequence[Any]]
    hidden: list[bool]
    file_values: list[str | None]


class Overlay:
    """Applies the edits of a file to one of its loads, while that is written or before it is used again."""

    def __init__(
        self, data_set: DataSet, load: Load, file: SourceFile, alive: Callable[[Load], None]
    ) -> None:
        """Apply edits to `load` of `file`, which points at another load or at none.

        `alive` is called at the start of each transaction that writes to it, and raises to end this.
        """
        self._data_set = data_set
        self._load, self._file, self._before = load, file, file.current_id
        self._alive = alive
        self._serial = load.serial
        self._texts, self._ids = Texts(data_set), Ids(data_set)
        self._unseen = set(Edit.objects.filter(file=file).values_list("key", flat=True))
        """Edits of rows that have not been seen in the load."""
        self._met: dict[int, dict[str, Any]] = {}
        """By key, the edited columns whose value is the same in the load's file."""
        self.vanished: set[int] = set()
        """Keys of rows that vanished with this load."""

    def _rows(self, keys: Collection[int]) -> QuerySet[Any]:
        """Return the rows with these keys, of every load."""
        return self._data_set.model.all_loads.filter(key__in=keys)

    def over(self, rows: Rows, keys: Sequence[int]) -> Laid:
        """Apply their edits to rows that are read from the file, before they are stored."""
        hidden: list[bool] = [False] * rows.size
        file_values: list[str | None] = [None] * rows.size
        edited = self._unseen.intersection(keys)
        if not edited:
            return Laid(rows.columns, hidden, file_values)
        self._unseen -= edited
        places = {key: place for place, key in enumerate(keys) if key in edited}
        names = tuple(self._data_set.columns)
        columns: dict[str, Any] = {**rows.columns, **{name: list(rows.columns[name]) for name in names}}
        for edit in Edit.objects.filter(file=self._file, key__in=edited):
            place = places[edit.key]
            hidden[place] = edit.hidden
            if edit.values:
                row = self._row({name: columns[name][place] for name in names})
                self._lay(row, edit)
                for name in names:
                    columns[name][place] = self._read_back(row, name, edit, columns[name][place])
                file_values[place] = as_json(row.file_values)
        return Laid(columns, hidden, file_values)

    def _row(self, read: Mapping[str, Any]) -> Row:
        """Return a row that is about to be stored, with what is read of it."""
        row = self._data_set.model(load=self._load)
        for name, value in read.items():
            if name in self._data_set.proses:
                setattr(row, name, ProseText(text=value) if value else None)
            elif name in self._data_set.days:
                self._data_set.assign(row, name, value, self._texts)
            else:
                setattr(row, name, value)
        return row

    def _read_back(self, row: Row, name: str, edit: Edit, read: Any) -> Any:
        if name in self._data_set.proses:
            return edit.values.get(name, read)
        value = getattr(row, name)
        return str(value) if name in self._data_set.days else value

    def _lay(self, row: Row, edit: Edit) -> None:
        self._met.pop(edit.key, None)
        if met := lay(self._data_set, row, edit.values, self._texts):
            self._met[edit.key] = met

    def bring(self) -> None:
        """Copy the rows of edits that the load lacks from the previous load, marked as vanished.

        In short transactions. Called once, when all of the file has been read.
        """
        for chunk in chunks(self._unseen):
            with transaction.atomic():
                self._alive(self._load)
                self._bring(chunk)
        self._unseen.clear()

    def _bring(self, keys: Collection[int]) -> None:
        if self._before is None:
            return
        rows = self._rows(keys).filter(load=self._before)
        curated = rows.filter(Q(hidden=True) | Q(vanished=True) | Q(file_values__isnull=False))
        brought = list(curated.select_related("load", *self._data_set.proses))
        there = set(self._rows(keys).filter(load=self._load).values_list("key", flat=True))
        brought = [row for row in brought if row.key not in there]
        self.vanished.update(row.key for row in brought if not row.vanished)
        counts = Counts()
        for row in brought:
            row.pk, row.load, row.vanished = None, self._load, True
            count(self._data_set, counts, row, 1)
        if brought:
            self._data_set.model.all_loads.bulk_create(brought)
            self._load.extend(brought[0].pk, brought[-1].pk)
            counts.store()

    def catch_up(self) -> None:
        """Apply curators' edits since then, in short transactions, until few are left."""
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
        """Apply the last edits, and remember which equal the file. In the transaction of the switch."""
        for chunk in chunks(self._since()):
            self._apply(chunk)
        for chunk in chunks(self._met):
            edits = list(Edit.objects.filter(file=self._file, key__in=chunk))
            for edit in edits:
                edit.met, edit.met_in = self._met[edit.key], self._load
                edit.values = {name: value for name, value in edit.values.items() if name not in edit.met}
            Edit.objects.bulk_update(edits, ["met", "met_in", "values"])

    def _apply(self, ids: Collection[int]) -> None:
        """Apply edits to the load's rows."""
        edits = {edit.key: edit for edit in Edit.objects.filter(id__in=ids)}
        self._bring(edits)
        stored = self._rows(edits).filter(load=self._load).select_related("load", *self._data_set.proses)
        before = self._rows(edits).filter(load=self._before, vanished=True)
        gone = set(before.values_list("key", flat=True))
        counts = Counts()
        rows: list[Row] = []
        deleted: list[Row] = []
        for row in stored:
            edit = edits[row.key]
            count(self._data_set, counts, row, -1)
            self._lay(row, edit)
            row.hidden = edit.hidden
            void = edit.deleted or not (edit.values or edit.hidden or row.key in gone)
            (deleted if row.vanished and void else rows).append(row)
        write(self._data_set, rows, self._ids)
        self._data_set.model.all_loads.filter(pk__in=[row.pk for row in deleted]).delete()
        self.vanished.difference_update(row.key for row in deleted)
        for row in rows:
            count(self._data_set, counts, row, 1)
        counts.store()
