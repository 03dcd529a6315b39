"""What a fare is: the columns of a row, and what follows from them."""

from functools import lru_cache
from typing import Any

from airfare.routes import airports_of, usual_route
from airfare.weekly import WeeklyRegions
from mcpsite.datasets.models import Category, Day, Number, Prose, Row, Text

_airports = lru_cache(maxsize=50_000)(airports_of)


class FareRow(Row):
    """Airfares by route, airline and date, and what people searched for by week."""

    snapshot_day = Day(also=("date", "week", "week_id", "period"), given="snapshot_date")
    snapshot_date = Text(help_text="As written in the file.")
    subject = Text(derived=True, shown=False)
    """The route, or the query if there is no route: the second key of an answer's order."""
    query = Text(
        also=("keyword", "term", "search_term"),
        longest=400,
        help_text="If empty, route, airline and season are used instead.",
    )
    route = Category(spelling=usual_route, help_text="For example JFK-LAX.")
    origin_airport = Category(derived=True, exact=True, argument="origin_airport")
    destination_airport = Category(derived=True, exact=True, argument="destination_airport")
    airline = Category()
    season = Category()
    region = Text(also=("region_name", "geo"))
    provider = Text()
    collection_window = Text()
    query_count = Text()
    week_id = Text()
    linked_tickers = Text()
    # Bounds are wide: a cell beyond them means something else.
    search_index = Number(also=("index", "score"), least=-1e9, most=1e9)
    branding_mix = Number(also=("mix_share", "implied_unit_sales_impact", "metric"), least=-1e9, most=1e9)
    avg_fare_usd = Number(
        "average fare (USD)",
        also=("average_fare_usd", "avg_fare", "average_fare"),
        unit="USD",
        least=0,
        most=1e7,
    )
    premium_fare_usd = Number("premium fare (USD)", also=("premium_fare",), unit="USD", least=0, most=1e7)
    fare_yoy_pct = Number(
        "fare against last year (%)", also=("fare_yoy", "yoy_pct"), unit="%", least=-100, most=1e5
    )
    advance_purchase_days = Number(
        "advance purchase (days)", also=("advance_purchase",), unit="days", least=0, most=3_650
    )
    load_factor_pct = Number("load factor (%)", also=("load_factor",), unit="%", least=0, most=200)
    ancillary_revenue_pct = Number("ancillary revenue (%)", unit="%", least=0, most=1_000)
    notable_event = Prose(
        also=("notable_driver", "notable_event", "notes", "channel_checks", "processing_notes"),
        argument="notable_contains",
    )

    class Meta(Row.Meta):
        ordering = ["-snapshot_day", "-subject", "-airline"]
        verbose_name = "fare row"
        verbose_name_plural = "fare rows"

    class Dataset:
        identity = ("snapshot_date", "route", "airline", "season", "query", "region", "provider")
        label = ("snapshot_date", "subject", "airline", "season")
        reads = {
            "origin": ("origin", "origin_airport", "from_airport"),
            "destination": ("destination", "destination_airport", "to_airport"),
            "category": ("category",),
            "topic": ("topic",),
        }
        layout = WeeklyRegions()
        icon = "flight"
        command = "load_airfare"
        tools = False

    def __str__(self) -> str:
        return " ".join(part for part in (self.snapshot_date, self.effective_query) if part)

    @property
    def effective_query(self) -> str:
        """The query, or what takes its place."""
        return self.query or " ".join(part for part in (self.route, self.airline, self.season) if part)

    @classmethod
    def derive(cls, values: dict[str, list[Any]], file: str) -> None:
        route = values["route"]
        nothing = [""] * len(route)
        origins, destinations = (values.get(name, nothing) for name in ("origin", "destination"))
        if "" in route and origins is not nothing:
            ends = zip(route, origins, destinations, strict=True)
            route = [each or (usual_route(f"{a}-{b}") if a and b else "") for each, a, b in ends]
        airline, season, query = values["airline"], values["season"], values["query"]
        if "" in query:
            # If nothing else takes its place, it is named after what else the file says.
            named = zip(route, airline, season, *_others(values, nothing), strict=True)
            stand_ins = ["" if any(each[:3]) else next(filter(None, each[3:]), file) for each in named]
            query = [each or other for each, other in zip(query, stand_ins, strict=True)]
        subject = route
        if "" in route:
            rest = zip(route, query, airline, season, strict=True)
            subject = [a or b or " ".join(filter(None, (c, d))) or file for a, b, c, d in rest]
        airports = list(map(_airports, route))
        values |= {
            "route": route,
            "query": query,
            "subject": subject,
            "origin_airport": [origin for origin, _ in airports],
            "destination_airport": [destination for _, destination in airports],
        }

    @classmethod
    def show(cls, row: dict[str, Any]) -> None:
        if "notable_event" in row and ("route" in row or "airline" in row):
            # The driver of a fare has its own name in fare data, and older clients read that.
            row["notable_driver"] = row["notable_event"]
        if "query" not in row:
            named = [str(row[name]) for name in ("route", "airline", "season") if name in row]
            row["query"] = " ".join(named) or row.get("source_file", "")


def _others(values: dict[str, list[Any]], nothing: list[str]) -> list[list[str]]:
    return [values.get(name, nothing) for name in ("provider", "category", "topic")]
