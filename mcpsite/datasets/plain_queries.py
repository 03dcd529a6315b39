"""Filters to rows and figures of any model, by plain querysets: no instance is made, no relation followed.

Nothing is known of such a table in advance, so rows are counted up to a limit, and a page is read in an order
for which there is an index.
"""

import datetime
import math
from collections.abc import Callable, Sequence
from typing import Any

from django.db import models
from django.db.models import Case, Count, F, FloatField, Q, QuerySet, Value, When
from django.db.models.functions import Cast, NullIf, TruncDate
from django.utils import timezone

from mcpsite.datasets.answers import Found, Page
from mcpsite.datasets.figures import DECIMALS, STATISTICS, Figure
from mcpsite.datasets.filters import Days, Filters
from mcpsite.datasets.medians import MOST
from mcpsite.datasets.model_columns import plain_field
from mcpsite.datasets.published_columns import PublishedColumn
from mcpsite.mcp import ToolError

Rows = QuerySet[Any]

COUNTED = 10_000
"""Where counting stops."""


def find_rows(
    visible: Rows,
    filters: Filters,
    page: Page,
    *,
    columns: Sequence[PublishedColumn],
    ordering: Sequence[str],
) -> Found:
    """Return a page of the matching rows of `visible`, with only `columns`.

    They are sorted by `ordering`, and then by the other columns: no row is on two pages.
    """
    found = _page_in_order(_matching(visible, filters), columns, ordering, page)
    return _found([_row(columns, values) for values in found], visible, filters, page, _name(ordering[0]))


def find_groups(
    visible: Rows,
    filters: Filters,
    page: Page,
    *,
    group_by: Sequence[str],
    figures: Sequence[Figure],
    column: str,
) -> Found:
    """Return a page of groups of the matching rows of `visible`: their keys, `rows` and `figures`.

    `column` is any column of the table, preferably with an index, by which rows are counted.

    They are sorted by their keys, days latest first; missing values come last. Raises ToolError.
    """
    matching = _matching(visible, filters).order_by()
    # No field of a model has such a name by chance, and none is too long for PostgreSQL.
    keys = {f"mcpsite_key_{place}": _key(visible, name) for place, name in enumerate(group_by)}
    aggregates = {
        "mcpsite_rows": Count("*"),
        **{f"mcpsite_{at}": STATISTICS[each.statistic](each.column) for at, each in enumerate(figures)},
    }
    if keys:
        order = [
            F(key).desc(nulls_last=True) if _is_day(visible, name) else F(key).asc(nulls_last=True)
            for key, name in zip(keys, group_by, strict=True)
        ]
        grouped = (
            matching.values(**keys).annotate(**aggregates).order_by(*order).values_list(*keys, *aggregates)
        )
        found = list(grouped[page.offset : page.offset + page.limit + 1])
    else:
        everything = matching.aggregate(**aggregates)
        found = [tuple(everything.values())] if everything["mcpsite_rows"] and not page.offset else []
    groups = [_group(values, group_by, figures) for values in found]
    return _found(groups, visible, filters, page, column)


def _found(items: list[dict[str, Any]], visible: Rows, filters: Filters, page: Page, column: str) -> Found:
    """Return the page of `items`, which may have one from the next page, and how many rows there are."""
    total = _count(visible, column, COUNTED + 1)
    matched = _count(_matching(visible, filters), column, COUNTED + 1) if filters else total
    undated = _count(_undated(visible, filters), column, COUNTED + 1)
    return Found(
        page=items[: page.limit],
        has_more=len(items) > page.limit,
        total=min(total, COUNTED),
        matched=min(matched, COUNTED),
        undated=min(undated, COUNTED),
        counted_to=COUNTED if max(total, matched, undated) > COUNTED else 0,
    )


def _count(rows: Rows, column: str, most: int) -> int:
    """Return how many rows there are, counted up to `most`."""
    # By an existing column: Django would read the key, which a table or a view need not have.
    return rows.order_by().values_list(column)[:most].count()


# What filters mean


def _matching(rows: Rows, filters: Filters) -> Rows:
    for part in filters.parts:
        rows = rows.filter(**{part.column if part.exact else f"{part.column}__icontains": part.text})
    for days in filters.days:
        first, end = _moments(rows, days)
        rows = rows.filter(**{f"{days.column}__gte": first, f"{days.column}__lt": end})
    for column, least, most in filters.ranges:
        if least is not None:
            rows = rows.filter(**{f"{column}__gte": _bound(rows, column, least, math.ceil)})
        if most is not None:
            rows = rows.filter(**{f"{column}__lte": _bound(rows, column, most, math.floor)})
    return rows


def _undated(rows: Rows, filters: Filters) -> Rows:
    """Return the rows that match all else, and have no day in a column filtered by day."""
    if not filters.days:
        return rows.none()
    without = Q(*(_is_missing(rows, days.column) for days in filters.days), _connector=Q.OR)
    return _matching(rows, Filters(parts=filters.parts, ranges=filters.ranges)).filter(without)


def _moments(rows: Rows, days: Days) -> tuple[datetime.date, datetime.date]:
    """Return the beginning and the end of `days`, in the column's type."""
    if not _has_time(rows, days.column):
        return days.first, days.end
    midnight = datetime.time(tzinfo=timezone.get_current_timezone())
    return datetime.datetime.combine(days.first, midnight), datetime.datetime.combine(days.end, midnight)


def _bound(rows: Rows, column: str, bound: float, whole: Callable[[float], int]) -> Any:
    """Return the bound for the comparison: whole-number and decimal fields would round it differently."""
    if isinstance(plain_field(rows.model, column), models.IntegerField):
        return whole(bound)
    return Value(bound, output_field=FloatField())


def _is_day(rows: Rows, column: str) -> bool:
    return isinstance(plain_field(rows.model, column), models.DateField)


def _has_time(rows: Rows, column: str) -> bool:
    return isinstance(plain_field(rows.model, column), models.DateTimeField)


def _is_there(rows: Rows, column: str) -> Q:
    """Return the condition that a row has a value; that a day is one, for which SQLite uses an index."""
    return Q(
        **{f"{column}__gte": _earliest(rows, column)}
        if _is_day(rows, column)
        else {f"{column}__isnull": False}
    )


def _is_missing(rows: Rows, column: str) -> Q:
    """Return the opposite condition; tables of SQLite have empty texts for days, too."""
    missing = Q(**{f"{column}__isnull": True})
    return missing | Q(**{f"{column}__lt": _earliest(rows, column)}) if _is_day(rows, column) else missing


def _earliest(rows: Rows, column: str) -> datetime.date:
    return _moments(rows, Days(column, datetime.date.min, datetime.date.max))[0]


# Rows


def _page_in_order(
    rows: Rows, columns: Sequence[PublishedColumn], ordering: Sequence[str], page: Page
) -> list[Any]:
    """Return the rows of the page and, if there is one, the row after it.

    Databases sort NULL differently, and their indexes work in one direction only: rows without a value in the
    first column of the order are read separately, after the others.
    """
    names = [column.name for column in columns]
    first, *others = [*ordering, *(name for name in names if name not in map(_name, ordering))]
    column = _name(first)
    ordered = rows.order_by(first, *(_nulls_last(rows, each) for each in others)).values_list(*names)
    there = ordered.filter(_is_there(rows, column))
    found = list(there[page.offset : page.offset + page.limit + 1])
    if len(found) <= page.limit:
        passed = 0 if found else page.offset - _count(there, column, page.offset)
        missing = ordered.filter(_is_missing(rows, column))
        found += missing[passed : passed + page.limit + 1 - len(found)]
    return found


def _name(ordered: str) -> str:
    return ordered.removeprefix("-")


def _nulls_last(rows: Rows, ordered: str) -> Any:
    name = _name(ordered)
    field = plain_field(rows.model, name)
    # A text for Django may be of a type of PostgreSQL's that has no order.
    column = Cast(name, models.TextField()) if isinstance(field, models.TextField) else F(name)
    return column.asc(nulls_last=True) if ordered == name else column.desc(nulls_last=True)


def _row(columns: Sequence[PublishedColumn], values: Sequence[Any]) -> dict[str, Any]:
    shown = {
        column.name: _number(value) if column.kind == "number" else _text(value)
        for column, value in zip(columns, values, strict=True)
    }
    return {name: value for name, value in shown.items() if value is not None and value != ""}


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return None if value is None else str(value)


def _number(value: Any) -> int | float | None:
    """Return a number, whole if its fraction is 0; None for one that is not finite."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if value == int(value) else float(value)


# Groups


def _key(rows: Rows, column: str) -> Any:
    """Return what rows are grouped by: days of times, and nothing for an empty text."""
    if _is_day(rows, column):
        day = TruncDate(column) if _has_time(rows, column) else F(column)
        return Case(When(_is_there(rows, column), then=day))
    if isinstance(plain_field(rows.model, column), models.CharField | models.TextField):
        # A text for Django may be an enumeration of PostgreSQL's, of which "" is no value.
        return NullIf(Cast(column, models.TextField()), Value("", output_field=models.TextField()))
    return F(column)


def _group(values: Sequence[Any], group_by: Sequence[str], figures: Sequence[Figure]) -> dict[str, Any]:
    keys, (rows, *found) = values[: len(group_by)], values[len(group_by) :]
    group: dict[str, Any] = {
        name: text for name, key in zip(group_by, keys, strict=True) if (text := _text(key)) is not None
    }
    group["rows"] = rows
    for figure, value in zip(figures, found, strict=True):
        if figure.statistic == "median" and value == math.inf:
            raise ToolError(
                f"{figure.name} is found among {MOST:,} numbers at most on this database; narrow the filters."
            )
        number = _number(value)
        if number is not None:
            group[figure.name] = round(number, DECIMALS)
    return group
