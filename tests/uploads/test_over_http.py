"""Uploads over a real server: a large file arrives in the background, and tools answer meanwhile."""

import re
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from bench.airfare_data import write
from tests.site import Site, running

ROWS = 30_000
PASSWORD = "correct horse battery"
UPLOAD = "/admin/uploads/upload/new/airfare/"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A server of its own, that takes little at once."""
    with running({"UPLOAD_MAX_MB": "50"}) as server:
        yield server


@pytest.fixture(scope="module")
def browser(site: Site) -> Iterator[httpx2.Client]:
    """Signed in as an administrator."""
    site.shell(
        "from django.contrib.auth.models import User\n"
        f"User.objects.create_superuser('curator', password={PASSWORD!r})"
    )
    with httpx2.Client(base_url=site.origin, timeout=60, follow_redirects=True) as client:
        page = client.get("/accounts/login/")
        form = {"username": "curator", "password": PASSWORD, "csrfmiddlewaretoken": token_in(page)}
        client.post("/accounts/login/", data=form).raise_for_status()
        yield client


def token_in(page: httpx2.Response) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def upload(browser: httpx2.Client, name: str, content: bytes) -> httpx2.Response:
    form = {"csrfmiddlewaretoken": token_in(browser.get(UPLOAD))}
    return browser.post(UPLOAD, data=form, files={"chosen": (name, content, "text/csv")})


def test_many_rows_are_uploaded_while_tools_answer(
    site: Site, browser: httpx2.Client, tmp_path: Path
) -> None:
    path = tmp_path / "many.csv"
    write(ROWS, path)
    token = site.token("admin", "--ttl", "1h")
    before = site.call(token, "airfare_trend_insights", {"limit": 1})["structuredContent"]["total_rows"]
    began = time.monotonic()
    page = upload(browser, "many.csv", path.read_bytes())
    answered = time.monotonic() - began
    assert page.status_code == 200
    assert answered < 20
    calls: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            start = time.monotonic()
            site.call(token, "airfare_trend_insights", {"route_contains": "JFK", "limit": 5})
            calls.append(time.monotonic() - start)
            time.sleep(0.05)

    asking = threading.Thread(target=ask)
    asking.start()
    seen: set[int] = set()
    try:
        while "Loaded." not in page.text and time.monotonic() - began < 240:
            assert "Failed." not in page.text
            if moved := re.search(r"Being loaded: (\d+) %", page.text):
                seen.add(int(moved[1]))
            time.sleep(0.2)
            page = browser.get(page.url)
    finally:
        over.set()
        asking.join()
    assert f"{ROWS:,}" in page.text
    assert len(seen) > 2, "the progress did not move"
    assert max(calls) < 20
    assert statistics.median(calls) < 2
    after = site.call(token, "airfare_trend_insights", {"limit": 1})["structuredContent"]["total_rows"]
    assert after == before + ROWS


def test_an_upload_that_a_killed_process_left_is_loaded(site: Site, browser: httpx2.Client) -> None:
    site.shell(
        "from datetime import timedelta\n"
        "from django.contrib.auth.models import User\n"
        "from django.core.files.base import ContentFile\n"
        "from django.utils import timezone\n"
        "from mcpsite.uploads.queue import enqueue\n"
        "from mcpsite.uploads.models import Upload\n"
        "file = ContentFile(b'route,airline,avg_fare_usd\\nAAA-BBB,Left,1\\n', name='left.csv')\n"
        "user = User.objects.get(username='curator')\n"
        "left = enqueue('airfare', [file], by=user, check_only=False, options={})\n"
        "long_ago = timezone.now() - timedelta(minutes=5)\n"
        "Upload.objects.filter(pk=left.pk)"
        ".update(state='running', worker='dead', attempts=1, started_at=long_ago)"
    )
    number = site.shell("from mcpsite.uploads.models import Upload\nprint(Upload.objects.latest('id').pk)")
    began = time.monotonic()
    while time.monotonic() - began < 90:
        page = browser.get(f"/admin/uploads/upload/{number}/change/")
        if "Loaded." in page.text:
            return
        time.sleep(0.3)
    raise AssertionError(page.text[-3000:])


def test_what_is_larger_than_the_limit_is_refused_before_it_is_kept(
    site: Site, browser: httpx2.Client
) -> None:
    answer = upload(browser, "large.csv", b"x" * 52_000_000)
    assert answer.status_code == 413
    assert "the files of one upload may be 50 MB" in " ".join(answer.text.split())


def test_a_page_without_files_takes_little(site: Site) -> None:
    answer = httpx2.post(f"{site.origin}/accounts/login/", content=b"x" * 5_000_000, timeout=30)
    assert answer.status_code == 413
