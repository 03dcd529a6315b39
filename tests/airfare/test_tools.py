"""What a model gets and what it is told when it asks wrongly."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airfare.filters import AskedFilters
from airfare.models import FareRow
from airfare.tools import STATISTICS, airfare_fare_summary, airfare_trend_insights
from mcpsite.access.caller import Caller
from mcpsite.core.memory import Memory
from mcpsite.datasets import curation, snapshots, summaries
from mcpsite.mcp import ToolError
from tests.airfare.conftest import HEADER, Load, fare, table

pytestmark = pytest.mark.django_db


@pytest.fixture
def loaded(load_folder: Load) -> None:
    load_folder(
        {
            "a.csv": f"{HEADER}\n"
            "2025-10-06,JFK-LAX,Delta Air Lines,Summer 2025,452,0,6.1,23,91,21,Lounge opened\n"
            "2025-10-06,JFK-LAX,United Airlines,Summer 2025,444.5,729,5.4,22,90,19,\n"
            "2025-09-29,ORD-SFO,United Airlines,Fall 2025,366,,,,,,Summit weeks\n",
            "b.tsv": "# week_id\tprovider\tquery_count\tprocessing_notes\n"
            "2024-W36\tAlpha\t1843\tmoving average\n",
        }
    )


def test_an_answer_holds_rows_files_filters_and_counts(loaded: None, caller: Caller) -> None:
    assert airfare_trend_insights(caller, AskedFilters(airline_contains="DELTA"), limit=5) == {
        "rows": [
            {
                "query": "JFK-LAX Delta Air Lines Summer 2025",
                "snapshot_date": "2025-10-06",
                "route": "JFK-LAX",
                "origin_airport": "JFK",
                "destination_airport": "LAX",
                "airline": "Delta Air Lines",
                "season": "Summer 2025",
                "avg_fare_usd": 452,
                "premium_fare_usd": 0,
                "fare_yoy_pct": 6.1,
                "advance_purchase_days": 23,
                "load_factor_pct": 91,
                "ancillary_revenue_pct": 21,
                "notable_driver": "Lounge opened",
                "notable_event": "Lounge opened",
                "source_file": "a.csv",
            }
        ],
        "available_files": ["a.csv", "b.tsv"],
        "filters": {"airline_contains": "DELTA", "limit": 5},
        "total_rows": 4,
        "matched_rows": 1,
        "rows_returned": 1,
    }


def test_a_row_of_searches_carries_what_its_file_says(loaded: None, caller: Caller) -> None:
    assert airfare_trend_insights(caller, AskedFilters(snapshot_date="2024-09"))["rows"] == [
        {
            "query": "Alpha",
            "snapshot_date": "2024-W36",
            "provider": "Alpha",
            "query_count": "1843",
            "week_id": "2024-W36",
            "notable_event": "moving average",
            "source_file": "b.tsv",
        }
    ]


def test_a_truncated_answer_says_how_to_go_on(loaded: None, caller: Caller) -> None:
    first = airfare_trend_insights(caller, limit=3)
    assert first["truncated"] == "1 more rows match; narrow the filters, or go on with offset=3."
    rest = airfare_trend_insights(caller, limit=3, offset=3)
    assert "truncated" not in rest
    assert rest["filters"] == {"limit": 3, "offset": 3}
    assert first["rows"] + rest["rows"] == airfare_trend_insights(caller)["rows"]


def test_filters_are_told_as_they_were_applied(loaded: None, caller: Caller) -> None:
    asked = AskedFilters(origin_airport=" jfk ", route_contains="  ", snapshot_date="2025")
    answer = airfare_trend_insights(caller, asked)
    assert answer["filters"] == {"snapshot_date": "2025", "origin_airport": "JFK", "limit": 25}
    assert answer["matched_rows"] == 2


def test_nothing_loaded_is_an_empty_answer(caller: Caller) -> None:
    assert airfare_trend_insights(caller) == {
        "rows": [],
        "available_files": [],
        "filters": {"limit": 25},
        "total_rows": 0,
        "matched_rows": 0,
        "rows_returned": 0,
    }
    assert airfare_fare_summary(caller)["groups"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": 0}, "limit is 0; it has to be from 1 to 200."),
        ({"limit": 201}, "limit is 201; it has to be from 1 to 200."),
        ({"offset": -1}, "offset is -1; it has to be 0 or more, and no more than there are rows."),
        (
            {"filters": AskedFilters(origin_airport="Kennedy")},
            "origin_airport is 'Kennedy'; write an airport as its three letters, for example JFK.",
        ),
        (
            {"filters": AskedFilters(destination_airport="L4X")},
            "destination_airport is 'L4X'; write an airport as its three letters, for example JFK.",
        ),
        (
            {"filters": AskedFilters(snapshot_date="last week")},
            "snapshot_date is 'last week'; write a day as 2025-10-06, a week as 2025-W41, "
            "a month as 2025-10 or a year as 2025.",
        ),
        (
            {"filters": AskedFilters(notable_contains="x" * 501)},
            "notable_contains has 501 characters; search for at most 500.",
        ),
    ],
)
def test_a_wrong_argument_is_told_in_one_sentence(
    caller: Caller, arguments: dict[str, Any], message: str
) -> None:
    for tool in (airfare_trend_insights, airfare_fare_summary):
        with pytest.raises(ToolError) as caught:
            tool(caller, **arguments)
        assert str(caught.value) == message


def test_unknown_groups_and_metrics_are_told(caller: Caller) -> None:
    with pytest.raises(ToolError, match=r"^group_by holds 'region'; it takes route, airline"):
        airfare_fare_summary(caller, group_by=["route", "region"])  # type: ignore[list-item]
    with pytest.raises(ToolError, match=r"^group_by is empty"):
        airfare_fare_summary(caller, group_by=[])
    with pytest.raises(ToolError, match=r"^metrics holds 'avg_fare_usd_sum'; write one of"):
        airfare_fare_summary(caller, metrics=["avg_fare_usd_sum"])


def test_a_summary_groups_what_matches(loaded: None, caller: Caller) -> None:
    answer = airfare_fare_summary(
        caller,
        group_by="airline",
        metrics=["avg_fare_usd_mean", "avg_fare_usd_max", "premium_fare_usd_count", "load_factor_pct_min"],
        filters=AskedFilters(snapshot_date="2025"),
    )
    assert answer["groups"] == [
        {
            "airline": "Delta Air Lines",
            "rows": 1,
            "avg_fare_usd_mean": 452,
            "avg_fare_usd_max": 452,
            "premium_fare_usd_count": 1,
            "load_factor_pct_min": 91,
        },
        {
            "airline": "United Airlines",
            "rows": 2,
            "avg_fare_usd_mean": 405.25,
            "avg_fare_usd_max": 444.5,
            "premium_fare_usd_count": 1,
            "load_factor_pct_min": 90,
        },
    ]
    assert (answer["matched_rows"], answer["total_rows"], answer["groups_returned"]) == (3, 4, 2)


def test_dates_of_different_formats_are_one_group_latest_first(load_folder: Load, caller: Caller) -> None:
    days = ["2025-10-06", "2025/10/06", "2025-W41", "2025-10-13", "2025-02-30"]
    load_folder({"a.csv": table(*(fare(day, fare=10) for day in days))})
    answer = airfare_fare_summary(caller, group_by="snapshot_date", metrics=["avg_fare_usd_count"])
    assert [(group["snapshot_date"], group["rows"]) for group in answer["groups"]] == [
        ("2025-10-13", 1),
        ("2025-10-06", 3),
        ("2025-02-30", 1),
    ]


def test_groups_beyond_the_limit_are_truncated(loaded: None, caller: Caller) -> None:
    first = airfare_fare_summary(caller, group_by=["origin_airport", "airline"], limit=2)
    assert first["truncated"] == (
        "2 more groups match; narrow the filters, group by less, or go on with offset=2."
    )
    rest = airfare_fare_summary(caller, group_by=["origin_airport", "airline"], limit=2, offset=2)
    assert len(first["groups"] + rest["groups"]) == 4


def test_groups_far_behind_are_those_that_one_long_page_would_hold(
    load_folder: Load, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summaries, "BLOCK", 10)
    names: list[Any] = ["airline", "snapshot_date"]
    lines = [fare(f"2025-01-{n % 9 + 1:02}", airline=f"L{n % 7}") for n in range(200)]
    load_folder({"a.csv": table(*lines, fare("", airline=""))})
    every = airfare_fare_summary(caller, group_by=names, limit=200)["groups"]
    assert len(every) == 64
    for offset in range(0, 66, 3):
        page = airfare_fare_summary(caller, group_by=names, limit=13, offset=offset)
        assert page["groups"] == every[offset : offset + 13]
        assert (page["matched_rows"], "truncated" in page) == (201, offset + 13 < 64)


def test_summaries_of_many_groups_are_not_all_remembered(
    load_folder: Load, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(1 << 19)
    monkeypatch.setattr(snapshots, "memory", memory)
    lines = [fare(f"2025-01-{n % 28 + 1:02}", f"A{n % 9}-B", f"L{n % 11}", f"S{n % 5}") for n in range(2_000)]
    load_folder({"a.csv": table(*lines)})
    names: list[Any] = ["route", "airline", "season", "snapshot_date"]
    for order in permutations(names):
        groups = airfare_fare_summary(caller, group_by=list(order), limit=200)["groups"]
        assert groups[0]["rows"] == 1
        assert 0 < memory.bytes <= 1 << 19


def test_a_summary_follows_the_data(loaded: None, caller: Caller) -> None:
    assert airfare_fare_summary(caller, group_by="airline")["matched_rows"] == 4
    curation.hide(FareRow.objects.filter(airline__startswith="United"))
    assert airfare_fare_summary(caller, group_by="airline")["matched_rows"] == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["JFK-LAX", "SEA-ANC", ""]),
            st.sampled_from(["A", "b"]),
            st.none() | st.integers(0, 900) | st.floats(0, 99),
        ),
        min_size=1,
        max_size=15,
    )
)
def test_figures_are_those_of_plain_python(
    rows: list[tuple[str, str, float | None]], load_folder: Load, caller: Caller
) -> None:
    lines = [fare(route=r, airline=a, fare="" if n is None else n) for r, a, n in rows]
    load_folder({"a.csv": table(*lines)}, force=True)
    metrics = [f"avg_fare_usd_{each}" for each in STATISTICS]
    answer = airfare_fare_summary(caller, group_by=["route", "airline"], metrics=metrics)
    expected = []
    for key in sorted({(r, a) for r, a, _ in rows}):
        every = [n for r, a, n in rows if (r, a) == key]
        numbers = [n for n in every if n is not None]
        expected.append((key, len(every), len(numbers), numbers))
    assert len(answer["groups"]) == len(expected)
    for group, (key, size, count, numbers) in zip(answer["groups"], expected, strict=True):
        assert ((group.get("route", ""), group["airline"]), group["rows"]) == (key, size)
        assert group["avg_fare_usd_count"] == count
        if numbers:
            assert group["avg_fare_usd_mean"] == pytest.approx(sum(numbers) / count, abs=1e-3)
            assert group["avg_fare_usd_min"] == pytest.approx(min(numbers), abs=1e-3)
            assert group["avg_fare_usd_max"] == pytest.approx(max(numbers), abs=1e-3)
        else:
            assert "avg_fare_usd_mean" not in group
