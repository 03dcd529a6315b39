"""A tool's scope: who lacks it is told which, before anything runs, however the request is written."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.access.audited import audited, rows_after_a_while
from tests.site import LEGACY, MODERN, Site

ERAS = pytest.mark.parametrize("era", [MODERN, LEGACY])


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Site, str, str]]:
    """A server on which probe_count takes a scope, and tokens without it and with it."""
    with audited(TOOL_SCOPES="probe_count=probe:read") as (site, token):
        yield site, token, site.token("alice", "--scope", "probe:read")


@ERAS
def test_a_token_without_the_scope_is_challenged_for_it(server: tuple[Site, str, str], era: str) -> None:
    site, without, with_it = server
    calls: list[tuple[str, dict[str, Any]]] = [
        ("tools/call", {"name": "probe_count", "arguments": {}}),
        ("resources/read", {"uri": "probe://alpha"}),
        ("prompts/get", {"name": "probe_prompt", "arguments": {"word": "a"}}),
    ]
    for method, params in calls:
        named = {"Mcp-Name": params["uri"]} if "uri" in params else {}
        refused = site.rpc(without, method, params, era=era, more=named)
        assert refused.status_code == 403
        challenge = refused.headers["WWW-Authenticate"]
        assert 'error="insufficient_scope"' in challenge
        assert 'scope="probe:read"' in challenge
        assert "resource_metadata=" in challenge
        assert "result" in site.rpc(with_it, method, params, era=era, more=named).json()
    assert rows_after_a_while(site, 6)[0]["outcome"] == "denied"


@ERAS
@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"probe_complain"},'
        b'"params":{"name":"probe_count","arguments":{}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"probe_count"},'
        b'"params":{"name":"probe_complain","name":"probe_\\u0063ount"}}',
        b'[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"probe_count"}}]',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"probe_count"}}'.encode("utf-16"),
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["probe_count"]}}',
    ],
)
def test_no_way_of_writing_it_slips_a_call_past(server: tuple[Site, str, str], era: str, body: bytes) -> None:
    site, without, _ = server
    answer = httpx2.post(site.url, content=body, headers=site.headers(without, era), timeout=60)
    assert '"rows"' not in answer.text


def test_the_scope_can_be_found_out_and_asked_for(server: tuple[Site, str, str]) -> None:
    site, without, _ = server
    tools = {each["name"]: each for each in site.rpc(without, "tools/list").json()["result"]["tools"]}
    assert tools["probe_count"]["_meta"]["securitySchemes"] == [{"type": "oauth2", "scopes": ["probe:read"]}]
    for document in ("oauth-protected-resource", "oauth-authorization-server"):
        found = httpx2.get(f"{site.origin}/.well-known/{document}").json()
        assert "probe:read" in found["scopes_supported"]
