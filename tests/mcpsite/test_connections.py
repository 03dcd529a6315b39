"""How many connections a burst of requests takes from PostgreSQL."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from bench.connections import PATHS, Peak, burst
from tests.postgresql import Role, role, skip_without_postgresql
from tests.site import Site, running

MOST = 20


@pytest.fixture(scope="module")
def limited() -> Iterator[tuple[Site, Role]]:
    """A site whose role may have thirty connections."""
    skip_without_postgresql()
    with role(limit=30) as own, running({"DATABASE_URL": own.url}, prepare=False) as site:
        site.manage("migrate", "-v0")
        yield site, own


@pytest.mark.parametrize("path", PATHS)
def test_two_hundred_requests_at_once_are_answered_over_few_connections(
    limited: tuple[Site, Role], path: str
) -> None:
    site, own = limited
    with Peak(own) as peak:
        answers = asyncio.run(burst(site, path, PATHS[path], 200))
    assert answers == Counter({{"/oauth/token": "401", "/transcripts/": "302"}.get(path, "200"): 200})
    assert peak.connections <= MOST
    assert own.connections() <= MOST
