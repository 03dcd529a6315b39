"""The page for a fault of ours."""

from django.conf import settings
from django.http import HttpRequest, HttpResponseServerError
from django.template import loader


def server_error(_request: HttpRequest) -> HttpResponseServerError:
    """Return the page for status 500, made without the database, which may be what failed."""
    page = loader.get_template("500.html").render({"SITE_NAME": settings.SITE_NAME})
    return HttpResponseServerError(page)
