"""The home page: what this server is, what state it is in, and how to connect a client to it.

What visitors see depends on who they are. Everybody: the endpoint and who signs people in, both of which are
in the public metadata. Signed-in people: how much they may read. Staff: what `doctor` finds. Whatever needs
the network is asked in the background, and the page does not wait for it.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.cache import cache as shared_cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from mcpsite import doctor
from mcpsite.access import signing
from mcpsite.access.caller import Caller
from mcpsite.access.holding import State, holdings_for, service_states
from mcpsite.access.identities import AccessDenied, caller_for, claims_of_session
from mcpsite.core.findings import Finding, stops_clients
from mcpsite.core.watch import Watch
from mcpsite.web import connecting, tryout

WATCH_SECONDS = 60.0
DATABASE_SECONDS = 10


@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Return the page at `/`."""
    caller = caller_of(request.user)
    context: dict[str, Any] = {
        "connect": connecting.values(),
        "states": [sign_in_state(), *(service_states() if caller else [])],
        "signed_in": request.user.is_authenticated,
        "holdings": holdings_for(caller) if caller else [],
        "tools": tryout.offered_to(caller) if caller else [],
    }
    if request.user.is_staff:
        context |= checks()
    return render(request, "home.html", context)


@require_POST
@staff_member_required
def connection_check(_request: HttpRequest) -> HttpResponse:
    """Start `doctor`'s connection check; the home page shows its result when there is one."""
    walk().ask()
    # Most checks take less than a second, and then the page shows the result at once.
    walk().wait(1.5)
    return redirect("/#checks")


def caller_of(user: AbstractBaseUser | AnonymousUser) -> Caller | None:
    """Return the person who sees a page, with their rights now; None if nobody is signed in."""
    if not user.is_authenticated:
        return None
    try:
        return caller_for(claims_of_session(user, client_id=tryout.CLIENT_ID))
    except AccessDenied:
        return None


def sign_in_state() -> State:
    """Return who signs people in, and whether they can be reached."""
    if signing.is_own_issuer():
        return State(part="Sign-in", said="with an account of this site", good=True)
    host = connecting.values().issuer_host
    seen = issuer_watch(settings.AUTH0_ISSUER).look()
    if seen is None:
        return State(part="Sign-in", said=f"through {host}; checking whether it answers", good=None)
    if stops_clients(seen.answer):
        return State(part="Sign-in", said=f"{host} does not answer correctly", good=False)
    return State(part="Sign-in", said=f"through {host}, which answers", good=True)


def checks() -> dict[str, Any]:
    """Return `doctor`'s findings for staff: settings and database now, the rest when it last ran."""
    database = shared_cache.get("home:database")
    if database is None:
        database = list(doctor.about_database())
        shared_cache.set("home:database", database, DATABASE_SECONDS)
    seen = walk().seen
    found = [
        replace(each, what=connecting.pasteable(each.what), change=connecting.pasteable(each.change))
        for each in (seen.answer if seen else [*doctor.about_settings(), *database])
    ]
    return {
        "checks": True,
        "faults": _worst_first(each for each in found if each.level in ("error", "warning")),
        "passed": [each for each in found if each.level in ("info", "ok")],
        "walked_at": seen.at if seen else None,
        "walking": walk().busy,
    }


@cache
def issuer_watch(_: str) -> Watch[list[Finding]]:
    """Return the watch of whether the identity provider answers; one for each that the settings name."""
    return Watch(lambda: list(doctor.about_issuer()), seconds=WATCH_SECONDS)


@cache
def walk() -> Watch[list[Finding]]:
    """Return the watch of the whole of `doctor`, which calls this very server; it runs only on request."""
    return Watch(doctor.examine, seconds=WATCH_SECONDS)


def _worst_first(found: Iterable[Finding]) -> list[Finding]:
    return sorted(found, key=lambda each: each.level != "error")
