"""What every test may use."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.site import Site, running


@pytest.fixture(autouse=True)
def _unlimited(settings: Any) -> None:
    """Limits are for the tests of limits; any other may call as often as it likes."""
    settings.RATE_LIMIT = settings.FAILED_AUTH_RATE_LIMIT = ""
    settings.CONCURRENT_CALLS = 0


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """A server as `make run` starts it, with the bundled data; shared, so tests put back what they change."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def token(site: Site) -> str:
    """An access token of the first administrator."""
    return site.token()
