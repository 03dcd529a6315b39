"""People who upload, and files to be uploaded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile

from mcpsite.core import storages
from mcpsite.uploads.models import Upload
from mcpsite.uploads.queue import enqueue
from tests.airfare.conftest import fare, table


@pytest.fixture(autouse=True)
def uploads_folder(settings: Any, tmp_path: Path) -> Path:
    """Where uploads are kept; no process is started for them."""
    settings.UPLOAD_DIR = tmp_path / "uploads"
    settings.UPLOAD_AUTOSTART = False
    settings.STORAGES = {**settings.STORAGES, "private": {"BACKEND": storages.FOLDER}}
    return tmp_path / "uploads"


@pytest.fixture
def alice(db: None) -> User:
    """She may upload both kinds of files, and see what was loaded."""
    user = User.objects.create_user("alice", is_staff=True)
    names = ("add_farerow", "view_sourcefile", "view_farerow", "add_transcript", "view_transcript")
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return user


Queue = Callable[..., Upload]


@pytest.fixture
def queue(alice: User) -> Queue:
    """Queues the given files (name to content) as Alice's."""

    def run(files: dict[str, str | bytes], kind: str = "airfare", **more: Any) -> Upload:
        kept = [file(name, content) for name, content in files.items()]
        return enqueue(kind, kept, by=alice, check_only=more.pop("check_only", False), options=more)

    return run


def file(name: str, content: str | bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content)


def fares(*airlines: str) -> str:
    """An airfare file with a row for each of `airlines`."""
    return table(*(fare(airline=airline) for airline in airlines))
