"""What a curator does, and what becomes of it when the file is loaded again."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airfare.models import FareRow
from mcpsite.datasets import curation
from mcpsite.datasets.models import Edit, SourceFile
from tests.airfare.conftest import Load, fare, table
from tests.airfare.fares import asked, counted, counted_by_hand, page, version

pytestmark = pytest.mark.django_db


@pytest.fixture
def curator(db: None) -> User:
    return User.objects.create_user("curator")


def answered() -> list[dict[str, object]]:
    return page().rows


def fares() -> list[str]:
    return sorted(str(row["avg_fare_usd"]) for row in answered())


def hide(**lookup: object) -> int:
    return curation.hide(FareRow.objects.filter(**lookup))


def test_a_hidden_row_leaves_every_answer_at_once(load_folder: Load) -> None:
    load_folder({"a.csv": table(fare(fare=1), fare(fare=2, airline="United"))})
    assert len(answered()) == 2
    assert hide(avg_fare_usd=1) == 1
    found = page()
    assert ([row["avg_fare_usd"] for row in found.rows], found.matched, found.total) == ([2], 1, 1)
    assert page(asked(airline_contains="delta")).matched == 0
    assert counted() == counted_by_hand()


def test_a_published_row_is_back_and_no_longer_curated(load_folder: Load) -> None:
    load_folder({"a.csv": table(fare(fare=1))})
    hide()
    assert curation.publish(FareRow.objects.all()) == 1
    assert fares() == ["1"]
    load_folder({"a.csv": table(fare(fare=2))})
    assert FareRow.objects.get().avg_fare_usd == 2


def test_hiding_what_is_hidden_changes_nothing(load_folder: Load) -> None:
    load_folder({"a.csv": table(fare(), fare())})
    assert (hide(), hide(), counted()) == (2, 0, [])


def test_curating_gives_the_data_a_new_version(load_folder: Load, curator: User) -> None:
    load_folder({"a.csv": table(fare())})
    seen = {version()}
    hide()
    seen.add(version())
    curation.edit(FareRow.objects.get(), {"avg_fare_usd": 7.0}, curator)
    seen.add(version())
    assert len(seen) == 3


def test_a_hidden_row_stays_hidden_over_a_reload(load_folder: Load) -> None:
    load_folder({"a.csv": table(fare(fare=1), fare(fare=2, airline="United"))})
    hide(airline="Delta")
    load_folder(
        {"a.csv": table(fare(fare=9, airline="Alaska"), fare(fare=1), fare(fare=3, airline="United"))}
    )
    assert fares() == ["3", "9"]
    assert counted() == counted_by_hand()


def test_an_edit_stays_over_a_reload_and_the_rest_of_the_row_is_renewed(
    load_folder: Load, curator: User
) -> None:
    load_folder({"a.csv": table(fare(fare=1, note="old"))})
    row = FareRow.objects.get()
    curation.edit(row, {"avg_fare_usd": 7.0, "airline": "Delta Air Lines"}, curator)
    load_folder({"a.csv": table(fare(fare=2, note="new"))})
    [answer] = answered()
    assert (answer["avg_fare_usd"], answer["airline"], answer["notable_event"]) == (
        7,
        "Delta Air Lines",
        "new",
    )
    again, edit = FareRow.objects.get(), Edit.objects.get()
    assert again.file_values == {"avg_fare_usd": 2.0, "airline": "Delta"}
    assert (edit.key, again.key, edit.edited_by) == (row.key, row.key, curator)
    assert counted() == counted_by_hand()


def test_what_follows_from_an_edited_field_follows(load_folder: Load, curator: User) -> None:
    load_folder({"a.csv": table(fare())})
    values = {"route": "sea-anc", "snapshot_date": "2026-W01", "notable_event": "Cruises"}
    curation.edit(FareRow.objects.get(), values, curator)
    assert page(asked(origin_airport="SEA", notable_contains="cruise")).matched == 1
    row = FareRow.objects.get()
    assert (row.subject, row.destination_airport, str(row.snapshot_day)) == ("SEA-ANC", "ANC", "2025-12-29")


def test_an_edit_that_gives_back_the_files_value_is_no_edit(load_folder: Load, curator: User) -> None:
    load_folder({"a.csv": table(fare(fare=1))})
    row = FareRow.objects.get()
    curation.edit(row, {"avg_fare_usd": 7.0}, curator)
    curation.edit(row, {"avg_fare_usd": 1.0}, curator)
    assert not Edit.objects.exists()


def test_an_edit_that_the_file_catches_up_with_is_over(
    load_folder: Load, curator: User, cleaned_at_once: None
) -> None:
    load_folder({"a.csv": table(fare(fare=1))})
    curation.edit(FareRow.objects.get(), {"avg_fare_usd": 7.0}, curator)
    load_folder({"a.csv": table(fare(fare=7), fare(fare=8))})
    assert not Edit.objects.exists()
    assert fares() == ["7", "8"]


def test_restoring_gives_the_files_values_back(load_folder: Load, curator: User) -> None:
    load_folder({"a.csv": table(fare(fare=1, note="as it was"))})
    curation.edit(FareRow.objects.get(), {"avg_fare_usd": 7.0, "notable_event": ""}, curator)
    assert curation.restore(FareRow.objects.all()) == 1
    [answer] = answered()
    assert (answer["avg_fare_usd"], answer["notable_event"]) == (1, "as it was")
    assert not Edit.objects.exists()


def test_a_curated_row_that_vanished_is_kept_and_marked(load_folder: Load, curator: User) -> None:
    load_folder(
        {"a.csv": table(fare(fare=1), fare(fare=2, airline="United"), fare(fare=3, airline="Alaska"))}
    )
    curation.edit(FareRow.objects.get(airline="Delta"), {"avg_fare_usd": 7.0}, curator)
    hide(airline="United")
    outcome = load_folder({"a.csv": table(fare(fare=3, airline="Alaska"))})["a.csv"]
    assert (outcome.rows, outcome.vanished) == (1, 2)
    assert sorted(FareRow.objects.filter(vanished=True).values_list("airline", flat=True)) == [
        "Delta",
        "United",
    ]
    assert fares() == ["3", "7"]
    assert counted() == counted_by_hand()


def test_a_vanished_row_that_comes_back_is_no_longer_marked(load_folder: Load, curator: User) -> None:
    text = table(fare(fare=1), fare(fare=2, airline="United"))
    load_folder({"a.csv": text})
    row = FareRow.objects.get(airline="Delta")
    curation.edit(row, {"avg_fare_usd": 7.0}, curator)
    load_folder({"a.csv": table(fare(fare=2, airline="United"))})
    load_folder({"a.csv": text})
    row.refresh_from_db()
    assert (row.vanished, row.avg_fare_usd, FareRow.objects.count()) == (False, 7.0, 2)


def test_equal_rows_are_told_apart_by_their_place_among_each_other(load_folder: Load) -> None:
    load_folder({"a.csv": table(fare(fare=1), fare(fare=2), fare(fare=3))})
    hide(avg_fare_usd=2)
    load_folder({"a.csv": table(fare(fare=0, airline="New"), fare(fare=10), fare(fare=20), fare(fare=30))})
    assert FareRow.objects.get(hidden=True).avg_fare_usd == 20
    assert fares() == ["0", "10", "30"]


def test_prune_keeps_what_a_curator_touched(load_folder: Load, folder: Path, curator: User) -> None:
    load_folder({"a.csv": table(fare(fare=1), fare(fare=2)), "b.csv": table(fare(fare=3))})
    curation.edit(FareRow.objects.get(avg_fare_usd=1), {"avg_fare_usd": 7.0}, curator)
    (folder / "a.csv").unlink()
    outcome = load_folder(prune=True)["a.csv"]
    assert (outcome.result, outcome.vanished) == ("pruned", 1)
    assert fares() == ["3", "7"]
    assert SourceFile.objects.get(name="a.csv").state == "gone"
    assert counted() == counted_by_hand()


def test_a_pruned_file_that_comes_back_meets_its_curated_row(
    load_folder: Load, folder: Path, curator: User
) -> None:
    text = table(fare(fare=1), fare(fare=2, airline="United"))
    load_folder({"a.csv": text, "b.csv": table(fare(fare=3))})
    curation.edit(FareRow.objects.get(avg_fare_usd=1), {"avg_fare_usd": 7.0}, curator)
    (folder / "a.csv").unlink()
    load_folder(prune=True)
    assert load_folder({"a.csv": text})["a.csv"].result != "unchanged"
    assert fares() == ["2", "3", "7"]


def test_many_hidden_rows_survive_a_reload(load_folder: Load) -> None:
    rows = [fare(fare=n, airline=f"Line {n}") for n in range(3_000)]
    load_folder({"a.csv": table(*rows)})
    hide(avg_fare_usd__lt=2_500)
    load_folder({"a.csv": table(fare(fare=9_999), *rows)})
    assert page(limit=1).total == 501
    assert counted() == counted_by_hand()


ROWS = st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 3)), max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(loads=st.lists(st.tuples(ROWS, st.lists(st.integers(0, 7), max_size=3)), min_size=1, max_size=4))
def test_hidden_rows_stay_hidden_and_counts_right_whatever_is_loaded(
    load_folder: Load, loads: list[tuple[list[tuple[str, int]], list[int]]]
) -> None:
    FareRow.objects.all().delete()
    SourceFile.objects.all().delete()
    hidden_before: set[int] = set()

    def hidden_rows() -> set[int]:
        return set(FareRow.objects.filter(hidden=True).values_list("key", flat=True))

    for rows, hidden in loads:
        files = {"a.csv": table(*(fare(airline=a, fare=n) for a, n in rows))}
        load_folder(files, force=True, allow_empty=True)
        assert hidden_before == hidden_rows()
        plain = FareRow.objects.filter(vanished=False).count()
        assert plain == len(rows)
        assert counted() == counted_by_hand()
        ids = list(FareRow.objects.order_by("position", "id").values_list("id", flat=True))
        curation.hide(FareRow.objects.filter(id__in=[ids[n] for n in hidden if n < len(ids)]))
        hidden_before = hidden_rows()
