"""How large the body of a request may be, and how long its sender may take.

Under ASGI Django writes the whole body of a request to disk before any view can refuse it, so a body that is
too large is refused here, before a byte of it is stored. Large files are accepted only from signed-in staff.
"""

import re
from importlib import import_module
from io import BytesIO
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.asgi import ASGIRequest
from django.template.loader import render_to_string
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcpsite.core.outage import is_outage
from mcpsite.core.receiving import LATE, Body
from mcpsite.mcp.database import in_spare_thread
from mcpsite.web import unavailable

MOST_BYTES = 4_000_000
"""For pages that take no files, and for everybody who is not signed-in staff."""
ROOM = 1_000_000
"""For the fields of a form beside its files."""
TAKES_FILES = re.compile(r"/admin/(uploads/upload/new/[\w-]+|\w+/\w+/import)/")
"""Where files are uploaded, and corrections imported."""

_CLOSE = {"Connection": "close", "Cache-Control": "no-store"}


class Bounded:
    """An ASGI application that is sent nothing larger than its paths may receive; 413 otherwise."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        size = int(length) if length.isdecimal() else 0
        most, refusal = MOST_BYTES, None
        if (size > most or "transfer-encoding" in headers) and TAKES_FILES.fullmatch(scope["path"]):
            refusal = await _refuse_large_files(scope)
            if refusal is None:
                most = settings.UPLOAD_MAX_MB * 1_000_000 + ROOM
        if refusal is None and size > most:
            refusal = _refusal(413, most)
        if refusal is not None:
            # A browser shows the answer only after it could send everything.
            await _drain(Body(receive, 2 * most))
            await refusal(scope, receive, send)
            return
        body = Body(receive, most)
        answering = _Watched(send)
        try:
            await self._application(scope, body, answering)
        finally:
            if body.fault and not answering.started:
                await _refusal(body.fault, most)(scope, receive, send)


class _Watched:
    """A `send` that knows whether it was used."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        self.started = True
        await self._send(message)


async def _refuse_large_files(scope: Scope) -> Response | None:
    """Return the answer to somebody who may not send large files; None for signed-in staff."""
    try:
        if await in_spare_thread(_is_from_staff, scope):
            return None
    except Exception as error:
        if not is_outage(error):
            raise
        page = unavailable.busy(scope["path"])
        return Response(page.content, page.status_code, dict(page.items()))
    return RedirectResponse(f"{settings.LOGIN_URL}?next={quote(scope['path'])}", 303, _CLOSE)


def _is_from_staff(scope: Scope) -> bool:
    request: Any = ASGIRequest({**scope, "method": "GET"}, BytesIO())
    store = import_module(settings.SESSION_ENGINE).SessionStore
    request.session = store(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    user: Any = get_user(request)
    return bool(user.is_active and user.is_staff)


async def _drain(body: Body) -> None:
    """Read a request and drop it, unless it is absurdly large."""
    while (await body()).get("more_body"):
        pass


def _refusal(status: int, most: int) -> Response:
    if status == 408:
        return PlainTextResponse(LATE, status, _CLOSE)
    files = settings.UPLOAD_MAX_MB if most > MOST_BYTES else None
    page = render_to_string("413.html", {"SITE_NAME": settings.SITE_NAME, "most": files})
    return HTMLResponse(page, status, _CLOSE)
