"""A server whose tools come to each outcome, and what its audit trail holds."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.site import Site, running


@contextmanager
def audited(**settings: str) -> Iterator[tuple[Site, str]]:
    """A server with the tools of `tests.access.probes`, and a token of Alice, who may use most of them."""
    probes = {"DJANGO_SETTINGS_MODULE": "tests.access.probes.settings", **settings}
    with running(probes, prepare=False) as site:
        site.manage("migrate", "-v0")
        site.shell(
            "from django.contrib.auth.models import Permission, User\n"
            "alice = User.objects.create_user('alice')\n"
            "alice.user_permissions.add(Permission.objects.get(codename='view_user'))\n"
            "User.objects.create_user('bob')"
        )
        yield site, site.token("alice")


def rows(site: Site) -> list[dict[str, Any]]:
    """The trail, oldest first, as the database gives it."""
    return ask(site, "SELECT * FROM access_auditevent ORDER BY time, id")


def forget(site: Site) -> None:
    """Empty the trail."""
    ask(site, "DELETE FROM access_auditevent")


def ask(site: Site, statement: str) -> list[dict[str, Any]]:
    """The rows that a statement finds in the site's database, without starting Django for it."""
    url = site.env.get("DATABASE_URL", "")
    if url:
        with psycopg.connect(url, row_factory=dict_row) as connection:
            found = connection.execute(statement)
            return found.fetchall() if found.description else []
    with closing(sqlite3.connect(Path(site.env["STATE_DIR"]) / "db.sqlite3", timeout=30)) as lite, lite:
        lite.row_factory = sqlite3.Row
        return [dict(row) for row in lite.execute(statement)]


def rows_after_a_while(site: Site, count: int) -> list[dict[str, Any]]:
    """The trail once it holds `count` rows, or what it holds after ten seconds."""
    end = time.monotonic() + 10
    time.sleep(0.6)
    while len(found := rows(site)) < count and time.monotonic() < end:
        time.sleep(0.2)
    return found
