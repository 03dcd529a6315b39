"""What a model can ask about airfare."""

from typing import Annotated, Any, Literal, NotRequired, cast

from django.db.models import Q
from pydantic import Field
from typing_extensions import TypedDict

from airfare.filters import EVERYTHING, AppliedFilters, AskedFilters
from airfare.models import FareRow
from mcpsite.access.caller import Caller
from mcpsite.datasets import charts, queries, summaries, trends
from mcpsite.datasets.answers import read_page
from mcpsite.datasets.charts import Chart
from mcpsite.datasets.declaration import data_set_of
from mcpsite.datasets.figures import Figure
from mcpsite.datasets.trends import Drawing
from mcpsite.mcp import ToolError, shown, tool

DATA_SET = data_set_of(FareRow)
PERMISSION = DATA_SET.permission

SUBJECT = "airfare and search trends"
ADVICE = (
    "airfare_fare_summary aggregates fares (group_by, metrics): start there for comparisons; "
    "airfare_trend_insights lists single rows."
)
FARES = Chart(
    tool="show_fare_trends",
    title="Fares",
    data_set=DATA_SET,
    drawing=Drawing(
        line="airline",
        figures=(
            ("avg_fare_usd", Q(avg_fare_usd__isnull=False)),
            # A premium fare of 0 means that there is no premium cabin.
            ("premium_fare_usd", Q(premium_fare_usd__gt=0)),
            ("load_factor_pct", Q(load_factor_pct__isnull=False)),
        ),
        beside="route",
    ),
)

GROUPS = ("route", "airline", "season", "snapshot_date", "origin_airport", "destination_airport")
"""The columns to group by."""
STATISTICS = ("mean", "min", "max", "count")
FIGURES = {f"{name}_{each}": Figure(name, each) for name in DATA_SET.numbers for each in STATISTICS}
"""Every figure that can be requested, by its name."""

Offset = Annotated[
    int, Field(description="How many to leave out from the start, to go on where an answer was truncated.")
]


class Fare(TypedDict, total=False):
    """One row; what its file does not say is left out."""

    query: str
    snapshot_date: str
    route: str
    origin_airport: str
    destination_airport: str
    airline: str
    season: str
    avg_fare_usd: float
    premium_fare_usd: float
    fare_yoy_pct: float
    advance_purchase_days: float
    load_factor_pct: float
    ancillary_revenue_pct: float
    notable_driver: str
    notable_event: str
    region: str
    provider: str
    collection_window: str
    query_count: str
    week_id: str
    linked_tickers: str
    search_index: float
    branding_mix: float
    source_file: str


class FareRows(TypedDict):
    """Rows of airfare data, latest first."""

    rows: list[Fare]
    available_files: list[str]
    filters: AppliedFilters
    total_rows: int
    matched_rows: int
    rows_returned: int
    undated_rows: NotRequired[int]
    truncated: NotRequired[str]


class FareGroups(TypedDict):
    """Figures over groups of airfare rows: in each group its keys, `rows`, and the metrics."""

    groups: list[dict[str, str | float]]
    available_files: list[str]
    filters: AppliedFilters
    total_rows: int
    matched_rows: int
    groups_returned: int
    undated_rows: NotRequired[int]
    truncated: NotRequired[str]


class FareLine(TypedDict):
    """One airline's mean figures, each list parallel to `dates`; null where no row has the figure."""

    airline: str
    name: str
    """The same, as the chart of any data set calls its lines."""
    rows: int
    avg_fare_usd: list[float | None]
    premium_fare_usd: list[float | None]
    load_factor_pct: list[float | None]


class DrawnFigure(TypedDict):
    """A number that is drawn."""

    name: str
    title: str
    unit: str


class FareTrends(TypedDict):
    """Fares over time, a line for each airline; `dates` are the first days of each `period`."""

    tool: str
    title: str
    line: str
    figures: list[DrawnFigure]
    period: Literal["day", "week", "month", "quarter", "year"]
    dates: list[str]
    series: list[FareLine]
    choices: dict[str, list[str]]
    routes: list[str]
    available_files: list[str]
    filters: AppliedFilters
    total_rows: int
    matched_rows: int
    undated_rows: NotRequired[int]
    notes: NotRequired[list[str]]


@tool(permission=PERMISSION, title="Airfare trend insights", page="rows")
def airfare_trend_insights(
    caller: Caller,
    filters: AskedFilters = EVERYTHING,
    limit: Annotated[int, Field(description="How many rows at most, from 1 to 200.")] = 25,
    offset: Offset = 0,
) -> FareRows:
    """Airfare rows by snapshot date, route, airline and season: average and premium fare in US dollars,
    change against last year, days of advance purchase, load factor, ancillary revenue and what moved
    the fare. Filters are optional and all have to hold; letter case does not matter. The latest
    snapshot comes first. For averages over many rows use airfare_fare_summary.
    """
    asked, applied = filters.applied()
    read_page({"limit": limit, "offset": offset})
    page = queries.page(DATA_SET, asked, caller, limit=limit, offset=offset)
    applied["limit"] = limit
    if offset:
        applied["offset"] = offset
    answer: FareRows = {
        "rows": page.rows,  # type: ignore[typeddict-item]
        "available_files": page.files,
        "filters": applied,
        "total_rows": page.total,
        "matched_rows": page.matched,
        "rows_returned": len(page.rows),
    }
    if page.undated:
        answer["undated_rows"] = page.undated
    end = offset + len(page.rows)
    if page.rows and end < page.matched:
        answer["truncated"] = (
            f"{page.matched - end} more rows match; narrow the filters, or go on with offset={end}."
        )
    return answer


@tool(permission=PERMISSION, title="Airfare fare summary", page="groups")
def airfare_fare_summary(
    caller: Caller,
    group_by: Annotated[
        Literal["route", "airline", "season", "snapshot_date", "origin_airport", "destination_airport"]
        | list[
            Literal["route", "airline", "season", "snapshot_date", "origin_airport", "destination_airport"]
        ],
        Field(description="One or several of these; each combination found is a group."),
    ] = "route",
    metrics: Annotated[
        list[str] | None,
        Field(
            description=(
                "Figures for each group: a number and one of _mean, _min, _max, _count, e.g. "
                "avg_fare_usd_mean. Numbers: " + ", ".join(DATA_SET.numbers) + "."
            )
        ),
    ] = None,
    filters: AskedFilters = EVERYTHING,
    limit: Annotated[int, Field(description="How many groups at most, from 1 to 200.")] = 50,
    offset: Offset = 0,
) -> FareGroups:
    """Figures over airfare rows, grouped: mean, lowest, highest and number of fares, load factors and
    the like for each route, airline, season, snapshot date or airport. Takes the filters of
    airfare_trend_insights and counts every row that matches. Without metrics: average and premium
    fare, change against last year and load factor, as means.
    """
    asked, applied = filters.applied()
    read_page({"limit": limit, "offset": offset})
    found = summaries.summary(
        DATA_SET,
        asked,
        caller,
        group_by=_group_by(group_by),
        figures=_figures_of(metrics),
        limit=limit,
        offset=offset,
    )
    applied["limit"] = limit
    if offset:
        applied["offset"] = offset
    answer: FareGroups = {
        "groups": found.groups,
        "available_files": found.files,
        "filters": applied,
        "total_rows": found.total,
        "matched_rows": found.matched,
        "groups_returned": len(found.groups),
    }
    if found.undated:
        answer["undated_rows"] = found.undated
    end = offset + len(found.groups)
    if found.groups and end < found.group_count:
        answer["truncated"] = (
            f"{found.group_count - end} more groups match; narrow the filters, group by less, "
            f"or go on with offset={end}."
        )
    return answer


@tool(permission=PERMISSION, title="Show fare trends", view=charts.VIEW)
def show_fare_trends(caller: Caller, filters: AskedFilters = EVERYTHING) -> FareTrends:
    """A chart of fares over time, a line for each airline: average fare, premium fare and load factor,
    as means of each day (of each week, month, quarter or year, where there are many days). Takes the
    filters of airfare_trend_insights; name a route with route_contains to compare airlines on it. Where
    no chart can be shown the answer is a table.
    """
    asked, applied = filters.applied()
    found = trends.trends(DATA_SET, asked, caller, FARES.drawing)
    answer = FARES.answer(found, applied)
    answer.value.update(
        series=[{"airline": line["name"], **line} for line in answer.value["series"]],
        routes=found.beside,
        available_files=found.files,
    )
    # The result's schema is the value's: the text for readers is beside it.
    return cast(FareTrends, answer)


DEFAULT_METRICS = ("avg_fare_usd_mean", "premium_fare_usd_mean", "fare_yoy_pct_mean", "load_factor_pct_mean")


def _group_by(value: str | list[Any]) -> list[str]:
    names = list(dict.fromkeys([value] if isinstance(value, str) else value))
    unknown = [name for name in names if name not in GROUPS]
    if unknown or not names:
        problem = f"holds {shown(str(unknown[0]))}" if unknown else "is empty"
        raise ToolError(f"group_by {problem}; it takes {', '.join(GROUPS)}.")
    return names


def _figures_of(metrics: list[str] | None) -> list[Figure]:
    names = list(dict.fromkeys(metrics or DEFAULT_METRICS))
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        raise ToolError(
            f"metrics holds {shown(unknown[0])}; write one of {', '.join(DATA_SET.numbers)} "
            "followed by _mean, _min, _max or _count."
        )
    return [FIGURES[name] for name in names]
