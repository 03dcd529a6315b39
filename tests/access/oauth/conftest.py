"""People, and a server whose key and counters are the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from pytest_django import Settings

from tests.access.oauth.flow import Flow


@pytest.fixture(autouse=True)
def own_server(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # Making a key takes a good part of a second, so one for all.
    settings.SIGNING_KEY_FILE = _key_file(tmp_path_factory)
    cache.clear()
    yield
    cache.clear()


def _key_file(factory: pytest.TempPathFactory) -> Path:
    return factory.getbasetemp() / "oauth-signing.pem"


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_user("alice", "alice@example.com", "secret", first_name="Alice")


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob", "", "secret")


@pytest.fixture
def flow(alice: User) -> Flow:
    """Alice in front of a browser, with a client that has registered itself."""
    flow = Flow(alice)
    assert flow.register().status_code == 201
    return flow
