"""Files that are not as they should be: one's fault is its own sentence, and what is here stays."""

import os
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from django.db import connection

from tests.transcripts.conftest import AIRLINE, HOTEL, NOTES, Load
from tests.unprivileged import open_folder, unprivileged
from transcripts.loading import NO_FILE, load, load_summary, sources
from transcripts.models import Transcript, Turn

__all__ = ["open_folder"]

pytestmark = pytest.mark.django_db

EMPTY = ["", " \n", "---\nSector: Airlines\n---\n"]
OTHER_KINDS = [  # What the file is, and how the sentence about it begins.
    ('{"error": "unauthorized", "message": "token expired"}', "JSON"),
    ("[]", "JSON"),
    ('\ufeff\n[{"a": 1}, {"b": 2}, {}]', "JSON"),
    ('{"a":' * 100_000, "JSON"),
    ("[" * 100_000 + "]" * 100_000, "JSON"),
    ('{"a": ' + "9" * 5_000 + "}", "JSON"),
    ("<!DOCTYPE html><p>502 Bad Gateway</p>", "an HTML page"),
    ("\n<HTML lang=en>", "an HTML page"),
    (r"{\rtf1\ansi Hello}", "RTF"),
    ("%PDF-1.7\n1 0 obj", "a PDF"),
]


def names() -> set[str]:
    return set(Transcript.objects.values_list("source_file", flat=True))


@pytest.mark.parametrize(("content", "kind"), OTHER_KINDS)
def test_a_text_that_is_no_transcript_is_refused_and_the_turns_stay(
    load_folder: Load, content: str, kind: str
) -> None:
    load_folder({"call.txt": AIRLINE})
    report = load_folder({"call.txt": content, "good.txt": HOTEL})
    assert list(report.refused) == ["call.txt"]
    assert report.refused["call.txt"].startswith(f"It is {kind}")
    assert (Turn.objects.filter(transcript__source_file="call.txt").count(), report.added) == (
        4,
        ["good.txt"],
    )


@pytest.mark.parametrize("text", ["[00:02] Ann: {}", "[15] and [16] were left out.", "{sigh} Hello.", "[x]"])
def test_a_call_may_begin_with_a_bracket(load_folder: Load, text: str) -> None:
    assert load_folder({"call.txt": text}).added == ["call.txt"]


@pytest.mark.parametrize("content", EMPTY)
def test_a_file_that_has_become_empty_is_refused_and_its_turns_stay(load_folder: Load, content: str) -> None:
    load_folder({"call.txt": AIRLINE})
    report = load_folder({"call.txt": content})
    assert report.refused == {
        "call.txt": "It has no text. Its transcript is kept; to delete it, allow empty files (--allow-empty)."
    }
    assert Turn.objects.count() == 4


@pytest.mark.parametrize("content", EMPTY)
def test_a_file_that_has_become_empty_takes_its_transcript_with_it_where_that_is_allowed(
    load_folder: Load, content: str
) -> None:
    load_folder({"call.txt": AIRLINE, "other.txt": HOTEL})
    assert load_folder({"call.txt": content}, allow_empty=True, dry_run=True).pruned == ["call.txt"]
    assert names() == {"call.txt", "other.txt"}
    assert load_folder(allow_empty=True).pruned == ["call.txt"]
    assert names() == {"other.txt"}


def test_a_new_file_that_is_empty_is_refused_whatever_is_allowed(load_folder: Load) -> None:
    assert load_folder({"call.txt": ""}, allow_empty=True).refused == {"call.txt": "It has no text."}


def test_the_loss_of_most_of_a_text_is_told_first(load_folder: Load) -> None:
    load_folder({"call.txt": AIRLINE})
    told = load_summary(load_folder({"call.txt": AIRLINE[:200]}))
    assert told.warnings == [
        f"call.txt has lost most of its text: it had {len(AIRLINE)} characters and now has 200. "
        "If it was cut off, load the whole file again."
    ]
    assert not told.failed
    assert load_summary(load_folder({"call.txt": AIRLINE[:150]})).warnings == []


def test_what_was_not_found_is_told_with_the_first_ten_files(load_folder: Load) -> None:
    files: dict[str, str | bytes] = {f"{n:02}.txt": f"[00:01] Ann: {n}" for n in range(12)}
    told = load_summary(load_folder({**files, "13.txt": NOTES, "14.txt": HOTEL}))
    first = ", ".join(f"{n:02}.txt" for n in range(10))
    assert told.notes == [
        f"No date was found in {first} and 3 more.",
        "No speaker was found in 13.txt.",
        "No time was found in 13.txt.",
    ]
    assert not told.failed
    assert load_summary(load_folder()).notes == []


def test_one_files_fault_is_that_files_sentence(load_folder: Load, folder: Path) -> None:
    """Names that are not UTF-8, paths that are too long, pipes, and what Office leaves beside a document."""
    os.mkfifo(folder / "pipe.txt")
    (folder / "~$call.txt").write_bytes(b"\0")
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt")).write_text(HOTEL)
    deep = "/".join(["x" * 200] * 3)
    report = load_folder({"call.txt": AIRLINE, ".git/b.txt": HOTEL, f"{deep}/c.txt": HOTEL})
    assert report.added == ["call.txt"]
    assert report.refused == {
        "caf\ufffd.txt": "Its name is not UTF-8; rename the file.",
        f"{deep}/c.txt": "Its path is longer than 500 characters; move it up, or shorten the names.",
    }
    assert load(sources([folder / "pipe.txt"])).refused == {"pipe.txt": "It is neither a file nor a folder."}


def test_a_name_that_cannot_be_stored_keeps_no_folder_from_being_pruned(
    load_folder: Load, folder: Path
) -> None:
    load_folder({"a.txt": AIRLINE, "b.txt": HOTEL})
    (folder / "a.txt").unlink()
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt")).write_text(HOTEL)
    assert load_folder(prune=True).pruned == ["a.txt"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nowhere", "It does not exist; give the path of a transcript file or of a folder with transcripts."),
        ("bare", f"It {NO_FILE}."),
    ],
)
def test_a_path_with_nothing_at_it_does_not_stop_the_others(folder: Path, path: str, reason: str) -> None:
    (folder / "bare").mkdir()
    (folder / "call.txt").write_text(AIRLINE)
    report = load(sources([folder / path, folder / "call.txt"]))
    assert (report.added, report.refused) == (["call.txt"], {str(folder / path): reason})


def test_a_second_file_of_a_name_is_refused_and_the_first_is_loaded(folder: Path) -> None:
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "call.txt").write_text(f"[00:01] Ann: {name}")
    report = load(sources([folder / "one", folder / "two"]))
    assert (report.added, list(report.refused)) == (["call.txt"], [str(folder / "two/call.txt")])
    assert "has the same name as another file of this run" in report.refused[str(folder / "two/call.txt")]
    assert Turn.objects.get().text == "one"


@pytest.mark.parametrize("forbid", [lambda path: path.chmod(0), lambda path: path.chmod(0o444)])
def test_a_folder_that_may_not_be_searched_stops_no_other(
    open_folder: Path, forbid: Callable[[Path], None]
) -> None:
    inner = open_folder / "eu"
    inner.mkdir()
    (inner / "a.txt").write_text(HOTEL)
    (open_folder / "b.txt").write_text(AIRLINE)
    forbid(inner)
    with unprivileged():
        report = load(sources([open_folder]))
    assert report.added == ["b.txt"]
    (reason,) = report.refused.values()
    assert reason.endswith("Permission denied.")


@pytest.mark.parametrize(
    "text",
    ["x" * 3_000_000, "x" * 300 + ": y\n" + "x" * 300 + ": z", "---\nSector: " + "y" * 5_000 + "\n---\nz"],
)
def test_texts_without_a_gap_are_stored(load_folder: Load, text: str) -> None:
    assert load_folder({"call.txt": text, "good.txt": HOTEL}).added == ["call.txt", "good.txt"]


def test_letters_of_many_bytes_fit_into_the_indexes(load_folder: Load) -> None:
    letters = "".join(chr(0x20000 + n) for n in random.Random(1).choices(range(40_000), k=5_000))
    text = f"---\nSector: {letters}\nParticipants:\n  - {letters}\n---\n[00:01] {letters[:80]}: {letters}"
    assert load_folder({"call.txt": text}).added == ["call.txt"]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite lets one writer in at a time")
@pytest.mark.django_db(transaction=True)
def test_a_database_that_stays_locked_is_told_and_the_other_files_load(folder: Path) -> None:
    (folder / "a.txt").write_text(AIRLINE)
    (folder / "b.txt").write_text(HOTEL)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(connection.settings_dict["NAME"], uri=True, isolation_level=None)

    def unlock(source: object) -> None:
        if str(source).count("b.txt") and other.in_transaction:
            other.execute("ROLLBACK")

    with closing(other):
        other.execute("BEGIN IMMEDIATE")
        report = load(sources([folder]), progress=unlock)
    assert report.added == ["b.txt"]
    assert report.refused == {
        "a.txt": "It could not be loaded, because another process kept writing to the database; load it "
        "again."
    }
