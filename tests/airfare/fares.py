"""The engine as tests ask it: of fares, and of everything unless they say otherwise."""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from django.db.models import Count

from airfare.models import FareRow
from airfare.tools import FARES, FIGURES
from mcpsite.access.policies import Principal
from mcpsite.datasets import loading, queries, snapshots, versions
from mcpsite.datasets import summaries as summaries_of_any
from mcpsite.datasets import trends as trends_of_any
from mcpsite.datasets.declaration import data_set_of
from mcpsite.datasets.files import Found
from mcpsite.datasets.filters import Days, Filters, Part
from mcpsite.datasets.loading import Choices
from mcpsite.datasets.models import CombinationCount
from mcpsite.datasets.outcomes import Outcome
from mcpsite.datasets.queries import Page, Plan
from mcpsite.datasets.snapshots import Snapshot
from mcpsite.datasets.versions import Version

DATA_SET = data_set_of(FareRow)
EVERYTHING = Filters()

COLUMNS = {
    "route_contains": "route",
    "origin_airport": "origin_airport",
    "destination_airport": "destination_airport",
    "airline_contains": "airline",
    "season_contains": "season",
    "notable_contains": "notable_event",
}
"""The column of each filter, as the tools call these."""


def asked(*, days: tuple[datetime.date, datetime.date] | None = None, **texts: str) -> Filters:
    """What is asked for by the tools' filters; an empty text filters nothing, `days` are as of `period`."""
    return Filters(
        parts=tuple(
            Part(COLUMNS[name], text, exact=name.endswith("_airport")) for name, text in texts.items() if text
        ),
        days=(Days("snapshot_day", *days),) if days else (),
    )


def load(found: Sequence[Found], *, loaded_by: str = "alice", **choices: Any) -> Iterator[Outcome]:
    return loading.load(DATA_SET, found, Choices(loaded_by=loaded_by, **choices))


def page(
    filters: Filters = EVERYTHING,
    who: Principal | None = None,
    *,
    limit: int = 200,
    offset: int = 0,
    plan: Plan | None = None,
) -> Page:
    return queries.page(DATA_SET, filters, who, limit=limit, offset=offset, plan=plan)


def summary(
    filters: Filters, who: Principal | None = None, *, metrics: Sequence[str], **options: Any
) -> dict[str, Any]:
    figures = [FIGURES[metric] for metric in metrics]
    return asdict(summaries_of_any.summary(DATA_SET, filters, who, figures=figures, **options))


def trends(filters: Filters, who: Principal | None = None) -> dict[str, Any]:
    return asdict(trends_of_any.trends(DATA_SET, filters, who, FARES.drawing))


def snapshot(who: Principal | None = None) -> Snapshot:
    return snapshots.current(DATA_SET, who)


def count_by_day(read: Snapshot) -> None:
    """Count its rows by day, as a server does it ahead."""
    while read.count_by_day():
        pass


def version() -> Version:
    return versions.read(DATA_SET)


def event_of(row: Any) -> str:
    """The text of a row's notable event."""
    return str(row.notable_event or "")


# What is counted beside the rows

NAMES = ("route", "airline", "season")


def counted() -> list[tuple[object, ...]]:
    """The counts that are kept."""
    counts = CombinationCount.objects.filter(load__current_of__isnull=False, rows__gt=0)
    return sorted(
        (file, *(values.get(name, "") for name in NAMES), rows)
        for file, values, rows in counts.values_list("load__file", "combination__values", "rows")
    )


def counted_by_hand() -> list[tuple[object, ...]]:
    """The counts as the rows are now."""
    rows = FareRow.objects.filter(hidden=False).order_by()
    for values, *own in rows.values_list("combination__values", *NAMES):
        assert [values.get(name, "") for name in NAMES] == own
    return sorted(rows.values_list("load__file", *NAMES).annotate(Count("id")))
