"""The life of a load, beside what curators do before it, while it lasts and after it."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from airfare.models import FareRow
from mcpsite.access.caller import Caller
from mcpsite.datasets import (
    checking,
    cleaning,
    curation,
    loading,
    loads,
    outcomes,
    rebuilding,
    statistics,
    writing,
)
from mcpsite.datasets.edits import Overlay
from mcpsite.datasets.files import find
from mcpsite.datasets.loads import Lost
from mcpsite.datasets.models import Combination, CombinationCount, Edit, Load, ProseText, SourceFile
from mcpsite.history.models import Change
from tests.airfare.conftest import Load as LoadFolder
from tests.airfare.conftest import fare, table
from tests.airfare.fares import DATA_SET, load, page

pytestmark = pytest.mark.django_db
keeps_room = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite uses the room at once")

OLD = table(
    fare(airline="Delta", fare=1, note="Lounge"),
    fare(airline="United", fare=2),
    fare(airline="Alaska", fare=3),
    fare(airline="Breeze", fare=4),
)
NEW = table(
    fare(airline="Added", fare=50),
    fare(airline="Alaska", fare=30),
    fare(airline="United", fare=20),
    fare(airline="Delta", fare=10),
)


@pytest.fixture(autouse=True)
def all_fits_together() -> Iterator[None]:
    """After every test, whatever it did."""
    yield
    assert list(checking.problems()) == []


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice")


def row(airline: str) -> FareRow:
    found: FareRow = FareRow.objects.get(airline=airline)
    return found


def answered(who: Caller | None = None) -> dict[str, Any]:
    """The fares that are published, by airline."""
    rows = page(who=who).rows
    return {str(each["airline"]): each["avg_fare_usd"] for each in rows}


# What curators do, and when


def edit(airline: str, fare: float) -> None:
    curation.edit(row(airline), {"avg_fare_usd": fare}, None)


def hide(airline: str) -> None:
    curation.hide(FareRow.objects.filter(airline=airline))


def restore(airline: str) -> None:
    curation.restore(FareRow.objects.filter(airline=airline))


def publish(airline: str) -> None:
    curation.publish(FareRow.objects.filter(airline=airline))


def edit_and_hide(airline: str) -> None:
    edit(airline, 33)
    hide(airline)


# With Delta edited to 7 and United hidden long before: Delta, United, Alaska, Breeze and the added row.
PLAIN = {"Delta": 7, "Alaska": 30, "Added": 50}
ACTS: dict[str, tuple[Callable[[], None], dict[str, Any]]] = {
    "an edit": (lambda: edit("Alaska", 33), PLAIN | {"Alaska": 33}),
    "an edit of an edited row": (lambda: edit("Delta", 8), PLAIN | {"Delta": 8}),
    "an edit to what the new file says": (lambda: edit("Alaska", 30), PLAIN),
    "hiding": (lambda: hide("Alaska"), {"Delta": 7, "Added": 50}),
    "hiding and editing": (lambda: edit_and_hide("Alaska"), {"Delta": 7, "Added": 50}),
    "a restore": (lambda: restore("Delta"), PLAIN | {"Delta": 10}),
    "publishing": (lambda: publish("United"), PLAIN | {"United": 20}),
    "an edit of a row that vanishes": (lambda: edit("Breeze", 44), PLAIN | {"Breeze": 44}),
    "hiding a row that vanishes": (lambda: hide("Breeze"), PLAIN),
}
MOMENTS = ("before", "while the file is read", "before the switch", "after")


def do_at(moment: str, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Have `act` done once at a moment of the next load; returns options for it."""
    done: list[None] = []

    def once(*_: Any) -> None:
        if not done:
            done.append(None)
            act()

    if moment == "while the file is read":
        return {"progress": once}
    if moment == "before the switch":
        catch_up = Overlay.catch_up

        def then(self: Overlay) -> None:
            catch_up(self)
            once()

        monkeypatch.setattr(Overlay, "catch_up", then)
    return {}


@pytest.mark.parametrize(
    ("name", "moment"),
    # After the load a row that vanishes is not there any more.
    [(name, moment) for name in ACTS for moment in MOMENTS if moment != "after" or "vanishes" not in name],
)
def test_what_a_curator_does_stays_whenever_it_is_done(
    load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch, name: str, moment: str
) -> None:
    act, expected = ACTS[name]
    load_folder({"a.csv": OLD})
    edit("Delta", 7)
    hide("United")
    if moment == "before":
        act()
    options = do_at(moment, act, monkeypatch)
    assert load_folder({"a.csv": NEW}, **options)["a.csv"].result == "replaced"
    if moment == "after":
        act()
    assert answered() == expected
    # It outlives further loads, and meets a row that comes back.
    load_folder(force=True)
    assert answered() == expected
    load_folder({"a.csv": OLD})
    again = {airline: value for airline, value in answered().items() if airline in expected}
    edited = {airline: value for airline, value in expected.items() if value in (7, 8, 33, 44)}
    assert {airline: again[airline] for airline in edited} == edited
    assert "Added" not in again


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_change_of_who_may_read_takes_effect_whenever_it_is_made(
    load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch, caller: Caller, moment: str
) -> None:
    load_folder({"a.csv": OLD})
    assert len(answered(caller)) == 4

    def limit() -> None:
        SourceFile.objects.get().groups.add(Group.objects.create(name="board"))
        assert answered(caller) == {}

    if moment == "before":
        limit()
    load_folder({"a.csv": NEW}, **do_at(moment, limit, monkeypatch))
    if moment == "after":
        limit()
    assert answered(caller) == {}
    assert len(answered()) == 4


def test_who_may_read_a_file_can_be_limited_while_it_is_loaded_for_the_first_time(
    load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch, caller: Caller
) -> None:
    def limit() -> None:
        SourceFile.objects.get().groups.add(Group.objects.create(name="board"))

    load_folder({"a.csv": OLD}, **do_at("before the switch", limit, monkeypatch))
    assert answered(caller) == {}
    assert len(answered()) == 4


def test_nobody_sees_rows_before_the_switch(load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    load_folder({"a.csv": OLD})
    before = answered()
    seen: list[Any] = []
    options = do_at("before the switch", lambda: seen.append(answered()), monkeypatch)
    load_folder({"a.csv": NEW}, **options)
    assert seen == [before]
    assert FareRow.all_loads.count() == 8
    assert sorted(answered()) == ["Added", "Alaska", "Delta", "United"]


def test_a_row_that_is_deleted_while_its_file_is_loaded_stays_deleted(
    load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_folder({"a.csv": OLD})
    edit("Breeze", 44)
    load_folder({"a.csv": NEW})

    def delete() -> None:
        assert curation.delete_vanished(FareRow.objects.all()) == 1

    load_folder({"a.csv": NEW}, force=True, **do_at("before the switch", delete, monkeypatch))
    assert "Breeze" not in answered()
    load_folder({"a.csv": OLD})
    assert answered()["Breeze"] == 4


def test_a_vanished_row_that_was_given_back_stays_until_it_is_deleted(load_folder: LoadFolder) -> None:
    load_folder({"a.csv": OLD})
    edit("Breeze", 44)
    load_folder({"a.csv": NEW})
    restore("Breeze")
    load_folder(force=True)
    assert answered()["Breeze"] == 4
    assert row("Breeze").vanished


def test_a_load_writes_in_short_transactions_whatever_its_size(
    load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "ROWS", 10)
    heartbeats: list[int] = []
    alive = loads.alive

    def counted(load: Load) -> None:
        alive(load)
        heartbeats.append(FareRow.all_loads.count())

    monkeypatch.setattr(loads, "alive", counted)
    load_folder({"a.csv": table(*(fare(fare=n) for n in range(35)))})
    assert heartbeats == [0, 10, 20, 30, 35]


def test_switching_costs_the_same_for_any_number_of_rows_and_of_old_edits(
    load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[int] = []
    switch = loads.switch

    def counted(*arguments: Any, **options: Any) -> Any:
        with CaptureQueriesContext(connection) as captured:
            file = switch(*arguments, **options)
        statements.append(len(captured))
        return file

    monkeypatch.setattr(loads, "switch", counted)
    for number in (3, 600):
        rows = [fare(airline=f"Line {n}", fare=n) for n in range(number)]
        load_folder({"a.csv": table(*rows)})
        curation.hide(FareRow.objects.filter(avg_fare_usd__lt=number - 1))
        load_folder({"a.csv": table(fare(airline="Added"), *rows)})
    assert statements[1] == statements[3]


# Two loads at once


def test_a_second_load_of_a_file_waits_and_finds_it_done(
    load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch, folder: Any
) -> None:
    load_folder({"a.csv": OLD})
    claim = loads.claim
    others: list[Any] = []

    def after_another(*file: Any, **options: Any) -> Load | None:
        if not others:
            others.append(None)
            others.extend(load(find([folder]), loaded_by="bob"))
        return claim(*file, **options)

    monkeypatch.setattr(loads, "claim", after_another)
    outcome = load_folder({"a.csv": NEW})["a.csv"]
    assert (outcome.result, others[1].result) == ("unchanged", "replaced")
    assert SourceFile.objects.get().loaded_by == "bob"


def test_a_load_that_is_silent_for_a_minute_is_given_up_by_the_next(load_folder: LoadFolder) -> None:
    load_folder({"a.csv": OLD})
    silent = claimed("a.csv")
    Load.objects.filter(pk=silent.pk).update(seen_at="2026-01-01T00:00Z")
    load_folder({"a.csv": NEW})
    with pytest.raises(Lost):
        loads.alive(silent)


def test_a_load_is_waited_for_as_long_as_it_is_written(
    load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_folder({"a.csv": OLD})
    other = claimed("a.csv")
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            Load.objects.filter(pk=other.pk).update(state=Load.State.ABANDONED)

    monkeypatch.setattr("mcpsite.datasets.loads.time.sleep", sleep)
    assert load_folder({"a.csv": NEW})["a.csv"].result == "replaced"
    assert len(waited) == 3


def claimed(name: str) -> Load:
    load = loads.claim(DATA_SET, name, folder="", format_="csv", digest="", loaded_by="")
    assert load
    return load


def test_a_load_whose_file_was_deleted_meanwhile_is_refused(
    load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_folder({"a.csv": OLD})

    def remove() -> None:
        loading.remove(SourceFile.objects.get())

    outcome = load_folder({"a.csv": NEW}, **do_at("before the switch", remove, monkeypatch))["a.csv"]
    assert outcome.result == "rejected"
    assert outcome.reason == "was deleted or loaded by another process while it was being loaded"
    assert answered() == {}


def test_a_first_load_that_fails_leaves_no_file(load_folder: LoadFolder) -> None:
    load_folder({"a.csv": table(fare(), "1,2")})
    assert not SourceFile.objects.exists()
    cleaning.clean()
    assert not (Load.objects.exists())
    assert not (FareRow.all_loads.exists())
    assert not (Combination.objects.exists())


def test_a_load_that_was_given_up_and_cleaned_up_writes_nothing_any_more(
    load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_folder({"a.csv": OLD})
    edit("Breeze", 44)
    bring = Overlay.bring

    def remove(self: Overlay) -> None:
        monkeypatch.setattr(Overlay, "bring", bring)
        loading.remove(SourceFile.objects.get())
        cleaning.clean()
        bring(self)

    monkeypatch.setattr(Overlay, "bring", remove)
    assert load_folder({"a.csv": NEW})["a.csv"].result == "rejected"
    assert answered() == {"Breeze": 44}


def test_a_file_that_is_removed_while_it_is_pruned_is_told_of(
    load_folder: LoadFolder, folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_folder({"a.csv": OLD, "b.csv": NEW})
    (folder / "a.csv").unlink()
    bring = Overlay.bring

    def remove(self: Overlay) -> None:
        monkeypatch.setattr(Overlay, "bring", bring)
        loading.remove(SourceFile.objects.get(name="a.csv"))
        bring(self)

    monkeypatch.setattr(Overlay, "bring", remove)
    outcome = load_folder(prune=True)["a.csv"]
    assert (outcome.result, outcome.reason) == ("rejected", loading.LOST)
    assert SourceFile.objects.get(name="a.csv").state == SourceFile.State.REMOVED


# Undo


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", [name for name in ACTS if "vanishes" not in name])
def test_what_a_curator_does_stays_over_an_undo(load_folder: LoadFolder, name: str, moment: str) -> None:
    act, expected = ACTS[name]
    load_folder({"a.csv": NEW})
    edit("Delta", 7)
    hide("United")
    load_folder({"a.csv": OLD})
    if moment == "before":
        act()
    loading.undo(SourceFile.objects.get())
    if moment == "after":
        act()
    assert answered() == expected


def test_an_undo_brings_the_rows_before_back_and_another_one_those_after(
    load_folder: LoadFolder, alice: User
) -> None:
    load_folder({"a.csv": OLD})
    load_folder({"a.csv": NEW})
    source = SourceFile.objects.get()
    loading.undo(source, by=alice)
    assert answered() == {"Delta": 1, "United": 2, "Alaska": 3, "Breeze": 4}
    change = Change.objects.latest("pk")
    assert (change.author, change.reason) == ("alice with undo_load", "Undo of the last load")
    source.refresh_from_db()
    loading.undo(source)
    assert answered() == {"Delta": 10, "United": 20, "Alaska": 30, "Added": 50}


def test_an_edit_that_the_undone_file_caught_up_with_is_one_again(load_folder: LoadFolder) -> None:
    load_folder({"a.csv": OLD})
    edit("Alaska", 30)
    load_folder({"a.csv": NEW})
    assert not Edit.objects.edited().exists()
    loading.undo(SourceFile.objects.get())
    assert (answered()["Alaska"], row("Alaska").file_values) == (30, {"avg_fare_usd": 3.0})
    restore("Alaska")
    assert answered()["Alaska"] == 3


def test_an_edit_that_the_file_caught_up_with_outlives_an_undo_of_the_undo(load_folder: LoadFolder) -> None:
    load_folder({"a.csv": OLD})
    edit("Alaska", 30)
    load_folder({"a.csv": NEW})
    for expected in ({"avg_fare_usd": 3.0}, None, {"avg_fare_usd": 3.0}):
        loading.undo(SourceFile.objects.get())
        assert (answered()["Alaska"], row("Alaska").file_values) == (30, expected)
        assert list(checking.problems()) == []


@pytest.mark.parametrize("act", [hide, lambda airline: edit(airline, 56)], ids=["hidden", "edited"])
def test_a_row_is_curated_again_that_was_deleted_and_came_back(
    load_folder: LoadFolder, act: Callable[[str], None]
) -> None:
    load_folder({"a.csv": OLD})
    load_folder({"a.csv": NEW})
    edit("Added", 55)
    loading.undo(SourceFile.objects.get())
    curation.delete_vanished(FareRow.objects.filter(airline="Added"))
    loading.undo(SourceFile.objects.get())
    act("Added")
    expected = answered().get("Added")
    loading.undo(SourceFile.objects.get())
    assert answered().get("Added") == expected
    assert row("Added").vanished


def test_an_edit_of_a_row_that_only_the_undone_file_held_is_kept_as_vanished(load_folder: LoadFolder) -> None:
    load_folder({"a.csv": OLD})
    load_folder({"a.csv": NEW})
    edit("Added", 55)
    loading.undo(SourceFile.objects.get())
    assert answered()["Added"] == 55
    assert row("Added").vanished


def test_an_undone_file_is_left_out_until_it_has_changed(load_folder: LoadFolder) -> None:
    load_folder({"a.csv": OLD})
    load_folder({"a.csv": NEW})
    loading.undo(SourceFile.objects.get())
    outcome = load_folder()["a.csv"]
    assert (outcome.result, outcome.reason) == ("left out", outcomes.UNDONE)
    assert answered()["Delta"] == 1
    assert load_folder(force=True)["a.csv"].result == "replaced"
    assert answered()["Delta"] == 10


def test_there_is_nothing_to_undo_after_the_first_load_and_when_it_is_cleaned_up(
    load_folder: LoadFolder, settings: Any
) -> None:
    load_folder({"a.csv": OLD})
    source = SourceFile.objects.get()
    with pytest.raises(Lost, match="no load that can be undone"):
        loading.undo(source)
    load_folder({"a.csv": NEW})
    settings.LOAD_UNDO_HOURS = settings.MCP_DEADLINE_SECONDS = 0
    cleaning.clean()
    with pytest.raises(Lost, match="no load that can be undone"):
        loading.undo(source)


def test_a_load_of_which_rows_were_deleted_is_not_made_current_again(
    load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "PIECE", 2)
    load_folder({"a.csv": OLD})
    load_folder({"a.csv": NEW})
    Load.objects.filter(state=Load.State.REPLACED).update(seen_at="2026-01-01T00:00Z")
    next(cleaning.pieces())
    with pytest.raises(Lost, match="no load that can be undone"):
        loading.undo(SourceFile.objects.get())
    assert len(answered()) == 4


def test_a_file_that_is_being_loaded_is_not_undone(load_folder: LoadFolder) -> None:
    load_folder({"a.csv": OLD})
    load_folder({"a.csv": NEW})
    claimed("a.csv")
    with pytest.raises(Lost, match="is being loaded; undo"):
        loading.undo(SourceFile.objects.get())


# Cleaning


def test_what_was_replaced_is_kept_for_a_day_or_until_the_next_load(
    load_folder: LoadFolder, settings: Any
) -> None:
    load_folder({"a.csv": OLD})
    load_folder({"a.csv": NEW})
    settings.MCP_DEADLINE_SECONDS = 0
    cleaning.clean()
    assert FareRow.all_loads.count() == 8
    load_folder({"a.csv": OLD})
    assert FareRow.all_loads.count() == 8
    Load.objects.filter(state=Load.State.REPLACED).update(seen_at="2026-01-01T00:00Z")
    cleaning.clean()
    assert FareRow.all_loads.count() == FareRow.objects.count() == 4


def test_rows_that_a_call_may_still_read_are_not_deleted(load_folder: LoadFolder, settings: Any) -> None:
    settings.LOAD_UNDO_HOURS = 0
    load_folder({"a.csv": OLD})
    load_folder({"a.csv": NEW})
    assert FareRow.all_loads.count() == 8
    Load.objects.filter(state=Load.State.REPLACED).update(seen_at="2026-01-01T00:00Z")
    cleaning.clean()
    assert FareRow.all_loads.count() == 4


@pytest.mark.usefixtures("cleaned_at_once")
def test_cleaning_deletes_rows_counts_texts_combinations_and_edits_in_pieces(
    load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "PIECE", 2)
    load_folder({"a.csv": OLD})
    edit("Alaska", 30)
    monkeypatch.setattr(cleaning, "clean", lambda: None)
    load_folder({"a.csv": NEW})
    assert len(list(cleaning.pieces())) > 5
    assert (FareRow.all_loads.count(), CombinationCount.objects.count()) == (4, 4)
    assert sorted(Combination.objects.values_list("values__airline", flat=True)) == sorted(answered())
    assert not (ProseText.objects.exists())
    assert not (Edit.objects.exists())
    assert Load.objects.count() == 1


@keeps_room
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("cleaned_at_once")
def test_a_load_writes_where_rows_were_deleted_just_before(
    load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "ROWS", 1)
    # More than once, because the server may be looking at the table itself, and then keeps the room.
    assert any(_reuses_room(load_folder) for _ in range(3))


def _reuses_room(load_folder: LoadFolder) -> bool:
    call_command("flush", interactive=False, verbosity=0)
    for content in (OLD, NEW):
        load_folder({"a.csv": content})
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT 1")
    load_folder({"a.csv": OLD})
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT ctid::text FROM {DATA_SET.sql}")
        return ("(0,1)",) in cursor.fetchall()


@keeps_room
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("cleaned_at_once")
def test_indexes_are_no_larger_after_reloads_than_after_the_first_load(
    load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "ROWS", 1)
    _load_thousands(load_folder, 0)
    first = _index_bytes()
    for number in (1, 2, 3):
        _load_thousands(load_folder, number)
    assert _index_bytes() <= 1.2 * first


@keeps_room
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("cleaned_at_once")
def test_a_load_does_not_wait_for_an_old_transaction_to_rebuild_indexes(
    load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "ROWS", 1)
    monkeypatch.setattr(rebuilding, "PATIENCE_SECONDS", 1)
    _load_thousands(load_folder, 0)
    first = _index_bytes()
    # Such as a back-up, which reads one state of all tables.
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 1")
        _load_thousands(load_folder, 1)
        assert not all(is_valid for _, is_valid in rebuilding._indexes(DATA_SET))
    _load_thousands(load_folder, 2)
    assert all(is_valid for _, is_valid in rebuilding._indexes(DATA_SET))
    assert _index_bytes() <= 1.2 * first


@keeps_room
@pytest.mark.django_db(transaction=True)
def test_indexes_that_belong_to_another_role_stay_as_they_are(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger=rebuilding.__name__)
    role = f"reader_{uuid4().hex}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {role}")
        cursor.execute(f"SET ROLE {role}")
        try:
            assert list(rebuilding.rebuild_indexes(DATA_SET, 1_000_000)) == []
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute(f"DROP ROLE {role}")
    assert "were not rebuilt (InsufficientPrivilege)" in caplog.text


def _load_thousands(load_folder: LoadFolder, number: int) -> None:
    rows = (fare(fare=place, note=f"Note {place % 97} of {number}") for place in range(2_000))
    load_folder({"a.csv": table(*rows)})


def _index_bytes() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_indexes_size(%s::regclass)", [DATA_SET.sql])
        return int(cursor.fetchone()[0])


@pytest.mark.usefixtures("cleaned_at_once")
def test_texts_and_combinations_stay_while_a_load_is_being_written(
    load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_folder({"a.csv": OLD})
    other = claimed("b.csv")
    load_folder({"a.csv": NEW})
    assert ProseText.objects.exists()
    assert Combination.objects.filter(values__airline="Breeze").exists()
    with pytest.raises(RuntimeError), loads.given_up_on_failure(other):
        raise RuntimeError
    cleaning.clean()
    assert not (ProseText.objects.exists())
    assert not (Combination.objects.filter(values__airline="Breeze").exists())


@pytest.mark.usefixtures("cleaned_at_once")
def test_deleting_a_file_deletes_its_rows_in_pieces_afterwards(load_folder: LoadFolder) -> None:
    load_folder({"a.csv": OLD})
    with CaptureQueriesContext(connection) as captured:
        loading.remove(SourceFile.objects.get())
    assert not [each for each in captured if "DELETE FROM airfare_farerow" in str(each["sql"])]
    assert answered() == {}
    assert FareRow.all_loads.count() == 4
    cleaning.clean()
    assert not FareRow.all_loads.exists()


def test_a_load_that_died_is_cleaned_up_without_a_next_one(load_folder: LoadFolder) -> None:
    died = claimed("b.csv")
    Load.objects.filter(pk=died.pk).update(seen_at="2026-01-01T00:00Z")
    cleaning.clean()
    assert not (SourceFile.objects.exists())
    assert not (Load.objects.exists())


# The commands


def test_undo_load_tells_what_it_did(load_folder: LoadFolder, capsys: pytest.CaptureFixture[str]) -> None:
    load_folder({"a.csv": OLD})
    load_folder({"a.csv": NEW})
    call_command("undo_load", "a.csv")
    assert "a.csv has been restored to the load of" in capsys.readouterr().out
    assert answered()["Delta"] == 1


def test_check_data_tells_what_does_not_fit(
    load_folder: LoadFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    load_folder({"a.csv": OLD})
    call_command("check_data")
    assert "No problems found. Files: 1, rows: 4." in capsys.readouterr().out
    FareRow.objects.filter(airline="Delta").update(hidden=True)
    with pytest.raises(SystemExit):
        call_command("check_data")
    out = capsys.readouterr().out
    assert "Counts differ from the number of published rows" in out
    assert "Rows are marked as curated, but there is no edit of them" in out
    FareRow.objects.filter(airline="Delta").update(hidden=False)


@pytest.mark.usefixtures("cleaned_at_once")
def test_a_server_deletes_what_is_due_piece_by_piece(
    load_folder: LoadFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "PIECE", 3)
    monkeypatch.setattr(cleaning, "LOOK_SECONDS", 0)
    load_folder({"a.csv": OLD})
    loading.remove(SourceFile.objects.get())
    left = []
    for _ in range(20):
        cleaning.go_on()
        left.append(FareRow.all_loads.count())
    assert list(dict.fromkeys(left)) == [4, 1, 0]
    assert not Load.objects.exists()


# Rows that cannot be told from others of their file


@pytest.mark.parametrize(("edited", "left"), [(1, [2]), (2, [1]), (1, [1, 2, 3])])
def test_a_load_tells_of_a_curated_row_whose_equals_became_more_or_fewer(
    load_folder: LoadFolder, edited: int, left: list[int]
) -> None:
    load_folder({"a.csv": table(fare(fare=1), fare(fare=2))})
    curation.edit(FareRow.objects.get(avg_fare_usd=edited), {"avg_fare_usd": 7}, None)
    outcome = load_folder({"a.csv": table(*(fare(fare=each) for each in left))})["a.csv"]
    [note] = outcome.notes
    assert note.startswith("1 curated row cannot be told from other rows of the file")


def test_a_load_says_nothing_of_curated_rows_that_stand_alone_or_among_as_many_as_before(
    load_folder: LoadFolder,
) -> None:
    load_folder({"a.csv": table(fare(fare=1), fare(fare=2), fare(airline="Alone", fare=3))})
    curation.hide(FareRow.objects.all())
    outcome = load_folder({"a.csv": table(fare(fare=1), fare(fare=4), fare(airline="Alone", fare=5))})[
        "a.csv"
    ]
    assert outcome.notes == []
