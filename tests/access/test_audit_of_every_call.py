"""Every call leaves exactly one row, in both eras: tools, resources, prompts and completions."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.access.audited import (
    SETTLED_SECONDS,
    another_alice,
    audited,
    forget,
    fresh,
    rows,
    rows_after_a_while,
)
from tests.site import LEGACY, MODERN, Site

__all__ = ["fresh"]

ERAS = pytest.mark.parametrize("era", [MODERN, LEGACY])
REFERENCE = {"type": "ref/prompt", "name": "probe_prompt"}
TEMPLATE = {"type": "ref/resource", "uri": "probe://{key}"}


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Site, str]]:
    with audited(MCP_DEADLINE_SECONDS="5") as (site, token):
        yield site, token


@pytest.fixture(scope="module")
def limiting() -> Iterator[Site]:
    with audited(RATE_LIMIT="2/hour") as (site, _):
        yield site


@pytest.fixture
def limited(limiting: Site) -> tuple[Site, str]:
    """A server that limits each person, with an empty trail, and the token of somebody new."""
    time.sleep(SETTLED_SECONDS)
    forget(limiting)
    return limiting, another_alice(limiting)


def only_row(site: Site) -> dict[str, Any]:
    (row,) = rows_after_a_while(site, 1)
    return row


@ERAS
@pytest.mark.parametrize(
    ("method", "params", "outcome", "shown", "amount"),
    [
        ("resources/list", {}, "ok", "", (2, 0)),
        ("resources/read", {"uri": "probe://alpha"}, "ok", '{"uri":"probe://alpha"}', (1, 10)),
        ("resources/read", {"uri": "probe://gamma"}, "denied", '{"uri":"probe://gamma"}', (0, 0)),
        ("resources/read", {"uri": "file:///etc/passwd"}, "denied", '{"uri":"file:///etc/passwd"}', (0, 0)),
        (
            "prompts/get",
            {"name": "probe_prompt", "arguments": {"word": "a"}},
            "ok",
            '{"name":"probe_prompt","arguments":{"word":"a"}}',
            (1, 10),
        ),
        (
            "prompts/get",
            {"name": "probe_prompt"},
            "tool error",
            '{"name":"probe_prompt","arguments":{}}',
            (0, 0),
        ),
        ("prompts/get", {"name": "invented"}, "denied", '{"name":"invented","arguments":{}}', (0, 0)),
        (
            "completion/complete",
            {"ref": REFERENCE, "argument": {"name": "word", "value": "al"}},
            "ok",
            '{"ref":"probe_prompt","argument":"word","value":"al"}',
            (1, 5),
        ),
        (
            "completion/complete",
            {"ref": TEMPLATE, "argument": {"name": "key", "value": ""}},
            "ok",
            '{"ref":"probe://{key}","argument":"key","value":""}',
            (2, 9),
        ),
    ],
)
def test_what_is_read_from_a_menu_leaves_one_row(
    fresh: tuple[Site, str],
    era: str,
    method: str,
    params: dict[str, Any],
    outcome: str,
    shown: str,
    amount: tuple[int, int],
) -> None:
    site, token = fresh
    site.rpc(token, method, params, era=era, more=_named(params))
    row = only_row(site)
    assert (row["tool"], row["outcome"], row["username"]) == (method, outcome, "alice")
    assert (row["arguments"], (row["rows"], row["bytes"])) == (shown, amount)
    assert (row["protocol"], row["request_id"]) == (era, "1")


@ERAS
def test_lists_of_what_is_offered_leave_no_row(fresh: tuple[Site, str], era: str) -> None:
    site, token = fresh
    for method in ("tools/list", "prompts/list", "resources/templates/list"):
        assert site.rpc(token, method, era=era).status_code == 200
    time.sleep(2 * SETTLED_SECONDS)
    assert rows(site) == []


@ERAS
@pytest.mark.parametrize(
    ("method", "params", "told"),
    [
        ("tools/call", {"name": ["probe_count"]}, "tools/call"),
        ("tools/call", {}, "tools/call"),
        ("resources/read", {"uri": 7}, "resources/read"),
        ("resources/list", {"cursor": "elsewhere"}, "resources/list"),
        ("prompts/get", {"name": None}, "prompts/get"),
        ("completion/complete", {"ref": {"type": "ref/none"}}, "completion/complete"),
    ],
)
def test_a_call_with_malformed_parameters_leaves_one_row(
    fresh: tuple[Site, str], era: str, method: str, params: dict[str, Any], told: str
) -> None:
    site, token = fresh
    answer = site.rpc(token, method, params, era=era, more=_named(params))
    assert "error" in answer.json()
    row = only_row(site)
    assert (row["tool"], row["outcome"]) == (told, "tool error")
    assert (row["issuer"], row["protocol"]) == (site.origin, era)


@ERAS
@pytest.mark.parametrize(
    ("arguments", "outcome", "shown"),
    [
        ("all", "tool error", '"all"'),
        ('{"count":2}', "ok", '{"count":2}'),
        ('{"password":"hunter2"}', "ok", '{"password":"[redacted]"}'),
        (
            {"count": '{"password": "hunter2"}'},
            "tool error",
            '{"count":"{\\"password\\": \\"[redacted]\\"}"}',
        ),
        (None, "ok", ""),
    ],
)
def test_arguments_that_are_no_object_are_recorded_as_they_are_read(
    fresh: tuple[Site, str], era: str, arguments: Any, outcome: str, shown: str
) -> None:
    site, token = fresh
    site.rpc(token, "tools/call", {"name": "probe_count", "arguments": arguments}, era=era)
    row = only_row(site)
    assert (row["tool"], row["outcome"], row["arguments"]) == ("probe_count", outcome, shown)


@ERAS
def test_a_call_whose_parameters_are_no_object_leaves_one_row(fresh: tuple[Site, str], era: str) -> None:
    site, token = fresh
    assert site.post(token, {"id": 4, "method": "tools/call", "params": ["probe_count"]}, era=era).is_error
    row = only_row(site)
    assert (row["tool"], row["outcome"], row["request_id"]) == ("tools/call", "tool error", "4")


@ERAS
def test_a_call_with_an_id_that_cannot_be_leaves_one_row(fresh: tuple[Site, str], era: str) -> None:
    site, token = fresh
    params = {"name": "probe_count"}
    assert site.post(token, {"id": 1.5, "method": "tools/call", "params": params}, era=era).is_error
    row = only_row(site)
    assert (row["tool"], row["outcome"], row["request_id"]) == ("tools/call", "tool error", "")


def test_a_call_whose_header_names_another_tool_leaves_one_row(fresh: tuple[Site, str]) -> None:
    site, token = fresh
    site.rpc(token, "tools/call", {"name": "probe_count"}, more={"Mcp-Name": "probe_crash"})
    row = only_row(site)
    assert (row["tool"], row["outcome"]) == ("probe_count", "tool error")


@ERAS
def test_a_call_sent_as_a_notification_calls_nothing(fresh: tuple[Site, str], era: str) -> None:
    site, token = fresh
    params = {"name": "probe_count", "arguments": {}}
    assert site.post(token, {"method": "tools/call", "params": params}, era=era).status_code == 202
    time.sleep(2 * SETTLED_SECONDS)
    assert rows(site) == []


@ERAS
def test_a_call_whose_client_hung_up_leaves_one_row(fresh: tuple[Site, str], era: str) -> None:
    site, token = fresh
    with socket.create_connection(("127.0.0.1", site.port)) as client:
        client.sendall(
            site.raw(token, "tools/call", {"name": "probe_dawdle", "arguments": {"seconds": 3}}, era)
        )
        time.sleep(1)
    row = only_row(site)
    assert (row["tool"], row["outcome"]) == ("probe_dawdle", "failed")
    assert row["note"] == "The call was given up before it was answered."
    assert row["milliseconds"] < 2500
    time.sleep(3)
    assert len(rows(site)) == 1


@ERAS
def test_each_kind_of_use_is_limited_and_says_when_to_come_back(limited: tuple[Site, str], era: str) -> None:
    site, token = limited
    uses: list[tuple[str, dict[str, Any]]] = [
        ("resources/list", {}),
        ("resources/read", {"uri": "probe://alpha"}),
        ("prompts/get", {"name": "probe_prompt", "arguments": {"word": "a"}}),
        ("completion/complete", {"ref": REFERENCE, "argument": {"name": "word", "value": "a"}}),
    ]
    for method, params in uses:
        answers = [site.rpc(token, method, params, era=era, more=_named(params)).json() for _ in range(3)]
        assert ["error" in answer for answer in answers] == [False, False, True]
        assert answers[2]["error"]["code"] == -32010
        assert answers[2]["error"]["message"].startswith(
            f"You may call {method} 2 times per hour; try again in "
        )
    found = rows_after_a_while(site, 12)
    assert [row["outcome"] for row in found] == ["ok", "ok", "limited"] * 4


@ERAS
def test_names_that_are_no_tool_of_the_callers_are_limited_together(
    limited: tuple[Site, str], era: str
) -> None:
    site, token = limited
    names = ["nowhere", "probe_forbidden", "elsewhere"]
    for name in names[:2]:
        assert site.rpc(token, "tools/call", {"name": name}, era=era).json()["error"]["code"] == -32602
    for name in names:
        result = site.rpc(token, "tools/call", {"name": name}, era=era).json()["result"]
        assert result["content"][0]["text"].startswith("You may call unknown tools 2 times per hour")
    found = rows_after_a_while(site, 3)
    assert [row["outcome"] for row in found] == ["denied"] * 2 + ["limited"]
    assert (found[2]["tool"], found[2]["calls"]) == ("unknown tools", 3)


def _named(params: dict[str, Any]) -> dict[str, str]:
    """The header that a modern client derives from the parameters."""
    return {"Mcp-Name": params["uri"]} if isinstance(params.get("uri"), str) else {}
