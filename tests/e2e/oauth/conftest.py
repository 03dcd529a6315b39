"""A server for clients to sign in to, and a person who does."""

from collections.abc import Iterator

import httpx2
import pytest

from tests.access.oauth.person import Person
from tests.site import Site, running


@pytest.fixture(scope="module")
def server() -> Iterator[Site]:
    with running() as site:
        site.shell(
            "from django.contrib.auth.models import User, Group\n"
            "alice = User.objects.create_user('alice', 'alice@example.com', 'a password of alice')\n"
            "alice.groups.add(Group.objects.get(name='readers'))"
        )
        yield site


@pytest.fixture
def alice(server: Site) -> Iterator[Person]:
    with httpx2.Client(timeout=60) as browser:
        yield Person(server.origin, "alice", "a password of alice", browser)
