"""What a curator does to rows, and how it outlives a reload of their file.

A row is curated when it is hidden, edited or vanished; only such rows cost anything. Their ids stay
over a reload: the new file's row with the same source identity (date, route, airline, season, query,
region, provider, and the how-manieth of those it is in the file) flows into the kept row, except for
what was edited. Where the file no longer holds it, the kept row is marked as vanished.
"""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import QuerySet

from airfare import dimensions, versions
from airfare.models import NO_DAY, Edit, FareRow
from airfare.notables import Texts
from airfare.records import NUMBERS, SOURCE_FIELDS, Records, airports_of, day_of, subject_of

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

_IDENTITY = ("snapshot_date", "route", "airline", "season", "query", "region", "provider")
_IDENTITY_PLACES = tuple(SOURCE_FIELDS.index(name) for name in _IDENTITY)

Identity = tuple[str, ...]


# What a curator does


def hide(rows: QuerySet[FareRow]) -> int:
    """Take `rows` out of every answer; returns how many were in one."""
    return _set_hidden(rows.filter(hidden=False), hidden=True)


def publish(rows: QuerySet[FareRow]) -> int:
    """Put hidden `rows` back into the answers; returns how many there were."""
    return _set_hidden(rows.filter(hidden=True), hidden=False)


def _set_hidden(rows: QuerySet[FareRow], *, hidden: bool) -> int:
    # Chosen once, so that counts and rows are about the same ones, whatever `rows` filters on.
    with transaction.atomic():
        versions.bump()
        chosen = FareRow.objects.filter(id__in=rows.order_by().values("id"))
        counts = dimensions.count(chosen)
        changed = chosen.update(hidden=hidden)
        dimensions.add(_negative(counts) if hidden else counts)
    return changed


def edit(row: FareRow, values: Mapping[str, Any], by: User | None) -> None:
    """Give the fields of `row` named in `values` (of EDITABLE) new values, and remember the file's.

    A field that gets the file's value back is no longer edited; what follows from the fields
    (airports, day, subject) follows.
    """
    with transaction.atomic():
        versions.bump()
        row = FareRow.objects.select_related("source_file", "notable").get(pk=row.pk)
        kept = Edit.objects.filter(row=row).first()
        original: dict[str, Any] = dict(kept.original) if kept else {}
        _count(row, -1)
        texts = Texts()
        for name, value in values.items():
            before = getattr(row, name)
            if value == before:
                continue
            if name in original and original[name] == value:
                del original[name]
            else:
                original.setdefault(name, before)
            _assign(row, name, value, texts)
        _follow(row)
        row.save()
        _count(row, 1)
        _remember(row, original, by)


def revert(rows: QuerySet[FareRow]) -> int:
    """Give edited `rows` their file's values back; returns how many were edited."""
    reverted = 0
    with transaction.atomic():
        for row in FareRow.objects.filter(
            id__in=rows.order_by().values("id"), edit__isnull=False
        ).select_related("edit"):
            edit(row, row.edit.original, None)
            reverted += 1
    return reverted


def delete_vanished(rows: QuerySet[FareRow]) -> int:
    """Delete those of `rows` that their file no longer holds; returns how many there were."""
    with transaction.atomic():
        versions.bump()
        chosen = FareRow.objects.filter(id__in=rows.order_by().values("id"), vanished=True)
        dimensions.add(_negative(dimensions.count(chosen.filter(hidden=False))))
        number = chosen.count()
        chosen.delete()
    return number


def _assign(row: FareRow, name: str, value: Any, texts: Texts) -> None:
    if name == "notable_event":
        row.notable_id = texts.numbers([value])[0]
    else:
        setattr(row, name, value)


def _follow(row: FareRow) -> None:
    """Bring what follows from other fields of `row` up to date."""
    row.origin_airport, row.destination_airport = airports_of(row.route)
    row.snapshot_day = day_of(row.snapshot_date) or NO_DAY
    row.subject = subject_of(row.route, row.airline, row.season, row.query) or row.source_file.name


def _count(row: FareRow, sign: int) -> None:
    if not row.hidden:
        dimensions.add(Counter({(row.source_file_id, row.route, row.airline, row.season): sign}))


def _remember(row: FareRow, original: dict[str, Any], by: User | None) -> None:
    if original:
        Edit.objects.update_or_create(row=row, defaults={"original": original, "edited_by": by})
    else:
        Edit.objects.filter(row=row).delete()


def _negative(counts: Counter[Any]) -> Counter[Any]:
    return Counter({key: -n for key, n in counts.items()})


# How it outlives a reload


Met = list[tuple[int, tuple[Any, ...], str]]
"""Curated rows that a file holds again: the row's id, the file's fields, its notable text."""


class Kept:
    """The curated rows of a file while the file is loaded again; false where there are none."""

    def __init__(self, source_file_id: int) -> None:
        self._ids = _curated(source_file_id)
        self._unmet = set(self._ids)
        self._places: dict[Identity, dict[int, int]] = defaultdict(dict)
        """By source identity, and by which of those it is in the file (from 0): the curated row's id."""
        self._seen: Counter[Identity] = Counter()
        if self._ids:
            self._find(source_file_id)

    def __bool__(self) -> bool:
        return bool(self._ids)

    def _find(self, source_file_id: int) -> None:
        """One pass over the rows there are, to learn which of its equals each curated row is."""
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
        with connection.cursor() as cursor:
            cursor.executemany(
                f"UPDATE airfare_farerow SET {', '.join(f'{name} = %s' for name in _RENEWED)} WHERE id = %s",
                [[*(getattr(row, name) for name in _RENEWED), row.pk] for row in rows.values()],
            )

    def _renew_edit(self, row: FareRow, edit: Edit | None, values: Mapping[str, Any]) -> dict[str, Any]:
        """The file's values of the fields of `row` that stay edited."""
        if edit is None:
            return {}
        # Where the file says now what the curator said, there is nothing left to keep.
        original = {name: values[name] for name in edit.original if getattr(row, name) != values[name]}
        if original != edit.original:
            _remember(row, original, edit.edited_by)
        return original

    def mark_vanished(self) -> int:
        """Mark the curated rows that the file no longer holds; returns how many were not marked before."""
        return sum(
            FareRow.objects.filter(id__in=chunk, vanished=False).update(vanished=True)
            for chunk in _chunks(self._unmet)
        )

    def count(self) -> Counter[tuple[int, str, str, str]]:
        """The published ones among the curated rows, for `dimensions.add`."""
        counts: Counter[tuple[int, str, str, str]] = Counter()
        for chunk in _chunks(self._ids):
            counts += dimensions.count(FareRow.objects.filter(id__in=chunk, hidden=False))
        return counts


_RENEWED = (*SOURCE_FIELDS, "notable_id", "vanished")


def _curated(source_file_id: int) -> set[int]:
    """The ids of a file's curated rows, each kind through an index of its own."""
    rows = FareRow.objects.filter(source_file_id=source_file_id).order_by()
    return {
        *rows.filter(hidden=True).values_list("id", flat=True),
        *rows.filter(vanished=True).values_list("id", flat=True),
        *Edit.objects.filter(row__source_file_id=source_file_id).values_list("row_id", flat=True),
    }


def _chunks(ids: Collection[int]) -> Iterator[list[int]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), 500):
        yield ordered[start : start + 500]


def drop_plain(source_file_id: int) -> None:
    """Delete the rows of a file that no curator touched."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM airfare_farerow WHERE source_file_id = %s AND NOT hidden AND NOT vanished "
            "AND NOT EXISTS (SELECT 1 FROM airfare_edit WHERE row_id = airfare_farerow.id)",
            [source_file_id],
        )
