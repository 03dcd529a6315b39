"""Redis away: everything that counts or remembers in it goes on, and says so."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from django.core.cache import caches
from django.core.cache.backends.base import BaseCache

from mcpsite.core import conf, shared_store
from mcpsite.core.shared_store import SharedStore, store_at
from tests.redis_server import RedisServer, redis_server
from tests.site import Site, running

SENTENCE = "The Redis of CACHE_URL cannot be used"
CLIENT = {"redirect_uris": ["https://client.example/callback"], "token_endpoint_auth_method": "none"}


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as running_server:
        yield running_server


@pytest.fixture
def here(server: RedisServer) -> Iterator[RedisServer]:
    """The Redis, which is there before and after the test."""
    yield server
    server.go_on()
    server.stop()
    server.start()


# The cache


@pytest.fixture
def cache(settings: Any, here: RedisServer, monkeypatch: pytest.MonkeyPatch) -> BaseCache:
    monkeypatch.setattr(shared_store, "PAUSE_SECONDS", 0.1)
    settings.CACHES = {"default": conf.cache(here.url)}
    made: BaseCache = caches["default"]
    made.clear()
    return made


def use(cache: BaseCache) -> None:
    """Everything that Django's caches can do, and what has to come of it."""
    cache.set("a", [1], 60)
    assert cache.get("a") == [1]
    assert cache.get("b", "none") == "none"
    assert cache.add("a", [2]) is False
    assert cache.add("count", 0, 60) is True
    assert cache.incr("count") == 1
    assert cache.decr("count") == 0
    with pytest.raises(ValueError, match="not found"):
        cache.incr("b")
    assert cache.touch("a", 30) is True
    assert "a" in cache
    cache.set_many({"c": 1, "d": 2}, 60)
    assert cache.get_many(["c", "d", "b"]) == {"c": 1, "d": 2}
    assert cache.delete("a") is True
    cache.delete_many(["c", "d"])
    assert cache.get_or_set("e", lambda: "made", 60) == "made"
    cache.clear()
    assert cache.get("e") is None


def test_the_cache_works_in_redis_and_without_it(cache: BaseCache, here: RedisServer) -> None:
    use(cache)
    here.stop()
    use(cache)
    here.start()
    time.sleep(0.2)
    use(cache)


def test_what_is_remembered_is_seen_by_other_processes(cache: BaseCache, here: RedisServer) -> None:
    cache.set("a", 1, 60)
    assert SharedStore(here.url).ask() is None
    here.stop()
    assert cache.get("a") is None
    here.start()


def test_a_redis_that_hangs_holds_nobody_up_for_a_second(
    settings: Any, here: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_store, "PAUSE_SECONDS", 60)
    settings.CACHES = {"default": conf.cache(here.url)}
    store_at.cache_clear()
    here.hang()
    seconds: list[float] = []

    def ask() -> None:
        began = time.monotonic()
        caches["default"].get("a")
        seconds.append(time.monotonic() - began)

    for _ in range(2):
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert max(seconds) < 1.2
    assert max(seconds[8:]) < 0.2


# The site


@pytest.fixture(scope="module")
def site(server: RedisServer) -> Iterator[Site]:
    """A server whose Redis was away when it started."""
    server.stop()
    with running({"CACHE_URL": server.url, "OAUTH_REGISTRATIONS_PER_HOUR": "2"}) as served:
        yield served


def readiness(site: Site) -> tuple[int, str, bool]:
    """The status, the word for it, and whether it is said that the cache is away."""
    answer = httpx2.get(f"{site.origin}/readyz", timeout=10)
    return answer.status_code, answer.json()["status"], answer.json()["checks"].get("cache", True) is False


def registrations(site: Site, count: int) -> list[int]:
    url = f"{site.origin}/oauth/register"
    return [httpx2.post(url, json=CLIENT, timeout=10).status_code for _ in range(count)]


def test_the_site_says_at_the_start_that_redis_is_away_and_goes_on_without_it(
    site: Site, server: RedisServer
) -> None:
    assert SENTENCE in site.log.read_text()
    assert readiness(site) == (200, "degraded", True)
    assert httpx2.get(f"{site.origin}/").status_code == 200
    assert site.call(site.token(), "airfare_fare_summary")["isError"] is False
    assert registrations(site, 3) == [201, 201, 429]  # Counted in the meantime, by the process itself.
    found = site.manage("doctor", check=False).stdout
    assert SENTENCE in " ".join(found.split())
    server.start()
    assert readiness(site) == (200, "ok", False)
    assert registrations(site, 3) == [201, 201, 429]  # Counted in Redis, which has forgotten.
    assert "The Redis of CACHE_URL is back." in site.log.read_text()


def test_a_redis_that_hangs_while_the_site_runs_is_no_more_than_a_moment(
    site: Site, server: RedisServer
) -> None:
    server.stop()
    server.start()
    assert readiness(site) == (200, "ok", False)
    server.hang()
    for path in ("/", "/accounts/login/", "/readyz"):
        began = time.monotonic()
        assert httpx2.get(f"{site.origin}{path}", timeout=10).status_code == 200
        assert time.monotonic() - began < 2
    assert readiness(site) == (200, "degraded", True)
    server.go_on()
    assert readiness(site) == (200, "ok", False)
