"""The real command, killed with SIGKILL at ten different moments, finishes when it is run again."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from tests.loopback_openai import LoopbackOpenAI, running

FILES = 12
# How many requests the server has seen when the kill falls: looking round, making the store, uploads,
# attaches, waiting for the indexing, and (from 40 on) taking out what is to go.
MOMENTS = [1, 2, 4, 6, 9, 14, 20, 27, 34, 40]


@pytest.fixture
def server() -> Iterator[LoopbackOpenAI]:
    with running() as loopback:
        loopback.latency = 0.02
        loopback.indexing = 0.1
        yield loopback


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"2026-02-{number + 1:02}_Call.txt").write_text(call(f"Route {number} grew."))
    return folder


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database, made once."""
    path = tmp_path_factory.mktemp("database") / "empty.sqlite3"
    to_its_end({**os.environ, "DATABASE_URL": f"sqlite:///{path}"}, "migrate", "--verbosity=0")
    return path


@pytest.fixture
def environment(server: LoopbackOpenAI, tmp_path: Path, empty_database: Path) -> dict[str, str]:
    """What the command runs with: a database of its own on SQLite, the tests' database on PostgreSQL."""
    environment = {
        **os.environ,
        "OPENAI_API_KEY": server.key,
        "OPENAI_BASE_URL": server.base_url,
        "OPENAI_STRICT_ANSWERS": "1",
        "VECTOR_STORE_ID": "",
        "TRANSCRIPT_STORE": "",
        "SECRET_KEY": "the same for both runs",
        "STATE_DIR": str(tmp_path),
        "ENV_FILE": str(tmp_path / "none"),
    }
    if connection.vendor == "postgresql":
        given = connection.settings_dict
        place = f"{given['HOST']}:{given['PORT']}/{given['NAME']}"
        environment["DATABASE_URL"] = f"postgres://{given['USER']}:{given['PASSWORD']}@{place}"
    else:
        environment["DATABASE_URL"] = f"sqlite:///{tmp_path / 'db.sqlite3'}"
        shutil.copy(empty_database, tmp_path / "db.sqlite3")
    return environment


def call(said: str) -> str:
    return f"[00:01] Analyst: What is new?\n[00:05] Expert: {said}\n"


def manage(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def to_its_end(environment: dict[str, str], *arguments: str) -> str:
    """Run a command that has to succeed; returns what it printed."""
    with manage(environment, *arguments) as process:
        printed = process.communicate(timeout=120)[0]
    assert process.returncode == 0, printed
    return printed


def upload(environment: dict[str, str], folder: Path) -> str:
    return to_its_end(environment, "upload_transcripts", str(folder), "--prune", "--concurrency=4")


def kill_at(server: LoopbackOpenAI, requests: int, environment: dict[str, str], folder: Path) -> None:
    """Start the command and kill it when the server has seen so many `requests` more."""
    seen = len(server.requests)
    with manage(environment, "upload_transcripts", str(folder), "--prune", "--concurrency=4") as process:
        until = time.monotonic() + 60
        while len(server.requests) - seen < requests and process.poll() is None:
            assert time.monotonic() < until, "the command did not come so far"
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL, "the command had ended before it was to be killed"


def change(folder: Path) -> None:
    """One file changes, one goes, one comes: what was begun may not be wanted any more."""
    names = sorted(folder.iterdir())
    names[0].write_text(call("Corrected."))
    names[1].unlink()
    (folder / "2026-03-01_Late.txt").write_text(call("Late."))


def assert_in_line(server: LoopbackOpenAI, folder: Path) -> None:
    (store,) = server.stores.values()
    held = sorted(attachment.file.content.decode() for attachment in store.files.values())
    assert held == sorted(path.read_text() for path in folder.iterdir())
    assert set(server.files) == set(store.files), "a file in storage is in no store"
    assert {attachment.status for attachment in store.files.values()} == {"completed"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("moment", MOMENTS[::2])
def test_a_first_upload_that_was_killed_is_finished_by_the_next(
    server: LoopbackOpenAI, environment: dict[str, str], folder: Path, moment: int
) -> None:
    kill_at(server, moment, environment, folder)
    printed = upload(environment, folder)
    assert_in_line(server, folder)
    assert printed.splitlines()[-1] == f"VECTOR_STORE_ID={next(iter(server.stores))}"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("moment", MOMENTS[1::2])
def test_what_changed_after_the_kill_leaves_no_orphan(
    server: LoopbackOpenAI, environment: dict[str, str], folder: Path, moment: int
) -> None:
    kill_at(server, moment, environment, folder)
    change(folder)
    upload(environment, folder)
    assert_in_line(server, folder)


@pytest.mark.django_db(transaction=True)
def test_an_update_that_was_killed_again_and_again_is_finished_by_the_last_run(
    server: LoopbackOpenAI, environment: dict[str, str], folder: Path
) -> None:
    upload(environment, folder)
    change(folder)
    for moment in (5, 8):
        kill_at(server, moment, environment, folder)
    upload(environment, folder)
    assert_in_line(server, folder)


@pytest.mark.django_db(transaction=True)
def test_two_commands_at_once_make_one_store_and_no_second_file(
    server: LoopbackOpenAI, environment: dict[str, str], folder: Path
) -> None:
    upload(environment, folder)
    change(folder)
    arguments = ("upload_transcripts", str(folder), "--prune")
    with manage(environment, *arguments) as one, manage(environment, *arguments) as other:
        # The later one waits a while for the earlier, or says that another upload is running.
        printed = [process.communicate(timeout=120)[0] for process in (one, other)]
    assert 0 in (one.returncode, other.returncode), printed
    assert_in_line(server, folder)
