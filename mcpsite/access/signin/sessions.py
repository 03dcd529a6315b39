"""How long somebody stays signed in: what a session remembers, and when it is over."""

import time
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, logout, user_logged_in
from django.contrib.sessions.models import Session
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from mcpsite.access.signin.conf import OIDC_BACKEND

BEGAN = "signed_in_at"
RENEWED_AT = "oidc_renewed_at"
RETRY_AT = "oidc_retry_at"
RETRY_SECONDS = 60.0
ID_TOKEN = "oidc_id_token"  # noqa: S105
STORED_EDITS = "kept_edits"
MOST_CLEARED = 200


@receiver(user_logged_in, dispatch_uid="mcpsite.access.signin.sessions")
def begin(*, request: HttpRequest | None = None, **_: Any) -> None:
    """Note when a session began; it ends SIGN_IN_SECONDS later, however busy it is."""
    if request is not None:
        request.session[BEGAN] = time.time()
        clear_ended()


def clear_ended() -> None:
    """Delete some of the ended sessions, because a stranger can begin as many as they like."""
    ended = Session.objects.filter(expire_date__lt=timezone.now())
    keys = list(ended.values_list("pk", flat=True)[:MOST_CLEARED])
    ended.filter(pk__in=keys).delete()


def note_renewal(request: HttpRequest, id_token: str) -> None:
    """Note that the provider has vouched for the person just now."""
    request.session[RENEWED_AT] = time.time()
    request.session[ID_TOKEN] = id_token


def by_provider(request: HttpRequest) -> bool:
    """Return whether the provider signed the person in, and not a password."""
    return bool(request.session.get(BACKEND_SESSION_KEY) == OIDC_BACKEND)


def is_over(request: HttpRequest) -> bool:
    """Return whether the session is as old as any may become."""
    return bool(time.time() - request.session.setdefault(BEGAN, time.time()) >= settings.SIGN_IN_SECONDS)


def since_renewal(request: HttpRequest) -> float:
    """Return the seconds since the provider last vouched for the person."""
    return time.time() - float(request.session.get(RENEWED_AT, 0.0))


def may_renew(request: HttpRequest) -> bool:
    """Return whether the provider may be asked by now; if it refuses, the session ends."""
    return by_provider(request) and since_renewal(request) >= settings.OIDC_RENEW_SECONDS / 2


def put_off(request: HttpRequest) -> None:
    """Leave alone for a while a provider that could not renew the session just now."""
    request.session[RETRY_AT] = time.time() + RETRY_SECONDS
    request.session.save()  # Nobody else does if the answer is 503.


def is_put_off(request: HttpRequest) -> bool:
    """Return whether the provider is left alone."""
    return bool(time.time() < request.session.get(RETRY_AT, 0.0))


def end_session(request: HttpRequest) -> None:
    """Sign out a person who did not ask for it; their stored edits wait for their return."""
    edits = request.session.get(STORED_EDITS)
    logout(request)
    if edits:
        request.session[STORED_EDITS] = edits
