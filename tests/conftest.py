"""What every test may use.

A server cheaply: take `site` and `token`, and put back what you change; with settings of its own,
`tests.site.running(settings)` in a fixture of the module (two seconds), with a new user for each test that
needs one. For commands alone, `tests.site.environment()` and `tests.commands.Commands` (0.1 s each).
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from mcpsite.mcp.database import close_database_threads
from tests.site import Site, running


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database, whose last sessions end before it is dropped.

    A test that calls a store or a tool leaves the process's database threads behind, as a server does
    until it stops; PostgreSQL drops no database that somebody is connected to.
    """
    yield
    close_database_threads()
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )


@pytest.fixture(autouse=True)
def _unlimited(settings: Any) -> None:
    """Limits are for the tests of limits; any other may call as often as it likes."""
    settings.RATE_LIMIT = settings.FAILED_AUTH_RATE_LIMIT = ""
    settings.FAILED_SIGN_IN_RATE_LIMIT = settings.FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT = ""
    settings.CONCURRENT_CALLS, settings.REQUEST_RATE_LIMIT = 0, ""


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """Passwords are hashed at once; the site's own way is made to take a fifth of a second."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher", *settings.PASSWORD_HASHERS]


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """A server as `make run` starts it, with the bundled data; shared, so tests put back what they change."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def token(site: Site) -> str:
    """An access token of the first administrator."""
    return site.token()
