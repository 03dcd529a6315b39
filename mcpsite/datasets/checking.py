"""Whether the stored data of data sets are consistent: rules of foreign keys, and of what is stored twice."""

# ruff: noqa: S608 (SQL is put together from names that models have)

from collections.abc import Iterator

from django.db import connection

from mcpsite.datasets.declaration import DataSet, data_sets
from mcpsite.datasets.edits import chunks
from mcpsite.datasets.models import Combination, Edit, Row

_KNOWN = "('current', 'replaced')"

SHARED = {
    "a file refers to a load that is not current, or to a load of another file": (
        "SELECT f.name FROM datasets_sourcefile f JOIN datasets_load l ON l.id = f.current_id "
        "WHERE l.state <> 'current' OR l.file_id IS NULL OR l.file_id <> f.id OR l.name <> f.name "
        "OR l.data_set <> f.data_set"
    ),
    "a load is current, but no file refers to it": (
        "SELECT id FROM datasets_load WHERE state = 'current' "
        "AND id NOT IN (SELECT current_id FROM datasets_sourcefile WHERE current_id IS NOT NULL)"
    ),
    "a file and its current load differ": (
        "SELECT f.name FROM datasets_sourcefile f JOIN datasets_load l ON l.id = f.current_id "
        "WHERE l.rows <> f.rows OR l.digest <> f.digest OR l.unreadable <> f.unreadable"
    ),
    "counts belong to no load": (
        "SELECT load_id FROM datasets_combinationcount WHERE load_id NOT IN (SELECT id FROM datasets_load)"
    ),
}
"""Each rule with the statement that finds where it is broken."""


def checks_of(data_set: DataSet) -> dict[str, str]:
    """Return the rules for the rows of one data set."""
    rows, label = data_set.sql, data_set.label
    day = f"r.{data_set.column(data_set.day)}" if data_set.day else "'0001-01-01'"
    found = {
        "rows belong to no load": (
            f"SELECT load_id FROM {rows} WHERE load_id NOT IN (SELECT id FROM datasets_load)"
        ),
        "rows are outside the range of their load": (
            f"SELECT r.id FROM {rows} r JOIN datasets_load l ON l.id = r.load_id "
            f"WHERE r.id < l.first_id OR r.id > l.last_id OR l.data_set <> '{label}'"
        ),
        "a load has a different number of rows from its file": (
            "SELECT l.name FROM datasets_load l "
            f"LEFT JOIN {rows} r ON r.load_id = l.id AND NOT r.vanished "
            f"WHERE l.data_set = '{label}' AND l.state IN {_KNOWN} "
            "GROUP BY l.id, l.name, l.rows HAVING count(r.id) <> l.rows"
        ),
        "several rows of a load have the same key": (
            f"SELECT key FROM {rows} GROUP BY load_id, key HAVING count(*) > 1"
        ),
        "rows have no combination": (
            f"SELECT id FROM {rows} WHERE combination_id NOT IN "
            f"(SELECT id FROM datasets_combination WHERE data_set = '{label}')"
        ),
        "counts differ from the number of published rows": (
            "SELECT load_id, combination_id FROM ("
            "SELECT load_id, combination_id, -rows AS rows FROM datasets_combinationcount UNION ALL "
            f"SELECT load_id, combination_id, count(*) AS rows FROM {rows} WHERE NOT hidden "
            "GROUP BY load_id, combination_id) AS both_ JOIN datasets_load l ON l.id = load_id "
            f"WHERE l.data_set = '{label}' AND l.state IN {_KNOWN} "
            "GROUP BY load_id, combination_id HAVING sum(both_.rows) <> 0"
        ),
        "rows have no count, or are outside the days of their count": (
            f"SELECT r.id FROM {rows} r JOIN datasets_load l ON l.id = r.load_id "
            "LEFT JOIN datasets_combinationcount c ON c.load_id = r.load_id "
            f"AND c.combination_id = r.combination_id WHERE l.state IN {_KNOWN} "
            f"AND (c.id IS NULL OR {day} < c.first_day OR {day} > c.last_day)"
        ),
        "rows are marked as curated, but there is no edit of them": (
            f"SELECT r.id FROM {rows} r JOIN datasets_sourcefile f ON f.current_id = r.load_id "
            "LEFT JOIN datasets_edit e ON e.key = r.key AND e.file_id = f.id "
            "WHERE e.id IS NULL AND (r.hidden OR r.vanished OR r.file_values IS NOT NULL)"
        ),
    }
    for name in data_set.proses:
        text = data_set.column(name)
        found[f"rows have a text in {name} that is not there"] = (
            f"SELECT id FROM {rows} WHERE {text} IS NOT NULL AND {text} NOT IN "
            f"(SELECT id FROM datasets_prosetext WHERE data_set = '{label}')"
        )
    return found


def problems() -> Iterator[str]:
    """Yield a sentence for each broken rule, with where it is broken."""
    yield from _found(SHARED, "")
    for data_set in data_sets():
        yield from _found(checks_of(data_set), f"{data_set.name}: ")
        yield from _combinations(data_set)
        for chunk in chunks(list(Edit.objects.of(data_set.model).values_list("id", flat=True))):
            edits = list(Edit.objects.filter(id__in=chunk).select_related("file"))
            yield from _edits(data_set, edits)


def _found(checks: dict[str, str], where: str) -> Iterator[str]:
    with connection.cursor() as cursor:
        for problem, statement in checks.items():
            cursor.execute(f"{statement} LIMIT 5")
            if found := cursor.fetchall():
                places = "; ".join(", ".join(map(str, each)) for each in found)
                yield f"{where}{problem[:1].upper()}{problem[1:]}: {places}."


def _combinations(data_set: DataSet) -> Iterator[str]:
    """Yield where rows of current loads have a combination that differs from their categories."""
    names = data_set.categories
    stored = Combination.objects.filter(data_set=data_set.label).values_list("id", "values")
    said = {number: tuple(values.get(name, "") for name in names) for number, values in stored}
    rows = data_set.model.objects.values_list("combination_id", *names).distinct()
    for number, *values in rows.iterator(chunk_size=5_000):
        if said.get(number) != tuple(values):
            yield (
                f"{data_set.name}: Rows with {values} have the combination {number}, which has other values."
            )


def _edits(data_set: DataSet, edits: list[Edit]) -> Iterator[str]:
    """Yield where rows of current loads differ from what curators want."""
    keys = [edit.key for edit in edits]
    found = data_set.model.objects.filter(key__in=keys).select_related("load", *data_set.proses)
    rows: dict[tuple[int | None, int], Row] = {(row.load.file_id, row.key): row for row in found}
    for edit in edits:
        row = rows.get((edit.file_id, edit.key))
        name = f"{edit.file.name}, row {edit.key}"
        if row is None:
            if edit.values or edit.hidden:
                yield f"{data_set.name}: An edit has no row: {name}."
            continue
        has = {each: data_set.value_of(row, each) for each in row.file_values or {}}
        if (has, row.hidden) != (edit.values, edit.hidden):
            yield f"{data_set.name}: A row does not have its edited values: {name}."
