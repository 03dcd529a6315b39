"""Data of four shapes that a plan or an index may be right for one of and wrong for another."""

import datetime
import random
from collections.abc import Callable, Iterator

from tests.airfare.oracle import File, Row, Values

FIRST_WEEK = datetime.date(2024, 11, 4)
ROUTES = ("JFK-LAX", "LAX-JFK", "jfk-sfo", "SFO-JFK", "LHR-JFK", "ORD-SFO", "JFK LAX", "Straße-%", "")
AIRLINES = (
    "Delta",
    "Delta Connection",
    "DELTA",
    "United",
    "Æther",
    "İstanbul Air",
    "Air_1",
    "Air%1",
    "ß",
    "",
)
SEASONS = ("Summer 2025", "SUMMER", "Winter 2024", "Holiday", "ﬁnal sale", "")
TEXTS = (
    "Storm recovery",
    "storm RECOVERY at the hub",
    "A fare sale, 50 % off",
    "a_b\\c",
    "Straßenfest",
    "ŞENLİK",
    'said "no"',
    "on",
    "",
)


def _values(chance: random.Random, day: datetime.date | None, **values: str) -> Values:
    """A row of a file. Numbers are quarters, so that a sum of them is exact whatever its order."""
    return {
        "snapshot_date": _written(chance, day),
        "route": "",
        "airline": "",
        "season": "",
        "query": "",
        "region": chance.choice(("", "", "US-CA")),
        "avg_fare_usd": chance.choice((None, 0, chance.randint(90, 900), chance.randint(400, 4_000) / 4)),
        "premium_fare_usd": chance.choice((None, 0, chance.randint(400, 2_000))),
        "load_factor_pct": chance.choice((None, chance.randint(240, 390) / 4)),
        "notable_event": chance.choice(TEXTS),
        **values,
    }


def _written(chance: random.Random, day: datetime.date | None) -> str:
    if day is None:
        return chance.choice(("", "", "soon", "2025-02-30", "2024-W60"))
    if day.weekday() == 0 and chance.random() < 0.2:
        return f"{day:%G-W%V}"
    return f"{day:%Y/%m/%d}" if chance.random() < 0.2 else str(day)


def _one_file(chance: random.Random) -> list[File]:
    """All weeks in one file, with few combinations of many rows each."""
    rows = []
    for number in range(1_600):
        day = FIRST_WEEK + datetime.timedelta(weeks=number // 32)
        if chance.random() < 0.02:
            day += datetime.timedelta(days=1)
        named = {"route": chance.choice(ROUTES), "airline": chance.choice(AIRLINES)}
        rows.append(Row(given=_values(chance, day, **named, season=chance.choice(SEASONS))))
    return [File(name="fares.csv", rows=rows)]


def _weekly(chance: random.Random) -> list[File]:
    """A file a week, each with one row for each route and airline."""
    return [
        File(
            name=f"week_{week:02}.csv",
            rows=[
                Row(given=_values(chance, day, route=route, airline=airline, season=SEASONS[week // 7]))
                for route in ROUTES[:7]
                for airline in AIRLINES[:7]
            ],
        )
        for week in range(20)
        for day in [FIRST_WEEK + datetime.timedelta(weeks=week)]
    ]


def _nearly_unique(chance: random.Random) -> list[File]:
    """A category that nearly every row has a value of its own in."""
    files = [File(name=name) for name in ("a.csv", "B.csv", "é.csv")]
    for number in range(1_200):
        day = FIRST_WEEK + datetime.timedelta(days=number // 3)
        airline = f"Charter {chance.randrange(2_000):04} {chance.choice('abcÄ')}"
        row = Row(given=_values(chance, day, route=chance.choice(ROUTES), airline=airline, season=SEASONS[0]))
        chance.choice(files).rows.append(row)
    return files


def _without_a_day(chance: random.Random) -> list[File]:
    """Searches: most rows have no day, and no route either."""
    files = [File(name=name) for name in ("searches.csv", "more/searches.csv", "undated.csv")]
    for number in range(900):
        day = FIRST_WEEK + datetime.timedelta(weeks=number // 90) if chance.random() < 0.1 else None
        values = _values(
            chance,
            day,
            query=chance.choice(("cheap flights", "Flights to JFK", "", "", "JFK-LAX")),
            route=chance.choice(("", "", "", *ROUTES[:3])),
            airline=chance.choice(("", "", *AIRLINES[:3])),
            season=chance.choice(("", SEASONS[0])),
        )
        file = chance.choice(files)
        if not any(values[name] for name in ("route", "airline", "season", "query")):
            # A load writes what such a row is about as its query.
            values["query"] = file.name.rpartition("/")[2]
        file.rows.append(Row(given=values))
    return files


SHAPES: dict[str, Callable[[random.Random], list[File]]] = {
    "one file": _one_file,
    "weekly files": _weekly,
    "a nearly unique category": _nearly_unique,
    "rows without a day": _without_a_day,
}


def edits(chance: random.Random, rows: list[Row]) -> Iterator[tuple[Row, Values]]:
    """What a curator makes of some of `rows`."""
    for row in chance.sample(rows, len(rows) // 15):
        values = {
            "route": chance.choice((*ROUTES, "BOS-MCO")),
            "airline": chance.choice((*AIRLINES, "Curated")),
            "season": chance.choice(SEASONS),
            "snapshot_date": chance.choice(("2025-01-06", "2030-12-31", "2025-W02", "never", "")),
            "avg_fare_usd": chance.choice((None, 123.25)),
            "notable_event": chance.choice((*TEXTS, "As a curator knows")),
        }
        names = chance.sample(list(values), chance.randint(1, 3))
        yield row, {name: values[name] for name in names}


def change(chance: random.Random, file: File) -> None:
    """Make of `file` what it is a week later: rows have come or have gone, and others have new values."""
    if chance.random() < 0.5:
        for number in range(5):
            day = FIRST_WEEK + datetime.timedelta(weeks=chance.randrange(60))
            values = _values(chance, day, route="NEW-ONE", airline=chance.choice(AIRLINES[:3]))
            place = chance.randrange(len(file.rows) + 1)
            file.rows.insert(place, Row(given=values | {"region": f"new {number}"}))
    else:
        # Those at the end, so that which of its equals a row is stays as it was.
        gone = [file.rows.pop() for _ in range(len(file.rows) // 5)]
        file.vanished += [row for row in gone if row.curated]
    for row in chance.sample(file.rows, len(file.rows) // 4):
        row.given["avg_fare_usd"] = chance.choice((None, 77.75))
        row.given["notable_event"] = chance.choice((*TEXTS, "Told a week later"))
        row.edit({})
