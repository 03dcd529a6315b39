"""What the history holds of fare rows, whatever way they are changed."""

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from airfare.models import FareRow
from mcpsite.datasets import curation
from mcpsite.history import recording
from mcpsite.history.models import Change, ChangedObject
from tests.airfare.conftest import Load, fare, folder, load_folder, table
from tests.airfare.fares import DATA_SET

__all__ = ["folder", "load_folder"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> User:
    return User.objects.create_user("alice", is_staff=True)


@pytest.fixture
def rows(load_folder: Load) -> None:
    load_folder(
        {"a.csv": table(fare(fare=1), fare(fare=2, airline="United"), fare(fare=3, airline="Breeze"))}
    )
    Change.objects.all().delete()


def row(airline: str) -> FareRow:
    found: FareRow = FareRow.objects.get(airline=airline)
    return found


def only() -> Change:
    return Change.objects.get()


def test_an_edit_tells_who_and_from_what_to_what_from_the_first_one_on(rows: None, alice: User) -> None:
    curation.edit(row("Delta"), {"avg_fare_usd": 7.0, "route": "BOS-SFO"}, alice, reason="a typing error")
    change = only()
    assert (change.action, change.user, change.username, change.reason, change.size) == (
        "edit",
        alice,
        "alice",
        "a typing error",
        1,
    )
    changed = change.changed.get()
    assert changed.object_id == row("Delta").key
    assert changed.label == "2025-10-06 JFK-LAX Delta Summer"
    assert changed.values == {
        "avg_fare_usd": [1.0, 7.0],
        "route": ["JFK-LAX", "BOS-SFO"],
        "edited": [[], ["avg_fare_usd", "route"]],
    }


def test_an_edit_that_changes_nothing_is_no_change(rows: None, alice: User) -> None:
    curation.edit(row("Delta"), {"avg_fare_usd": 1.0}, alice)
    assert not Change.objects.exists()


def test_hiding_many_rows_is_one_change_that_names_each(rows: None, alice: User) -> None:
    assert curation.hide(FareRow.objects.exclude(airline="Breeze"), by=alice) == 2
    change = only()
    assert (change.action, change.size, change.values) == ("hide", 2, {"hidden": [False, True]})
    assert set(change.changed.values_list("object_id", "label", "values")) == {
        (row("Delta").key, "2025-10-06 JFK-LAX Delta Summer", None),
        (row("United").key, "2025-10-06 JFK-LAX United Summer", None),
    }


def test_hiding_what_is_hidden_is_no_change(rows: None, alice: User) -> None:
    curation.hide(FareRow.objects.none(), by=alice)
    curation.publish(FareRow.objects.all(), by=alice)
    curation.hide(FareRow.objects.filter(id__in=[]), by=alice)
    assert not Change.objects.exists()


def test_hiding_costs_the_same_number_of_statements_for_any_number_of_rows(
    load_folder: Load, alice: User
) -> None:
    load_folder({"a.csv": table(*(fare(fare=n) for n in range(2_000)))})
    with CaptureQueriesContext(connection) as few:
        curation.hide(FareRow.objects.filter(avg_fare_usd__lt=2), by=alice)
    with CaptureQueriesContext(connection) as many:
        curation.hide(FareRow.objects.all(), by=alice)
    assert len(many) == len(few)
    assert [change.size for change in Change.objects.filter(action="hide")] == [1_998, 2]


def test_restoring_the_files_values_is_recorded(rows: None, alice: User) -> None:
    curation.edit_each(DATA_SET, [(each.key, {"avg_fare_usd": 9.0}) for each in FareRow.objects.all()], alice)
    assert curation.restore(FareRow.objects.all(), by=alice) == 3
    change = Change.objects.get(action=Change.Action.RESTORE)
    assert change.size == 3
    assert change.changed.get(object_id=row("United").key).values == {
        "avg_fare_usd": [9.0, 2.0],
        "edited": [["avg_fare_usd"], []],
    }


def test_what_a_deleted_row_held_can_still_be_read(rows: None, alice: User, load_folder: Load) -> None:
    curation.edit(row("Delta"), {"avg_fare_usd": 7.0}, alice)
    load_folder({"a.csv": table(fare(fare=2, airline="United"))})
    assert curation.delete_vanished(FareRow.objects.all(), by=alice) == 1
    changed = Change.objects.get(action="delete").changed.get()
    assert changed.values is not None
    assert changed.values["avg_fare_usd"] == [7.0, None]
    assert changed.values["file"] == ["a.csv", None]


def test_what_is_undone_leaves_no_history(rows: None, alice: User) -> None:
    def undone() -> None:
        with transaction.atomic():
            curation.hide(FareRow.objects.all(), by=alice)
            raise RuntimeError

    with recording.action(Change.Action.IMPORT, by=alice), pytest.raises(RuntimeError):
        undone()
    with recording.action(Change.Action.IMPORT, by=alice) as action:
        with pytest.raises(RuntimeError):
            undone()
        curation.hide(FareRow.objects.filter(airline="Delta"), by=alice)
        assert action.name == "import"
    assert (only().size, ChangedObject.objects.count()) == (1, 1)


def test_edits_inside_of_an_import_are_one_change_of_it(rows: None, alice: User) -> None:
    with recording.action(Change.Action.IMPORT, by=alice, source="import", reason="fares.xlsx"):
        for each in FareRow.objects.all():
            curation.edit(each, {"avg_fare_usd": 9.0}, alice)
    change = only()
    assert (change.action, change.source, change.reason, change.size) == (
        "import",
        "import",
        "fares.xlsx",
        3,
    )
    assert change.author == "alice with import"


def test_a_load_tells_of_its_file_and_of_no_plain_row(load_folder: Load) -> None:
    load_folder({"a.csv": table(fare(fare=1), fare(fare=2, airline="United"))})
    load_folder({"a.csv": table(fare(fare=5))})
    last, first = Change.objects.all()
    assert (last.author, last.action) == ("alice with load_airfare", "load")
    assert {last.content_type.model, first.content_type.model} == {"sourcefile"}
    values = last.changed.get().values
    assert values is not None
    assert values["rows"] == [2, 1]
    assert "state" not in values


def test_a_load_tells_which_curated_rows_vanished(rows: None, alice: User, load_folder: Load) -> None:
    curation.hide(FareRow.objects.filter(airline="Delta"), by=alice)
    load_folder({"a.csv": table(fare(fare=2, airline="United"))})
    change = Change.objects.get(source="load_airfare", content_type__model="farerow")
    assert change.values == {"vanished": [False, True]}
    assert change.changed.get().object_id == row("Delta").key


def test_a_row_keeps_its_key_over_a_reload(rows: None, alice: User, load_folder: Load) -> None:
    key = row("Delta").key
    curation.hide(FareRow.objects.filter(key=key), by=alice)
    curation.publish(FareRow.objects.filter(key=key), by=alice)
    load_folder({"a.csv": table(fare(fare=5, airline="United"), fare(fare=6))})
    again = FareRow.objects.get(key=key)
    assert (again.airline, again.avg_fare_usd, again.position) == ("Delta", 6, 2)


def test_a_row_that_was_given_back_goes_with_its_file_and_its_history_stays(
    rows: None, alice: User, load_folder: Load
) -> None:
    key = row("Delta").key
    curation.edit(row("Delta"), {"avg_fare_usd": 7.0}, alice)
    curation.restore(FareRow.objects.filter(key=key), by=alice)
    outcome = load_folder({"a.csv": table(fare(fare=5, airline="United"))})["a.csv"]
    assert outcome.vanished == 0
    assert not FareRow.objects.filter(key=key).exists()
    assert ChangedObject.objects.filter(object_id=key, change__content_type__model="farerow").count() == 2
