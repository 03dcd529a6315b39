"""Who stays signed in: checked in each request, of whatever method, before its view runs.

It runs after the CSRF check, so a form that is stored was sent by one of our own pages.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from mcpsite.access.signin import pages, sessions, stored_edits
from mcpsite.access.signin.provider import provider, provider_name

ENDED = "Your session has ended. Sign in again to continue."
ENDED_WITH_EDIT = "Your session has ended. Sign in again; your changes are kept."
ENDED_AND_LOST = (
    "Your session has ended. Sign in again and repeat your last action, which was not carried out."
)


class SignedIn:
    """Ends sessions that are over, has the provider renew those that are due, stores what people typed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if settings.AUTHORIZATION_SERVER and keeps_opener(request):
            response.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
        return response

    def process_view(
        self, request: HttpRequest, view: Any, _args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        if getattr(getattr(view, "view_class", None), "about_signing_in", False):
            return None
        if not request.user.is_authenticated:
            return ask_to_sign_in(request, view, None) if stored_edits.is_form(request, view) else None
        if sessions.is_over(request):
            user_id = str(request.user.pk)
            sessions.end_session(request)
            return ask_to_sign_in(request, view, user_id)
        return self._renewal(request, view) or stored_edits.shown_again(request, view, kwargs)

    def _renewal(self, request: HttpRequest, view: Any) -> HttpResponseBase | None:
        """Return another answer if the provider has to vouch for the person again; else None."""
        if not sessions.by_provider(request):
            return None
        age = sessions.since_renewal(request)
        reading = request.method in ("GET", "HEAD")
        # Early, while it goes unnoticed, so that it seldom comes between a form and its saving.
        if age < settings.OIDC_RENEW_SECONDS / (2 if reading and is_navigation(request) else 1):
            return None
        in_grace = age < settings.OIDC_RENEW_SECONDS + settings.OIDC_GRACE_SECONDS
        if in_grace and sessions.is_put_off(request):
            return None
        if not provider().is_up():
            return None if in_grace else self._out_of_reach(request, view)
        if not is_navigation(request):
            return HttpResponse(f"{ENDED}\n", status=401, content_type="text/plain")
        back = stored_edits.store(request, view, str(request.user.pk)) or back_to(request)
        start = f"{reverse('oidc_authentication_init')}?{urlencode({'next': back, 'renew': 1})}"
        return redirect(start) if reading else pages.onward(request, start, provider_name())

    def _out_of_reach(self, request: HttpRequest, view: Any) -> HttpResponse:
        back = stored_edits.store(request, view, str(request.user.pk))
        request.session.save()  # Nobody else does if the answer is 503.
        return pages.error_page(
            request,
            title="Your session cannot be renewed",
            sentence=f"{provider_name()} does not answer, so this site cannot check whether you still "
            "have access. "
            + ("Your changes are kept; try again in a moment." if back else "Try again in a moment."),
            again=back or back_to(request),
            status=503,
        )


def ask_to_sign_in(request: HttpRequest, view: Any, user_id: str | None) -> HttpResponse | None:
    """Return the way to the sign-in and back, with what was typed; None if the page itself asks.

    `user_id`: whose session has just ended; None if that was some time ago.
    """
    reading = request.method in ("GET", "HEAD")
    if reading and user_id is None:
        return None
    if not is_navigation(request):
        return HttpResponse(f"{ENDED}\n", status=401, content_type="text/plain")
    back = stored_edits.store(request, view, user_id)
    messages.info(request, ENDED_WITH_EDIT if back else ENDED if reading else ENDED_AND_LOST)
    return redirect(pages.sign_in(back or back_to(request)))


def keeps_opener(request: HttpRequest) -> bool:
    """Return whether this page may be in the window in which a client has somebody sign in.

    The client's callback page answers through `opener`, which the policy of all other pages cuts off.
    """
    match = request.resolver_match
    return bool(match and getattr(getattr(match.func, "view_class", None), "keeps_opener", False))


def back_to(request: HttpRequest) -> str:
    """Return the page to show after the sign-in: never one that does something."""
    return request.get_full_path() if request.method in ("GET", "HEAD") else request.path


def is_navigation(request: HttpRequest) -> bool:
    """Return whether the browser shows the answer as a page, and can be sent to another site with it."""
    mode = request.headers.get("Sec-Fetch-Mode", "navigate")
    return mode == "navigate" and request.headers.get("X-Requested-With") != "XMLHttpRequest"
