"""What is too large never reaches Django, which would write it to disk; nor does what comes too slowly."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from starlette.types import Message, Receive, Scope, Send

from mcpsite.core import receiving
from mcpsite.core.receiving import Body
from mcpsite.mcp.database import close_database_threads
from mcpsite.web.bodies import MOST_BYTES, Bounded

CHUNK = 1_000_000
UPLOADS = "/admin/uploads/upload/new/airfare/"
IMPORTS = "/admin/airfare/fare/import/"


@pytest.fixture
def cookie(transactional_db: None) -> Iterator[str]:
    """The session of somebody of the staff."""
    yield session(is_staff=True)
    close_database_threads()


def session(*, is_staff: bool) -> str:
    browser = Browser()
    browser.force_login(User.objects.create_user("somebody", is_staff=is_staff))
    return browser.cookies["sessionid"].value


class Client:
    """Sends a body in chunks, for as long as it is read, and keeps the answer."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.sent = 0
        self.answer: list[Message] = []

    async def receive(self) -> Message:
        chunk = min(CHUNK, self.left)
        self.left -= chunk
        self.sent += chunk
        return {"type": "http.request", "body": b"x" * chunk, "more_body": self.left > 0}

    async def send(self, message: Message) -> None:
        self.answer.append(message)

    @property
    def status(self) -> int:
        return int(self.answer[0]["status"])


class Reader:
    """An application that reads all of a request before it answers, as Django does."""

    def __init__(self) -> None:
        self.read = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            self.read += len(message["body"])
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def sent(size: int, path: str, *, declared: bool, cookie: str = "") -> tuple[Client, Reader]:
    client, reader = Client(size), Reader()
    length = (b"content-length", str(size).encode()) if declared else (b"transfer-encoding", b"chunked")
    headers = [length, (b"cookie", f"sessionid={cookie}".encode())]
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": path, "headers": headers}
    asyncio.run(Bounded(reader)(scope, client.receive, client.send))
    return client, reader


def test_what_fits_is_read() -> None:
    client, reader = sent(MOST_BYTES, "/transcripts/", declared=True)
    assert (client.status, reader.read) == (200, MOST_BYTES)


def test_what_is_declared_too_large_is_refused_unread() -> None:
    client, reader = sent(MOST_BYTES + 1, "/transcripts/", declared=True)
    assert (client.status, reader.read) == (413, 0)
    assert b"Upload too large" in client.answer[1]["body"]


def test_what_is_absurd_is_not_even_waited_for(settings: Any, cookie: str) -> None:
    settings.UPLOAD_MAX_MB = 10
    client, _ = sent(5_000_000_000, UPLOADS, declared=True, cookie=cookie)
    assert client.status == 413
    assert client.sent < 30_000_000


def test_a_request_that_does_not_say_its_length_is_cut_off(settings: Any, cookie: str) -> None:
    settings.UPLOAD_MAX_MB = 10
    client, reader = sent(5_000_000_000, UPLOADS, declared=False, cookie=cookie)
    assert client.status == 413
    assert reader.read <= 11_000_000
    assert b"10 MB" in client.answer[1]["body"]


@pytest.mark.parametrize("path", [UPLOADS, IMPORTS])
@pytest.mark.parametrize("declared", [True, False])
def test_forms_with_files_take_more_from_the_staff(
    settings: Any, cookie: str, path: str, declared: bool
) -> None:
    settings.UPLOAD_MAX_MB = 10
    client, _ = sent(9_000_000, path, declared=declared, cookie=cookie)
    assert client.status == 200


@pytest.mark.parametrize("path", ["/admin/airfare/fare/1/change/", "/admin/login/", "/admin/x/import/"])
def test_other_pages_of_the_admin_take_no_more_than_any(cookie: str, path: str) -> None:
    client, reader = sent(9_000_000, path, declared=True, cookie=cookie)
    assert (client.status, reader.read) == (413, 0)


@pytest.mark.parametrize("declared", [True, False])
def test_large_files_of_anybody_else_are_not_read_and_they_are_asked_to_sign_in(
    transactional_db: None,
    declared: bool,
) -> None:
    for cookie in ("", "invented", session(is_staff=False)):
        client, reader = sent(5_000_000_000, UPLOADS, declared=declared, cookie=cookie)
        assert (client.status, reader.read) == (303, 0)
        assert (b"location", f"/accounts/login/?next={UPLOADS}".encode()) in client.answer[0]["headers"]
        assert client.sent <= 2 * MOST_BYTES + CHUNK
    close_database_threads()


def test_small_files_need_no_look_at_the_session() -> None:
    client, reader = sent(1000, UPLOADS, declared=True)
    assert (client.status, reader.read) == (200, 1000)


class Slow(Client):
    """Sends a chunk now and then."""

    async def receive(self) -> Message:
        await asyncio.sleep(0.02)
        return await super().receive()


def arrived(monkeypatch: pytest.MonkeyPatch, *, slowest: int) -> int:
    """The fault of five chunks that take a tenth of a second."""
    monkeypatch.setattr(receiving, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(receiving, "SLOWEST", slowest)

    async def read() -> int:
        body = Body(Slow(5 * CHUNK).receive, MOST_BYTES * 2)
        while (await body()).get("more_body"):
            pass
        return body.fault

    return asyncio.run(read())


def test_who_sends_too_slowly_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert arrived(monkeypatch, slowest=CHUNK * 1000) == 408


def test_a_large_body_has_the_time_that_its_line_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert arrived(monkeypatch, slowest=CHUNK * 10) == 0


def test_a_page_is_answered_408_where_the_request_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "PATIENCE_SECONDS", 0.05)

    async def story() -> Client:
        client = Client(0)

        async def nothing() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/", "headers": []}
        await Bounded(Reader())(scope, nothing, client.send)
        return client

    assert asyncio.run(story()).status == 408


def test_after_the_body_a_client_is_waited_for_as_long_as_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "PATIENCE_SECONDS", 0.02)

    async def story() -> int:
        client = Client(1)
        body = Body(client.receive, MOST_BYTES)
        await body()

        async def gone() -> Message:
            await asyncio.sleep(0.05)
            return {"type": "http.disconnect"}

        monkeypatch.setattr(body, "_receive", gone)
        await body()
        return body.fault

    assert asyncio.run(story()) == 0
