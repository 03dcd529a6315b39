"""Rows to figures: groups of matching rows, aggregated by the database."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db.models import Avg, Case, CharField, Count, F, Max, Min, When, Window
from django.db.models.functions import Cast

from airfare import dimensions, queries
from airfare.dimensions import Snapshot
from airfare.models import NO_DAY
from airfare.queries import NUMBER_FIELDS, Filters
from mcpsite.access.policies import Principal

GROUPS = ("route", "airline", "season", "snapshot_date", "origin_airport", "destination_airport")
"""What rows can be grouped by."""

STATISTICS: dict[str, Callable[[str], Any]] = {"mean": Avg, "min": Min, "max": Max, "count": Count}
"""What can be told of a number over a group's rows; rows without the number do not take part."""

METRICS = tuple(f"{name}_{statistic}" for name in NUMBER_FIELDS for statistic in STATISTICS)
"""Every figure that can be asked for: a number field and a statistic."""

DECIMALS = 4
"""Places that a mean is rounded to."""
BLOCK = 1_000
"""Groups that are aggregated, and remembered, together: whoever asks for some mostly goes on to the next."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FareSummary:
    """Some of the groups, in order."""

    groups: list[dict[str, Any]]
    """For each group its keys, `rows` (how many), and the figures that are not null."""
    group_count: int
    matched: int
    total: int
    files: list[str]


def fare_summary(
    filters: Filters,
    principal: Principal | None,
    *,
    group_by: Sequence[str],
    metrics: Sequence[str],
    limit: int,
    offset: int = 0,
) -> FareSummary:
    """The figures `metrics` (of METRICS) of the matching rows, for each group of `group_by` (of GROUPS).

    Only of files that `principal` may read; with None, of every file. Groups are in the order of their keys:
    dates latest first, all else by code point.
    """
    first = offset - offset % BLOCK
    size = -(-(offset + limit - first) // BLOCK) * BLOCK
    found, snapshot = dimensions.computed(
        principal,
        ("summary", filters, tuple(group_by), tuple(metrics), first, size),
        partial(_aggregate, filters, group_by, metrics, first, size),
    )
    return FareSummary(
        groups=found.groups[offset - first :][:limit],
        group_count=found.count,
        matched=queries.matched(filters, snapshot),
        total=snapshot.total,
        files=snapshot.files,
    )


_DATE = Case(
    # Dates of every format are one where they are understood.
    When(snapshot_day=NO_DAY, then=F("snapshot_date")),
    default=Cast(F("snapshot_day"), CharField()),
)


@dataclass(frozen=True, slots=True)
class _Block:
    groups: list[dict[str, Any]]
    count: int
    """How many groups there are in all."""


def _aggregate(
    filters: Filters,
    group_by: Sequence[str],
    metrics: Sequence[str],
    first: int,
    size: int,
    snapshot: Snapshot,
) -> _Block:
    """The groups from `first` on, `size` at most: the database counts, sorts and cuts them."""
    keys = {f"key_{name}": _DATE if name == "snapshot_date" else F(name) for name in group_by}
    figures = {f"figure_{metric}": _figure(metric) for metric in metrics}
    grouped = (
        queries.queryset(filters, snapshot).order_by().values(**keys).annotate(number_of_rows=Count("id"))
    )
    # A window is over what is grouped, so that the groups are counted on the way.
    ordered = grouped.annotate(**figures, number_of_groups=Window(Count("*"))).order_by(
        *(f"-key_{name}" if name == "snapshot_date" else f"key_{name}" for name in group_by)
    )
    found: list[Any] = list(ordered[first : first + size])
    count = found[0]["number_of_groups"] if found else grouped.count()
    return _Block([_group(each, group_by, metrics) for each in found], count)


def _figure(metric: str) -> Any:
    name, _, statistic = metric.rpartition("_")
    return STATISTICS[statistic](name)


def _group(found: dict[str, Any], group_by: Sequence[str], metrics: Sequence[str]) -> dict[str, Any]:
    group: dict[str, Any] = {name: found[f"key_{name}"] for name in group_by if found[f"key_{name}"] != ""}
    group["rows"] = found["number_of_rows"]
    for metric in metrics:
        value = found[f"figure_{metric}"]
        if isinstance(value, float):
            value = round(value, DECIMALS)
            value = int(value) if value.is_integer() else value
        if value is not None:
            group[metric] = value
    return group
