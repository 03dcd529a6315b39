"""A server whose tools come to each outcome, and what its audit trail holds."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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
    """The trail, oldest first."""
    printed = site.shell(
        "import json\n"
        "from access.models import AuditEvent\n"
        "print(json.dumps(list(AuditEvent.objects.order_by('time', 'pk').values()), default=str))"
    )
    found: list[dict[str, Any]] = json.loads(printed)
    return found


def rows_after_a_while(site: Site, count: int) -> list[dict[str, Any]]:
    """The trail once it holds `count` rows, or what it holds after ten seconds."""
    end = time.monotonic() + 10
    time.sleep(0.6)
    while len(found := rows(site)) < count and time.monotonic() < end:
        time.sleep(0.2)
    return found
