"""What every test may use."""

from collections.abc import Iterator

import pytest

from tests.site import Site, running


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """A server as `make run` starts it, with the bundled data; shared, so tests put back what they change."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def token(site: Site) -> str:
    """An access token of the first administrator."""
    return site.token()
