"""Where uploaded files are kept: a folder, the database, a bucket. The same holds for each."""

import os
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from airfare.models import FareRow
from mcpsite.core import private_files, storages
from mcpsite.uploads.models import StoredFile, StoredPart, Upload
from tests.loopback_s3 import bucket
from tests.uploads.conftest import Queue, fares

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["folder", "database", "bucket"])
def kept(request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Each kind of storage, empty."""
    if request.param != "bucket":
        entry = storages.upload_storage(request.param, otherwise="", megabytes=200)
        settings.STORAGES = {**settings.STORAGES, "private": entry}
        yield request.param
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with bucket() as address:
        url = f"s3://site/some/prefix?endpoint={address}&region=eu-west-1"
        entry = storages.upload_storage(url, otherwise="", megabytes=200)
        settings.STORAGES = {**settings.STORAGES, "private": entry}
        yield request.param


def test_what_is_uploaded_is_loaded_from_wherever_it_is_kept(kept: str, queue: Queue) -> None:
    upload = queue({"a b.csv": fares("Delta"), "ünï.csv": fares("Alaska")})
    call_command("process_uploads")
    upload.refresh_from_db()
    assert (upload.state, upload.error) == ("done", "")
    assert sorted(FareRow.objects.values_list("airline", flat=True)) == ["Alaska", "Delta"]


def test_files_are_there_byte_for_byte_until_they_are_too_old(
    kept: str, queue: Queue, settings: Settings
) -> None:
    content = os.urandom(2_500_000)
    upload = queue({"a.csv": content})
    with private_files.opened(upload.folder, "a.csv") as file:
        assert file.read() == content
    assert private_files.folders() == [upload.folder]
    ago = timezone.now() - timedelta(days=settings.UPLOAD_KEEP_DAYS + 1)
    Upload.objects.update(state="done", finished_at=ago)
    call_command("process_uploads")
    assert private_files.folders() == []
    assert not private_files.exists(upload.folder, "a.csv")


def test_files_that_are_gone_are_told_and_no_fault(kept: str, queue: Queue) -> None:
    upload = queue({"a.csv": fares("Delta")})
    private_files.forget(upload.folder)
    call_command("process_uploads")
    upload.refresh_from_db()
    assert upload.error == "The uploaded files no longer exist; upload them again."


def test_of_files_that_cannot_all_be_kept_none_is(kept: str) -> None:
    class Torn(ContentFile):  # type: ignore[type-arg]
        def chunks(self, *_: object) -> Any:
            raise OSError("torn")

        read = chunks

    torn: Any = Torn(b"x", "torn.csv")
    with pytest.raises(OSError, match="torn"):
        private_files.keep("f" * 32, [ContentFile(b"good", "good.csv"), torn])
    assert private_files.files_in("f" * 32) == []


def test_a_large_file_is_many_small_rows(settings: Settings, queue: Queue) -> None:
    entry = storages.upload_storage("database", otherwise="", megabytes=200)
    settings.STORAGES = {**settings.STORAGES, "private": entry}
    queue({"a.csv": bytes(2_500_000)})
    assert StoredFile.objects.get().size == 2_500_000
    assert [len(part.content) for part in StoredPart.objects.order_by("number")] == [2**20, 2**20, 402_848]


@pytest.mark.parametrize(
    ("text", "megabytes", "sentence"),
    [
        ("ftp://x", 200, "folder .UPLOAD_DIR., database, or s3://bucket"),
        ("s3://", 200, "s3://bucket"),
        ("s3://key:secret@bucket", 200, "AWS_SECRET_ACCESS_KEY"),
        ("s3://bucket?acl=public", 200, "s3://bucket"),
        ("database", 2000, "UPLOAD_MAX_MB is 2000"),
    ],
)
def test_a_place_that_cannot_be_is_refused_with_a_remedy(text: str, megabytes: int, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence) as refused:
        storages.upload_storage(text, otherwise="folder", megabytes=megabytes)
    assert "key:secret" not in str(refused.value)
