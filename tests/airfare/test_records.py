"""What the cells mean."""

import datetime
from typing import Any

import pytest

from airfare.routes import airports_of
from mcpsite.datasets import records
from mcpsite.datasets.dates import iso_day
from mcpsite.datasets.kinds import NO_DAY, Number
from mcpsite.datasets.numbers import plain_number
from mcpsite.datasets.rows import Reader
from mcpsite.datasets.tables import Batch
from tests.airfare.fares import DATA_SET


def meaning(cells: dict[str, str]) -> dict[str, Any]:
    """The fields of one row, without the empty ones."""
    cells_reader = records.Reader(columns=DATA_SET.read, header=list(cells))
    reader = Reader(DATA_SET, cells_reader, file="file.csv")
    [rows] = reader.read_all([Batch(cells=[list(cells.values())], lines=[2])])
    row = {name: column[0] for name, column in rows.columns.items()}
    row["unreadable"] = reader.cells.unreadable
    return {name: value for name, value in row.items() if value not in ("", None)}


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2025-10-06", datetime.date(2025, 10, 6)),
        ("2025/10/06", datetime.date(2025, 10, 6)),
        ("2025-W41", datetime.date(2025, 10, 6)),
        ("2020-W53", datetime.date(2020, 12, 28)),
        ("2025-10-06 00:00:00", datetime.date(2025, 10, 6)),
        ("2025-10-06T23:59:59.5Z", datetime.date(2025, 10, 6)),
        ("2025-10-06 24:61", None),
        ("2025-02-30", None),
        ("2025-W53", None),
        ("2025-W00", None),
        ("0000-01-01", None),
        ("2025-1-6", None),
        ("2025-10/06", None),
        ("２０２５-10-06", None),
        ("last week", None),
        ("", None),
    ],
)
def test_a_date_is_understood_in_three_formats_and_when_possible(
    text: str, day: datetime.date | None
) -> None:
    assert iso_day(text) == day


def test_an_impossible_date_is_kept_as_text() -> None:
    row = meaning({"date": "2025-02-30", "query": "a"})
    assert (row["snapshot_date"], row["snapshot_day"]) == ("2025-02-30", str(NO_DAY))


@pytest.mark.parametrize(
    ("text", "shown", "day"),
    [
        ("2025/10/06", "2025/10/06", "2025-10-06"),
        ("2025-W41", "2025-W41", "2025-10-06"),
        ("2025-W1", "2024-12-30", "2024-12-30"),
        ("2025-10-06 00:00:00", "2025-10-06", "2025-10-06"),
        ("6-Oct-25", "2025-10-06", "2025-10-06"),
        ("45936", "2025-10-06", "2025-10-06"),
        ("2025-Q4", "2025-10-01", "2025-10-01"),
        ("soon", "soon", str(NO_DAY)),
    ],
)
def test_a_date_in_another_form_is_shown_as_the_day_it_is(text: str, shown: str, day: str) -> None:
    row = meaning({"date": text, "query": "a"})
    assert (row["snapshot_date"], row["snapshot_day"]) == (shown, day)


@pytest.mark.parametrize(
    "route", ["JFK–LAX", "JFK/LAX", "jfk-lax", "JFK\u00a0-\u00a0LAX", "JFK to LAX", "JFK → LAX", "JFK->LAX"]
)
def test_a_route_has_one_spelling(route: str) -> None:
    row = meaning({"route": route})
    assert (row["route"], row["origin_airport"], row["destination_airport"]) == ("JFK-LAX", "JFK", "LAX")


def test_origin_and_destination_are_the_route() -> None:
    assert meaning({"origin": "jfk", "destination": "LAX"})["route"] == "JFK-LAX"
    assert meaning({"route": "BOS-MIA", "origin": "JFK", "destination": "LAX"})["route"] == "BOS-MIA"


def test_airports_come_from_a_route_of_two_codes() -> None:
    assert airports_of("jfk-LAX") == ("JFK", "LAX")
    assert airports_of("JFK-LAX-SFO") == ("", "")
    assert airports_of("London-Paris") == ("", "")


def test_the_first_alias_that_is_not_empty_wins() -> None:
    row = meaning(
        {
            "keyword": " ",
            "term": "t",
            "search_term": "s",
            "week": "",
            "period": "2025",
            "geo": "US",
            "notes": "n",
        }
    )
    assert (row["query"], row["snapshot_date"], row["region"], row["notable_event"]) == (
        "t",
        "2025",
        "US",
        "n",
    )


def test_zero_is_a_value() -> None:
    row = meaning(
        {"search_index": "0", "index": "8", "premium_fare_usd": "0", "mix_share": "0", "metric": "5"}
    )
    assert (row["search_index"], row["premium_fare_usd"], row["branding_mix"]) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "text",
    [
        *("inf", "-Infinity", "1e999", "12%", "€438", "C$438", "400-450", "1_234", "0x10", "1e", ".", "- 5"),
        *("5E200", "1.7e308", "-1", "10000001", "0." + "1" * 70),
    ],
)
def test_what_is_no_number_within_bounds_is_absent_and_counted(text: str) -> None:
    row = meaning({"avg_fare_usd": text, "fare_yoy_pct": " -3.5 ", "query": "a"})
    assert "avg_fare_usd" not in row
    assert (row["fare_yoy_pct"], row["unreadable"]) == (-3.5, 1)


def test_the_first_unreadable_values_are_remembered_by_line() -> None:
    reader = records.Reader(columns=DATA_SET.read, header=["avg_fare_usd", "score"])
    reader.read(Batch(cells=[["1", ""], ["2", "x"]], lines=[2, 3]))
    reader.read(Batch(cells=[["y", "1"]], lines=[4]))
    assert [each[:3] for each in reader.first_unreadable] == [
        (3, "search_index", "x"),
        (4, "avg_fare_usd", "y"),
    ]


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("-0", 0), ("+452.50", 452.5), (".5", 0.5), ("5.", 5), ("1e3", 1000), ("٤٥٢", 452)],
)
def test_a_number_is_read_however_it_is_written(text: str, number: float) -> None:
    assert meaning({"avg_fare_usd": f" {text} ", "query": "a"})["avg_fare_usd"] == number


@pytest.mark.parametrize("name", DATA_SET.numbers)
def test_each_number_has_bounds_that_hold_zero(name: str) -> None:
    column = DATA_SET.columns[name]
    assert isinstance(column, Number)
    assert column.within(plain_number("0")) == 0
    assert column.most < 1e10
    assert column.within(plain_number(str(column.most * 2))) is None


def test_nothing_that_cannot_be_seen_is_in_a_field() -> None:
    row = meaning({"route": "J\u200bFK-LAX", "season": "Sum\u00admer", "avg_fare_usd": "\u202a452\u202c"})
    assert (row["route"], row["origin_airport"], row["season"]) == ("JFK-LAX", "JFK", "Summer")


def test_route_airline_and_season_stand_for_a_missing_query() -> None:
    row = meaning({"route": "JFK-LAX", "airline": "Delta", "season": "Summer", "provider": "p"})
    assert "query" not in row
    assert row["subject"] == "JFK-LAX"
    assert meaning({"route": "", "airline": "Delta", "season": "Summer"})["subject"] == "Delta Summer"


@pytest.mark.parametrize(
    ("cells", "query"),
    [
        ({"provider": "p", "category": "c", "topic": "t"}, "p"),
        ({"provider": "", "category": "c", "topic": "t"}, "c"),
        ({"provider": "", "category": "", "topic": "t"}, "t"),
        ({"provider": "", "notes": "n"}, "file.csv"),
    ],
)
def test_without_these_provider_category_topic_or_the_file_stand_for_it(
    cells: dict[str, str], query: str
) -> None:
    row = meaning(cells)
    assert (row["query"], row["subject"]) == (query, query)
