"""The command, as a person or a scheduler runs it."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from airfare.models import FareRow
from tests.airfare.conftest import fare, table

ROOT = Path(__file__).resolve().parents[2]


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


def manage(database: Path, *arguments: object) -> "subprocess.Popen[bytes]":
    """The real command on a database of its own."""
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{database}",
        "STATE_DIR": str(database.parent),
        "LOG_LEVEL": "ERROR",
    }
    return subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), *map(str, arguments)],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def held(database: Path) -> tuple[int, int, int]:
    """How many rows there are, how many of the new file, and how many the counts say."""
    connection = sqlite3.connect(database)
    try:
        rows, new = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE airline = 'New') FROM airfare_farerow"
        ).fetchone()
        counted = connection.execute("SELECT coalesce(sum(rows), 0) FROM airfare_combination").fetchone()[0]
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    finally:
        connection.close()
    return rows, new, counted


def test_killed_at_any_moment_it_leaves_the_old_rows_or_the_new(tmp_path: Path) -> None:
    database = tmp_path / "db.sqlite3"
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "a.csv"
    assert manage(database, "migrate", "-v0").wait() == 0
    path.write_text(table(*(fare(airline="Old", fare=n) for n in range(500))))
    assert manage(database, "load_airfare", folder).wait() == 0
    assert held(database) == (500, 0, 500)
    path.write_text(table(*(fare(airline="New", fare=n, note=f"note {n}") for n in range(40_000))))

    started = time.monotonic()
    process = manage(database, "load_airfare", folder, "--dry-run")
    assert process.wait() == 0
    whole = 2 * (time.monotonic() - started)
    chance = random.Random(7)
    killed = 0
    for part in range(6):
        process = manage(database, "load_airfare", folder)
        time.sleep(whole * (part + chance.random()) / 6)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        assert held(database) in ((500, 0, 500), (40_000, 40_000, 40_000))
    assert killed > 0
    assert manage(database, "load_airfare", folder).wait() == 0
    assert held(database) == (40_000, 40_000, 40_000)
