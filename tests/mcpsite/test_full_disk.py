"""A full disk: calls are answered, what would be written is refused for now, and readiness says so."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mcpsite.core import disk, storages
from tests.site import Site, running, template
from tests.unprivileged import open_folder, unprivileged

__all__ = ["open_folder"]

MEGABYTES = 24


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of a few megabytes."""
    folder = tmp_path_factory.mktemp("small")
    command = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if mounted.returncode:
        pytest.skip("a file system of a test's own takes a superuser")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def site(small: Path) -> Iterator[Site]:
    """A server that keeps everything there."""
    shutil.copytree(template("bundled").folder, small, dirs_exist_ok=True)
    with running({"STATE_DIR": str(small)}) as served:
        yield served


def fill(folder: Path) -> Path:
    """Take all the room that is left."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return filler


def readiness(site: Site) -> tuple[int, str, set[str]]:
    """The status, the word for it, and the parts that are not well."""
    answer = httpx2.get(f"{site.origin}/readyz", timeout=10)
    checks = answer.json()["checks"]
    return answer.status_code, answer.json()["status"], {name for name, well in checks.items() if not well}


def test_calls_are_answered_while_the_disk_is_full_and_readiness_names_what_is_lost(
    site: Site, small: Path
) -> None:
    token = site.token()
    assert readiness(site) == (200, "ok", set())
    filler = fill(small)
    try:
        status, word, lost = readiness(site)
        assert (status, word) == (200, "degraded")
        # On PostgreSQL neither the data nor uploads are there.
        own = {"database_folder", "upload_folder"} if "DATABASE_URL" not in site.env else set()
        assert {"state_folder", *own} <= lost
        for _ in range(20):
            assert site.call(token, "airfare_fare_summary")["isError"] is False
        assert httpx2.get(f"{site.origin}/accounts/login/").status_code == 200
    finally:
        filler.unlink()
    assert readiness(site) == (200, "ok", set())


def test_what_cannot_be_written_is_refused_for_now_and_written_later(site: Site, small: Path) -> None:
    if "DATABASE_URL" in site.env:
        pytest.skip("PostgreSQL keeps its data elsewhere")
    token = site.token()
    client = {"redirect_uris": ["https://client.example/callback"], "token_endpoint_auth_method": "none"}
    filler = fill(small)
    try:
        answer = httpx2.post(f"{site.origin}/oauth/register", json=client)
        for _ in range(500):  # SQLite's log may have had room for a few.
            if answer.status_code != 201:
                break
            answer = httpx2.post(f"{site.origin}/oauth/register", json=client)
        assert answer.status_code == 503
        assert answer.json()["error"] == "temporarily_unavailable"
        site.call(token, "list_transcripts")
    finally:
        filler.unlink()
    assert httpx2.post(f"{site.origin}/oauth/register", json=client).status_code == 201
    end = time.monotonic() + 10
    while "list_transcripts" not in site.shell(AUDITED) and time.monotonic() < end:
        time.sleep(0.2)
    assert "list_transcripts" in site.shell(AUDITED)


AUDITED = "from mcpsite.access.models import AuditEvent as E; print(*E.objects.values_list('tool'))"


def test_a_folder_that_may_not_be_written_to_is_named_and_one_that_is_yet_to_be_made_is_not(
    settings: Any, open_folder: Path
) -> None:
    state, uploads = open_folder / "state", open_folder / "uploads"
    settings.STATE_DIR, settings.UPLOAD_DIR = state, uploads / "new"
    settings.STORAGES = {**settings.STORAGES, "private": {"BACKEND": storages.FOLDER}}
    for folder in (state, uploads):
        folder.mkdir()
        folder.chmod(0o777)
    with unprivileged():
        assert disk.unwritable() == []
    uploads.chmod(0o555)
    with unprivileged():
        assert disk.unwritable() == ["upload_folder"]
    assert not settings.UPLOAD_DIR.exists()
