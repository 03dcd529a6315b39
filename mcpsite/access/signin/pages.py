"""The pages that say why something was refused, in the site's own look."""

from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from mcpsite.access import limits

RETRY_SECONDS = 15


def error_page(
    request: HttpRequest,
    *,
    title: str,
    sentence: str,
    status: int,
    again: str = "",
    wait: int = RETRY_SECONDS,
) -> HttpResponse:
    """Return a page with one sentence that says what to do, and a link to try again.

    `again`: where the link leads; by default to the sign-in. `wait`: seconds, for 429 and 503.
    """
    context = {"title": title, "sentence": sentence, "again": again or reverse("login"), **support()}
    response = render(request, "signin/fault.html", context, status=status)
    if status in (429, 503):
        response.headers["Retry-After"] = str(wait)
    response.headers["Cache-Control"] = "no-store"
    return response


def onward(request: HttpRequest, url: str, provider: str) -> HttpResponse:
    """Return a page that leads on to `url`, at the provider or on the way there, after a form was sent.

    Not a redirect: the Content-Security-Policy limits those after a form to this site.
    """
    signed_in = request.user.is_authenticated
    context = {"url": url, "provider": provider, "signed_in": signed_in}
    response = render(request, "signin/onward.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


def sign_in(after: str) -> str:
    """Return the address of the sign-in page that leads to `after`."""
    return f"{reverse('login')}?{urlencode({'next': after})}" if after else reverse("login")


def support() -> dict[str, str]:
    """Return whom to ask, for the templates: SUPPORT_CONTACT, an e-mail address or any text."""
    contact = settings.SUPPORT_CONTACT or "an administrator of this site"
    try:
        validate_email(contact)
    except ValidationError:
        return {"support": contact}
    return {"support": contact, "support_email": contact}


def waiting_time(seconds: int) -> str:
    """Return a waiting time as people say it."""
    return limits.seconds_in_words(seconds) if seconds < 120 else f"{-(-seconds // 60)} minutes"
