"""The command, as a person or a scheduler runs it."""

import random
import signal
import time
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from airfare.models import FareRow
from tests.airfare.conftest import fare, table
from tests.commands import Commands
from tests.site import ask, environment

ROWS = 20_000
"""Enough that a kill falls into the writing of them."""


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
    (folder / "a.csv").write_text(table(fare(), fare(fare="n/a")))
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
    assert "b.csv: line 1: is no usable header: it names no column that is known here." in out
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


def held(env: dict[str, str]) -> tuple[int, int, int]:
    """How many rows there are, how many of the new file, and how many the counts say."""
    [row] = ask(
        env,
        "SELECT count(*) AS rows, count(*) FILTER (WHERE airline = 'New') AS new, "
        "(SELECT coalesce(sum(rows), 0) FROM airfare_combination) AS counted FROM airfare_farerow",
    )
    if "DATABASE_URL" not in env:
        assert ask(env, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    return row["rows"], row["new"], row["counted"]


def test_killed_at_any_moment_it_leaves_the_old_rows_or_the_new(folder: Path) -> None:
    path = folder / "a.csv"
    path.write_text(table(*(fare(airline="Old", fare=n) for n in range(500))))
    old, new = (500, 0, 500), (ROWS, ROWS, ROWS)
    with environment() as env, closing(Commands(env)) as commands:
        commands.run("load_airfare", str(folder))
        assert held(env) == old
        path.write_text(table(*(fare(airline="New", fare=n, note=f"note {n}") for n in range(ROWS))))

        started = time.monotonic()
        commands.run("load_airfare", str(folder), "--dry-run")
        whole = 2 * (time.monotonic() - started)
        chance = random.Random(7)
        killed = 0
        for part in range(6):
            command = commands.start("load_airfare", str(folder))
            time.sleep(whole * (part + chance.random()) / 6)
            command.kill()
            killed += command.completed().returncode == -signal.SIGKILL
            assert held(env) in (old, new)
        assert killed > 0
        commands.run("load_airfare", str(folder))
        assert held(env) == new
