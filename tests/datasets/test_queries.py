"""Filters to rows, compared with what plain Python makes of the same rows."""

import datetime
import json
import re
import sqlite3
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airfare.filters import AskedFilters
from airfare.models import FareRow
from airfare.tools import airfare_fare_summary, airfare_trend_insights, show_fare_trends
from mcpsite.access.caller import Caller
from mcpsite.datasets import curation, queries, snapshots
from mcpsite.datasets.files import find
from mcpsite.datasets.filters import Filters, Range
from mcpsite.datasets.models import SourceFile
from mcpsite.datasets.periods import period
from mcpsite.datasets.queries import Plan
from mcpsite.datasets.snapshots import State
from mcpsite.datasets.texts import Texts, matching
from mcpsite.datasets.versions import Version
from tests.airfare.conftest import Load, fare, table
from tests.airfare.fares import DATA_SET, EVERYTHING, asked, count_by_day, load, page, snapshot
from tests.airfare.oracle import File, Oracle, Reader, Row
from tests.data_folder import write_files

pytestmark = pytest.mark.django_db


def answer(filters: Filters = EVERYTHING, limit: int = 200, **options: Any) -> list[dict[str, Any]]:
    return page(filters, limit=limit, **options).rows


# Dates


def test_impossible_dates_sort_last_and_match_no_date(load_folder: Load) -> None:
    days = ["2025-02-30", "2025-W06", "", "2024-12-31", "2025/02/01", "2025-W53"]
    load_folder({"a.csv": table(*(fare(day) for day in days))})
    shown = [row.get("snapshot_date") for row in answer()]
    assert shown[:3] == ["2025-W06", "2025/02/01", "2024-12-31"]
    assert [row["snapshot_date"] for row in answer(asked(days=period("2025")))] == [
        "2025-W06",
        "2025/02/01",
    ]


# Order


def test_rows_descend_by_date_route_and_airline_by_code_point(load_folder: Load) -> None:
    names = ["a", "Z", "é", "z", "ab", "a b", "_", "🛫", "ﬀ", "A"]
    load_folder(
        {"a.csv": table(*(fare(route=route, airline=each) for each in names for route in ("b", "B")))}
    )
    shown = [(row["route"], row["airline"]) for row in answer()]
    assert shown == sorted(shown, reverse=True)


def test_equal_rows_keep_the_order_of_file_names_and_rows(load_folder: Load) -> None:
    load_folder({"b.csv": table(fare(fare=3), fare(fare=4))})
    load_folder({"B.csv": table(fare(fare=1), fare(fare=2)), "é.csv": table(fare(fare=5))})
    assert [row["avg_fare_usd"] for row in answer()] == [1, 2, 3, 4, 5]


def test_a_row_without_a_route_stands_where_its_query_stands(load_folder: Load) -> None:
    load_folder(
        {"a.csv": "date,route,keyword\n2025-01-01,M-N,\n2025-01-01,,Z\n2025-01-01,,A\n2025-01-01,B-C,x\n"}
    )
    assert [row["query"] for row in answer()] == ["Z", "M-N", "x", "A"]


# Against an oracle

TEXTS = st.text(st.sampled_from("aAbB %_\\'\"ßẞſsSσςΣİiıIée\u0301ꭰᎠ🛫-*()ﬁ"), max_size=6)
ROW = st.fixed_dictionaries(
    {
        "day": st.sampled_from(["2025-01-06", "2025/01/06", "2025-W02", "2024-12-30", "2025-02-30", ""]),
        "route": st.sampled_from(["JFK-LAX", "jfk-sfo", "SFO-JFK", "", "Straße-%", "LAX-HNL"]),
        "airline": TEXTS,
        "season": st.sampled_from(["Summer", "SUMMER 2025", "Winter", "", "İstanbul"]),
        "note": TEXTS,
        "hidden": st.booleans(),
    }
)
FILTERS = st.builds(
    asked,
    days=st.sampled_from(["", "", "2025", "2025-01", "2025-01-06", "2024", "2025-W02"]).map(period),
    route_contains=st.sampled_from(["", "", "jfk", "strasse", "-", "%", "no such"]),
    origin_airport=st.sampled_from(["", "", "JFK", "LAX", "XXX"]),
    destination_airport=st.sampled_from(["", "", "LAX", "JFK"]),
    airline_contains=st.one_of(st.just(""), TEXTS.map(str.strip)),
    season_contains=st.sampled_from(["", "", "summer", "i\u0307s", "2025"]),
    notable_contains=st.one_of(st.just(""), TEXTS.map(str.strip)),
)


def oracle(rows: list[dict[str, Any]]) -> Oracle:
    """What plain Python answers about `rows`, which are told apart by their fares."""
    given = [
        {
            **dict.fromkeys(("query", "region", "premium_fare_usd", "load_factor_pct"), ""),
            "snapshot_date": row["day"],
            "route": row["route"],
            "airline": row["airline"],
            "season": row["season"],
            "notable_event": row["note"],
            "avg_fare_usd": number,
        }
        for number, row in enumerate(rows)
    ]
    stored = [
        Row(given=values, hidden=row["hidden"], position=number)
        for number, (values, row) in enumerate(zip(given, rows, strict=True))
    ]
    return Oracle([File(name="a.json", rows=stored)], Reader(everything=True))


def stored(rows: list[dict[str, Any]]) -> None:
    """Put `rows` in place of all rows."""
    document = [
        {
            "date": row["day"],
            "route": row["route"],
            "airline": row["airline"],
            "season": row["season"],
            "notes": row["note"],
            "avg_fare_usd": number,
        }
        for number, row in enumerate(rows)
    ]
    FareRow.objects.all().delete()
    SourceFile.objects.all().delete()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        path.write_text(json.dumps(document))
        [outcome] = load(find([path]))
    assert outcome.result == "new"
    hidden = [number for number, row in enumerate(rows) if row["hidden"]]
    curation.hide(FareRow.objects.filter(avg_fare_usd__in=hidden))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    rows=st.lists(ROW, max_size=12),
    questions=st.lists(FILTERS, min_size=1, max_size=6),
    limit=st.integers(1, 5),
    offset=st.integers(0, 3),
    ahead=st.booleans(),
)
def test_answers_are_those_of_plain_python(
    rows: list[dict[str, Any]], questions: list[Filters], limit: int, offset: int, ahead: bool, db: None
) -> None:
    rows = [{**row, "airline": row["airline"].strip(), "note": row["note"].strip()} for row in rows]
    stored(rows)
    if ahead:
        count_by_day(snapshot())
    plain = oracle(rows)
    for filters in questions:
        expected = [fare.values["avg_fare_usd"] for fare in plain.matching(filters)]
        for plan in (None, *Plan):
            found = page(filters, limit=limit, offset=offset, plan=plan)
            shown = [row["avg_fare_usd"] for row in found.rows]
            assert shown == expected[offset : offset + limit]
        assert (found.matched, found.total) == (len(expected), len(plain.fares))
        assert sorted(row.avg_fare_usd or 0 for row in queries.queryset(filters, snapshot())) == sorted(
            expected
        )


UNICODE = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(texts=st.lists(UNICODE, max_size=6, unique=True), needle=st.one_of(UNICODE, st.text(max_size=5)))
@example(texts=["Straße nach Köln"], needle="STRASSE")
@example(texts=["İstanbul", "istanbul", "ISTANBUL"], needle="i̇st")
@example(texts=["ΟΔΥΣΣΕΥΣ", "Οδυσσευς"], needle="σευς")
@example(texts=["ᏣᎳᎩ language"], needle="ꮳꮃꭹ")
@example(texts=["100% sure_thing\\", "100 sure thing"], needle="0% sure_thing\\")
@example(texts=['say "quoted" AND OR NEAR('], needle='"quoted" AND OR')
@example(texts=["café", "cafe\u0301"], needle="E\u0301")
@example(texts=["nul"], needle="n\0l")
@example(texts=["pair"], needle="\ud800")
@example(texts=["a'b--;", "x"], needle="'b--;")
@example(texts=["ends in a tilde~*"], needle="de~*")
def test_free_text_matches_as_plain_python_does(texts: list[str], needle: str, db: None) -> None:
    numbers = Texts(DATA_SET).numbers(texts)
    found = set(matching(DATA_SET, needle, 1_000_000) or []) & set(numbers)
    folded = needle.casefold()
    assert found == {
        number for text, number in zip(texts, numbers, strict=True) if number and folded in text.casefold()
    }


# Speed that does not depend on luck


@pytest.fixture
def many(load_folder: Load) -> None:
    routes = ["JFK-LAX", "JFK-SFO", "SEA-ANC", "ORD-SFO"]
    lines = [
        fare(
            f"2025-01-{n % 27 + 1:02}",
            routes[n % 4],
            f"Line {n % 7}",
            f"Season {n % 5}",
            n,
            f"note {n % 300}",
        )
        for n in range(3_000)
    ]
    load_folder({"a.csv": table(*lines)})


CASES = {
    "nothing": EVERYTHING,
    "a route": asked(route_contains="SEA-ANC"),
    "an airline": asked(airline_contains="line 3"),
    "a season": asked(season_contains="season 2"),
    "an airport": asked(origin_airport="JFK"),
    "a text": asked(notable_contains="note 299"),
    "a frequent text": asked(notable_contains="note"),
    "a route and an airline": asked(route_contains="SEA-ANC", airline_contains="line 3"),
}


@pytest.mark.parametrize("case", CASES)
def test_an_answer_takes_two_statements_once_its_filters_are_known(case: str, many: None) -> None:
    answer(CASES[case], limit=25)
    with CaptureQueriesContext(connection) as captured:
        answer(CASES[case], limit=26)
    assert len(captured) == 2


def test_a_page_asked_for_again_is_remembered_until_the_data_changes(many: None) -> None:
    before = answer(CASES["a route"], limit=25)
    with CaptureQueriesContext(connection) as captured:
        assert answer(CASES["a route"], limit=25) == before
    assert len(captured) == 1  # which version of the data this is
    hidden = FareRow.objects.filter(route=before[0]["route"], hidden=False)
    curation.hide(hidden)
    assert before[0]["route"] not in {row["route"] for row in answer(CASES["a route"], limit=25)}


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("plan", Plan)
@pytest.mark.parametrize("case", CASES)
def test_every_plan_gives_the_same_rows(case: str, plan: Plan, ahead: bool, many: None) -> None:
    if ahead:
        count_by_day(snapshot())
    every = answer(CASES[case], limit=3_000)
    for offset in (0, 7, 20, 400):
        assert answer(CASES[case], limit=9, offset=offset, plan=plan) == every[offset : offset + 9]


@pytest.mark.parametrize("case", [case for case in CASES if case not in ("a text", "a route and an airline")])
def test_rows_of_which_many_match_are_read_in_order_and_not_sorted(case: str, many: None) -> None:
    steps = plan_of(CASES[case], limit=5)
    assert "airfare_farerow_by_order" in steps, steps
    # A page's rows are sorted once more, having been fetched by their ids.
    assert steps.upper().count("SORT KEY") + steps.count("FOR ORDER BY") == 1, steps


@pytest.mark.parametrize(
    ("case", "index"),
    [("a route and an airline", "airfare_farerow_by_combination"), ("a text", "airfare_farerow_by_prose")],
)
def test_rows_of_which_few_match_are_found_by_an_index(case: str, index: str, many: None) -> None:
    assert index in plan_of(CASES[case], limit=200)


def test_rows_are_counted_as_they_are_stored_if_no_index_has_the_number_asked_for(many: None) -> None:
    filters = Filters(ranges=(Range("avg_fare_usd", 1, None),))
    # To find each by an index takes up to eight times as long.
    assert "airfare_farerow_by" not in plan_of(filters, limit=5, statement=-2)


def plan_of(filters: Filters, limit: int, statement: int = -1) -> str:
    """How the database reads the rows of an answer, or another statement of it."""
    with CaptureQueriesContext(connection) as captured:
        assert answer(filters, limit=limit)
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # So few rows are soonest read from first to last.
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        sql = captured.captured_queries[statement]["sql"]
        if parameters := set(re.findall(r"\$\d+", sql)):  # It is planned once, for any parameters.
            name = f"asked_{uuid4().hex}"
            cursor.execute(f"PREPARE {name} AS {sql}")
            sql = f"EXECUTE {name} ({', '.join(['NULL'] * len(parameters))})"
        cursor.execute(f"{explain} {sql}")
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def test_only_files_that_the_caller_may_read_are_in_an_answer(load_folder: Load, caller: Caller) -> None:
    load_folder(
        {
            "a.csv": table(fare(fare=1, note="x")),
            "b.csv": table(fare(fare=2, note="x"), fare(route="SEA-ANC")),
        }
    )
    SourceFile.objects.get(name="b.csv").groups.add(Group.objects.create(name="team"))
    for filters in (EVERYTHING, asked(origin_airport="JFK"), asked(notable_contains="x")):
        found = page(filters, caller)
        assert ([row["avg_fare_usd"] for row in found.rows], found.matched, found.total) == ([1], 1, 1)
        assert found.files == ["a.csv"]
    assert page(asked(route_contains="SEA"), caller).matched == 0
    stranger = replace(caller, permissions=frozenset())
    assert page(EVERYTHING, stranger).total == 0


def test_filters_that_mean_many_routes_are_answered_too(load_folder: Load) -> None:
    letters = "ABCDEFGHIJ"
    routes = [f"A{a}{b}-XYZ" for a in letters for b in letters]
    load_folder({"a.csv": table(*(fare(route=route) for route in routes), fare(route="ZZZ-XYZ"))})
    found = page(asked(route_contains="-xyz", origin_airport="", airline_contains="delta"), limit=3)
    assert (found.matched, found.rows[0]["route"]) == (101, "ZZZ-XYZ")
    found = page(asked(route_contains="a"), limit=3, offset=99)
    assert (found.matched, [row["route"] for row in found.rows]) == (100, ["AAA-XYZ"])


def test_what_the_first_answer_after_a_load_needs_is_computed_ahead(
    load_folder: Load, caller: Caller
) -> None:
    load_folder({"a.csv": table(fare()), "b.csv": table(fare(fare=1))})
    team = Group.objects.create(name="team")
    SourceFile.objects.get(name="b.csv").groups.add(team)
    member = replace(caller, groups=frozenset({team.pk}))
    for who in (caller, member):
        page(EVERYTHING, who, limit=5)
    load_folder({"a.csv": table(fare(), fare(fare=2))})
    snapshots.warm(DATA_SET)
    for who, rows in ((caller, 2), (member, 3)):
        with CaptureQueriesContext(connection) as captured:
            assert page(EVERYTHING, who, limit=5).matched == rows
        assert len(captured) == 2  # the version of the data, and the rows
    with CaptureQueriesContext(connection) as captured:
        snapshots.warm(DATA_SET)
    assert len(captured) == 1


def test_one_thread_reads_a_new_version_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def read(_: Any, state: Any) -> Any:
        time.sleep(0.05)
        made.append(SimpleNamespace(state=state, size=100))
        return made[-1]

    asked_for = State(DATA_SET.label, Version(1, 1), frozenset({0}))
    monkeypatch.setattr(snapshots, "Snapshot", read)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: snapshots._built(DATA_SET, asked_for, None), range(4)))
    assert found == made * 4


def test_pages_that_are_found_by_day_go_on_where_the_one_before_ended(
    load_folder: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = ["2025-01-03", "2025-01-02", "2025-01-01", ""]
    lines = [fare(days[n % 4], airline=f"Line {n % 3}", fare=n, note=f"note {n % 5}") for n in range(60)]
    load_folder({"a.csv": table(*lines)})
    filters = [
        EVERYTHING,
        asked(airline_contains="line 1"),
        asked(notable_contains="note", airline_contains="line"),
        asked(days=(datetime.date(2025, 1, 1), datetime.date(2025, 1, 3))),
    ]
    monkeypatch.setattr(queries, "MOST_TEXTS", 3)
    for each in filters:
        every = answer(each)
        for offset in range(len(every)):
            assert answer(each, limit=7, offset=offset, plan=Plan.BY_DAY) == every[offset : offset + 7]
        assert answer(each, limit=7, offset=len(every), plan=Plan.BY_DAY) == []


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite prepares every statement")
def test_pages_whose_rows_are_counted_ahead_are_read_by_a_plan_that_is_made_once(many: None) -> None:
    count_by_day(snapshot())
    for line in range(1, 7):
        assert len(answer(asked(airline_contains=f"line {line}"), limit=25, offset=line)) == 25
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements "
            "WHERE statement LIKE '%airfare_farerow_id%' OR statement LIKE '%airfare_farerow%LIMIT%'"
        )
        generic, custom = cursor.fetchone()
    assert (generic >= 4, custom) == (True, 0)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite prepares every statement anew")
@pytest.mark.django_db(transaction=True)
def test_pages_go_on_after_the_type_of_a_column_has_changed(folder: Path) -> None:
    write_files(folder, {"a.csv": table(*(fare(f"2025-0{number}-01") for number in range(1, 10)))})
    list(load(find([folder])))
    count_by_day(snapshot())
    for offset in range(3):
        answer(EVERYTHING, limit=2, offset=offset)
    alter = "ALTER TABLE airfare_farerow ALTER COLUMN region TYPE"
    another = connection.copy()  # On the same one the driver would know.
    with closing(another), another.cursor() as cursor:
        cursor.execute(f"{alter} varchar(4000)")
        try:
            assert [len(answer(EVERYTHING, limit=2, offset=offset)) for offset in range(3, 6)] == [2, 2, 2]
        finally:
            cursor.execute(f"{alter} text")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no such setting")
def test_postgresql_is_told_that_rows_an_index_leads_to_are_near() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW random_page_cost")
        assert cursor.fetchone() == ("1.1",)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no such limit")
def test_filters_that_mean_many_values_and_texts_take_few_parameters(
    load_folder: Load, caller: Caller
) -> None:
    lines = [fare(airline=f"Line {n}", note=f"notice {n}") for n in range(1_200)]
    load_folder({"a.csv": table(*lines, fare())})
    question = AskedFilters(airline_contains="line", notable_contains="notice")
    connection.connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 300)
    try:
        for tool in (airfare_trend_insights, airfare_fare_summary, show_fare_trends):
            answered: Any = tool(caller, filters=question)
            answered = getattr(answered, "value", answered)
            assert answered["matched_rows"] == 1_200
    finally:
        connection.connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 250_000)


def test_the_combinations_are_those_that_are_published(load_folder: Load) -> None:
    load_folder({"a.csv": table(fare(), fare(airline="United"))})
    curation.hide(FareRow.objects.filter(airline="United"))
    assert snapshot().values("airline") == ["Delta"]
