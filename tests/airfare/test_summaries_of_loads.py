"""What a load says of a file beside its rows: what it could not read, and what it did not use."""

import pytest

from airfare.models import FareRow
from mcpsite.datasets.outcomes import Outcome, summary
from tests.airfare.conftest import Load, fare, table

pytestmark = pytest.mark.django_db


def note(outcome: Outcome) -> str:
    """The only note on `outcome`."""
    (note,) = summary([outcome]).notes
    return note


def test_days_that_are_not_understood_are_told_with_line_and_text(load_folder: Load) -> None:
    days = ["2026-02-30", "2026-07-01 00:00:00", "2026-07-01T00:00:00Z", "next Monday", "13-07-26"]
    outcome = load_folder({"a.csv": table(*(fare(day=day) for day in days))})["a.csv"]
    assert (outcome.rows, outcome.unreadable) == (5, 3)
    assert note(outcome) == (
        "a.csv: 3 values cannot be read: line 2: snapshot_date is '2026-02-30', which is not a day; "
        "line 5: snapshot_date is 'next Monday', which is not a day; "
        "line 6: snapshot_date is '13-07-26', which is not a day."
    )


def test_a_day_with_its_time_is_that_day(load_folder: Load) -> None:
    load_folder({"a.csv": table(fare(day="2026-07-01 00:00:00"))})
    assert str(FareRow.objects.get().snapshot_day) == "2026-07-01"


def test_the_first_ten_unreadable_values_are_told_by_line_and_all_are_counted(load_folder: Load) -> None:
    rows = [fare(day="soon", fare="cheap"), *(fare(fare=f"about {n}") for n in range(20)), fare()]
    outcome = load_folder({"a.csv": table(*rows)})["a.csv"]
    assert outcome.unreadable == 22
    assert [bad.line for bad in outcome.first_unreadable] == [2, 2, *range(3, 11)]
    assert "a.csv: 22 values cannot be read: line 2: avg_fare_usd is 'cheap'" in note(outcome)
    assert note(outcome).endswith(
        "line 10: avg_fare_usd is 'about 7', which is not a number from 0 to 10,000,000, …."
    )


def test_unreadable_values_far_apart_are_told_too(load_folder: Load) -> None:
    rows = [fare(fare="cheap"), *[fare()] * 20_000, fare(day="soon")]
    outcome = load_folder({"a.csv": table(*rows)})["a.csv"]
    assert [bad.line for bad in outcome.first_unreadable] == [2, 20_003]


def test_strict_rejects_a_file_with_a_day_that_is_not_understood(load_folder: Load) -> None:
    outcome = load_folder({"a.csv": table(fare(), fare(day="sometime"))}, strict=True)["a.csv"]
    assert (outcome.result, outcome.reason) == (
        "rejected",
        "line 3: snapshot_date is 'sometime', which is not a day",
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "Snapshot Date,Route,Avg Fare (USD),Fare (EUR),Gate,\n2026-07-01,BOS-LIS,612.5,84.1,,\n"),
        ("a.json", '[{"route": "BOS-LIS", "Fare (EUR)": 612.5}, {"route": "A", "Gate": 1}]'),
    ],
)
def test_columns_that_are_not_known_are_named_and_their_file_is_loaded(
    load_folder: Load, name: str, content: str
) -> None:
    outcome = load_folder({name: content})[name]
    assert outcome.result == "new"
    assert note(outcome) == (f"{name}: unknown columns were ignored: 'Fare (EUR)', 'Gate'.")


def test_ten_of_many_columns_that_are_not_known_are_named(load_folder: Load) -> None:
    header = ",".join(["route", *(f"extra {n}" for n in range(14))])
    outcome = load_folder({"a.csv": f"{header}\nA{',' * 14}\n"})["a.csv"]
    assert note(outcome).endswith("'extra 9' and 4 more.")


def test_columns_without_end_are_named_in_little_memory(load_folder: Load) -> None:
    keys = ", ".join(f'"{n}{"x" * 1_000}": 0' for n in range(2_000))
    outcome = load_folder({"a.json": f'[{{"route": "A", {keys}}}]'})["a.json"]
    assert len("".join(outcome.unused)) <= 60_000
    assert len(note(outcome)) < 1_000


WEEKLY = """{"week": "2026-W27", "Source": "x", "provider": "y", "regions": {
    "US": {"Analyst": "z", "query": "beside", "top_queries": [{"query": "a", "Rank": 1}, 7, null, {}]},
    "EU": null}}"""


def test_what_is_not_used_of_a_weekly_file_is_told(load_folder: Load) -> None:
    outcome = load_folder({"w.json": WEEKLY})["w.json"]
    assert (outcome.result, outcome.rows) == ("new", 1)
    assert summary([outcome]).notes == [
        "w.json: unknown columns were ignored: 'source (beside the regions)', 'provider (beside the "
        "regions)', 'Analyst (of a region)', 'query (of a region)', 'Rank'.",
        "w.json: 4 items were skipped, because they are not rows.",
    ]


@pytest.mark.parametrize("number", ["1", "NaN"])
def test_items_that_are_no_rows_are_counted_once(load_folder: Load, number: str) -> None:
    items = f'[1, {{"route": "A"}}, null, ["b"], {{"c": 1}}, {{}}, {{"route": "B", "index": {number}}}]'
    outcome = load_folder({"a.json": items})["a.json"]
    assert (outcome.rows, outcome.skipped) == (2, 5)


def test_a_list_without_any_object_is_refused(load_folder: Load) -> None:
    outcome = load_folder({"a.json": "[1, null]"})["a.json"]
    assert (outcome.result, outcome.reason) == ("rejected", "has no known column")


def test_a_file_of_known_columns_has_no_note(load_folder: Load) -> None:
    assert summary([load_folder({"a.csv": table(fare())})["a.csv"]]).notes == []
