"""Clients that registered themselves and never got a token, which are deleted after a day.

A client that gets a token is marked, by the time of its last change, because its tokens are deleted when they
are old and the client has to stay (ChatGPT registers one for everybody who uses a connector).
"""

from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone
from oauth2_provider.models import Application, Grant, RefreshToken

PATIENCE = timedelta(days=1)
MOST = 200
"""Deleted at a time, so that a registration does not wait long."""
_MARK = timedelta(seconds=1)


def mark_used(client: Any) -> None:
    """Note that `client` got a token."""
    used = max(timezone.now(), client.created + _MARK)
    Application.objects.filter(pk=client.pk, updated__lt=F("created") + _MARK).update(updated=used)


def delete_unused(most: int = MOST) -> int:
    """Delete clients that had a day and never got a token; return how many."""
    registered = Application.objects.filter(
        registration_source__in=[Application.RegistrationSource.DCR, Application.RegistrationSource.CIMD],
        created__lt=timezone.now() - PATIENCE,
        updated__lt=F("created") + _MARK,
    )
    waiting = Grant.objects.values("application")
    connected = RefreshToken.objects.values("application")
    unused = registered.exclude(pk__in=waiting).exclude(pk__in=connected)
    keys = list(unused.order_by("pk").values_list("pk", flat=True)[:most])
    # Checked once more: one of them may have got its first token just now.
    return int(unused.filter(pk__in=keys).delete()[0]) if keys else 0
