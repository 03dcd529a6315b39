"""What the admin's first page shows of the fares."""

import datetime
from collections.abc import Callable, Iterator
from functools import partial

from django.db.models import Count, F, QuerySet, Window
from django.db.models.functions import RowNumber
from django.http import HttpRequest

from airfare.models import FareRow
from mcpsite.core.panels import Chart, Choice, Panel, list_url, may_view
from mcpsite.core.tables import Cell, Table
from mcpsite.datasets import queries, snapshots
from mcpsite.datasets.admin import DAY
from mcpsite.datasets.declaration import data_set_of
from mcpsite.datasets.figures import Figure
from mcpsite.datasets.filters import Filters
from mcpsite.datasets.models import NO_DAY
from mcpsite.datasets.snapshots import SUGGESTIONS, Snapshot
from mcpsite.datasets.summaries import summary

DAYS = 30
"""Dates of the fares' chart."""
AIRLINES = 12


def panels(request: HttpRequest) -> Iterator[Callable[[], Panel]]:
    snapshot = snapshots.current(data_set_of(FareRow), None)
    if may_view(request, FareRow) and snapshot.total:
        yield partial(_fares, request.GET.get("route", ""), snapshot)
        yield _load_factors


# Fares over time


def _fares(asked: str, snapshot: Snapshot) -> Panel:
    totals = snapshot.rows_by("route")
    del totals[""]
    busiest = sorted(totals, key=lambda route: (-totals[route], route))
    typed = asked.strip().upper()
    route = typed if typed in totals else next(iter(busiest), "")
    unknown = bool(asked) and route != typed
    choice = Choice(
        name="route",
        label="Route",
        chosen=asked if unknown else route,
        options=sorted(busiest[:SUGGESTIONS]),
        problem=f"No published row has the route {asked}; showing {route} instead." if unknown else "",
    )
    if not route:
        return Panel(title="Fares over time", note="No published row has a route.", wide=True)
    found = snapshot.combinations.having("route", route)
    days = over_time(FareRow.objects.filter(queries.combined(found, snapshot), hidden=False))
    labels = [str(day) for day in days]
    table = [
        [
            Cell(str(day)),
            Cell(_dollars(median)),
            Cell(_dollars(premium)),
            Cell(rows, list_url(FareRow, **{"route": route, DAY: day})),
        ]
        for day, (median, premium, rows) in reversed(days.items())
    ]
    return Panel(
        title="Fares over time",
        choice=choice,
        chart=Chart(
            kind="line",
            summary=f"Median fare and median premium fare on {route}, on the last {len(days)} dates",
            unit="USD",
            labels=labels,
            series={
                "Median fare": [median for median, _, _ in days.values()],
                "Median premium fare": [premium for _, premium, _ in days.values()],
            },
        )
        if days
        else None,
        table=Table(columns=["Date", "Median fare", "Median premium fare", "Rows"], rows=table),
        note="" if days else f"The rows of {route} have no date.",
        more=Cell(f"All {totals[route]:,} rows of {route}", list_url(FareRow, route=route)),
        wide=True,
    )


def over_time(
    rows: QuerySet[FareRow],
) -> dict[datetime.date, tuple[float | None, float | None, int]]:
    """Return median fare, median premium fare and number of rows on the last DAYS dates, oldest first."""
    dated = rows.filter(snapshot_day__gt=NO_DAY)
    # The index stops at the last date that is needed.
    latest = dated.order_by("-snapshot_day").values_list("snapshot_day", flat=True).distinct()[:DAYS]
    shown = sorted(latest)
    if not shown:
        return {}
    dated = dated.filter(snapshot_day__gte=shown[0])
    fares, premiums = medians(dated, "avg_fare_usd"), medians(dated, "premium_fare_usd")
    counts = dict(dated.order_by().values_list("snapshot_day").annotate(Count("pk")))
    return {day: (fares.get(day), premiums.get(day), counts[day]) for day in shown}


def medians(rows: QuerySet[FareRow], name: str) -> dict[datetime.date, float]:
    """Return the exact median of a number field on each day; the database returns two rows a day."""
    day = F("snapshot_day")
    ranked = (
        rows.filter(**{f"{name}__isnull": False})
        .order_by()
        .annotate(
            rank=Window(RowNumber(), partition_by=day, order_by=name),
            of=Window(Count("pk"), partition_by=day),
        )
    )
    middle = ranked.annotate(twice=F("rank") * 2).filter(twice__gte=F("of"), twice__lte=F("of") + 2)
    found: dict[datetime.date, list[float]] = {}
    for each, value in middle.values_list("snapshot_day", name):
        found.setdefault(each, []).append(value)
    return {each: sum(values) / len(values) for each, values in found.items()}


def _dollars(value: float | None) -> str:
    return "–" if value is None else f"${value:,.2f}".removesuffix(".00")


# Load factors


def _load_factors() -> Panel:
    metric = "load_factor_pct_mean"
    found = summary(
        data_set_of(FareRow),
        Filters(),
        None,
        group_by=["airline"],
        figures=[Figure("load_factor_pct", "mean")],
        limit=10_000,
    )
    airlines = [each for each in found.groups if each.get("airline") and metric in each]
    largest = sorted(airlines, key=lambda each: (-each["rows"], each["airline"]))[:AIRLINES]
    shown = sorted(largest, key=lambda each: (-each[metric], each["airline"]))
    table = [
        [
            Cell(each["airline"]),
            Cell(f"{each[metric]:.1f} %"),
            Cell(each["rows"], list_url(FareRow, airline=each["airline"])),
        ]
        for each in shown
    ]
    note = "" if shown else "No published row has an airline and a load factor."
    if len(airlines) > len(shown):
        note = f"The {AIRLINES} airlines with the most rows of {len(airlines)}."
    return Panel(
        title="Load factor by airline",
        chart=Chart(
            kind="bar",
            summary=f"Mean load factor of {len(shown)} airlines over all their published rows",
            unit="%",
            labels=[each["airline"] for each in shown],
            series={"Mean load factor": [round(each[metric], 1) for each in shown]},
        )
        if shown
        else None,
        table=Table(columns=["Airline", "Mean load factor", "Rows"], rows=table) if shown else None,
        note=note,
    )
