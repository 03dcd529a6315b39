"""The sample data: recognised by what it holds, taken out by one command, and not brought back by a start."""

import hashlib
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from pytest_django import Settings

import airfare.samples
import transcripts.samples
from airfare.models import FareRow
from mcpsite.core import samples
from mcpsite.datasets import curation, loading
from mcpsite.datasets.models import SourceFile
from mcpsite.history.models import Change
from mcpsite.web.management.commands.serve import Command as Serve
from tests.airfare.conftest import fare, table
from tests.airfare.fares import page
from tests.loopback_openai import LoopbackOpenAI
from tests.transcripts.conftest import NOTES
from tests.transcripts.openai_fixtures import server
from transcripts import following
from transcripts.models import Collection, Transcript
from transcripts.syncing import sync

__all__ = ["server"]

pytestmark = pytest.mark.django_db

FARES = samples.folder_of("airfare")
CALLS = samples.folder_of("transcripts")
SAMPLE = "2026-06-15_airfare_trends.csv"


@pytest.fixture(autouse=True)
def _locally(settings: Settings) -> None:
    settings.TREND_DATA_DIR, settings.TRANSCRIPT_DATA_DIR = FARES, CALLS
    settings.OPENAI_API_KEY = settings.VECTOR_STORE_ID = settings.TRANSCRIPT_STORE = ""


@pytest.fixture
def vector_store(server: LoopbackOpenAI, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackOpenAI]:
    """OpenAI, and no thread that follows what is deleted outlives its test."""
    monkeypatch.setattr(following, "PAUSES", (0.0,))
    yield server
    following.follower.wait(30)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A company's own folder of a fare and a transcript."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "fares.csv").write_text(table(fare(airline="Acme Air")))
    (folder / "Notes.md").write_text(NOTES)
    return folder


def prepare() -> str:
    """What a start with --prepare says."""
    out = io.StringIO()
    Serve(stdout=out).prepare()
    return out.getvalue()


def remove(*options: str) -> str:
    out = io.StringIO()
    call_command("remove_sample_data", *options, stdout=out)
    return out.getvalue()


def held() -> tuple[int, int]:
    """How many published rows and transcripts there are."""
    return page(limit=0).total, Transcript.objects.count()


def test_the_list_names_each_bundled_file_with_its_digest() -> None:
    for kind, folder in (("airfare", FARES), ("transcripts", CALLS)):
        bundled = {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*")
        }
        assert samples.digests(kind) == bundled


def test_one_command_deletes_all_of_it_and_no_start_brings_it_back() -> None:
    prepare()
    assert held() == (179, 11)
    said = remove("--noinput")
    assert f"{SAMPLE}: 54 rows" in said
    assert "Vacation_Rental_Roundtable.txt" in said
    assert held() == (0, 0)
    assert page(limit=0).files == []
    told = prepare()
    assert held() == (0, 0)
    assert "not loaded, because somebody removed it; load it with" in told
    assert "manage.py load_airfare data/airfare" in told
    assert remove() == "There is no sample data.\n"
    assert {change.source for change in Change.objects.filter(action="delete")} == {"remove_sample_data"}


def test_it_is_loaded_again_by_whoever_names_its_folder() -> None:
    prepare()
    remove("--noinput")
    call_command("load_airfare", str(FARES))
    assert held() == (179, 0)
    prepare()
    assert held() == (179, 0)
    call_command("upload_transcripts", str(CALLS))
    assert held() == (179, 11)
    assert "loaded: 5 fare files, 11 transcripts" in prepare()


def test_what_a_curator_changed_is_told_before_it_goes_too() -> None:
    prepare()
    first, second, *_ = FareRow.objects.filter(load__name=SAMPLE)
    curation.edit(first, {"season": "Autumn"}, None)
    curation.hide(FareRow.objects.filter(pk=second.pk))
    Transcript.objects.filter(source_file="Vacation_Rental_Roundtable.txt").update(corrected=["title"])
    said = remove("--dry-run")
    assert f"{SAMPLE}: 54 rows, 2 of them edited or hidden by a curator" in said
    assert "Vacation_Rental_Roundtable.txt: a curator corrected its title" in said
    assert "Nothing was deleted (--dry-run)." in said
    assert held() == (178, 11)
    remove("--noinput")
    assert held() == (0, 0)
    assert not FareRow.objects.exists()


@pytest.mark.parametrize("answer", ["", "no\n", "y\n"])
def test_nothing_is_deleted_unless_somebody_says_yes(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    prepare()
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    with pytest.raises(CommandError, match="Nothing was deleted"):
        remove()
    assert held() == (179, 11)
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    remove()
    assert held() == (0, 0)


def test_what_is_the_companys_own_stays(own: Path) -> None:
    (own / SAMPLE).write_text(table(fare(airline="Acme Air"), fare(airline="Acme Air")))
    call_command("load_airfare", str(own))
    call_command("upload_transcripts", str(own))
    prepare()
    said = remove("--noinput")
    assert SAMPLE not in said
    assert held() == (3, 1)


def test_it_is_recognised_wherever_it_was_loaded_from(tmp_path: Path) -> None:
    copy = tmp_path / "somewhere.csv"
    shutil.copy(FARES / SAMPLE, copy)
    call_command("load_airfare", str(copy))
    assert [source.name for source in airfare.samples.loaded()] == ["somewhere.csv"]
    remove("--noinput")
    assert held() == (0, 0)


def test_rows_that_were_kept_when_their_file_was_deleted_go_too() -> None:
    prepare()
    curation.edit(FareRow.objects.filter(load__name=SAMPLE)[0], {"season": "Autumn"}, None)
    for source in SourceFile.objects.all():
        loading.remove(source)
    assert held() == (1, 11)
    remove("--noinput")
    assert held() == (0, 0)


def test_a_limited_sample_that_comes_back_is_for_its_groups_alone() -> None:
    prepare()
    board = Group.objects.create(name="board")
    SourceFile.objects.get(name=SAMPLE).groups.add(board)
    collection = Collection.objects.create(name="Board", slug="board")
    Transcript.objects.update(collection=collection)
    remove("--noinput")
    call_command("load_airfare", str(FARES))
    call_command("upload_transcripts", str(CALLS))
    assert list(SourceFile.objects.get(name=SAMPLE).groups.all()) == [board]
    assert set(Transcript.objects.values_list("collection__slug", flat=True)) == {"board"}


@pytest.mark.django_db(transaction=True)
def test_its_transcripts_leave_the_vector_store(
    vector_store: LoopbackOpenAI, settings: Settings, own: Path
) -> None:
    call_command("upload_transcripts", str(CALLS), str(own))
    settings.VECTOR_STORE_ID = sync().store_id
    assert len(vector_store.files) == 12
    remove("--noinput")
    assert len(vector_store.files) == 1
    assert len(vector_store.stores[settings.VECTOR_STORE_ID].files) == 1


@pytest.mark.django_db(transaction=True)
def test_a_vector_store_that_does_not_answer_is_told(
    vector_store: LoopbackOpenAI, settings: Settings
) -> None:
    prepare()
    settings.VECTOR_STORE_ID = sync().store_id
    settings.OPENAI_API_KEY = "sk-wrong"
    said = remove("--noinput")
    assert "It is still in the transcript store: OpenAI refused the key" in said
    assert held() == (0, 0)


# On a public address


def test_a_public_start_does_not_load_it_and_says_how_it_is_loaded(settings: Settings) -> None:
    settings.PUBLIC = True
    told = prepare()
    assert held() == (0, 0)
    assert "not loaded, because the address is public; load it with" in told
    assert "manage.py load_airfare data/airfare" in told
    assert "manage.py upload_transcripts data/transcripts" in told
    call_command("load_airfare", str(FARES))
    assert held() == (179, 0)


def test_a_public_start_loads_the_companys_own_folders(settings: Settings, own: Path) -> None:
    settings.PUBLIC, settings.TREND_DATA_DIR, settings.TRANSCRIPT_DATA_DIR = True, str(own), str(own)
    prepare()
    assert held() == (1, 1)


def test_samples_that_were_loaded_before_the_address_was_public_are_told(settings: Settings) -> None:
    prepare()
    settings.PUBLIC = True
    told = prepare()
    assert "loaded and public: 5 fare files, 11 transcripts; delete it with" in told
    assert "manage.py remove_sample_data" in told


def test_own_files_beside_the_samples_are_loaded_by_a_public_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own: Path
) -> None:
    shutil.copytree(FARES, tmp_path / "data" / "airfare")
    shutil.copytree(CALLS, tmp_path / "data" / "transcripts")
    shutil.copy(own / "fares.csv", tmp_path / "data" / "airfare")
    settings.BASE_DIR, settings.PUBLIC = tmp_path, True
    settings.TREND_DATA_DIR = tmp_path / "data" / "airfare"
    settings.TRANSCRIPT_DATA_DIR = tmp_path / "data" / "transcripts"
    prepare()
    assert held() == (1, 0)


def test_a_start_without_the_sample_folders_goes_on(settings: Settings, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path
    settings.TREND_DATA_DIR = tmp_path / "data" / "airfare"
    settings.TRANSCRIPT_DATA_DIR = tmp_path / "data" / "transcripts"
    told = prepare()
    assert "does not exist" not in told
    assert "Account" in told


def test_the_samples_of_transcripts_are_recognised_after_a_correction() -> None:
    prepare()
    Transcript.objects.update(title="Corrected")
    assert transcripts.samples.loaded().count() == 11
