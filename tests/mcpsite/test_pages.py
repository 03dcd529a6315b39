"""How many requests Django answers at once, and what those hold that wait, send slowly or read slowly."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.db import connections
from django.test import Client
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcpsite.access import audit
from mcpsite.web import pages
from mcpsite.web.pages import OtherThreads, Pages
from tests.access.test_audit import event
from tests.exchange.test_exporting import CSV, fields

AUDIT = "/admin/access/auditevent/"


@dataclass
class Visitor:
    """One request, whose sender and reader can be made to wait."""

    path: str = "/accounts/login/"
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    sends: asyncio.Event = field(default_factory=asyncio.Event)
    """The end of the body, once it is set."""
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    leaves: asyncio.Event = field(default_factory=asyncio.Event)
    received: list[Message] = field(default_factory=list)
    _sent: bool = False

    @property
    def status(self) -> int:
        return int(self.received[0]["status"])

    def header(self, name: str) -> str:
        headers = {each.lower(): value for each, value in self.received[0]["headers"]}
        return str(headers.get(name.lower().encode(), b"").decode())

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.received).decode()

    async def visit(self, application: ASGIApp) -> "Visitor":
        messages = iter([{"type": "http.request", "body": b"", "more_body": True}])

        async def receive() -> Message:
            for message in messages:
                return message
            if not self.sends.is_set() or not self._sent:
                await self.sends.wait()
                self._sent = True
                return {"type": "http.request", "body": self.body, "more_body": False}
            await self.leaves.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            self.received.append(message)
            await self.reads.wait()

        host = {"host": "localhost", "content-length": str(len(self.body))}
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": self.method,
            "path": self.path,
            "query_string": b"",
            "headers": [(name.encode(), text.encode()) for name, text in (host | self.headers).items()],
            "server": ("localhost", 80),
            "client": ("127.0.0.1", 1),
        }
        await application(scope, receive, send)
        return self


def brisk(**given: Any) -> Visitor:
    """A request that is sent and read at once."""
    visitor = Visitor(**given)
    visitor.sends.set()
    visitor.reads.set()
    return visitor


@asynccontextmanager
async def visiting(application: ASGIApp, visitor: Visitor) -> AsyncIterator[Visitor]:
    """A request that is under way in the block, and read to its end after it."""
    task = asyncio.create_task(visitor.visit(application))
    await asyncio.sleep(0.2)
    try:
        yield visitor
    finally:
        visitor.sends.set()
        visitor.reads.set()
        await task


async def beginning_of(visitor: Visitor) -> None:
    while not visitor.received:
        await asyncio.sleep(0.01)


def run(story: Callable[[Pages], Any], application: Any = None) -> None:
    """Tell a story of pages that Django, or this application, answers."""
    served = Pages(cast(ASGIApp, application or get_asgi_application()))

    async def bounded() -> None:
        asyncio.get_running_loop().set_default_executor(OtherThreads())
        async with asyncio.timeout(30):
            await story(served)

    try:
        asyncio.run(bounded())
    finally:
        served.close()


@pytest.fixture
def one_thread(settings: Any) -> None:
    settings.PAGE_THREADS = 1


def slow_application(busy: list[int]) -> ASGIApp:
    """An application whose synchronous code takes a moment and counts how many do so at once."""
    lock = threading.Lock()

    def work() -> None:
        with lock:
            busy.append(busy[-1] + 1 if busy else 1)
        time.sleep(0.05)
        with lock:
            busy.append(busy[-1] - 1)

    async def application(_: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await sync_to_async(work)()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return application


def test_as_many_run_at_once_as_there_are_threads_and_all_are_answered(settings: Any) -> None:
    settings.PAGE_THREADS = 3
    busy: list[int] = []

    async def story(served: Pages) -> None:
        visitors = [brisk() for _ in range(30)]
        await asyncio.gather(*(visitor.visit(served) for visitor in visitors))
        assert {visitor.status for visitor in visitors} == {200}

    run(story, slow_application(busy))
    assert max(busy) == 3


def test_one_request_runs_on_one_thread_until_it_is_answered(settings: Any) -> None:
    settings.PAGE_THREADS = 3
    threads: list[set[int]] = []

    async def application(_: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        threads.append({await sync_to_async(threading.get_ident)() for _ in range(5)})
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def story(served: Pages) -> None:
        await asyncio.gather(*(brisk().visit(served) for _ in range(10)))

    run(story, application)
    assert [len(each) for each in threads] == [1] * 10


@pytest.mark.usefixtures("one_thread")
def test_who_sends_slowly_keeps_no_thread() -> None:
    async def story(served: Pages) -> None:
        async with visiting(served, Visitor()) as slow:
            assert (await brisk().visit(served)).status == 200
            assert not slow.received
        assert slow.status == 200

    run(story)


@pytest.mark.usefixtures("one_thread")
def test_who_reads_slowly_keeps_no_thread() -> None:
    async def story(served: Pages) -> None:
        slow = brisk()
        slow.reads.clear()
        async with visiting(served, slow):
            await beginning_of(slow)
            assert slow.status == 200
            assert (await brisk().visit(served)).status == 200
        assert slow.text.endswith("</html>\n")

    run(story)


@pytest.fixture
def curator(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("olga"))
    return client


@pytest.mark.usefixtures("one_thread")
def test_a_long_export_that_is_read_slowly_keeps_no_thread_and_no_connection(
    curator: Client, lent_before: set[Any]
) -> None:
    audit.write_events([event() for _ in range(5000)])
    session = curator.cookies["sessionid"].value
    form = "&".join(f"{name}={value}" for name, value in {"format": CSV, **fields(AUDIT)}.items())
    headers = {
        "cookie": f"sessionid={session}; csrftoken={'a' * 32}",
        "x-csrftoken": "a" * 32,
        "content-type": "application/x-www-form-urlencoded",
    }
    export = Visitor(path=f"{AUDIT}export/", method="POST", headers=headers, body=form.encode())
    connections.close_all()  # the test's own

    async def story(served: Pages) -> None:
        export.sends.set()
        async with visiting(served, export):
            await beginning_of(export)
            assert "csv" in export.header("Content-Type")
            for _ in range(4):  # Each lets one part through.
                export.reads.set()
                await asyncio.sleep(0)
                export.reads.clear()
                await nothing_lent(lent_before)
                assert (await brisk().visit(served)).status == 200
        assert export.text.count("\n") == 5001

    run(story)


def lent() -> set[Any]:
    """The connections that somebody has from the pool, where there is one."""
    pool = getattr(connections["default"], "pool", None)
    return set(pool._lent) if pool else set()


@pytest.fixture(autouse=True)
def lent_before() -> set[Any]:
    """What threads of earlier tests have from the pool."""
    return lent()


async def nothing_lent(but: set[Any]) -> None:
    """Wait until nobody has a connection from the pool, `but` those."""
    async with asyncio.timeout(5):
        while lent() - but:
            await asyncio.sleep(0.02)


@pytest.mark.usefixtures("one_thread")
def test_who_waits_too_long_is_asked_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "WAIT_SECONDS", 0.2)
    release = threading.Event()

    async def story(served: Pages) -> None:
        async with visiting(served, brisk()):
            late = await brisk(path="/").visit(served)
            release.set()
        assert (late.status, late.header("Retry-After")) == (503, "5")
        assert "Temporarily unavailable" in late.text
        programs = await blocked_at(served, "/oauth/token")
        assert programs.status == 503
        assert '"temporarily_unavailable"' in programs.text
        assert programs.header("Access-Control-Allow-Origin") == "*"

    async def blocked_at(served: Pages, path: str) -> Visitor:
        release.clear()
        async with visiting(served, brisk()):
            visitor = await brisk(path=path, method="POST").visit(served)
            release.set()
        return visitor

    run(story, holding(release))


def holding(release: threading.Event) -> ASGIApp:
    """An application whose synchronous code waits to be released."""

    async def application(_: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            return
        await sync_to_async(release.wait)(10)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return application


@pytest.mark.usefixtures("one_thread")
def test_who_finds_too_many_waiting_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_WAITING", 2)
    release = threading.Event()

    async def story(served: Pages) -> None:
        early = []
        for _ in range(3):
            early.append(asyncio.create_task(brisk().visit(served)))
            await asyncio.sleep(0.1)
        began = time.monotonic()
        assert (await brisk().visit(served)).status == 503
        assert time.monotonic() - began < 1
        release.set()
        assert [visitor.status for visitor in await asyncio.gather(*early)] == [200] * 3

    run(story, holding(release))


@pytest.mark.usefixtures("one_thread")
def test_who_leaves_while_waiting_is_not_answered_and_keeps_nobody_from_it() -> None:
    release = threading.Event()

    async def story(served: Pages) -> None:
        async with visiting(served, brisk()):
            gone = brisk()
            leaving = asyncio.create_task(gone.visit(served))
            await asyncio.sleep(0.1)
            gone.leaves.set()
            await leaving
            assert gone.received == []
            release.set()
        assert (await brisk().visit(served)).status == 200

    run(story, holding(release))


@pytest.mark.usefixtures("one_thread")
def test_a_thread_is_free_again_only_when_the_work_of_who_left_has_ended() -> None:
    release, ended = threading.Event(), threading.Event()

    def work() -> None:
        release.wait(10)
        ended.set()

    async def application(_: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        if ended.is_set():
            await send({"type": "http.response.start", "status": 200, "headers": []})
            return
        working = asyncio.ensure_future(sync_to_async(work)())
        assert (await receive())["type"] == "http.disconnect"
        working.cancel()
        await asyncio.wait({working})

    async def story(served: Pages) -> None:
        gone = brisk()
        async with visiting(served, gone):
            gone.leaves.set()
        waiting = asyncio.create_task(brisk().visit(served))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        release.set()
        assert (await waiting).status == 200

    run(story, application)


def test_a_fault_of_the_application_reaches_the_server_and_frees_the_thread(settings: Any) -> None:
    settings.PAGE_THREADS = 1

    def fail() -> None:
        raise ValueError("a fault")

    async def application(_: Scope, receive: Receive, _send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await sync_to_async(fail)()

    async def story(served: Pages) -> None:
        for _ in range(3):
            with pytest.raises(ValueError, match="a fault"):
                await brisk().visit(served)

    run(story, application)


def test_an_error_page_keeps_no_connection(curator: Client, settings: Any, lent_before: set[Any]) -> None:
    settings.DEBUG = False
    session = curator.cookies["sessionid"].value
    connections.close_all()

    async def story(served: Pages) -> None:
        paths = ["/nothing/", "/try/nothing/", f"{AUDIT}0/change/"] * 4
        visitors = [brisk(path=path, headers={"cookie": f"sessionid={session}"}) for path in paths]
        await asyncio.gather(*(visitor.visit(served) for visitor in visitors))
        assert {visitor.status for visitor in visitors} <= {404, 302}
        await nothing_lent(lent_before)

    run(story)
