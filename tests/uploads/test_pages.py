"""The form for uploads and the page of an upload, as people meet them."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from airfare.models import FareRow
from mcpsite.datasets.models import SourceFile
from mcpsite.uploads import queue as queues
from mcpsite.uploads.forms import safe_name
from mcpsite.uploads.models import Upload
from mcpsite.uploads.progress import ProgressReporter
from tests.site import ROOT
from tests.uploads.conftest import Queue, fares, file
from transcripts.models import Collection, Transcript

pytestmark = pytest.mark.django_db

LIST = "/admin/uploads/upload/"
AIRFARE = f"{LIST}new/airfare/"
TRANSCRIPTS = f"{LIST}new/transcripts/"


@pytest.fixture
def page(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def charlie(client: Client, db: None) -> Client:
    """In the admin, and with nothing to do there."""
    client.force_login(User.objects.create_user("charlie", is_staff=True))
    return client


def test_alice_uploads_files_and_reads_what_became_of_them(page: Client) -> None:
    chosen = [file("a.csv", fares("Delta", "United")), file("b.csv", "nonsense")]
    answer = page.post(AIRFARE, {"chosen": chosen}, follow=True)
    assert "Waiting to start." in answer.content.decode()
    call_command("process_uploads")
    text = page.get(answer.request["PATH_INFO"]).content.decode()
    assert "Loaded, with problems." in text
    assert "b.csv: line 1: is not a usable header" in text
    assert "Rows of a.csv" in text


def test_the_rows_of_a_new_file_can_be_for_some_groups_alone(page: Client) -> None:
    board = Group.objects.create(name="board")
    page.post(AIRFARE, {"chosen": [file("a.csv", fares("Delta"))], "groups": [board.pk]})
    call_command("process_uploads")
    assert list(SourceFile.objects.get(name="a.csv").groups.all()) == [board]


def test_a_file_that_is_uploaded_again_stays_with_its_groups(page: Client) -> None:
    board, others = (Group.objects.create(name=name) for name in ("board", "others"))
    for rows, groups in ((fares("Delta"), [board.pk]), (fares("United"), []), (fares("Alaska"), [others.pk])):
        page.post(AIRFARE, {"chosen": [file("a.csv", rows)], "groups": groups})
        call_command("process_uploads")
    assert list(SourceFile.objects.get(name="a.csv").groups.all()) == [board]


def test_a_file_whose_group_is_gone_is_not_opened_to_everybody(page: Client) -> None:
    board = Group.objects.create(name="board")
    page.post(AIRFARE, {"chosen": [file("a.csv", fares("Delta"))], "groups": [board.pk]})
    board.delete()
    call_command("process_uploads")
    assert not SourceFile.objects.exists()


def test_transcripts_are_uploaded_into_a_collection(page: Client) -> None:
    board = Collection.objects.create(name="Board", slug="board")
    page.post(TRANSCRIPTS, {"chosen": [file("call.txt", "[00:01] Ada: Hello.")], "collection": board.pk})
    call_command("process_uploads")
    assert board.transcripts.count() == 1


def test_the_page_follows_the_load_without_javascript_and_stops_at_its_end(
    page: Client, queue: Queue
) -> None:
    upload = queue({"a.csv": fares("Delta")})
    url = f"{LIST}{upload.pk}/change/"
    assert queues.claim(upload)
    with ProgressReporter(upload):
        text = page.get(url).content.decode()
    assert 'http-equiv="refresh"' in text
    assert 'role="status"' in text
    assert "<progress" in text
    queues.load_upload(upload)
    text = page.get(url).content.decode()
    assert 'http-equiv="refresh"' not in text
    assert f'hx-get="{url}"' not in text
    assert "Loaded." in text


# Who may


@pytest.mark.parametrize("url", [AIRFARE, TRANSCRIPTS, LIST])
def test_charlie_uploads_nothing(charlie: Client, url: str) -> None:
    assert charlie.get(url).status_code == 403
    assert charlie.post(url, {"chosen": [file("a.csv", fares("Delta"))]}).status_code == 403
    assert not Upload.objects.exists()


def test_charlie_cannot_see_what_others_uploaded(charlie: Client, queue: Queue) -> None:
    upload = queue({"a.csv": fares("Delta")})
    assert charlie.get(f"{LIST}{upload.pk}/change/").status_code in (403, 404)


def test_who_may_upload_fares_sees_no_uploads_of_transcripts(page: Client, alice: User, queue: Queue) -> None:
    fare = queue({"a.csv": fares("Delta")})
    call = queue({"secret-call.txt": "Hello."}, "transcripts")
    alice.user_permissions.remove(alice.user_permissions.get(codename="add_transcript"))
    assert "secret-call" not in page.get(LIST).content.decode()
    assert page.get(f"{LIST}{fare.pk}/change/").status_code == 200
    assert page.get(f"{LIST}{call.pk}/change/").status_code == 404


def test_a_kind_that_nobody_loads_is_not_found(page: Client) -> None:
    assert page.get(f"{LIST}new/nothing/").status_code == 404


def test_the_lists_lead_to_the_forms(page: Client) -> None:
    assert "Upload files" in page.get("/admin/datasets/sourcefile/").content.decode()
    assert page.get("/admin/datasets/sourcefile/upload/", follow=True).request["PATH_INFO"] == AIRFARE
    assert "Upload files" in page.get("/admin/transcripts/transcript/").content.decode()
    answer = page.get("/admin/transcripts/transcript/upload_files/", follow=True)
    assert answer.request["PATH_INFO"] == TRANSCRIPTS


@pytest.mark.parametrize("name", ["interview.docx", "printed.pdf", "captions.srt", "unicode_text.txt"])
def test_the_page_takes_the_files_that_the_command_takes(page: Client, name: str) -> None:
    whole = (ROOT / "tests" / "cases" / "transcripts" / "files" / name).read_bytes()
    page.post(TRANSCRIPTS, {"chosen": [file(name, whole)]})
    call_command("process_uploads")
    assert Transcript.objects.get().turns.exclude(speaker="").count() >= 4


# What is refused at once


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.exe", b"MZ", "a.exe: is not one of .csv, .gz, .json, .jsonl, .ndjson, .tsv, .xlsm, .xlsx."),
        ("a.csv", b"", "The submitted file is empty."),
    ],
)
def test_a_file_that_cannot_be_right_is_refused_with_a_sentence(
    page: Client, name: str, content: bytes, sentence: str
) -> None:
    answer = page.post(AIRFARE, {"chosen": [file(name, content)]})
    assert sentence in answer.content.decode()
    assert not Upload.objects.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", fares("Delta").encode("utf-16")),
        ("a.csv.gz", gzip.compress(fares("Delta").encode())),
        ("a.jsonl", b'{"route": "A", "airline": "Delta"}'),
    ],
)
def test_files_that_are_no_plain_text_are_loaded_too(page: Client, name: str, content: bytes) -> None:
    page.post(AIRFARE, {"chosen": [file(name, content)]})
    call_command("process_uploads")
    (told,) = Upload.objects.get().read_summaries()
    assert told.rows == [[name, "1", "0", "new"]]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"%PDF-1.7", "a.csv: is a PDF"),
        ("a.xlsx", b"\xd0\xcf\x11\xe0....", "a.xlsx: is an old Excel or Word file"),
        ("a.csv", b"PK\x03\x04....", "a.csv: cannot be read: the file is not a readable Excel workbook"),
    ],
)
def test_what_is_no_table_is_refused_by_the_loader(
    page: Client, name: str, content: bytes, sentence: str
) -> None:
    page.post(AIRFARE, {"chosen": [file(name, content)]})
    call_command("process_uploads")
    (told,) = Upload.objects.get().read_summaries()
    assert told.notes[0].startswith(sentence)


def test_a_person_says_what_a_file_leaves_open(page: Client) -> None:
    content = b"date,route,airline\n03/04/2026,JFK-LAX,Delta\n"
    for said in ({}, {"dates": "dmy"}):
        page.post(AIRFARE, {"chosen": [file("a.csv", content)], **said})
        call_command("process_uploads")
    assert [each.read_summaries()[0].failed for each in Upload.objects.order_by("pk")] == [True, False]
    assert str(FareRow.objects.get().snapshot_day) == "2026-04-03"


@pytest.mark.parametrize("content", [b"route,airline\n\xff\xfe,x\n", bytes(range(1, 256)) * 50])
def test_other_encodings_and_junk_are_refused_by_the_loader(page: Client, content: bytes) -> None:
    page.post(AIRFARE, {"chosen": [file("a.csv", content)]})
    call_command("process_uploads")
    (told,) = Upload.objects.get().read_summaries()
    assert told.notes[0].startswith("a.csv: ")
    assert "is not UTF-8 text; save the file as UTF-8" in told.notes[0]


def test_files_of_one_name_are_refused(page: Client) -> None:
    answer = page.post(AIRFARE, {"chosen": [file("a.csv", fares("Delta")), file("a.csv", fares("United"))]})
    assert "a.csv: was chosen twice; rename one of them." in answer.content.decode()


def test_more_than_the_limit_is_refused(page: Client, settings: Any) -> None:
    settings.UPLOAD_MAX_MB = 0
    answer = page.post(AIRFARE, {"chosen": [file("a.csv", fares("Delta"))]})
    assert "larger than 0 MB together" in answer.content.decode()


def test_a_form_without_a_file_says_so(page: Client) -> None:
    assert "This field is required." in page.post(AIRFARE, {}).content.decode()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.csv", "passwd.csv"),
        ("C:\\data\\fares.csv", "fares.csv"),
        ("..", "unnamed"),
        (".hidden.csv", "hidden.csv"),
        ("a\x00b\nc.csv", "a_b_c.csv"),
        ("Übersicht 2026.csv", "Übersicht 2026.csv"),
        ("\u202efdp.csv", "_fdp.csv"),
        ("", "unnamed"),
    ],
)
def test_a_name_is_a_name_and_no_path(given: str, kept: str) -> None:
    assert safe_name(given) == kept


def test_an_endless_name_is_cut_before_its_suffix() -> None:
    assert safe_name("é" * 1000 + ".csv").endswith("é.csv")
    assert len(safe_name("é" * 1000 + ".csv").encode()) < 255


def test_a_path_in_a_name_leads_nowhere(page: Client, uploads_folder: Path) -> None:
    sneaky = SimpleUploadedFile("x.csv", fares("Delta").encode())
    sneaky._name = "../../outside.csv"  # type: ignore[attr-defined]
    page.post(AIRFARE, {"chosen": [sneaky]})
    upload = Upload.objects.get()
    assert upload.files == ["outside.csv"]
    assert [path.parent for path in uploads_folder.parent.rglob("outside.csv")] == [
        uploads_folder / upload.folder
    ]
