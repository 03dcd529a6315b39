"""What is too large never reaches Django, which would write it to disk."""

import asyncio
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from mcpsite.bodies import MOST_BYTES, Bounded

CHUNK = 1_000_000


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


def sent(size: int, path: str, *, declared: bool) -> tuple[Client, Reader]:
    client, reader = Client(size), Reader()
    headers = [(b"content-length", str(size).encode())] if declared else []
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": path, "headers": headers}
    asyncio.run(Bounded(reader)(scope, client.receive, client.send))
    return client, reader


def test_what_fits_is_read() -> None:
    client, reader = sent(MOST_BYTES, "/transcripts/", declared=True)
    assert (client.status, reader.read) == (200, MOST_BYTES)


def test_what_is_declared_too_large_is_refused_unread() -> None:
    client, reader = sent(MOST_BYTES + 1, "/transcripts/", declared=True)
    assert (client.status, reader.read) == (413, 0)
    assert b"Too large" in client.answer[1]["body"]


def test_what_is_absurd_is_not_even_waited_for(settings: Any) -> None:
    settings.UPLOAD_MAX_MB = 10
    client, _ = sent(5_000_000_000, "/admin/uploads/upload/new/airfare/", declared=True)
    assert client.status == 413
    assert client.sent < 30_000_000


def test_a_request_that_does_not_say_its_length_is_cut_off(settings: Any) -> None:
    settings.UPLOAD_MAX_MB = 10
    client, reader = sent(5_000_000_000, "/admin/uploads/upload/new/airfare/", declared=False)
    assert client.status == 413
    assert reader.read <= 11_000_000
    assert b"10 MB" in client.answer[1]["body"]


def test_forms_with_files_take_more(settings: Any) -> None:
    settings.UPLOAD_MAX_MB = 10
    client, _ = sent(9_000_000, "/admin/uploads/upload/new/airfare/", declared=False)
    assert client.status == 200
