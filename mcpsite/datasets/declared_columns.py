"""A data set's columns as tools describe and filter them."""

from dataclasses import replace
from typing import Any

from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.kinds import Category, Day, Number, Prose
from mcpsite.datasets.published_columns import PublishedColumn

LETTERS = "letter case does not matter"


def shown_columns(data_set: DataSet) -> list[PublishedColumn]:
    """Return the columns of an answer; a day that is shown as its text gets that text's name."""
    found = []
    for name in data_set.shown:
        day = data_set.given.get(name)
        found.append(_column(data_set, name, data_set.columns[day or name]))
    return found


def filtered_columns(data_set: DataSet) -> list[PublishedColumn]:
    """Return the columns that tools can filter by, named as in the database.

    The meaning of a text begins with its name, because a filter asks for a part of it.
    """
    found = [_column(data_set, name, column) for name, column in data_set.columns.items()]
    return [
        replace(
            each, meaning=", ".join(filter(None, dict.fromkeys((_words(data_set, each.name), each.meaning))))
        )
        if each.kind in ("category", "prose")
        else each
        for each in found
    ]


def _words(data_set: DataSet, name: str) -> str:
    return str(data_set.columns[name].verbose_name)


def _column(data_set: DataSet, name: str, column: Any) -> PublishedColumn:
    own: Any = data_set.columns[name]
    meaning = str(own.help_text or "") or _named(own, name)
    if isinstance(column, Day):
        return PublishedColumn(
            name, "day", meaning=meaning, argument=column.given if name in data_set.days else ""
        )
    if isinstance(column, Number):
        bounded = name in data_set.options.filters
        return PublishedColumn(name, "number", unit=column.unit, meaning=meaning, bounded=bounded)
    if isinstance(column, Category):
        return PublishedColumn(
            name, "category", meaning=meaning, argument=column.argument, exact=column.exact
        )
    if isinstance(column, Prose):
        return PublishedColumn(name, "prose", meaning=meaning, argument=column.argument)
    return PublishedColumn(name, "text", meaning=meaning)


def _named(column: Any, name: str) -> str:
    """Return the column's own name for people, if it says more than the name of its field."""
    # The unit is beside it.
    said = str(column.verbose_name).removesuffix(f" ({getattr(column, 'unit', '')})")
    return "" if said == name.replace("_", " ") else said
