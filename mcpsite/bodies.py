"""How large a request to Django may be.

Under ASGI Django writes the whole body of a request to disk before any view can refuse it, so what is
too large is refused here, before a byte of it is kept.
"""

from django.conf import settings
from django.template.loader import render_to_string
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 4_000_000
"""For pages that take no files."""
ROOM = 1_000_000
"""For what a form says beside its files."""
TAKES_FILES = "/admin/"


class Bounded:
    """An ASGI application that is asked nothing larger than its paths may take; 413 otherwise."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        most = MOST_BYTES
        if scope["path"].startswith(TAKES_FILES):
            most = settings.UPLOAD_MAX_MB * 1_000_000 + ROOM
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared) > most:
            # A browser shows the answer only when it could send all it wanted to.
            await _drain(receive, most)
            await _refuse(scope, receive, send)
            return
        body = _Counted(receive, most)
        answering = _Watched(send)
        try:
            await self._application(scope, body, answering)
        finally:
            if body.over and not answering.started:
                await _refuse(scope, receive, send)


class _Counted:
    """The messages of a request without a length, which ends where it becomes too large."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._left = most
        self.over = False

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.over = True
            return {"type": "http.disconnect"}
        return message


class _Watched:
    """Sends, and knows whether it has."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        self.started = True
        await self._send(message)


async def _drain(receive: Receive, most: int) -> None:
    """Read and forget a request, as long as it is not absurd."""
    read = 0
    while read < 2 * most:
        message = await receive()
        read += len(message.get("body", b""))
        if not message.get("more_body"):
            return


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    files = scope["path"].startswith(TAKES_FILES)
    page = render_to_string(
        "413.html", {"SITE_NAME": settings.SITE_NAME, "most": settings.UPLOAD_MAX_MB if files else None}
    )
    await HTMLResponse(page, 413, {"Connection": "close", "Cache-Control": "no-store"})(scope, receive, send)
