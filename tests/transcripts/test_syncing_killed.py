"""The real command, killed with SIGKILL at ten different moments, finishes when it is run again."""

import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands import Commands
from tests.loopback_openai import LoopbackOpenAI, running
from tests.site import environment

FILES = 12
# How many requests the server has seen when the kill falls: looking round, making the store, sending,
# attaches, waiting for the indexing, and (from 40 on) taking out what is to go.
MOMENTS = [2, 20, 40]
MORE_MOMENTS = [pytest.param(moment, marks=pytest.mark.e2e) for moment in (1, 4, 6, 9, 14, 27, 34)]


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


@pytest.fixture
def commands(server: LoopbackOpenAI) -> Iterator[Commands]:
    """The commands of a site with a database of its own."""
    settings = {
        "OPENAI_API_KEY": server.key,
        "OPENAI_BASE_URL": server.base_url,
        "OPENAI_STRICT_ANSWERS": "1",
        "VECTOR_STORE_ID": "",
        "TRANSCRIPT_STORE": "",
    }
    with environment(settings) as env, closing(Commands(env)) as commands:
        yield commands


def call(said: str) -> str:
    return f"[00:01] Analyst: What is new?\n[00:05] Expert: {said}\n"


def sync(commands: Commands, folder: Path) -> str:
    """Run the command, which has to succeed; what it printed."""
    done = commands.run("upload_transcripts", str(folder), "--prune", "--concurrency=4", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def kill_at(server: LoopbackOpenAI, requests: int, commands: Commands, folder: Path) -> None:
    """Start the command and kill it when the server has seen so many `requests` more."""
    seen = len(server.requests)
    command = commands.start("upload_transcripts", str(folder), "--prune", "--concurrency=4")
    until = time.monotonic() + 60
    while len(server.requests) - seen < requests and command.poll() is None:
        assert time.monotonic() < until, "the command did not come so far"
        time.sleep(0.001)
    command.kill()
    done = command.completed()
    assert done.returncode == -signal.SIGKILL, "the command had ended before it was to be killed"


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


@pytest.mark.parametrize("moment", [*MOMENTS[:2], *MORE_MOMENTS[::2]])
def test_a_first_sync_that_was_killed_is_finished_by_the_next(
    server: LoopbackOpenAI, commands: Commands, folder: Path, moment: int
) -> None:
    kill_at(server, moment, commands, folder)
    printed = sync(commands, folder)
    assert_in_line(server, folder)
    assert printed.splitlines()[-1] == f"VECTOR_STORE_ID={next(iter(server.stores))}"


@pytest.mark.parametrize("moment", [*MOMENTS[1:], *MORE_MOMENTS[1::2]])
def test_what_changed_after_the_kill_leaves_no_orphan(
    server: LoopbackOpenAI, commands: Commands, folder: Path, moment: int
) -> None:
    kill_at(server, moment, commands, folder)
    change(folder)
    sync(commands, folder)
    assert_in_line(server, folder)


def test_an_update_that_was_killed_again_and_again_is_finished_by_the_last_run(
    server: LoopbackOpenAI, commands: Commands, folder: Path
) -> None:
    sync(commands, folder)
    change(folder)
    for moment in (5, 8):
        kill_at(server, moment, commands, folder)
    sync(commands, folder)
    assert_in_line(server, folder)


def test_two_commands_at_once_make_one_store_and_no_second_file(
    server: LoopbackOpenAI, commands: Commands, folder: Path
) -> None:
    sync(commands, folder)
    change(folder)
    arguments = ("upload_transcripts", str(folder), "--prune")
    both = [commands.start(*arguments) for _ in range(2)]
    # The later one waits a while for the earlier, or says that another sync is running.
    done = [command.completed() for command in both]
    assert 0 in [each.returncode for each in done], done
    assert_in_line(server, folder)
