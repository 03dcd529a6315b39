"""The audit trail: what a row holds, and that no call goes without one."""

import asyncio
import json
import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import httpx2
import pytest
from django.contrib.auth.models import User
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from mcpsite.access import audit
from mcpsite.access.audit import (
    Event,
    Repeats,
    Trail,
    new_id,
    printable,
    redacted,
    redacted_arguments,
    write_events,
)
from mcpsite.access.models import AuditEvent
from tests.access.audited import SETTLED_SECONDS, audited, fresh, rows, rows_after_a_while
from tests.site import LEGACY, MODERN, Site

__all__ = ["fresh"]

USUAL = str(audit.INTERVAL_SECONDS)
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"


def event(**given: Any) -> Event:
    """An event of Alice's, some parts as given."""
    now = given.pop("time", time.time())
    parts: dict[str, Any] = {
        "id": new_id(now),
        "time": now,
        "user_id": None,
        "username": "alice",
        "issuer": "https://issuer.example.com/",
        "subject": "alice",
        "client_id": "client",
        "client_name": "tests 1",
        "tool": "probe",
        "arguments": "",
        "outcome": "ok",
        "note": "",
        "rows": 1,
        "bytes": 2,
        "milliseconds": 1.5,
        "protocol": "2026-07-28",
        "request_id": "1",
    }
    return Event(**(parts | given))


# What a row shows of the arguments


def test_arguments_are_shown_as_compact_json() -> None:
    assert redacted_arguments({"route": "JFK-LAX", "limit": 5, "names": ["é"]}) == (
        '{"route":"JFK-LAX","limit":5,"names":["é"]}'
    )


@pytest.mark.parametrize(
    "name", ["password", "apiKey", "api_key", "access_token", "Authorization", "client_secret"]
)
def test_what_is_named_like_a_secret_is_struck_out(name: str) -> None:
    assert redacted_arguments({"deep": [{name: "hunter2"}]}) == f'{{"deep":[{{"{name}":"[redacted]"}}]}}'


@pytest.mark.parametrize(
    "secret",
    [
        JWT,
        f"Bearer {JWT}",
        "bearer 0123456789abcdef",
        "sk-proj-0123456789abcdef",
        "ghp_0123456789abcdefghij",
        "AKIA0123456789ABCDEF",
        "postgres://me:0123456789abcdef@db/x",
        "-----BEGIN RSA PRIVATE KEY-----0123456789abcdef",
        "password=0123456789abcdef",
        "PASSWORD: '0123456789 abcdef'",
        'DB_PASSWORD="0123456789 abcdef"',
        '{"client_secret": "0123456789 abcdef"}',
        "api-key = 0123456789abcdef",
    ],
)
@pytest.mark.parametrize("before", ["", "look: ", "x" * (audit.MAX_TEXT - 8) + " "])
def test_what_looks_like_a_secret_is_struck_out_also_where_a_cut_falls_into_it(
    secret: str, before: str
) -> None:
    text = redacted_arguments({"query": before + secret})
    assert "0123456789" not in text
    assert "c2lnbmF0dXJl" not in text
    assert "eyJzdWIi" not in text


@pytest.mark.parametrize(
    "text",
    [
        "log in with password=hunter2&user=me",
        '{"password": "hunter2"}',
        '{"window": {"api_key":"hunter2"}}',
        '{"deep": "{\\"access_token\\": \\"hunter2\\"}"}',
    ],
)
def test_a_secret_that_is_named_within_a_text_is_struck_out(text: str) -> None:
    assert "hunter2" not in redacted_arguments({"query": text})


def test_ordinary_words_are_left_as_they_are() -> None:
    text = "password rules; token rotation, a bearer of news, basic fares: the task-force asks about sk-eyes"
    assert redacted(text, 500) == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=40,
)


@given(st.dictionaries(st.text(), json_values))
def test_whatever_a_client_sends_is_shown_within_bounds_and_can_be_stored(arguments: dict[str, Any]) -> None:
    text = redacted_arguments(arguments)
    assert len(text) <= audit.MAX_ARGUMENTS
    assert text.isprintable()
    text.encode()


def test_a_flood_of_arguments_is_cut() -> None:
    text = redacted_arguments({f"name{n}": "x" * 10_000 for n in range(10_000)})
    assert len(text) == audit.MAX_ARGUMENTS
    assert text.endswith("…")


def test_deep_nesting_is_cut() -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    assert redacted_arguments({"deep": deep}) == '{"deep":[[["…"]]]}'


def test_characters_that_a_database_cannot_hold_are_replaced() -> None:
    assert printable("a\x00b\ud800c\u202e", 10) == "a�b�c�"


def test_ids_of_later_events_sort_after_earlier_ones() -> None:
    ids = [new_id(1_700_000_000 + n) for n in range(50)]
    assert ids == sorted(ids)
    assert len({new_id(1.0) for _ in range(1000)}) == 1000


# Writing


@pytest.mark.django_db
def test_an_event_becomes_the_row_that_says_the_same() -> None:
    alice = User.objects.create_user("alice")
    sent = event(user_id=alice.pk, note="é\"'%s{}", time=1_700_000_000.25)
    write_events([sent])
    row = AuditEvent.objects.select_related("user").get()
    assert row.user == alice
    assert (row.pk.hex, row.time.timestamp(), row.note) == (sent.id, 1_700_000_000.25, sent.note)
    assert (row.rows, row.bytes, row.milliseconds, row.outcome) == (1, 2, 1.5, AuditEvent.Outcome.OK)
    assert row.era == "modern"


@pytest.mark.django_db
def test_a_row_is_found_by_its_time() -> None:
    write_events([event(time=1_700_000_000.5)])
    row = AuditEvent.objects.get()
    assert AuditEvent.objects.filter(time=row.time).count() == 1
    assert AuditEvent.objects.filter(time__date="2023-11-14").count() == 1


@pytest.mark.django_db
def test_rows_outlive_their_user() -> None:
    alice = User.objects.create_user("alice")
    write_events([event(user_id=alice.pk)])
    alice.delete()
    assert AuditEvent.objects.get().username == "alice"


@pytest.mark.django_db
def test_what_is_already_written_is_not_written_twice() -> None:
    first, second = event(), event()
    write_events([first])
    write_events([first, second])
    assert AuditEvent.objects.count() == 2


@pytest.mark.django_db
def test_an_event_that_is_written_again_has_its_latest_number() -> None:
    first = event(outcome="limited")
    write_events([first, first._replace(calls=2)])
    write_events([first._replace(calls=7, note="changed")])
    row = AuditEvent.objects.get()
    assert (row.calls, row.note) == (7, "")


# What is over a limit


def over(**given: Any) -> Event:
    return event(**{"outcome": "limited"} | given)


def test_calls_over_a_limit_are_one_event_with_their_number() -> None:
    repeats, first = Repeats(), over(note="the first")
    for each in (first, over(), over()):
        repeats.add(each)
    assert repeats.changed() == [first._replace(calls=3)]
    assert repeats.changed() == []
    repeats.add(over())
    assert repeats.changed() == [first._replace(calls=4)]


def test_each_caller_and_each_tool_has_an_event_of_its_own() -> None:
    repeats = Repeats()
    for other in ({}, {"tool": "other"}, {"subject": "bob"}, {"issuer": "https://other.example.com/"}):
        for _ in range(2):
            repeats.add(over(**other))
    assert [each.calls for each in repeats.changed()] == [2] * 4


def test_the_next_minute_begins_an_event_of_its_own() -> None:
    repeats, now = Repeats(), time.time()
    for seconds in (0, 59, 61, 62):
        repeats.add(over(time=now + seconds))
    assert [each.calls for each in repeats.changed()] == [2, 2]


def test_a_minute_that_is_over_is_forgotten() -> None:
    repeats = Repeats()
    repeats.add(over(time=time.time() - 61))
    assert len(repeats.changed()) == 1
    assert (len(repeats), repeats._current) == (0, {})


@pytest.fixture
def trail(transactional_db: None) -> Iterator[Trail]:
    trail = Trail()
    yield trail
    trail.close()


def test_events_are_written_within_a_second(trail: Trail) -> None:
    trail.start()
    for _ in range(10):
        trail.record(event())
    time.sleep(1.0)
    assert AuditEvent.objects.count() == 10


def test_a_row_of_calls_over_a_limit_follows_their_number(trail: Trail) -> None:
    trail.start()
    for _ in range(3):
        for _ in range(100):
            trail.record(over())
        time.sleep(0.7)
    assert [row.calls for row in AuditEvent.objects.all()] == [300]
    for _ in range(5):
        trail.record(over())
    trail.close()
    assert [row.calls for row in AuditEvent.objects.all()] == [305]


def test_closing_writes_what_is_left_at_once(trail: Trail) -> None:
    trail.start()
    for _ in range(2500):
        trail.record(event())
    trail.close()
    assert AuditEvent.objects.count() == 2500


def test_events_of_many_threads_are_each_written_once(trail: Trail) -> None:
    trail.start()

    def work() -> None:
        for _ in range(200):
            trail.record(event())
            time.sleep(0.001)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trail.close()
    assert AuditEvent.objects.count() == 1600


def test_events_wait_while_the_table_cannot_be_written(
    trail: Trail, caplog: pytest.LogCaptureFixture
) -> None:
    table = AuditEvent._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO away")
    try:
        trail.record(event())
        trail.start()
        time.sleep(1.2)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE away RENAME TO {table}")
    trail.record(event())
    trail.close()
    assert AuditEvent.objects.count() == 2
    assert caplog.text.count("cannot be written") == 1


def test_one_bad_row_does_not_take_its_batch_with_it(trail: Trail, caplog: pytest.LogCaptureFixture) -> None:
    trail.record(event())
    trail.record(event(rows=-1))
    trail.record(event())
    with caplog.at_level(logging.ERROR):
        trail.start()
        trail.close()
    assert AuditEvent.objects.count() == 2
    assert "1 tool calls are missing" in caplog.text


# Over a real server


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Site, str]]:
    with audited() as pair:
        yield pair


@pytest.mark.parametrize(
    ("tool", "arguments", "outcome", "note"),
    [
        ("probe_count", {"count": 4}, "ok", ""),
        ("probe_fallback", {}, "ok", "the store did not answer"),
        ("probe_complain", {}, "tool error", "Name a route such as JFK-LAX."),
        ("probe_count", {"count": 400}, "tool error", "count is 400; it has to be at most 100."),
        ("probe_forbidden", {}, "denied", ""),
        ("nowhere", {"a": 1}, "denied", ""),
        ("probe_dawdle", {"seconds": 2}, "deadline", "The answer took longer than 1 s"),
        ("probe_crash", {}, "failed", "The server could not answer because of an error"),
    ],
)
def test_each_outcome_leaves_one_row(
    fresh: tuple[Site, str], tool: str, arguments: dict[str, Any], outcome: str, note: str
) -> None:
    site, token = fresh
    site.rpc(token, "tools/call", {"name": tool, "arguments": arguments})
    (row,) = rows_after_a_while(site, 1)
    assert (row["tool"], row["outcome"], row["username"]) == (tool, outcome, "alice")
    assert row["note"].startswith(note)
    assert bool(row["note"]) == bool(note)
    assert json.loads(row["arguments"] or "{}") == arguments


@pytest.mark.parametrize("era", [MODERN, LEGACY])
def test_what_json_cannot_express_is_left_out_of_an_answer(server: tuple[Site, str], era: str) -> None:
    site, token = server
    answer = site.rpc(token, "tools/call", {"name": "probe_puzzle", "arguments": {}}, era=era)
    assert (answer.status_code, answer.json()["result"]["_meta"]["probe/puzzle"]) == (200, [None, "?"])
    complaint = {"name": "probe_puzzle", "arguments": {"complain": True}}
    result = site.rpc(token, "tools/call", complaint, era=era).json()["result"]
    assert (result["isError"], result["content"][0]["text"]) == (True, "half of a pair: .")


@pytest.mark.parametrize("era", [MODERN, LEGACY])
def test_an_unexpected_failure_shows_the_reference_of_its_row_and_its_time(
    fresh: tuple[Site, str], era: str
) -> None:
    site, token = fresh
    answer = site.rpc(token, "tools/call", {"name": "probe_crash", "arguments": {}}, era=era).json()["result"]
    text = answer["content"][0]["text"]
    shown = re.search(r"Reference ([\w-]{36}), (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC\.", text)
    assert shown, text
    (row,) = rows_after_a_while(site, 1)
    assert UUID(str(row["id"])) == UUID(shown[1])
    assert str(row["time"]).startswith(shown[2])
    assert f"'probe_crash' failed; reference {shown[1]}" in site.log.read_text()
    assert row["note"] == text


def test_a_row_says_who_asked_what_with_what_and_what_was_sent(fresh: tuple[Site, str]) -> None:
    site, token = fresh
    answer = site.call(token, "probe_count", {"count": 7, "password": "hunter2"})
    (row,) = rows_after_a_while(site, 1)
    assert (row["rows"], row["bytes"]) == (7, len(answer["content"][0]["text"]))
    assert row["arguments"] == '{"count":7,"password":"[redacted]"}'
    assert (row["issuer"], row["client_id"]) == (site.origin, "issue_token")
    assert (row["client_name"], row["protocol"], row["request_id"]) == ("tests 1", "2026-07-28", "1")
    assert str(row["user_id"]) == row["subject"]
    assert 0 < row["milliseconds"] < 5000


def test_a_legacy_client_is_named_by_its_user_agent(fresh: tuple[Site, str]) -> None:
    site, token = fresh
    params = {"name": "probe_count", "arguments": {}}
    site.rpc(token, "tools/call", params, era=LEGACY, more={"User-Agent": "openai-mcp/1.0"})
    (row,) = rows_after_a_while(site, 1)
    assert (row["client_name"], row["protocol"]) == ("openai-mcp/1.0", LEGACY)


def test_what_is_refused_before_it_is_a_tool_call_leaves_no_row(fresh: tuple[Site, str]) -> None:
    site, token = fresh
    site.rpc(None, "tools/call", {"name": "probe_count", "arguments": {}})
    site.rpc("not.a.token", "tools/call", {"name": "probe_count", "arguments": {}})
    site.rpc(token, "tools/list")
    time.sleep(2 * SETTLED_SECONDS)
    assert rows(site) == []


def test_a_caller_without_access_leaves_a_row(fresh: tuple[Site, str]) -> None:
    site, _ = fresh
    token = site.token("bob")
    site.shell("from django.contrib.auth.models import User; User.objects.filter(username='bob').delete()")
    site.call(token, "probe_count")
    (row,) = rows_after_a_while(site, 1)
    assert (row["outcome"], row["user_id"], row["username"]) == ("denied", None, "")
    site.shell("from django.contrib.auth.models import User; User.objects.create_user('bob')")


async def _many(site: Site, token: str, calls: list[tuple[str, dict[str, Any]]], at_once: int) -> int:
    """Make the calls; how many were answered."""
    answered, queue = 0, iter(enumerate(calls))

    async def worker(http: httpx2.AsyncClient) -> None:
        nonlocal answered
        for n, (name, arguments) in queue:
            params = {"name": name, "arguments": arguments}
            body = {"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": params}
            try:
                answer = await http.post(site.url, json=body, headers=site.headers(token, LEGACY))
            except httpx2.HTTPError:
                return
            answered += answer.status_code == 200

    async with httpx2.AsyncClient(timeout=30) as http:
        await asyncio.gather(*(worker(http) for _ in range(at_once)))
    return answered


def test_many_calls_at_once_leave_exactly_one_row_each(fresh: tuple[Site, str]) -> None:
    site, token = fresh
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("probe_count", {}),
        ("probe_complain", {}),
        ("probe_forbidden", {}),
        ("probe_crash", {}),
    ]
    asyncio.run(_many(site, token, kinds * 100, at_once=40))
    found = rows_after_a_while(site, 400)
    assert Counter(row["outcome"] for row in found) == {
        "ok": 100,
        "tool error": 100,
        "denied": 100,
        "failed": 100,
    }
    assert len({row["request_id"] for row in found}) == 400


def test_a_call_over_the_limit_leaves_a_row() -> None:
    with audited(RATE_LIMIT="2/minute") as (site, token):
        answers = [site.call(token, "probe_count") for _ in range(3)]
        assert answers[2]["isError"] is True
        found = rows_after_a_while(site, 3)
        assert [row["outcome"] for row in found] == ["ok", "ok", "limited"]
        assert found[2]["note"] == answers[2]["content"][0]["text"]


def test_a_flood_over_the_limits_leaves_one_row_of_each_kind() -> None:
    with audited(RATE_LIMIT="2/minute", REQUEST_RATE_LIMIT="60/minute") as (site, token):
        for n in range(10):
            site.rpc(token, "tools/call", {"name": f"invented-{n}", "arguments": {}})
            site.rpc(token, "tools/call", {"name": "probe_count", "arguments": {}})
            site.post(token, {"id": n, "method": "tools/call", "params": []})
        for n in range(50):
            site.post(token, {"id": n, "method": "tools/call", "params": []})
        found = rows_after_a_while(site, 45)
        assert Counter(row["outcome"] for row in found if row["calls"] == 1) == {
            "ok": 2,
            "denied": 2,
            "tool error": 40,
        }
        assert {row["tool"]: row["calls"] for row in found if row["outcome"] == "limited"} == {
            "unknown tools": 8,
            "probe_count": 8,
            "requests": 20,
        }
        refused = next(row for row in found if row["tool"] == "requests")
        assert refused["note"].startswith("You may send 60 requests per minute; try again in ")
        assert refused["subject"] == next(row for row in found if row["username"] == "alice")["subject"]


def test_a_graceful_stop_loses_no_row() -> None:
    with (
        audited(PROBE_AUDIT_INTERVAL=USUAL, MCP_DEADLINE_SECONDS="20") as (site, token),
        ThreadPoolExecutor(1) as pool,
    ):
        work = [("probe_count", {}), ("probe_dawdle", {"seconds": 0.05})] * 5000
        answered = pool.submit(asyncio.run, _many(site, token, work, at_once=10))
        time.sleep(2.0)
        site.process.terminate()
        site.process.wait(timeout=30)
        count = answered.result()
        found = rows(site)
        assert count > 50
        # A call that the stop cut off has a row without having been answered.
        assert count <= len(found) <= count + 10
        assert sum(row["outcome"] == "ok" for row in found) >= count


def test_a_kill_loses_the_last_second_at_most() -> None:
    with audited(PROBE_AUDIT_INTERVAL=USUAL) as (site, token):
        ended: list[float] = []
        with httpx2.Client(timeout=10) as http:
            params = {"name": "probe_count", "arguments": {}}
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            began = time.monotonic()
            while time.monotonic() < began + 3:
                http.post(site.url, json=body, headers=site.headers(token, LEGACY)).raise_for_status()
                ended.append(time.monotonic())
                time.sleep(0.005)
        site.process.kill()
        killed = time.monotonic()
        site.process.wait(timeout=10)
        kept = len(rows(site))
        assert sum(each < killed - 1 for each in ended) <= kept <= len(ended)


def test_refusals_are_counted_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    refusals = audit.Refusals()
    with caplog.at_level(logging.INFO):
        for reason in ("without a token", "with a bad token", "without a token"):
            refusals.count(reason)
        refusals.log()
        refusals.log()
    assert caplog.text.count("Refused in the last") == 1
    assert "1 with a bad token, 2 without a token." in caplog.text
