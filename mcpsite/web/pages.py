"""The threads in which Django answers: so many requests at once, and no more connections than that.

Under ASGI Django gives each request its own thread, and each thread opens a database connection, so a burst
of requests takes as many as the database has.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import ThreadSensitiveContext
from django.conf import settings
from django.db import close_old_connections
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcpsite.web import unavailable

MOST_WAITING = 512
"""Requests that may wait for a thread at the same time."""
WAIT_SECONDS = 20.0
"""How long one of them waits."""

P = ParamSpec("P")
R = TypeVar("R")


class Pages:
    """Django as an ASGI application whose requests take turns on PAGE_THREADS threads.

    A request gets a thread when its body is complete and returns it when its answer begins, so that a client
    that sends or reads slowly keeps none. Later work, such as reading the next part of a long answer, is done
    on any thread, one piece at a time. A request that waits too long, or finds too many waiting, is answered
    503.
    """

    def __init__(self, django: ASGIApp) -> None:
        self._django = django
        self._threads = ThreadPoolExecutor(settings.PAGE_THREADS, "page")
        self.waiting = 0
        """Requests that wait for a thread."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        turn = _Turn(self._threads)
        request = _Request(self, turn, receive, send)
        try:
            async with ThreadSensitiveContext(executor=turn):
                await self._django(scope, request.receive, request.send)
        finally:
            request.end()
        if request.refused:
            answer = unavailable.busy(scope["path"])
            headers = dict(answer.items())
            await Response(answer.content, answer.status_code, headers)(scope, receive, send)

    async def wait_for(self, turn: "_Turn", gone: "asyncio.Task[Message]") -> bool:
        """Wait until it is this request's `turn`; return whether that came before the client was `gone`."""
        if self.waiting >= MOST_WAITING:
            return False
        self.waiting += 1
        try:
            begun = asyncio.wrap_future(turn.begin())
            either: set[asyncio.Future[Any]] = {begun, gone}
            await asyncio.wait(either, timeout=WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.waiting -= 1
        return begun.done()

    def close(self) -> None:
        """End the threads, without waiting for what still runs."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Request:
    """A request's two directions, which decide when its turn begins and ends."""

    def __init__(self, pages: Pages, turn: "_Turn", receive: Receive, send: Send) -> None:
        self._pages = pages
        self._turn = turn
        self._receive = receive
        self._send = send
        self._next: asyncio.Task[Message] | None = None
        """What comes after the body: the message that the client is gone."""
        self.refused = False

    async def receive(self) -> Message:
        if self._next is not None:
            return await self._next
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._next = asyncio.create_task(self._next_message())
            if not await self._pages.wait_for(self._turn, self._next):
                self._turn.end()
                self.refused = not self._next.done()
                return {"type": "http.disconnect"}
        return message

    async def _next_message(self) -> Message:
        return await self._receive()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._turn.end()
        await self._send(message)

    def end(self) -> None:
        """Stop everything that it still does."""
        self._turn.end()
        if self._next is not None:
            self._next.cancel()


class _Turn(Executor):
    """Where a request runs its synchronous code: one thread while it has its turn, any of them after."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._place: Future[None] | None = None
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._over = False

    def begin(self) -> "Future[None]":
        """Queue for a thread; the future is done when there is one."""
        begun: Future[None] = Future()
        self._place = self._threads.submit(self._run, begun)
        return begun

    def end(self) -> None:
        """Leave the thread when its work is done, or leave the queue for it."""
        with self._lock:
            if not self._over:
                self._over = True
                self._work.put(None)
        if self._place is not None:
            self._place.cancel()

    def submit(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> "Future[R]":
        future: Future[R] = Future()
        work = partial(_perform, future, partial(function, *args, **kwargs))
        with self._lock:
            if self._over:
                self._threads.submit(_tidily, work)
            else:
                self._work.put(work)
        return future

    def _run(self, begun: "Future[None]") -> None:
        begun.set_result(None)
        try:
            while (work := self._work.get()) is not None:
                work()
        finally:
            close_old_connections()


class OtherThreads(ThreadPoolExecutor):
    """An event loop's threads for work that needs no particular one: Django makes error pages there."""

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> "Future[R]":
        return super().submit(_tidily, partial(fn, *args, **kwargs))


def _tidily(work: Callable[[], R]) -> R:
    """Do `work`, and keep no connection from it that no request's end would close."""
    try:
        return work()
    finally:
        close_old_connections()


def _perform(future: "Future[Any]", function: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001 (the future's result raises it)
        future.set_exception(error)
    else:
        future.set_result(result)
