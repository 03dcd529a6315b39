"""A server whose tools come to each outcome, and what its audit trail holds."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from tests.site import Site, ask, running

INTERVAL_SECONDS = 0.05
"""How long an event waits to be written: less than usual, so that many tests wait less for it."""
SETTLED_SECONDS = 6 * INTERVAL_SECONDS
"""After this long whatever was called has its rows."""
ALICE = (
    "from django.contrib.auth.models import Permission, User\n"
    "alice = User.objects.create_user({!r})\n"
    "alice.user_permissions.add(Permission.objects.get(codename='view_user'))\n"
)


@contextmanager
def audited(**settings: str) -> Iterator[tuple[Site, str]]:
    """A server with the tools of `tests.access.probes`, and a token of Alice, who may use most of them."""
    probes = {
        "DJANGO_SETTINGS_MODULE": "tests.access.probes.settings",
        "PROBE_AUDIT_INTERVAL": str(INTERVAL_SECONDS),
        **settings,
    }
    with running(probes, prepare=False) as site:
        site.shell(ALICE.format("alice") + "User.objects.create_user('bob')")
        yield site, site.token("alice")


def another_alice(site: Site) -> str:
    """A token of somebody who may use what Alice may, and has used nothing yet."""
    name = f"alice-{uuid4().hex[:8]}"
    site.shell(ALICE.format(name))
    return site.token(name)


def rows(site: Site) -> list[dict[str, Any]]:
    """The trail, oldest first, as the database gives it."""
    return ask(site.env, "SELECT * FROM access_auditevent ORDER BY time, id")


def forget(site: Site) -> None:
    """Empty the trail."""
    ask(site.env, "DELETE FROM access_auditevent")


def rows_after_a_while(site: Site, count: int) -> list[dict[str, Any]]:
    """The trail once it holds `count` rows, or what it holds after ten seconds."""
    end = time.monotonic() + 10
    time.sleep(SETTLED_SECONDS)
    while len(found := rows(site)) < count and time.monotonic() < end:
        time.sleep(INTERVAL_SECONDS)
    return found


@pytest.fixture
def fresh(server: tuple[Site, str]) -> tuple[Site, str]:
    """The `server` of a module with an empty trail."""
    site, _ = server
    time.sleep(SETTLED_SECONDS)
    forget(site)
    return server
