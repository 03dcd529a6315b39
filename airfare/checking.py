"""Whether what is stored of fares fits together: what foreign keys would guard, and what is said twice."""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

from collections.abc import Iterator

from django.db import connection

from airfare.edits import chunks
from airfare.models import Edit, FareRow

_KNOWN = "('current', 'replaced')"

CHECKS = {
    "a file points at a load that is not current, or at one of another file": (
        "SELECT f.name FROM airfare_sourcefile f JOIN airfare_load l ON l.id = f.current_id "
        "WHERE l.state <> 'current' OR l.file_id IS NULL OR l.file_id <> f.id OR l.name <> f.name"
    ),
    "a load is current and no file points at it": (
        "SELECT id FROM airfare_load WHERE state = 'current' "
        "AND id NOT IN (SELECT current_id FROM airfare_sourcefile WHERE current_id IS NOT NULL)"
    ),
    "a file says other things than its current load": (
        "SELECT f.name FROM airfare_sourcefile f JOIN airfare_load l ON l.id = f.current_id "
        "WHERE l.rows <> f.rows OR l.digest <> f.digest OR l.unreadable <> f.unreadable"
    ),
    "rows or counts are of no load": (
        "SELECT load_id FROM airfare_farerow WHERE load_id NOT IN (SELECT id FROM airfare_load) UNION "
        "SELECT load_id FROM airfare_combinationcount WHERE load_id NOT IN (SELECT id FROM airfare_load)"
    ),
    "rows are not where their load says": (
        "SELECT r.id FROM airfare_farerow r JOIN airfare_load l ON l.id = r.load_id "
        "WHERE r.id < l.first_id OR r.id > l.last_id"
    ),
    "a load has not as many rows as its file held": (
        "SELECT l.name FROM airfare_load l "
        "LEFT JOIN airfare_farerow r ON r.load_id = l.id AND NOT r.vanished "
        f"WHERE l.state IN {_KNOWN} GROUP BY l.id, l.name, l.rows HAVING count(r.id) <> l.rows"
    ),
    "several rows of a load have the same key": (
        "SELECT key FROM airfare_farerow GROUP BY load_id, key HAVING count(*) > 1"
    ),
    "rows have another combination than their route, airline and season": (
        "SELECT r.id FROM airfare_farerow r LEFT JOIN airfare_combination c ON c.id = r.combination_id "
        "WHERE c.id IS NULL OR c.route <> r.route OR c.airline <> r.airline OR c.season <> r.season "
        "OR c.origin_airport <> r.origin_airport OR c.destination_airport <> r.destination_airport"
    ),
    "rows have a notable text that is not there": (
        "SELECT id FROM airfare_farerow WHERE notable_id IS NOT NULL "
        "AND notable_id NOT IN (SELECT id FROM airfare_notabletext)"
    ),
    "counts are not those of the published rows": (
        "SELECT load_id, combination_id FROM ("
        "SELECT load_id, combination_id, -rows AS rows FROM airfare_combinationcount UNION ALL "
        "SELECT load_id, combination_id, count(*) AS rows FROM airfare_farerow WHERE NOT hidden "
        "GROUP BY load_id, combination_id) AS both_ JOIN airfare_load l ON l.id = load_id "
        f"WHERE l.state IN {_KNOWN} GROUP BY load_id, combination_id HAVING sum(both_.rows) <> 0"
    ),
    "rows have no count, or are not between its days": (
        "SELECT r.id FROM airfare_farerow r JOIN airfare_load l ON l.id = r.load_id "
        "LEFT JOIN airfare_combinationcount c ON c.load_id = r.load_id "
        f"AND c.combination_id = r.combination_id WHERE l.state IN {_KNOWN} "
        "AND (c.id IS NULL OR r.snapshot_day < c.first_day OR r.snapshot_day > c.last_day)"
    ),
    "rows are curated and nobody wanted that": (
        "SELECT r.id FROM airfare_farerow r JOIN airfare_sourcefile f ON f.current_id = r.load_id "
        "LEFT JOIN airfare_edit e ON e.key = r.key AND e.file_id = f.id "
        "WHERE e.id IS NULL AND (r.hidden OR r.vanished OR r.file_values IS NOT NULL)"
    ),
}
"""What may not be, and the statement that finds where it is so."""


def problems() -> Iterator[str]:
    """Yield a sentence for each thing that does not fit, with where it is so."""
    with connection.cursor() as cursor:
        for problem, statement in CHECKS.items():
            cursor.execute(f"{statement} LIMIT 5")
            if found := cursor.fetchall():
                places = "; ".join(", ".join(map(str, each)) for each in found)
                yield f"{problem[:1].upper()}{problem[1:]}: {places}."
    for chunk in chunks(list(Edit.objects.values_list("id", flat=True))):
        yield from _edits(list(Edit.objects.filter(id__in=chunk).select_related("file")))


def _edits(edits: list[Edit]) -> Iterator[str]:
    """Yield where rows of current loads are not as curators want them."""
    found = FareRow.objects.filter(key__in=[edit.key for edit in edits]).select_related("notable", "load")
    rows = {(row.load.file_id, row.key): row for row in found}
    for edit in edits:
        row = rows.get((edit.file_id, edit.key))
        name = f"{edit.file.name}, row {edit.key}"
        if row is None:
            if edit.values or edit.hidden:
                yield f"An edit has no row: {name}."
            continue
        has = {name: getattr(row, name) for name in row.file_values or {}}
        if (has, row.hidden) != (edit.values, edit.hidden):
            yield f"A row is not as it was edited: {name}."
