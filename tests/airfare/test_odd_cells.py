"""Cells that break an answer for everybody, or hide something in it, unless they are read with care."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from airfare.filters import AskedFilters
from airfare.models import FareRow
from airfare.tools import airfare_fare_summary, airfare_trend_insights
from mcpsite.access.caller import Caller
from mcpsite.datasets.outcomes import summary
from mcpsite.mcp import share
from mcpsite.mcp.writing import written
from tests.airfare.conftest import Load, fare, table
from tests.airfare.fares import event_of

pytestmark = pytest.mark.django_db

INVISIBLE = (
    "date,route,airline,season,notable_driver\n"
    "2026-07-09,BOS-LIS,Inv\u202eisible\u200b,Sum\u00admer,"
    "Fuel\u200b \u202eecirp\u202c \U000e0041\U000e0042 \x1b[31mred\x07 strike\n"
)
SCIENTIFIC = "date,route,airline,avg_fare_usd\n2026-05-01,CCC-DDD,Ow,5E200\n2026-05-01,CCC-DDD,Ow,100\n"
TWO_LARGEST = (
    "date,route,airline,avg_fare_usd\n2026-05-01,AAA-BBB,Ov,1.7e308\n2026-05-01,AAA-BBB,Ov,1.7e308\n"
)


def test_a_code_that_looks_like_a_huge_number_breaks_no_summary(load_folder: Load, caller: Caller) -> None:
    load_folder({"scientific.csv": SCIENTIFIC, "two_largest.csv": TWO_LARGEST})
    groups = airfare_fare_summary(caller, group_by="airline", metrics=["avg_fare_usd_mean"])["groups"]
    assert groups == [{"airline": "Ov", "rows": 2}, {"airline": "Ow", "rows": 2, "avg_fare_usd_mean": 100}]


def test_a_load_names_what_it_leaves_out_and_what_it_should_be(load_folder: Load) -> None:
    outcomes = load_folder({"a.csv": SCIENTIFIC})
    assert summary(outcomes.values()).notes == [
        "a.csv: 1 values cannot be read: "
        "line 2: avg_fare_usd is '5E200', which is not a number from 0 to 10,000,000."
    ]


def test_what_cannot_be_seen_is_in_no_answer_and_hides_no_row(load_folder: Load, caller: Caller) -> None:
    load_folder({"inv1.csv": INVISIBLE})
    answer = airfare_trend_insights(
        caller, AskedFilters(snapshot_date="2026-07-09", season_contains="summer")
    )
    row = answer["rows"][0]
    assert (row["airline"], row["season"]) == ("Invisible", "Summer")
    assert row["notable_driver"] == "Fuel ecirp  [31mred strike"


@pytest.mark.parametrize("typed", ["1_234", "5E200", "-1"])
def test_a_number_that_no_file_may_hold_is_refused_in_the_form(
    client: Client, curator: User, load_folder: Load, typed: str
) -> None:
    load_folder({"a.csv": table(fare())})
    url = reverse("admin:airfare_farerow_change", args=[FareRow.objects.get().key])
    page = client.post(url, {"avg_fare_usd": typed, "airline": "Delta"}).content.decode()
    assert "Write a number from 0 to 10,000,000." in page
    assert FareRow.objects.get().avg_fare_usd == 452


def test_what_cannot_be_seen_does_not_come_in_by_the_form(
    client: Client, curator: User, load_folder: Load
) -> None:
    load_folder({"a.csv": table(fare())})
    url = reverse("admin:airfare_farerow_change", args=[FareRow.objects.get().key])
    client.post(url, {"airline": "Del\u202eta\u200b 2", "notable_event": "Fuel\U000e0041"})
    row = FareRow.objects.get()
    assert (row.airline, event_of(row)) == ("Delta 2", "Fuel")


def test_a_row_that_is_too_long_is_cut_and_says_so(load_folder: Load, caller: Caller) -> None:
    long = "date,route,airline,notable_driver\n2031-01-01,LNG-AAA,Long," + "n" * 140_000 + "\n"
    load_folder({"long.csv": long, "usual.csv": table(fare())})
    for limit in (1, 25):
        answer, text = written(airfare_trend_insights(caller, limit=limit), page="rows", offset=0)
        assert len(text) < 150_000
        assert "[cut here: " in answer["rows"][0]["notable_driver"]
        assert "cut and marked" in answer["truncated"]
        assert answer["rows_returned"] == limit if limit == 1 else 2


def test_many_files_and_long_rows_are_read_page_by_page(load_folder: Load, caller: Caller) -> None:
    files = {f"{'long-name-' * 15}{number}.csv": table(fare(note="word " * 3_000)) for number in range(60)}
    load_folder(files)
    seen: list[str] = []
    while len(seen) < 60:
        asked = airfare_trend_insights(caller, limit=200, offset=len(seen))
        answer, text = written(asked, page="rows", offset=len(seen))
        assert share(text) <= 1
        seen += [row["source_file"] for row in answer["rows"]]
        assert (f"go on with offset={len(seen)}." in answer.get("truncated", "")) == (len(seen) < 60)
    assert len(set(seen)) == 60
