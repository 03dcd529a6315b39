"""Requests over http to a site whose address is https: redirected or refused before anything reads them."""

from urllib.parse import urlsplit

from django.conf import settings
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from mcpsite.core import conf


class HttpsOnly:
    """An ASGI application that answers such requests itself and passes all others to `app`.

    A request certainly came over http if the proxy says so (X-Forwarded-Proto), or if the client speaks to
    this process itself, by the site's name with another port. A proxy that says nothing may have been reached
    by https, so its requests are served.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _refusal(scope) if scope["type"] == "http" else None
        await (answer or self._app)(scope, receive, send)


def _refusal(scope: Scope) -> Response | None:
    if not settings.SITE_URL.startswith("https://") or not _is_http(Headers(scope=scope)):
        return None
    if scope["method"] in ("GET", "HEAD"):
        path = scope.get("raw_path", scope["path"].encode()).partition(b"?")[0].decode("ascii", "replace")
        query = scope.get("query_string", b"").decode("ascii", "replace")
        return RedirectResponse(f"{settings.SITE_URL}{path}{'?' if query else ''}{query}", 301)
    # Its content has been read on the way already, and a redirect would hide that.
    return JSONResponse(
        {
            "error": "https_required",
            "error_description": f"Use {settings.SITE_URL}; this server does not accept requests over http.",
        },
        403,
    )


def _is_http(headers: Headers) -> bool:
    said = headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    if said:
        return said == "http"
    host, public = headers.get("host", "").lower(), urlsplit(settings.SITE_URL).netloc
    return host != public and conf.host_of(host) == conf.host_of(public)
