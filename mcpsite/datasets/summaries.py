"""Rows to figures: groups of matching rows, aggregated by the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db.models import Case, CharField, Count, F, Value, When, Window
from django.db.models.functions import Cast

from mcpsite.access.policies import Principal
from mcpsite.datasets import queries, snapshots
from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.figures import DECIMALS, STATISTICS, Figure
from mcpsite.datasets.filters import Filters
from mcpsite.datasets.kinds import NO_DAY
from mcpsite.datasets.snapshots import Snapshot

BLOCK = 1_000
"""Groups that are aggregated, and remembered, together, because most callers continue to the next ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """Some of the groups, in order."""

    groups: list[dict[str, Any]]
    """For each group its keys, `rows` (how many), and the figures that are not null."""
    group_count: int
    matched: int
    undated: int
    total: int
    files: list[str]


def summary(
    data_set: DataSet,
    filters: Filters,
    who: Principal | None,
    *,
    group_by: Sequence[str],
    figures: Sequence[Figure],
    limit: int,
    offset: int = 0,
) -> Summary:
    """Return the `figures` of the matching rows, for each group of `group_by`: categories and days.

    Only of files that `who` may read; with None, of every file. Groups are sorted by their keys: days latest
    first, all else by code point.
    """
    first = offset - offset % BLOCK
    size = -(-(offset + limit - first) // BLOCK) * BLOCK
    found, snapshot = snapshots.computed(
        data_set,
        who,
        ("summary", filters, tuple(group_by), tuple(figures), first, size),
        partial(_aggregate, filters, group_by, figures, first, size),
    )
    return Summary(
        groups=found.groups[offset - first :][:limit],
        group_count=found.count,
        matched=queries.matched(filters, snapshot),
        undated=queries.undated(filters, snapshot),
        total=snapshot.total,
        files=snapshot.files,
    )


@dataclass(frozen=True, slots=True)
class _Block:
    groups: list[dict[str, Any]]
    count: int
    """How many groups there are in all."""


def _key(data_set: DataSet, name: str) -> Any:
    """Return what rows are grouped by: a day, or its text if that means none; all forms of a day are one."""
    day = data_set.given.get(name, name)
    if day not in data_set.days:
        return F(name)
    missing: Any = F(name) if name in data_set.given else Value("")
    return Case(When(**{day: NO_DAY}, then=missing), default=Cast(F(day), CharField()))


def _is_day(data_set: DataSet, name: str) -> bool:
    return name in data_set.given or name in data_set.days


def _aggregate(
    filters: Filters,
    group_by: Sequence[str],
    figures: Sequence[Figure],
    first: int,
    size: int,
    snapshot: Snapshot,
) -> _Block:
    """Return the groups from `first` on, `size` at most: the database counts, sorts and cuts them."""
    data_set = snapshot.data_set
    keys = {f"mcpsite_key_{place}": _key(data_set, name) for place, name in enumerate(group_by)}
    aggregates = {
        f"mcpsite_{place}": STATISTICS[each.statistic](each.column) for place, each in enumerate(figures)
    }
    rows = queries.queryset(filters, snapshot).order_by()
    if not keys:
        values = rows.aggregate(mcpsite_rows=Count("*"), **aggregates)
        return _Block([_group(list(values.values()), (), figures)] if values["mcpsite_rows"] else [], 1)
    grouped = rows.values(**keys).annotate(mcpsite_rows=Count("*"))
    # A window is over the groups, so that these are counted at the same time.
    ordered = grouped.annotate(**aggregates, mcpsite_groups=Window(Count("*"))).order_by(
        *(f"-{key}" if _is_day(data_set, name) else key for key, name in zip(keys, group_by, strict=True))
    )
    columns = (*keys, "mcpsite_rows", *aggregates, "mcpsite_groups")
    found = list(ordered.values_list(*columns)[first : first + size])
    count = found[0][-1] if found else grouped.count()
    return _Block([_group(each, group_by, figures) for each in found], count)


def _group(values: Sequence[Any], group_by: Sequence[str], figures: Sequence[Figure]) -> dict[str, Any]:
    keys, (rows, *found) = values[: len(group_by)], values[len(group_by) :]
    group: dict[str, Any] = {name: key for name, key in zip(group_by, keys, strict=True) if key != ""}
    group["rows"] = rows
    for figure, value in zip(figures, found, strict=False):
        if isinstance(value, float):
            value = round(value, DECIMALS)
            value = int(value) if value.is_integer() else value
        if value is not None:
            group[figure.name] = value
    return group
