"""`manage.py upload_transcripts` as it is run: what it prints, how it ends, what it leaves behind."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from tests.loopback_openai import LoopbackOpenAI
from tests.lost_folders import emptied, hidden, missing
from tests.transcripts.conftest import AIRLINE, HOTEL, NOTES
from tests.transcripts.openai_fixtures import server
from tests.unprivileged import open_folder, unprivileged
from transcripts.loading import remove_transcripts
from transcripts.models import Transcript, VectorStoreFile

__all__ = ["open_folder", "server"]

pytestmark = pytest.mark.django_db

LOCALLY = "Transcripts are searched locally, in this site's database."


@pytest.fixture
def data(folder: Path, settings: Settings) -> Path:
    """A folder with three transcripts, which the settings name."""
    (folder / "2026-02-11_Airline.txt").write_text(AIRLINE)
    (folder / "2026-03-18_Hotel.txt").write_text(HOTEL)
    (folder / "Notes.md").write_text(NOTES)
    settings.TRANSCRIPT_DATA_DIR = str(folder)
    settings.OPENAI_API_KEY = settings.VECTOR_STORE_ID = settings.TRANSCRIPT_STORE = ""
    return folder


def upload(*arguments: object, code: int = 0) -> list[str]:
    """The lines that the command printed; it has to end with `code`."""
    output = io.StringIO()
    try:
        call_command("upload_transcripts", *map(str, arguments), stdout=output)
        ended = 0
    except SystemExit as exit_:
        ended = int(exit_.code or 0)
    lines = [line.rstrip() for line in output.getvalue().splitlines() if line.strip()]
    assert ended == code, lines
    return lines


def test_without_a_key_files_are_loaded_and_searched_locally(data: Path) -> None:
    lines = upload()
    assert lines[-1] == LOCALLY
    assert sum("added" in line for line in lines) == 3
    assert Transcript.objects.count() == 3


def test_a_second_run_changes_nothing(data: Path) -> None:
    upload()
    before = list(Transcript.objects.values_list("pk", "digest", "loaded_at").order_by("pk"))
    lines = upload()
    assert any("3 more" in line and "unchanged" in line for line in lines)
    assert list(Transcript.objects.values_list("pk", "digest", "loaded_at").order_by("pk")) == before


def test_paths_name_files_and_folders(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "Other_Call.txt"
    other.write_text(NOTES)
    upload(other, data / "Notes.md")
    assert set(Transcript.objects.values_list("slug", flat=True)) == {"other-call", "notes"}


def test_a_dry_run_writes_nothing(data: Path) -> None:
    lines = upload("--dry-run")
    assert any("Nothing was written (--dry-run)" in line for line in lines)
    assert sum("added" in line for line in lines) == 3
    assert not Transcript.objects.exists()


def test_a_bad_file_is_refused_with_the_reason_and_the_others_are_loaded(data: Path) -> None:
    (data / "broken.txt").write_bytes(b"caf\x00\xe9")
    (data / "empty.txt").write_bytes(b"")
    lines = upload(code=1)
    assert "broken.txt: It contains NUL bytes, so it is not a text file; save it as UTF-8 text." in lines
    assert "empty.txt: It has no text." in lines
    assert Transcript.objects.count() == 3


def test_a_missing_path_is_told_and_ends_in_1(data: Path, tmp_path: Path) -> None:
    lines = upload(tmp_path / "nowhere", code=1)
    assert "does not exist; give the path of a transcript file or of a folder with transcripts." in " ".join(
        lines
    )


def test_only_prune_deletes_what_is_gone(data: Path) -> None:
    upload()
    (data / "Notes.md").unlink()
    upload()
    assert Transcript.objects.count() == 3
    lines = upload("--prune")
    assert any("Notes.md" in line and "pruned" in line for line in lines)
    assert Transcript.objects.count() == 2


def test_prune_takes_folders_and_never_what_stands_beside_a_single_file(data: Path) -> None:
    upload()
    with pytest.raises(CommandError, match="name folders"):
        upload("--prune", data / "Notes.md")
    assert Transcript.objects.count() == 3


@pytest.mark.parametrize("chosen", ["", "openai", "hybrid"])
def test_with_a_key_files_go_to_a_new_store_and_its_id_is_printed_last(
    data: Path, server: LoopbackOpenAI, settings: Settings, chosen: str
) -> None:
    settings.TRANSCRIPT_STORE = chosen
    lines = upload("--name", "Calls", "--concurrency", 2)
    ((store_id, made),) = server.stores.items()
    assert lines[-1] == f"VECTOR_STORE_ID={store_id}"
    assert made.name == "Calls"
    assert VectorStoreFile.objects.filter(status="completed").count() == len(made.files) == 3
    settings.VECTOR_STORE_ID = store_id
    (data / "Notes.md").unlink()
    again = upload("--prune")
    assert again[-1] == lines[-1]
    assert len(made.files) == len(server.files) == 2


def test_a_file_that_could_not_be_indexed_is_named_and_ends_in_1(data: Path, server: LoopbackOpenAI) -> None:
    server.fail("POST", r"/vector_stores/\w+/files", status=400, message="The file is not supported.")
    lines = upload("--concurrency", 1, code=1)
    assert sum("The file is not supported." in line for line in lines) == 1
    assert lines[-1].startswith("VECTOR_STORE_ID=")
    assert VectorStoreFile.objects.filter(status="completed").count() == 2


def test_the_store_can_be_chosen(data: Path, server: LoopbackOpenAI, settings: Settings) -> None:
    assert upload("--store", "local")[-1] == LOCALLY
    assert not server.stores
    settings.OPENAI_API_KEY = ""
    lines = upload("--store", "openai", code=1)
    assert lines[-1] == (
        "The sync stopped: OPENAI_API_KEY is not set; put a key of your OpenAI project into it."
    )


def test_a_dry_run_uploads_nothing(data: Path, server: LoopbackOpenAI) -> None:
    upload("--dry-run")
    assert not server.stores
    assert not server.files


class Remembering:
    """A store of somebody's own."""

    indexed: list[int] = []

    removed: list[int] = []

    async def index(self, transcript_ids: "list[int]") -> None:
        self.indexed.extend(transcript_ids)

    async def remove(self, transcript_ids: "list[int]") -> None:
        self.removed.extend(transcript_ids)


def test_a_store_of_ones_own_is_brought_up_to_date(data: Path, settings: Settings) -> None:
    settings.TRANSCRIPT_STORE = f"{__name__}.Remembering"
    assert upload()[-1] == f"3 transcripts are indexed in {__name__}.Remembering."
    assert sorted(Remembering.indexed) == sorted(Transcript.objects.values_list("pk", flat=True))
    gone = Transcript.objects.get(source_file="Notes.md").pk
    (data / "Notes.md").unlink()
    upload("--prune")
    assert Remembering.removed == [gone]


@pytest.mark.parametrize("way", ["its folder", "itself"])
def test_a_transcript_that_somebody_deleted_comes_back_when_its_file_is_named(data: Path, way: str) -> None:
    upload()
    remove_transcripts(Transcript.objects.filter(source_file="Notes.md"))
    for options in ((), ("--prune",), ("--dry-run",)):
        lines = upload(*options)
        assert any("1 transcript was deleted by somebody and skipped" in line for line in lines)
        assert Transcript.objects.count() == 2
    upload(data if way == "its folder" else data / "Notes.md")
    assert Transcript.objects.count() == 3
    assert not any("deleted" in line for line in upload())


# Pruning what may only be out of reach


def others(folder: Path) -> None:
    emptied(folder)
    (folder / "Other.txt").write_text(NOTES)


LOST = [emptied, missing, hidden, others]


@pytest.mark.parametrize("lose", LOST)
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_nothing_is_pruned_where_no_file_of_a_folder_is_left(
    data: Path, lose: Callable[[Path], None], options: tuple[str, ...]
) -> None:
    upload()
    lose(data)
    said = " ".join(upload("--prune", *options, code=1))
    assert f"{data} " in said
    assert "add --allow-empty" in said
    assert "Nothing was changed." in said
    assert Transcript.objects.count() == 3
    assert not Transcript.objects.filter(source_file="Other.txt").exists()


@pytest.mark.parametrize("lose", LOST)
def test_allow_empty_says_that_the_files_are_gone(data: Path, lose: Callable[[Path], None]) -> None:
    upload()
    lose(data)
    upload("--prune", "--allow-empty")
    assert Transcript.objects.count() == (1 if lose is others else 0)


def test_one_emptied_folder_keeps_the_others_from_being_changed(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "Other.txt").write_text(NOTES)
    upload(data, other)
    (data / "Notes.md").unlink()
    (data / "New.txt").write_text(NOTES)
    emptied(other)
    upload("--prune", data, other, code=1)
    assert Transcript.objects.count() == 4
    upload("--prune", "--allow-empty", data, other)
    names = set(Transcript.objects.values_list("source_file", flat=True))
    assert names == {"2026-02-11_Airline.txt", "2026-03-18_Hotel.txt", "New.txt"}


def test_allow_empty_does_not_allow_a_path_that_was_never_loaded(data: Path, tmp_path: Path) -> None:
    upload()
    said = " ".join(upload("--prune", "--allow-empty", tmp_path / "dta", data, code=1))
    assert "dta does not exist, and nothing was loaded from it; check the path." in said


def test_a_file_that_is_a_link_to_nothing_is_not_gone(data: Path, tmp_path: Path) -> None:
    upload()
    (data / "Notes.md").unlink()
    (data / "Notes.md").symlink_to(tmp_path / "not-mounted" / "Notes.md")
    assert "Notes.md: It cannot be read: No such file or directory." in upload("--prune", code=1)
    assert Transcript.objects.count() == 3


@pytest.mark.parametrize("options", [("--prune",), ("--prune", "--allow-empty")])
def test_files_below_a_folder_that_cannot_be_listed_are_not_gone(
    open_folder: Path, settings: Settings, options: tuple[str, ...]
) -> None:
    settings.OPENAI_API_KEY = ""
    inner = open_folder / "eu"
    inner.mkdir()
    for folder in (open_folder, inner):
        (folder / f"{folder.name}.txt").write_text(NOTES)
    upload(open_folder)
    inner.chmod(0)
    with unprivileged():
        said = " ".join(upload(*options, open_folder, code=1))
    assert "cannot be listed: Permission denied" in said
    assert Transcript.objects.count() == 2
