"""The queue of uploads: what is loaded, by whom, and what a process that dies leaves behind."""

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from airfare.models import FareRow
from mcpsite.datasets import curation
from mcpsite.datasets.files import find
from mcpsite.datasets.models import SourceFile
from mcpsite.uploads import progress
from mcpsite.uploads import queue as queues
from mcpsite.uploads.loaders import Loader, Task, register_loader
from mcpsite.uploads.models import Upload
from mcpsite.uploads.progress import ProgressReporter
from tests.airfare.fares import load
from tests.uploads.conftest import Queue, fares
from transcripts.models import Collection, Transcript

pytestmark = pytest.mark.django_db


def worked_off(upload: Upload) -> Upload:
    call_command("process_uploads")
    upload.refresh_from_db()
    return upload


def airlines() -> list[str]:
    return sorted(FareRow.objects.filter(hidden=False).values_list("airline", flat=True))


def test_uploaded_rows_are_loaded_as_the_command_loads_them(queue: Queue) -> None:
    upload = worked_off(queue({"a.csv": fares("Delta", "United"), "b.csv": fares("Alaska")}))
    assert airlines() == ["Alaska", "Delta", "United"]
    assert (upload.state, upload.error) == ("done", "")
    (told,) = upload.read_summaries()
    assert told.columns == ["File", "Rows", "Unreadable values", "Result"]
    assert told.rows == [["a.csv", "2", "0", "new"], ["b.csv", "1", "0", "new"]]
    assert [label for label, _ in told.links] == ["Rows of a.csv", "Rows of b.csv"]
    assert SourceFile.objects.get(name="a.csv").loaded_by == "alice"


def test_a_bad_file_is_told_with_its_line_and_the_others_load(queue: Queue) -> None:
    upload = worked_off(queue({"good.csv": fares("Delta"), "bad.csv": fares("United") + "one,cell\n"}))
    (told,) = upload.read_summaries()
    assert (upload.state, told.failed) == ("done", True)
    assert told.notes[0].startswith("bad.csv: line 3: has 2 cells where the header has 11, and snapshot_date")
    assert airlines() == ["Delta"]


def test_check_only_writes_nothing(queue: Queue) -> None:
    upload = worked_off(queue({"a.csv": fares("Delta")}, check_only=True))
    (told,) = upload.read_summaries()
    assert told.rows == [["a.csv", "1", "0", "new"]]
    assert told.links == []
    assert not SourceFile.objects.exists()


def test_strict_refuses_a_number_that_cannot_be_read(queue: Queue) -> None:
    upload = worked_off(queue({"a.csv": fares("Delta").replace("452", "lots")}, strict=True))
    assert upload.read_summaries()[0].notes == [
        "a.csv: line 2: avg_fare_usd is 'lots', which is not a number from 0 to 10,000,000."
    ]


def test_a_file_of_the_same_name_replaces_the_one_before_and_keeps_what_was_curated(queue: Queue) -> None:
    worked_off(queue({"a.csv": fares("Delta", "United")}))
    curation.hide(FareRow.objects.filter(airline="Delta"))
    upload = worked_off(queue({"a.csv": fares("Delta", "Alaska")}))
    assert upload.read_summaries()[0].rows == [["a.csv", "2", "0", "replaced"]]
    assert airlines() == ["Alaska"]
    assert FareRow.objects.get(airline="Delta").hidden


def test_pruning_the_data_folder_leaves_uploads_alone(queue: Queue, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "b.csv").write_text(fares("Alaska"))
    worked_off(queue({"a.csv": fares("Delta")}))
    assert [each.result for each in load(find([data]), loaded_by="cron", prune=True)] == ["new"]
    assert airlines() == ["Alaska", "Delta"]


def test_the_data_folder_puts_its_own_version_back(queue: Queue, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.csv").write_text(fares("Alaska"))
    list(load(find([data]), loaded_by="cron"))
    worked_off(queue({"a.csv": fares("Delta")}))
    assert airlines() == ["Delta"]
    list(load(find([data]), loaded_by="cron"))
    assert airlines() == ["Alaska"]


def test_transcripts_go_into_the_chosen_collection(queue: Queue) -> None:
    board = Collection.objects.create(name="Board", slug="board")
    files: dict[str, str | bytes] = {"call.txt": "[00:01] Ada: Hello.", "junk.txt": b"\x81\x8d"}
    upload = worked_off(queue(files, "transcripts", collection=board.pk))
    assert Transcript.objects.get().collection == board
    (told,) = upload.read_summaries()
    assert told.rows == [["call.txt", "added"], ["junk.txt", "refused"]]
    assert told.notes == [
        "junk.txt: It is not UTF-8 (byte 0); save it as UTF-8 text.",
        "No date was found in call.txt.",
    ]


@pytest.mark.parametrize(("allowed", "count"), [(False, 1), (True, 0)])
def test_an_empty_file_takes_a_transcript_out_where_that_was_chosen(
    queue: Queue, allowed: bool, count: int
) -> None:
    worked_off(queue({"call.txt": "[00:01] Ada: Hello."}, "transcripts"))
    upload = worked_off(queue({"call.txt": ""}, "transcripts", allow_empty=allowed))
    assert Transcript.objects.count() == count
    assert upload.read_summaries()[0].failed is not allowed


def test_a_collection_that_is_gone_is_not_exchanged_for_one_that_more_people_read(queue: Queue) -> None:
    board = Collection.objects.create(name="Board", slug="board")
    upload = queue({"call.txt": "[00:01] Ada: Hello."}, "transcripts", collection=board.pk)
    board.delete()
    worked_off(upload)
    assert not Transcript.objects.exists()
    assert "the chosen collection no longer exists" in upload.read_summaries()[0].notes[0]


def test_one_of_two_processes_gets_an_upload(queue: Queue) -> None:
    mine = queue({"a.csv": fares("Delta")})
    theirs = Upload.objects.get(pk=mine.pk)
    assert queues.claim(mine)
    assert not queues.claim(theirs)


def test_an_upload_whose_process_lives_is_left_to_it(queue: Queue) -> None:
    upload = queue({"a.csv": fares("Delta")})
    assert queues.claim(upload)
    with ProgressReporter(upload):
        assert list(queues.waiting()) == []


def test_an_upload_whose_process_died_is_loaded_by_the_next(queue: Queue, uploads_folder: Path) -> None:
    upload = queue({"a.csv": fares("Delta")})
    assert queues.claim(upload)
    with ProgressReporter(upload):
        pass
    seconds = 2 * progress.STALE_SECONDS
    if connection.vendor == "sqlite":
        long_ago = time.time() - seconds
        os.utime(uploads_folder / f"{upload.folder}.progress", (long_ago, long_ago))
    else:
        Upload.objects.update(heard_at=timezone.now() - timedelta(seconds=seconds))
    assert worked_off(upload).state == "done"
    assert (upload.attempts, airlines()) == (2, ["Delta"])


def test_an_upload_that_kills_each_process_is_given_up(queue: Queue) -> None:
    upload = queue({"a.csv": fares("Delta")})
    before = timezone.now() - timedelta(minutes=1)
    Upload.objects.update(state="running", attempts=3, started_at=before, worker="gone")
    assert worked_off(upload).state == "failed"
    assert upload.error.startswith("The loading process was stopped 3 times")


def test_what_a_process_says_that_lost_its_upload_is_not_written(queue: Queue) -> None:
    upload = queue({"a.csv": fares("Delta")})
    assert queues.claim(upload)
    Upload.objects.update(worker="another")
    queues.load_upload(upload)
    assert Upload.objects.get().state == "running"


def test_a_fault_of_ours_is_told_without_its_words(queue: Queue, caplog: pytest.LogCaptureFixture) -> None:
    airfare = queue({"a.csv": fares("Delta")})
    loader = airfare.loader
    assert loader is not None

    def broken(task: Task) -> Any:
        raise RuntimeError("/etc/secret")

    register_loader(Loader(kind="broken", title="", permission="", form=loader.form, run=broken, list_url=""))
    Upload.objects.update(kind="broken")
    assert worked_off(airfare).state == "failed"
    assert "secret" not in airfare.error
    assert "/etc/secret" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_the_percentage_moves_with_the_bytes_and_waits_for_the_end(queue: Queue) -> None:
    upload = queue({"a.csv": fares("Delta")})
    with ProgressReporter(upload) as reporter:
        reporter.report(50, 200)
        assert _within_a_second(upload, 25)
        reporter.report(250, 200)
        assert _within_a_second(upload, 99)


def _within_a_second(upload: Upload, percent: int) -> bool:
    for _ in range(40):
        known = progress.reported(upload)
        if known and known.percent == percent:
            return True
        time.sleep(0.05)
    return False


def test_old_files_are_deleted_and_their_rows_stay(queue: Queue, settings: Any, uploads_folder: Path) -> None:
    upload = worked_off(queue({"a.csv": fares("Delta")}))
    assert (uploads_folder / upload.folder / "a.csv").exists()
    Upload.objects.update(finished_at=timezone.now() - timedelta(days=settings.UPLOAD_KEEP_DAYS + 1))
    call_command("process_uploads")
    assert not (uploads_folder / upload.folder).exists()
    assert airlines() == ["Delta"]


def test_uploads_can_be_read_by_the_site_alone(queue: Queue, uploads_folder: Path) -> None:
    upload = queue({"a.csv": fares("Delta")})
    assert uploads_folder.stat().st_mode & 0o077 == 0
    assert (uploads_folder / upload.folder).stat().st_mode & 0o077 == 0
