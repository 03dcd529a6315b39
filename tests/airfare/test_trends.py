"""`show_fare_trends`: what its lines, its notes and its text hold."""

import datetime
from typing import Any, cast

import pytest
from django.contrib.auth.models import Group

from airfare.filters import AskedFilters
from airfare.models import FareRow
from airfare.tools import show_fare_trends
from mcpsite.access.caller import Caller
from mcpsite.datasets import curation, trends
from mcpsite.datasets.models import SourceFile
from tests.airfare.conftest import HEADER, Load, fare, table


@pytest.fixture
def shown(caller: Caller) -> Any:
    """Calls the tool with filters; its answer."""

    def call(**filters: Any) -> Any:
        return cast(Any, show_fare_trends(caller, AskedFilters(**filters)))

    return call


def figures(day: str, airline: str, average: object, premium: object = "", load: object = "") -> str:
    return f"{day},JFK-LAX,{airline},Summer,{average},{premium},,,{load},,"


def test_a_line_holds_the_mean_of_each_day_for_each_airline(load_folder: Load, shown: Any) -> None:
    load_folder(
        {
            "a.csv": table(
                figures("2025-10-06", "Delta", 400, 800, 80),
                figures("2025-10-06", "Delta", 500, 900, 91),
                figures("2025-10-13", "Delta", 450.5),
                figures("2025-10-13", "Aer", 300),
            )
        }
    )
    answer = shown().value
    assert answer["dates"] == ["2025-10-06", "2025-10-13"]
    assert answer["series"] == [
        {
            "airline": "Delta",
            "name": "Delta",
            "rows": 3,
            "avg_fare_usd": [450, 450.5],
            "premium_fare_usd": [850, None],
            "load_factor_pct": [85.5, None],
        },
        {
            "airline": "Aer",
            "name": "Aer",
            "rows": 1,
            "avg_fare_usd": [None, 300],
            "premium_fare_usd": [None, None],
            "load_factor_pct": [None, None],
        },
    ]
    assert "notes" not in answer


def test_a_premium_fare_of_zero_is_no_premium_fare(load_folder: Load, shown: Any) -> None:
    load_folder(
        {"a.csv": table(figures("2025-10-06", "Delta", 0, 0, 0), figures("2025-10-06", "Delta", 10, 90, 50))}
    )
    (line,) = shown().value["series"]
    assert (line["avg_fare_usd"], line["premium_fare_usd"], line["load_factor_pct"]) == ([5], [90], [25])


@pytest.mark.parametrize(
    ("days", "step", "period", "points", "first"),
    [
        (60, 1, "day", 60, "2025-01-01"),
        (61, 1, "week", 9, "2024-12-30"),
        (61, 7, "month", 14, "2025-01-01"),
        (61, 31, "quarter", 21, "2025-01-01"),
        (61, 100, "year", 17, "2025-01-01"),
        (61, 366, "year", 60, "2026-01-01"),
    ],
)
def test_many_days_are_put_together(
    load_folder: Load, shown: Any, days: int, step: int, period: str, points: int, first: str
) -> None:
    start = datetime.date(2025, 1, 1)
    rows = [figures(str(start + datetime.timedelta(days=step * n)), "Delta", 100 + n) for n in range(days)]
    load_folder({"a.csv": table(*rows)})
    answer = shown().value
    assert (answer["period"], len(answer["dates"]), answer["dates"][0]) == (period, points, first)
    assert len(answer["series"][0]["avg_fare_usd"]) == points <= trends.MOST_DATES
    assert bool(answer.get("notes")) is (period != "day")


def test_the_airlines_with_the_most_rows_are_drawn_and_the_others_named(
    load_folder: Load, shown: Any
) -> None:
    rows = [figures("2025-10-06", f"Line {n}", 100) for n in range(12) for _ in range(n + 1)]
    load_folder({"a.csv": table(*rows)})
    answer = shown().value
    assert [line["airline"] for line in answer["series"]] == [f"Line {n}" for n in range(11, 3, -1)]
    assert answer["notes"] == [
        "The 8 lines with the most rows are drawn; 4 more match (Line 3, Line 2, Line 1, Line 0): "
        "name one with airline_contains."
    ]
    assert answer["choices"]["airline_contains"] == [f"Line {n}" for n in range(11, -1, -1)]


def test_rows_that_stand_at_no_time_are_counted(load_folder: Load, shown: Any) -> None:
    load_folder({"a.csv": table(fare(), fare(day="2025-02-30"), fare(day=""))})
    answer = shown().value
    assert answer["dates"] == ["2025-10-06"]
    assert answer["notes"] == ["2 rows without a valid date are left out."]


def test_rows_of_searches_make_no_line(load_folder: Load, shown: Any) -> None:
    load_folder({"a.csv": "week,query,score\n2025-W41,cheap flights,71\n"})
    answer = shown()
    assert (answer.value["dates"], answer.value["series"], answer.value["matched_rows"]) == ([], [], 1)
    assert answer.text == "No rows with a date and a figure match. Widen the filters."


def test_the_text_is_a_table_that_a_name_cannot_break(load_folder: Load, shown: Any) -> None:
    load_folder(
        {
            "a.csv": table(
                figures("2025-10-06", "Delta", 1400.4, 800, 80),
                figures("2025-10-13", "Delta", 450),
                figures("2025-10-13", "A | B", "", "", 70),
            )
        }
    )
    assert shown(route_contains="jfk").text == (
        "Fares, means by day and airline (route_contains jfk), from 3 rows: "
        "average fare in USD / premium fare in USD / load factor in %\n"
        "\n"
        "| Day | Delta | A \\| B |\n"
        "| --- | --- | --- |\n"
        "| 2025-10-06 | 1,400.4 / 800 / 80 % |  |\n"
        "| 2025-10-13 | 450 / – / – | – / – / 70 % |"
    )


def test_only_rows_that_match_and_are_published_take_part(load_folder: Load, shown: Any) -> None:
    load_folder({"a.csv": "\n".join([HEADER, fare(fare=1), fare(route="ORD-SFO", fare=5), fare(fare=9), ""])})
    curation.hide(FareRow.objects.filter(avg_fare_usd=9))
    answer = shown(origin_airport="JFK").value
    assert answer["series"][0]["avg_fare_usd"] == [1]
    assert (answer["routes"], answer["matched_rows"], answer["total_rows"]) == (["JFK-LAX"], 1, 2)


def test_a_file_of_another_group_is_in_no_line(load_folder: Load, shown: Any) -> None:
    load_folder({"a.csv": table(fare(fare=1)), "b.csv": table(fare(fare=99, airline="Secret"))})
    assert len(shown().value["series"]) == 2
    SourceFile.objects.get(name="b.csv").groups.add(Group.objects.create(name="board"))
    answer = shown().value
    assert [line["airline"] for line in answer["series"]] == ["Delta"]
    assert answer["available_files"] == ["a.csv"]
