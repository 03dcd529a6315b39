"""The command, as a person or a scheduler runs it."""

import os
import re
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management import call_command
from pytest_django import Settings

from airfare.models import FareRow
from mcpsite.datasets import curation
from mcpsite.datasets.loading import remove
from mcpsite.datasets.models import SourceFile
from mcpsite.history.models import Change
from tests.airfare.conftest import fare, table
from tests.airfare.killer import PROGRAM
from tests.commands import Commands
from tests.lost_folders import emptied, hidden, missing
from tests.site import ask, environment
from tests.unprivileged import open_folder, unprivileged

__all__ = ["open_folder"]


def run(*arguments: object) -> tuple[int, str]:
    """The command's exit code and what it printed."""
    out = StringIO()
    try:
        call_command("load_airfare", *map(str, arguments), stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


@pytest.mark.django_db
def test_it_prints_a_line_for_each_file(folder: Path) -> None:
    (folder / "a.csv").write_text(table(fare(), fare(fare="cheap")))
    code, out = run(folder)
    assert code == 0
    assert [cell.strip() for cell in out.splitlines()[3].split("│")[1:5]] == ["a.csv", "2", "1", "new"]
    assert "unchanged" in run(folder)[1]


@pytest.mark.django_db
def test_a_rejected_file_makes_the_exit_code_1(folder: Path) -> None:
    (folder / "a.csv").write_text(table(fare()))
    (folder / "b.csv").write_text("nothing,known\n1,2\n")
    code, out = run(folder)
    assert code == 1
    assert "b.csv: line 1: is not a usable header, because it has no known column." in out
    assert FareRow.objects.count() == 1


@pytest.mark.django_db
def test_files_and_folders_may_be_named_together(folder: Path) -> None:
    (folder / "x").mkdir()
    (folder / "x" / "b.csv").write_text(table(fare()))
    (folder / "a.csv").write_text(table(fare()))
    code, out = run(folder / "x", folder / "a.csv")
    assert (code, FareRow.objects.count()) == (0, 2)
    assert out.index("b.csv") < out.index("a.csv")


@pytest.mark.django_db
def test_an_unreadable_folder_is_told(folder: Path) -> None:
    code, out = run(folder / "missing")
    assert code == 1
    assert "missing: does not exist." in out


@pytest.mark.django_db
def test_the_default_is_trend_data_dir(folder: Path, settings: object) -> None:
    settings.TREND_DATA_DIR = str(folder)  # type: ignore[attr-defined]
    (folder / "a.csv").write_text(table(fare()))
    assert run()[0] == 0
    assert FareRow.objects.count() == 1


@pytest.mark.django_db
def test_a_dry_run_says_so(folder: Path) -> None:
    (folder / "a.csv").write_text(table(fare()))
    code, out = run("--dry-run", folder)
    assert code == 0
    assert "Nothing was written (--dry-run)" in out
    assert not FareRow.objects.exists()


@pytest.mark.django_db
def test_the_bundled_data_loads_without_an_unreadable_value() -> None:
    code, out = run(settings.BASE_DIR / "data" / "airfare", "--strict")
    assert code == 0, out
    assert FareRow.objects.count() >= 150


# Killed

POINTS = [5, pytest.param(20, marks=pytest.mark.e2e)]
"""How many moments of a load, from its first to its last."""
FARES = 200


def fares_held(env: dict[str, str]) -> dict[str, int]:
    """How many rows answers can be of, by airline; with what does not fit together."""
    found = ask(
        env,
        "SELECT airline, count(*) AS number FROM airfare_farerow "
        "JOIN datasets_sourcefile ON current_id = load_id WHERE NOT hidden GROUP BY airline",
    )
    if "DATABASE_URL" not in env:
        assert ask(env, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    return {row["airline"]: row["number"] for row in found}


def killed_at(moment: int, *arguments: str) -> tuple[str, ...]:
    """The arguments of a command that runs another one and kills itself at its `moment`."""
    code = f"moment, arguments = {moment}, {arguments!r}\n{PROGRAM}"
    return ("shell", "--no-imports", "-c", code)


# An hour later: nobody waits for what was killed, and what was replaced can go.
LATER = "UPDATE datasets_load SET seen_at = '2026-01-01 00:00:00'"


@pytest.mark.parametrize("points", POINTS)
def test_killed_at_any_moment_it_leaves_the_old_rows_or_the_new_and_every_edit(
    folder: Path, points: int
) -> None:
    path = folder / "a.csv"

    def write(airline: str) -> None:
        plain = (fare(airline=airline, fare=n, note=f"{airline} {n}") for n in range(FARES))
        path.write_text(table(fare(airline="Hidden"), fare(airline="Edited"), *plain))

    old, new = {"Old": FARES, "Corrected": 1}, {"New": FARES, "Corrected": 1}
    curate = (
        "from mcpsite.datasets import curation; from airfare.models import FareRow; "
        "curation.hide(FareRow.objects.filter(airline='Hidden')); "
        "curation.edit(FareRow.objects.get(airline='Edited'), {'airline': 'Corrected'}, None)"
    )
    with environment({"LOAD_UNDO_HOURS": "0"}) as env, closing(Commands(env)) as commands:
        write("Old")
        commands.run("load_airfare", str(folder))
        commands.run("shell", "--no-imports", "-c", curate)
        ask(env, LATER)
        write("New")
        whole = commands.run(*killed_at(0, "load_airfare", str(folder))).stdout
        moments = int(whole.rpartition("moments ")[2])
        held = [fares_held(env)]
        assert held == [new]
        for point in range(points):
            if held[-1] == new:
                write("Old")
                commands.run("load_airfare", str(folder))
                write("New")
            ask(env, LATER)
            moment = 1 + moments * point // points
            command = commands.start(*killed_at(moment, "load_airfare", str(folder)))
            assert command.completed().returncode == -signal.SIGKILL
            held.append(fares_held(env))
            assert held[-1] in (old, new)
            assert "No problems found" in commands.run("check_data").stdout
        assert old in held
        assert new in held[1:]
        ask(env, LATER)
        commands.run("load_airfare", str(folder))
        assert fares_held(env) == new
        assert "No problems found" in commands.run("check_data").stdout


@pytest.mark.skipif("postgres" in os.environ.get("DATABASE_URL", ""), reason="looks at SQLite's journal")
def test_the_journal_is_short_after_a_load(folder: Path) -> None:
    (folder / "a.csv").write_text(table(*(fare(airline=f"Line {n}", fare=n) for n in range(5_000))))
    with environment() as env, closing(Commands(env)) as commands:
        path = Path(env["STATE_DIR"]) / "db.sqlite3"
        # A server has it open, so that the journal is not deleted at the command's end.
        other = sqlite3.connect(path)
        other.execute("SELECT count(*) FROM airfare_farerow").fetchone()
        commands.run("load_airfare", str(folder))
        journal = path.with_name("db.sqlite3-wal")
        assert (journal.exists(), journal.stat().st_size) == (True, 0)
        other.close()


# Pruning what may only be out of reach


def others(folder: Path) -> None:
    emptied(folder)
    (folder / "c.csv").write_text(table(fare(airline="Other")))


def of_another_kind(folder: Path) -> None:
    emptied(folder)
    (folder / "README.txt").write_text("The data moved.")


LOST = [emptied, missing, hidden, others, of_another_kind]


@pytest.fixture
def two_files(folder: Path, db: None) -> Path:
    """A folder of two files, which are loaded."""
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text(table(fare(airline=name)))
    assert run(folder)[0] == 0
    return folder


def airlines() -> list[str]:
    return sorted(FareRow.objects.values_list("airline", flat=True))


@pytest.mark.parametrize("lose", LOST)
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_nothing_is_pruned_where_no_file_of_a_folder_is_left(
    two_files: Path, lose: Callable[[Path], None], options: tuple[str, ...]
) -> None:
    lose(two_files)
    states = list(SourceFile.objects.values())
    code, out = run("--prune", *options, two_files)
    assert code == 1
    assert f"{two_files} " in out
    assert "(a.csv, b.csv)" in out
    assert "add --allow-empty" in out
    assert "Nothing was changed." in out
    assert airlines() == ["a.csv", "b.csv"]
    assert list(SourceFile.objects.values()) == states


@pytest.mark.parametrize("lose", LOST)
def test_allow_empty_says_that_the_files_are_gone(two_files: Path, lose: Callable[[Path], None]) -> None:
    lose(two_files)
    assert run("--prune", "--allow-empty", two_files)[0] == 0
    assert airlines() == (["Other"] if lose is others else [])


def test_one_emptied_folder_keeps_the_others_from_being_changed(two_files: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "z.csv").write_text(table(fare(airline="New")))
    (two_files / "a.csv").unlink()
    gone = tmp_path / "gone"
    gone.mkdir()
    (gone / "g.csv").write_text(table(fare(airline="g.csv")))
    run(gone)
    emptied(gone)
    assert run("--prune", two_files, other, gone)[0] == 1
    assert airlines() == ["a.csv", "b.csv", "g.csv"]
    assert run("--prune", "--allow-empty", two_files, other, gone)[0] == 0
    assert airlines() == ["New", "b.csv"]


def test_allow_empty_does_not_allow_a_path_that_was_never_loaded(two_files: Path, tmp_path: Path) -> None:
    code, out = run("--prune", "--allow-empty", tmp_path / "dta", two_files)
    assert code == 1
    assert "dta does not exist, and nothing was loaded from it; check the path." in out
    assert airlines() == ["a.csv", "b.csv"]


def test_the_default_folder_may_be_out_of_reach_too(two_files: Path, settings: Settings) -> None:
    settings.TREND_DATA_DIR = str(two_files)
    missing(two_files)
    assert run("--prune")[0] == 1
    assert airlines() == ["a.csv", "b.csv"]


def test_a_folder_can_be_pruned_again_after_it_was_emptied(two_files: Path) -> None:
    emptied(two_files)
    assert run("--prune", "--allow-empty", two_files)[0] == 0
    assert run("--prune", "--allow-empty", two_files)[0] == 0
    (two_files / "c.csv").write_text(table(fare(airline="New")))
    assert run("--prune", two_files)[0] == 0
    assert airlines() == ["New"]


def test_an_emptied_folder_is_told_without_prune_and_changes_nothing(two_files: Path) -> None:
    emptied(two_files)
    code, out = run(two_files)
    assert code == 1
    assert "contains no .csv, .tsv, .json, " in out
    assert set(SourceFile.objects.values_list("state", flat=True)) == {"loaded"}


def test_a_file_that_is_a_link_to_nothing_is_not_gone(two_files: Path, tmp_path: Path) -> None:
    (two_files / "a.csv").unlink()
    (two_files / "a.csv").symlink_to(tmp_path / "not-mounted" / "a.csv")
    code, out = run("--prune", two_files)
    assert code == 1
    assert "a.csv: cannot be read: No such file or directory." in out
    assert airlines() == ["a.csv", "b.csv"]


@pytest.mark.parametrize("options", [(), ("--prune",), ("--prune", "--allow-empty")])
def test_files_below_a_folder_that_cannot_be_listed_are_not_gone(
    open_folder: Path, db: None, options: tuple[str, ...]
) -> None:
    inner = open_folder / "eu"
    inner.mkdir()
    (inner / "a.csv").write_text(table(fare(airline="inner")))
    (open_folder / "b.csv").write_text(table(fare(airline="outer")))
    run(open_folder)
    inner.chmod(0)
    with unprivileged():
        code, out = run(*options, open_folder)
    assert code == 1
    assert re.search(r"eu:? cannot be listed: Permission denied", out)
    assert airlines() == ["inner", "outer"]
    assert set(SourceFile.objects.values_list("state", flat=True)) == {"loaded"}


@pytest.mark.parametrize("way", ["its folder", "itself"])
def test_a_file_that_somebody_deleted_comes_back_when_it_is_named(
    two_files: Path, settings: Settings, way: str
) -> None:
    settings.TREND_DATA_DIR = str(two_files)
    remove(SourceFile.objects.get(name="a.csv"))
    for options in ((), ("--prune",), ("--force",), ("--dry-run",)):
        code, out = run(*options)
        assert code == 0
        assert (
            "1 file was removed by somebody and skipped; name a file or its folder to load it again." in out
        )
        assert airlines() == ["b.csv"]
    assert run(two_files if way == "its folder" else two_files / "a.csv")[0] == 0
    assert airlines() == ["a.csv", "b.csv"]
    assert "removed" not in run()[1]


@pytest.mark.parametrize("reason", ["its groups", "a curated row"])
def test_a_file_that_is_kept_after_a_prune_is_told_once(two_files: Path, reason: str) -> None:
    if reason == "its groups":
        SourceFile.objects.get(name="a.csv").groups.add(Group.objects.create(name="board"))
    else:
        curation.edit(FareRow.objects.get(airline="a.csv"), {"season": "Autumn"}, None)
    (two_files / "a.csv").unlink()
    assert "pruned" in run("--prune", two_files)[1]
    changes = Change.objects.count()
    for options in (("--prune",), (), ("--prune", "--dry-run")):
        assert "a.csv" not in run(*options, two_files)[1]
    assert Change.objects.count() == changes
    assert SourceFile.objects.get(name="a.csv").state == "gone"


def test_a_folder_of_the_file_system_need_not_be_listed(open_folder: Path, db: None) -> None:
    (open_folder / "a.csv").write_text(table(fare()))
    (open_folder / "lost+found").mkdir(mode=0)
    run(open_folder)
    with unprivileged():
        assert run("--prune", open_folder)[0] == 0


@pytest.mark.parametrize("options", [(), ("--prune",), ("--prune", "--allow-empty")])
def test_a_path_that_cannot_be_reached_is_not_emptied(
    open_folder: Path, db: None, options: tuple[str, ...]
) -> None:
    data = open_folder / "mount" / "data"
    data.mkdir(parents=True)
    (data / "a.csv").write_text(table(fare()))
    run(data)
    data.parent.chmod(0)
    with unprivileged():
        code, out = run(*options, data)
    assert code == 1
    assert "Permission denied" in out
    assert airlines() == ["Delta"]
