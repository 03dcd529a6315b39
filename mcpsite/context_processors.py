from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, str]:  # noqa: ARG001 (Django's signature)
    """SITE_NAME for every template; in small letters Django's sign-in page has the host's name."""
    return {"SITE_NAME": settings.SITE_NAME}
