"""What a worker remembers after a change is what it would read anew."""

import random
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from airfare.models import FareRow
from mcpsite.access.caller import Caller
from mcpsite.core.memory import memory
from mcpsite.datasets import cleaning, curation, queries, snapshots, versions, warming
from mcpsite.datasets.models import CountsChange, SourceFile
from mcpsite.datasets.snapshots import NEVER, Snapshot
from tests.airfare.conftest import Load, fare, table
from tests.airfare.fares import DATA_SET, EVERYTHING, asked, count_by_day, page, snapshot, summary, version

pytestmark = pytest.mark.django_db

ROUTES = ("JFK-LAX", "SFO-SEA", "BOS-MIA", "ORD-DEN")
AIRLINES = ("Delta", "United")
NOTES = ("", "fuel costs rose", "a holiday", "new competitor")


def files_of(chance: random.Random) -> dict[str, str | bytes]:
    """A few files of a few rows."""
    return {
        name: table(
            *(
                fare(
                    day=f"2025-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
                    route=chance.choice(ROUTES),
                    airline=chance.choice(AIRLINES),
                    note=chance.choice(NOTES),
                    fare=100 + number,
                )
                for number in range(chance.randint(1, 12))
            )
        )
        for name in ("a.csv", "b.csv", "c.csv")
    }


def change(chance: random.Random, load_folder: Load, board: Group) -> None:
    """Do what a curator or a load may do."""
    keys = list(FareRow.objects.values_list("key", flat=True))
    some = FareRow.objects.filter(key__in=chance.sample(keys, min(len(keys), chance.randint(1, 4))))
    row = some.order_by("key").first()
    values: dict[str, Any] = chance.choice(
        (
            {"avg_fare_usd": chance.randint(1, 900)},
            {"route": chance.choice((*ROUTES, "AAA-BBB", f"AAA-{chance.choice('XYZ') * 3}"))},
            {"airline": chance.choice((*AIRLINES, "Alaska"))},
            {"snapshot_date": f"202{chance.randint(3, 7)}-01-01"},
            {"notable_event": chance.choice((*NOTES, "something new"))},
        )
    )
    what = chance.randrange(8)
    if what < 3 and row is not None:
        curation.edit(row, values, None)
    elif what == 3:
        curation.hide(some)
    elif what == 4:
        curation.publish(FareRow.objects.filter(hidden=True))
    elif what == 5:
        curation.restore(some)
    elif what == 6:
        groups = SourceFile.objects.order_by("?")[0].groups
        chance.choice((groups.add, groups.remove))(board)
    elif not chance.randrange(3):
        load_folder(dict([chance.choice(list(files_of(chance).items()))]))
        curation.delete_vanished(some)


def counted(read: Snapshot) -> dict[int, tuple[int, int, int]]:
    ids = read.combinations.ids
    counts = zip(read.rows, read.first, read.last, strict=True)
    return {number: each for number, each in zip(ids, counts, strict=True) if each[0]}


def counted_by_day(read: Snapshot) -> dict[int, list[tuple[int, int]]]:
    """The rows of each combination by day."""
    by_day = read.by_day
    assert by_day
    every = enumerate(read.combinations.ids)
    return {number: found for place, number in every if (found := by_day.between([place], 0, NEVER))}


@pytest.mark.parametrize("seed", range(3))
def test_a_snapshot_that_follows_changes_equals_one_that_is_read_anew(
    seed: int, load_folder: Load, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "AT_ONCE", 12)  # Changes come while rows are counted by day.
    compared = 0
    chance = random.Random(seed)
    board = Group.objects.create(name="board")
    load_folder(files_of(chance))
    people = (None, caller, replace(caller, groups=frozenset({board.pk})))
    needles = [EVERYTHING, *(asked(notable_contains=note) for note in NOTES[1:])]
    for _ in range(40):
        for _ in range(chance.choice((1, 1, 1, 3))):
            change(chance, load_folder, board)
        who = chance.choice(people)
        followed, anew = snapshot(who), Snapshot(DATA_SET, snapshots.state(DATA_SET, who))
        assert counted(followed) == counted(anew)
        for _ in range(chance.randrange(6)):
            snapshots.warm(DATA_SET)
        if snapshot(who).by_day:
            count_by_day(anew)
            assert counted_by_day(snapshot(who)) == counted_by_day(anew)
            compared += 1
        assert (followed.total, followed.days, followed.file_names, followed.loads) == (
            anew.total,
            anew.days,
            anew.file_names,
            anew.loads,
        )
        for filters in (*needles, *(asked(route_contains=route) for route in ROUTES)):
            matching = page(filters, who)
            assert len(matching.rows) == matching.matched == queries.queryset(filters, anew).count()
    assert compared > 2


def test_after_an_edit_the_counts_of_its_rows_alone_are_read(
    load_folder: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_folder({"a.csv": table(*(fare(route=route) for route in ROUTES))})
    before = snapshot()
    row = FareRow.objects.get(route="JFK-LAX")
    curation.edit(row, {"airline": "Delta", "snapshot_date": "2024-01-01"}, None)
    monkeypatch.setattr(Snapshot, "__init__", None)
    after = snapshot()
    assert (after.days[0] < before.days[0], after.total) == (True, 4)
    curation.hide(FareRow.objects.filter(route__in=ROUTES[:2]))
    assert snapshot().total == 2


def test_a_changed_fare_leaves_what_filters_mean(load_folder: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    load_folder({"a.csv": table(fare(note="fuel"), fare(route="SFO-SEA"))})
    filters = asked(notable_contains="fuel")
    page(filters)
    curation.edit(FareRow.objects.get(route="JFK-LAX"), {"avg_fare_usd": 7}, None)
    monkeypatch.setattr(queries, "_find_meaning", None)
    assert [row["avg_fare_usd"] for row in page(filters).rows] == [7]


def test_few_changes_are_told_and_who_missed_more_reads_all_anew(
    load_folder: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "CHANGES", 3)
    load_folder({"a.csv": table(*(fare(route=route) for route in ROUTES))})
    first = version().counts
    for route in ROUTES:
        curation.hide(FareRow.objects.filter(route=route))
    assert CountsChange.objects.count() == 3
    last = version().counts
    assert versions.changed_between(DATA_SET, first, last) is None
    second = CountsChange.objects.earliest("pk").before
    assert len(versions.changed_between(DATA_SET, second, last) or ()) == 3
    assert versions.changed_between(DATA_SET, last, last) == set()


def test_a_load_is_no_small_change(load_folder: Load, folder: Path) -> None:
    load_folder({"a.csv": table(fare())})
    before = version().counts
    (folder / "a.csv").write_text(table(fare(), fare(fare=1)))
    load_folder()
    assert versions.changed_between(DATA_SET, before, version().counts) is None


# Counting ahead


def weeks(route: str) -> list[str]:
    return [fare(day=f"2025-{month:02}-01", route=route, fare=100 * month) for month in range(1, 7)]


def forget_snapshots() -> None:
    """As if what others asked had taken their place."""
    memory.forget(lambda key: key[0] == "snapshot")
    snapshots._last.clear()


@pytest.mark.parametrize("ahead", [False, True])
def test_what_filters_mean_does_not_move_with_the_places_of_combinations(
    load_folder: Load, cleaned_at_once: None, settings: Any, ahead: bool
) -> None:
    settings.LOAD_UNDO_HOURS = 24
    load_folder({"a.csv": table(*(fare(route=f"{old}-OLD") for old in ("AAA", "BBB", "CCC")))})
    load_folder({"b.csv": table(*(row for route in (*ROUTES, "XXX-YYY") for row in weeks(route)))})
    load_folder({"a.csv": table(fare(route="NEW-NEW"))})
    if ahead:
        count_by_day(snapshot())
    filters = asked(route_contains="sfo")
    page(filters, limit=2)
    counts, combinations = version().counts, len(snapshot().combinations.ids)
    settings.LOAD_UNDO_HOURS = 0
    cleaning.clean()
    forget_snapshots()
    assert (version().counts, len(snapshot().combinations.ids)) == (counts, combinations - 3)
    if ahead:
        count_by_day(snapshot())
    assert [row["route"] for row in page(filters, limit=4, offset=2).rows] == ["SFO-SEA"] * 4
    [group] = summary(filters, metrics=["avg_fare_usd_mean"], group_by=["route"], limit=9)["groups"]
    assert (group["route"], group["rows"]) == ("SFO-SEA", 6)


def test_counting_ahead_ends_if_there_is_no_room_for_everybodys_counts(
    load_folder: Load, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "AT_ONCE", 6)
    load_folder(
        {name: table(*(row for route in ROUTES for row in weeks(route))) for name in ("a.csv", "b.csv")}
    )
    group = Group.objects.create(name="board")
    SourceFile.objects.get(name="b.csv").groups.add(group)
    for who in (caller, replace(caller, groups=frozenset({group.pk}))):
        page(EVERYTHING, who, limit=1)
    monkeypatch.setattr(memory, "_most", 1_000)
    forget_snapshots()
    for _ in range(40):
        snapshots.warm(DATA_SET)
    with CaptureQueriesContext(connection) as captured:
        snapshots.warm(DATA_SET)
    assert len(captured) == 1


def test_what_is_due_is_deleted_although_counting_ahead_fails(
    load_folder: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_folder({"a.csv": table(fare())})
    went_on: list[bool] = []
    monkeypatch.setattr(cleaning, "go_on", lambda: went_on.append(True))
    monkeypatch.setattr(snapshots, "_days", None)
    for _ in range(20):
        with suppress(TypeError):
            warming.warm()
    warming.warm()  # It is tried once for each set of readable files in a version.
    assert len(went_on) == 21


def test_nobody_who_asks_after_an_edit_waits_for_a_count_by_day(
    load_folder: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_folder({"a.csv": table(*weeks("JFK-LAX"), *weeks("SFO-SEA"))})
    count_by_day(snapshot())
    curation.hide(FareRow.objects.filter(route="JFK-LAX", snapshot_date="2025-01-01"))
    with monkeypatch.context() as patched:
        patched.setattr(snapshots, "_counts_by_day", None)
        assert page(asked(route_contains="jfk")).matched == 5
    count_by_day(snapshot())
    assert snapshot().by_day
    assert page(asked(route_contains="jfk"), limit=3).matched == 5


def test_a_combination_with_very_many_rows_is_not_counted_again_at_each_edit(
    load_folder: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "MOST_OF_ONE", 5)
    load_folder({"a.csv": table(*weeks("JFK-LAX"))})
    count_by_day(snapshot())
    assert snapshot().by_day is None
    assert page(EVERYTHING).matched == 6
