"""How pages report that a database is away, or that the site is too busy: 503 with `Retry-After`.

A view for programs uses the words of its protocol, by a function `unavailable`.
"""

import sys
from collections.abc import Callable

from django.conf import settings
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import resolve
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter

from mcpsite.core.outage import AWAY, is_outage

RETRY_SECONDS = 5
BUSY = "The server is answering as many requests as it can; try again in a few seconds."


def busy(path: str) -> HttpResponse:
    """Return the answer to a request for `path` that cannot be served now."""
    return _unavailable(path, BUSY)


def _unavailable(path: str, sentence: str) -> HttpResponse:
    try:
        view = getattr(resolve(path).func, "view_class", None)
    except Http404:
        view = None
    response: HttpResponse = getattr(view, "unavailable", _page)(sentence)
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    response.headers["Cache-Control"] = "no-store"
    return response


def _page(sentence: str) -> HttpResponse:
    """Return the page, made without the database."""
    page = render_to_string("503.html", {"SITE_NAME": settings.SITE_NAME, "sentence": sentence})
    return HttpResponse(page, status=503)


class _NoReport(ExceptionReporter):
    """What Django shows of an outage, which nobody sees; its own page takes long to make."""

    def get_traceback_html(self) -> SafeString:
        return SafeString()

    get_traceback_text = get_traceback_html


def _note(*, request: HttpRequest | None = None, **_: object) -> None:
    if request is not None and is_outage(sys.exc_info()[1]):
        request.exception_reporter_class = _NoReport


def _is_noted(request: HttpRequest) -> bool:
    return getattr(request, "exception_reporter_class", None) is _NoReport


got_request_exception.connect(_note, dispatch_uid="mcpsite.web.unavailable")


class OutageMiddleware:
    """Answers 503 if a request failed because the database is away, whatever part of it asked first."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if response.status_code == 500 and _is_noted(request):
            return _unavailable(request.path_info, AWAY)
        return response
