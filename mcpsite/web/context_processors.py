"""What every template of the site may use."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from mcpsite.core.contributions import contributed


def site(request: HttpRequest) -> dict[str, Any]:
    """Return SITE_NAME, in lower case the host on Django's sign-in page, and the apps' own pages.

    An app lists its pages for people in its `navigation.py`: PAGES is a list of a title, the name of the
    address, and the permission that a person needs.
    """
    return {"SITE_NAME": settings.SITE_NAME, "pages": lambda: _pages(request)}


def _pages(request: HttpRequest) -> list[tuple[str, str, str]]:
    pages = [page for pages in contributed("navigation", "PAGES") for page in pages]
    return [
        (title, url, url.partition(":")[0]) for title, url, needed in pages if request.user.has_perm(needed)
    ]
