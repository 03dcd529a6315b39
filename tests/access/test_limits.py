"""Limits: how often a caller may call, how much at once, and how often an address may fail."""

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from django.core.exceptions import ImproperlyConfigured
from limits import parse

from mcpsite.access import limits as module
from mcpsite.access.limits import LimitExceeded, Limits, ProcessMemory, limits, network, rate
from mcpsite.core import conf, shared_store
from tests.access.audited import another_alice, audited
from tests.redis_server import RedisServer, redis_server
from tests.site import Site, running


class Clock:
    """A clock that is moved by hand; it begins now."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def made(**given: Any) -> Limits:
    parts: dict[str, Any] = {"calls": None, "tools": {}, "concurrent": 0, "failures": None}
    return Limits(**({"storage": ProcessMemory()} | parts | given))


def spent(limits: Limits, user: int = 1, tool: str = "search") -> bool:
    """Count one call; whether it was one too many."""
    try:
        limits.count_call(user, tool)
    except LimitExceeded:
        return True
    return False


# Calls


def test_calls_up_to_the_limit_pass_and_the_next_is_told_when_to_come_back() -> None:
    limited = made(calls=parse("3/minute"))
    assert [spent(limited) for _ in range(3)] == [False] * 3
    with pytest.raises(LimitExceeded, match=r"^You may call search 3 times per minute; try again in \d+ sec"):
        limited.count_call(1, "search")


def test_coming_back_when_told_to_succeeds() -> None:
    clock = Clock()
    limited = made(calls=parse("2/minute"), storage=ProcessMemory(clock))
    for _ in range(3):
        refused = spent(limited)
    assert refused
    clock.now += 59
    assert spent(limited)
    clock.now += 1
    assert not spent(limited)


def test_each_caller_has_a_limit_of_their_own() -> None:
    limited = made(calls=parse("1/minute"))
    assert not spent(limited, user=1)
    assert not spent(limited, user=2)
    assert spent(limited, user=1)


def test_each_tool_is_counted_by_itself_and_may_have_a_limit_of_its_own() -> None:
    limited = made(calls=parse("1/minute"), tools={"fetch": parse("2/minute"), "free": None})
    assert [spent(limited, tool="search") for _ in range(2)] == [False, True]
    assert [spent(limited, tool="fetch") for _ in range(3)] == [False, False, True]
    assert not any(spent(limited, tool="free") for _ in range(50))


def test_calls_of_many_threads_are_counted_exactly() -> None:
    limited = made(calls=parse("500/minute"))
    with ThreadPoolExecutor(8) as pool:
        refused = list(pool.map(lambda _: spent(limited), range(800)))
    assert sum(refused) == 300


def test_counters_that_ran_out_make_room() -> None:
    clock = Clock()
    memory = ProcessMemory(clock)
    for n in range(module.MAX_COUNTERS):
        memory.incr(f"old {n}", 60)
    clock.now += 61
    memory.incr("new", 60)
    assert memory.reset() == 1


def test_a_flood_of_counters_does_not_fill_the_memory() -> None:
    memory = ProcessMemory()
    for n in range(module.MAX_COUNTERS + 10):
        memory.incr(str(n), 60)
    assert memory.get(str(module.MAX_COUNTERS + 9)) == 1
    assert memory.reset() <= module.MAX_COUNTERS


# Requests


def requested(limits: Limits, subject: str = "alice") -> int:
    """Count one request; the seconds to wait where it was one too many, else 0."""
    try:
        asyncio.run(limits.count_request("i", subject))
    except LimitExceeded as error:
        return error.seconds
    return 0


def test_requests_up_to_the_limit_pass_and_another_caller_has_their_own() -> None:
    limited = made(requests=parse("2/minute"))
    assert [requested(limited) for _ in range(2)] == [0, 0]
    assert 55 <= requested(limited) <= 60
    assert requested(limited, "bob") == 0


def test_without_a_limit_of_requests_none_is_counted() -> None:
    assert not any(requested(made()) for _ in range(1000))


# Calls at once


def test_a_caller_may_have_so_many_calls_running_and_another_has_their_own() -> None:
    limited = made(concurrent=2)
    with limited.slot("i", "alice"), limited.slot("i", "alice"):
        with limited.slot("i", "bob"):
            pass
        with pytest.raises(LimitExceeded, match="try again in 1 second"), limited.slot("i", "alice"):
            raise AssertionError
    with limited.slot("i", "alice"):
        pass


def test_a_call_that_fails_gives_its_place_back() -> None:
    limited = made(concurrent=1)
    for _ in range(3):
        with pytest.raises(KeyError), limited.slot("i", "alice"):
            raise KeyError


# Failed authentication


def test_an_address_that_keeps_failing_is_told_to_wait() -> None:
    limited = made(failures=parse("2/minute"))

    async def fail(address: str) -> int | None:
        return await limited.count_failure(address)

    assert [asyncio.run(fail("192.0.2.1")) for _ in range(2)] == [None, None]
    assert 55 <= (asyncio.run(fail("192.0.2.1")) or 0) <= 60
    assert asyncio.run(fail("192.0.2.2")) is None


@pytest.mark.parametrize(
    ("address", "whom"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", "unknown"),
        ("/run/site.sock", "unknown"),
    ],
)
def test_an_address_stands_for_the_network_that_one_host_can_choose_from(address: str, whom: str) -> None:
    assert network(address) == whom


# Settings


@pytest.mark.parametrize("text", ["lots", "120", "/minute", "120/fortnight"])
def test_a_rate_that_cannot_be_read_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"RATE_LIMIT contains .* write for example 120/minute"):
        rate("RATE_LIMIT", text)


def test_an_empty_rate_limits_nothing(settings: Any) -> None:
    settings.RATE_LIMIT = ""
    assert not any(spent(limits()) for _ in range(1000))


def test_limits_follow_the_settings(settings: Any) -> None:
    settings.RATE_LIMIT = "1/hour"
    settings.TOOL_RATE_LIMITS = {"fetch": "2/hour"}
    assert [spent(limits()) for _ in range(2)] == [False, True]
    assert [spent(limits(), tool="fetch") for _ in range(3)] == [False, False, True]


# Redis


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_store, "PAUSE_SECONDS", 0.05)


def shared(settings: Any, url: str) -> Limits:
    settings.RATE_LIMIT = "3/minute"
    settings.CACHES = {"default": conf.cache(url)}
    return limits()


def test_processes_share_their_counts_in_redis(settings: Any, server: RedisServer) -> None:
    first = shared(settings, server.url)
    limits.cache_clear()
    second = shared(settings, server.url)
    assert first is not second
    assert [spent(first), spent(second), spent(first), spent(second)] == [False, False, False, True]
    with pytest.raises(LimitExceeded, match=r"try again in (59|60) seconds"):
        first.count_call(1, "search")


def test_while_redis_is_away_each_process_counts_by_itself_and_says_so_once(
    settings: Any, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    first = shared(settings, server.url.replace("127.0.0.1", ":hunter2@127.0.0.1"))
    limits.cache_clear()
    second = shared(settings, server.url.replace("127.0.0.1", ":hunter2@127.0.0.1"))
    server.stop()
    with caplog.at_level(logging.ERROR):
        for one in (first, second):
            assert [spent(one) for _ in range(4)] == [False, False, False, True]
            time.sleep(0.06)
    assert caplog.text.count("The Redis of CACHE_URL cannot be used") == 1
    assert "hunter2" not in caplog.text


def test_a_redis_that_hangs_does_not_hold_every_call_up(settings: Any, server: RedisServer) -> None:
    limited = shared(settings, server.url)
    assert not spent(limited)
    server.hang()
    began = time.monotonic()
    refused = [spent(limited) for _ in range(100)]
    assert time.monotonic() - began < 10
    assert refused[-1]


def test_requests_are_counted_by_all_processes_together_and_by_each_while_redis_is_away(
    settings: Any, server: RedisServer
) -> None:
    settings.REQUEST_RATE_LIMIT = "2/minute"
    first = shared(settings, server.url)
    limits.cache_clear()
    second = shared(settings, server.url)
    assert [bool(requested(one)) for one in (first, second, first)] == [False, False, True]
    server.stop()
    assert [bool(requested(first)) for _ in range(3)] == [False, False, True]


def test_limits_are_shared_again_when_redis_is_back(settings: Any, server: RedisServer) -> None:
    limited = shared(settings, server.url)
    server.stop()
    assert [spent(limited) for _ in range(4)] == [False, False, False, True]
    server.start()
    time.sleep(0.1)
    assert [spent(limited) for _ in range(4)] == [False, False, False, True]


# Over a real server


def test_a_call_over_the_limit_is_a_tool_error_with_the_time_to_wait() -> None:
    with audited(RATE_LIMIT="2/minute", TOOL_RATE_LIMITS="probe_fallback=1/hour") as (site, token):
        for _ in range(2):
            assert not site.call(token, "probe_count")["isError"]
        refused = site.call(token, "probe_count")
        assert refused["isError"] is True
        assert "try again in" in refused["content"][0]["text"]
        assert not site.call(token, "probe_fallback")["isError"]
        assert "once per hour" in site.call(token, "probe_fallback")["content"][0]["text"]


def test_more_calls_at_once_than_allowed_are_refused_and_others_are_served() -> None:
    with audited(CONCURRENT_CALLS="2", MCP_DEADLINE_SECONDS="10") as (site, token):
        answers: list[Any] = []

        def dawdle() -> None:
            answers.append(site.call(token, "probe_dawdle", {"seconds": 2}))

        threads = [threading.Thread(target=dawdle) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answer["isError"] for answer in answers) == [False, False, True, True]
        assert not site.call(token, "probe_count")["isError"]


def test_one_persons_slow_calls_leave_the_same_tool_to_the_next() -> None:
    with audited(MCP_THREADS="4", MCP_DEADLINE_SECONDS="30") as (site, token):
        other = another_alice(site)
        greedy = [
            threading.Thread(target=site.call, args=(token, "probe_dawdle", {"seconds": 2})) for _ in range(5)
        ]
        for thread in greedy:
            thread.start()
        time.sleep(0.5)
        began = time.monotonic()
        assert not site.call(other, "probe_dawdle", {"seconds": 0.1})["isError"]
        assert time.monotonic() - began < 1.2
        assert all(thread.is_alive() for thread in greedy[:1])
        for thread in greedy:
            thread.join()


def test_a_request_over_the_limit_is_refused_before_it_is_read() -> None:
    with audited(REQUEST_RATE_LIMIT="3/minute") as (site, token):
        assert [site.rpc(token, "tools/list").status_code for _ in range(2)] == [200, 200]
        assert site.post(token, {"id": 1, "method": "tools/call", "params": []}).status_code == 400
        for answer in (
            site.rpc(token, "tools/list"),
            httpx2.post(site.url, content=b"x" * 1_000_000, headers=site.headers(token)),
        ):
            assert answer.status_code == 429
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            assert answer.json()["error"].startswith("You may send 3 requests per minute; try again in ")
        assert site.rpc(another_alice(site), "tools/list").status_code == 200


def bad(site: Site, **headers: str) -> Any:
    return site.rpc("a.bad.token", "tools/list", more=headers)


def test_failed_authentication_is_limited_by_address_and_good_tokens_still_pass() -> None:
    with audited(FAILED_AUTH_RATE_LIMIT="3/minute") as (site, token):
        assert [bad(site).status_code for _ in range(4)] == [401, 401, 401, 429]
        refused = bad(site)
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert refused.json()["error"] == "too_many_requests"
        assert site.rpc(token, "tools/list").status_code == 200
        assert site.rpc(None, "tools/list").status_code == 401
        # The proxy on this machine is believed; each of its clients counts by itself.
        assert bad(site, **{"X-Forwarded-For": "203.0.113.7"}).status_code == 401


def test_an_unknown_machine_is_not_believed_about_whom_it_forwards() -> None:
    settings = {"FAILED_AUTH_RATE_LIMIT": "1/minute", "FORWARDED_ALLOW_IPS": "192.0.2.1"}
    with running(settings, prepare=False) as site:
        answers = [bad(site, **{"X-Forwarded-For": f"203.0.113.{n}"}).status_code for n in range(3)]
        assert answers == [401, 429, 429]


def test_an_expired_token_is_no_failure() -> None:
    with audited(FAILED_AUTH_RATE_LIMIT="1/minute") as (site, _):
        expired = site.token("alice", "--ttl", "1")
        time.sleep(2)
        answers = [site.rpc(expired, "tools/list") for _ in range(4)]
        assert {answer.status_code for answer in answers} == {401}
        assert 'error="invalid_token"' in answers[0].headers["WWW-Authenticate"]


def test_a_rate_that_cannot_be_read_stops_the_start() -> None:
    with pytest.raises(RuntimeError, match="RATE_LIMIT contains 'lots'"), running({"RATE_LIMIT": "lots"}):
        raise AssertionError
