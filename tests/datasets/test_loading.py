"""Files to rows, again and again."""

import json
import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.db import connection

from airfare.models import FareRow
from mcpsite.datasets.files import find
from mcpsite.datasets.models import ProseText, SourceFile
from mcpsite.datasets.outcomes import summary
from tests.airfare.conftest import Load, fare, table
from tests.airfare.fares import counted, counted_by_hand, event_of, load, snapshot, version

pytestmark = pytest.mark.django_db


def test_a_file_becomes_rows_with_its_provenance(load_folder: Load, folder: Path) -> None:
    outcomes = load_folder({"a.csv": table(fare(note="Lounge"), fare(fare="cheap"), fare(airline="United"))})
    assert (outcomes["a.csv"].result, outcomes["a.csv"].rows, outcomes["a.csv"].unreadable) == ("new", 3, 1)
    source = SourceFile.objects.get()
    assert (source.name, source.folder, source.rows, source.unreadable) == ("a.csv", str(folder), 3, 1)
    assert (source.format, source.loaded_by, source.state, len(source.digest)) == (
        "csv",
        "alice",
        "loaded",
        64,
    )
    row = FareRow.objects.get(position=1)
    assert (row.route, row.origin_airport, row.avg_fare_usd, row.premium_fare_usd) == (
        "JFK-LAX",
        "JFK",
        452,
        None,
    )
    assert (event_of(row), row.effective_query) == ("Lounge", "JFK-LAX Delta Summer")


def test_files_are_found_below_a_folder_and_named_by_their_path(load_folder: Load) -> None:
    load_folder({"us/a.csv": table(fare()), "eu/a.csv": table(fare()), ".b.csv": "x", "c.txt": "x"})
    assert [source.name for source in SourceFile.objects.all()] == ["eu/a.csv", "us/a.csv"]


def test_an_unchanged_file_is_skipped_and_keeps_the_version(load_folder: Load) -> None:
    load_folder({"a.csv": table(fare())})
    before = version()
    assert load_folder()["a.csv"].result == "unchanged"
    assert version() == before


def test_force_loads_an_unchanged_file(load_folder: Load) -> None:
    load_folder({"a.csv": table(fare())})
    assert load_folder(force=True)["a.csv"].result == "replaced"
    assert FareRow.objects.count() == 1


def test_a_changed_file_is_replaced(load_folder: Load) -> None:
    load_folder({"a.csv": table(fare(fare=1, note="old")), "b.csv": table(fare(fare=2))})
    before = version()
    assert load_folder({"a.csv": table(fare(fare=3), fare(fare=4))})["a.csv"].result == "replaced"
    assert sorted(row.avg_fare_usd or 0 for row in FareRow.objects.all()) == [2, 3, 4]
    assert version() != before


def test_texts_that_no_row_has_any_more_are_forgotten(load_folder: Load, cleaned_at_once: None) -> None:
    load_folder({"a.csv": table(fare(note="old"), fare(note="kept"))})
    load_folder({"a.csv": table(fare(note="kept"), fare(note="new"))})
    assert sorted(ProseText.objects.values_list("text", flat=True)) == ["kept", "new"]


def test_a_text_is_stored_once(load_folder: Load) -> None:
    load_folder({"a.csv": table(fare(note="same"), fare(note="same")), "b.csv": table(fare(note="same"))})
    assert ProseText.objects.count() == 1


def test_counts_are_those_of_the_rows(load_folder: Load) -> None:
    load_folder({"a.csv": table(fare(), fare(), fare(airline="United")), "b.csv": table(fare())})
    load_folder({"a.csv": table(fare(), fare(airline="United", season="Fall"))})
    assert counted() == counted_by_hand()
    assert snapshot().total == 3


def test_a_bad_file_is_refused_and_the_others_load(load_folder: Load) -> None:
    outcomes = load_folder({"a.csv": table(fare()), "b.csv": table("1,2"), "c.json": "[", "d.csv": b"\xff"})
    assert [each.result for each in outcomes.values()] == ["new", "rejected", "rejected", "rejected"]
    assert outcomes["b.csv"].reason.startswith(
        "line 2: has 2 cells where the header has 11, and snapshot_date"
    )
    assert FareRow.objects.count() == 1


def test_a_file_that_turns_bad_leaves_its_old_rows(load_folder: Load) -> None:
    load_folder({"a.csv": table(fare(fare=1))})
    before = version()
    good = [fare(fare=2)] * 6_000
    assert load_folder({"a.csv": table(*good, "1,2")})["a.csv"].result == "rejected"
    assert FareRow.objects.get().avg_fare_usd == 1
    assert (version(), SourceFile.objects.get().rows) == (before, 1)


def test_strict_rejects_a_file_with_an_unreadable_value(load_folder: Load) -> None:
    outcome = load_folder({"a.csv": table(fare(), fare(fare="cheap"))}, strict=True)["a.csv"]
    assert (outcome.result, outcome.reason) == (
        "rejected",
        "line 3: avg_fare_usd is 'cheap', which is not a number from 0 to 10,000,000",
    )
    assert not FareRow.objects.exists()


def test_a_dry_run_writes_nothing(load_folder: Load) -> None:
    outcomes = load_folder({"a.csv": table(fare()), "b.csv": "x"}, dry_run=True, prune=True)
    assert [(each.result, each.rows) for each in outcomes.values()] == [("new", 1), ("rejected", 0)]
    assert not SourceFile.objects.exists()
    assert version() == (0, 0)


def test_a_folder_without_files_is_refused(folder: Path) -> None:
    (folder / "notes.txt").write_text("x")
    outcome, other = load(find([folder]))
    assert outcome.result == "rejected"
    assert outcome.reason.startswith("contains no .csv, .tsv, .json, ")
    assert (other.name, other.result) == ("notes.txt", "left out")


def test_a_path_that_does_not_exist_is_refused(folder: Path) -> None:
    [outcome] = load(find([folder / "none.csv"]))
    assert (outcome.name, outcome.reason) == ("none.csv", "does not exist")


def test_the_second_file_of_one_name_is_refused(folder: Path) -> None:
    for name in ("x", "y"):
        (folder / name).mkdir()
        (folder / name / "a.csv").write_text(table(fare(airline=name)))
    first, second = load(find([folder / "x", folder / "y"]))
    assert (first.result, second.result) == ("new", "rejected")
    assert second.reason == "has the same name as another file of this run, in x; rename one of them"
    assert FareRow.objects.get().airline == "x"


def test_a_file_named_twice_is_loaded_once(folder: Path) -> None:
    path = folder / "a.csv"
    path.write_text(table(fare()))
    [outcome] = load(find([path, path]))
    assert outcome.result == "new"


def test_a_gone_file_is_told_and_keeps_its_rows(load_folder: Load, folder: Path) -> None:
    load_folder({"a.csv": table(fare()), "b.csv": table(fare())})
    (folder / "a.csv").unlink()
    assert load_folder()["a.csv"].result == "gone"
    assert SourceFile.objects.get(name="a.csv").state == "gone"
    assert FareRow.objects.count() == 2


def test_a_gone_file_that_comes_back_is_no_longer_gone(load_folder: Load, folder: Path) -> None:
    text = table(fare())
    load_folder({"a.csv": text, "b.csv": table(fare())})
    (folder / "a.csv").unlink()
    load_folder()
    assert load_folder({"a.csv": text})["a.csv"].result == "unchanged"
    assert SourceFile.objects.get(name="a.csv").state == "loaded"


def test_prune_deletes_the_rows_of_gone_files(load_folder: Load, folder: Path, cleaned_at_once: None) -> None:
    load_folder({"a.csv": table(fare(note="gone")), "b.csv": table(fare(fare=2))})
    (folder / "a.csv").unlink()
    assert load_folder(prune=True)["a.csv"].result == "pruned"
    assert SourceFile.objects.get().name == "b.csv"
    assert FareRow.objects.get().avg_fare_usd == 2
    assert not ProseText.objects.exists()
    assert counted() == counted_by_hand()


def test_a_pruned_file_comes_back_for_its_groups_alone(load_folder: Load, folder: Path) -> None:
    load_folder({"a.csv": table(fare()), "b.csv": table(fare())})
    board = Group.objects.create(name="board")
    SourceFile.objects.get(name="a.csv").groups.add(board)
    (folder / "a.csv").unlink()
    load_folder(prune=True)
    assert FareRow.objects.count() == 1
    assert counted() == counted_by_hand()
    load_folder({"a.csv": table(fare())})
    source = SourceFile.objects.get(name="a.csv")
    assert (source.state, list(source.groups.all())) == ("loaded", [board])


def test_files_of_other_folders_are_not_gone(load_folder: Load, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "z.csv").write_text(table(fare()))
    list(load(find([other])))
    assert list(load_folder({"a.csv": table(fare())}, prune=True)) == ["a.csv"]
    assert FareRow.objects.count() == 2


def test_progress_tells_every_byte(load_folder: Load) -> None:
    text = table(*[fare()] * 20_000)
    read: list[int] = []
    load_folder({"a.csv": text}, progress=lambda _, size: read.append(size))
    assert sum(read) == len(text)


@pytest.mark.parametrize(
    ("name", "empty"),
    [("a.json", "[]"), ("a.json", '{"error": "no"}'), ("a.csv", "date,route\n"), ("a.csv", "")],
)
def test_a_reload_that_would_replace_rows_by_nothing_is_refused(
    load_folder: Load, name: str, empty: str
) -> None:
    load_folder({name: table(fare()) if name == "a.csv" else '[{"date": "2026-07-01", "route": "JFK-LAX"}]'})
    outcome = load_folder({name: empty})[name]
    assert outcome.result == "rejected"
    assert FareRow.objects.count() == 1


def test_a_file_that_has_become_empty_takes_its_rows_with_it_where_that_is_allowed(load_folder: Load) -> None:
    load_folder({"a.csv": table(fare())})
    assert "--allow-empty" in load_folder({"a.csv": "date,route\n"})["a.csv"].reason
    assert load_folder(allow_empty=True)["a.csv"].result == "replaced"
    assert not FareRow.objects.exists()


def test_the_loss_of_most_rows_is_told_first(load_folder: Load) -> None:
    load_folder({"a.csv": table(*[fare()] * 10)})
    told = summary(load_folder({"a.csv": table(*[fare(fare=1)] * 4)}).values())
    assert told.warnings == [
        "a.csv has lost most of its rows: it had 10 and now has 4. If it was cut off, load the whole file "
        "again."
    ]
    assert summary(load_folder({"a.csv": table(*[fare(fare=2)] * 3)}).values()).warnings == []


def test_a_text_that_no_index_takes_is_refused_with_its_line_and_the_others_load(load_folder: Load) -> None:
    outcomes = load_folder({"a.csv": table(fare(), fare(airline="x" * 3_000)), "b.csv": table(fare())})
    assert outcomes["a.csv"].reason == "line 3: airline has 3,000 characters, but at most 200 are possible"
    assert outcomes["b.csv"].result == "new"


def test_the_longest_texts_that_are_taken_fit_into_the_indexes(load_folder: Load) -> None:
    letters = "".join(chr(0x1F300 + n) for n in random.Random(1).choices(range(700), k=200))
    row = fare(route=letters, airline=letters[::-1], season=letters[50:] + letters[:50])
    assert load_folder({"a.csv": table(row)})["a.csv"].result == "new"


def test_one_files_fault_is_that_files_sentence(load_folder: Load, folder: Path) -> None:
    """Names that are not UTF-8, pipes, and what Office leaves beside an open document."""
    os.mkfifo(folder / "pipe.csv")
    (folder / "~$a.csv").write_bytes(b"\0")
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.csv")).write_text(table(fare()))
    outcomes = load_folder({"a.csv": table(fare()), ".git/b.csv": "x"})
    assert {name: outcome.result for name, outcome in outcomes.items()} == {
        "a.csv": "new",
        "caf\ufffd.csv": "rejected",
    }
    assert outcomes["caf\ufffd.csv"].reason == "has a name that is not UTF-8; rename it"
    (piped,) = load(find([folder / "pipe.csv"]))
    assert piped.reason == "is neither a file nor a folder"


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite lets one writer in at a time")
@pytest.mark.django_db(transaction=True)
def test_a_database_that_stays_locked_is_told_and_the_next_file_loads(folder: Path, tmp_path: Path) -> None:
    (folder / "a.csv").write_text(table(fare()))
    (folder / "b.csv").write_text(table(fare()))
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(connection.settings_dict["NAME"], uri=True, isolation_level=None)
    with closing(other):
        other.execute("BEGIN IMMEDIATE")
        outcomes = load(find([folder]))
        assert "another process kept writing" in next(outcomes).reason
        other.execute("ROLLBACK")
        assert next(outcomes).result == "new"


ROW = '"date": "2026-07-01", "route": "BOS-LIS"'
GOOD = f"[{{{ROW}}}]"
REFUSED = {
    "error_body": '{"error": "unauthorized", "message": "token expired"}',
    "unknown_keys": '[{"a": 1}, {"b": 2}, {}]',
    "nested_number": f'[{{{ROW}, "avg_fare_usd": {{"value": 612.5, "currency": "USD"}}}}]',
}


@pytest.mark.parametrize("name", REFUSED)
def test_json_of_another_shape_is_refused_by_name_and_the_rows_stay(load_folder: Load, name: str) -> None:
    load_folder({f"{name}.json": GOOD})
    outcomes = load_folder({f"{name}.json": REFUSED[name], "other.json": GOOD})
    assert [outcomes[f"{name}.json"].result, outcomes["other.json"].result] == ["rejected", "new"]
    told = "is an object" if name == "nested_number" else "has no known column"
    assert told in "".join(summary(outcomes.values()).notes)
    assert FareRow.objects.filter(load__name=f"{name}.json").count() == 1


@pytest.mark.parametrize(
    ("document", "note"),
    [
        (f'[{{{ROW}, "notes": [{{"t": "x", "w": 0.5}}]}}]', '{"t": "x", "w": "0.5"}'),
        (f'[{{{ROW}, "channel_checks": {{"up": 0.4}}}}]', '{"up": "0.4"}'),
        (
            '{"week": "2026-W27", "regions": {"US": {"channel_checks": {"up": 0.4}, '
            '"top_queries": [{"query": "q", "route": "BOS-LIS", "index": 1.5}]}}}',
            '{"up": "0.4"}',
        ),
    ],
)
def test_prose_of_objects_with_fractions_is_kept(load_folder: Load, document: str, note: str) -> None:
    assert load_folder({"a.json": document})["a.json"].result == "new"
    row = FareRow.objects.get()
    assert (row.route, event_of(row)) == ("BOS-LIS", note)


@pytest.mark.parametrize("names", ["Date,Route,Avg_Fare_USD", "Snapshot Date,route,Avg Fare USD"])
@pytest.mark.parametrize("kind", ["csv", "json"])
def test_names_are_the_same_in_json_as_in_a_header(load_folder: Load, names: str, kind: str) -> None:
    values = ("2026-07-01", "BOS-LIS", 612.5)
    table_ = f"{names}\n{','.join(map(str, values))}\n"
    items = json.dumps([dict(zip(names.split(","), values, strict=True))])
    outcome = load_folder({f"a.{kind}": table_ if kind == "csv" else items})[f"a.{kind}"]
    assert (outcome.unreadable, list(outcome.unused)) == (0, [])
    row = FareRow.objects.get()
    assert (str(row.snapshot_day), row.route, row.avg_fare_usd) == values


@pytest.mark.parametrize(
    "marks", ["\ufeff", "\ufeff\ufeff", "\ufeff\u200b", "\u200b", "\u2060\u200d", "\ufeff \ufeff"]
)
def test_marks_and_what_has_no_width_hide_no_column_and_no_value(load_folder: Load, marks: str) -> None:
    text = f"{marks}snapshot_date,{marks}airline,avg_fare_usd\n2026-07-01{marks},{marks}Azul,{marks}612.5\n"
    outcome = load_folder({"a.csv": text})["a.csv"]
    assert (outcome.unreadable, list(outcome.unused)) == (0, [])
    row = FareRow.objects.get()
    assert (str(row.snapshot_day), row.airline, row.avg_fare_usd) == ("2026-07-01", "Azul", 612.5)
