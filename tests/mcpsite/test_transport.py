"""The endpoint over real HTTP, as each client meets it; numbers in brackets are the client contract's."""

import asyncio
import json
import time
from typing import Any

import httpx2
import pytest

from mcpsite.mcp import metadata
from tests.site import LEGACY, MODERN, Site

ERAS = pytest.mark.parametrize("era", [MODERN, LEGACY])
DISCOVER = {
    "jsonrpc": "2.0",
    "id": "openai-mcp-discover",
    "method": "server/discover",
    "params": {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientInfo": {"name": "openai-mcp", "version": "1.0.0"},
            "io.modelcontextprotocol/clientCapabilities": {
                "experimental": {"openai/visibility": {"enabled": True}},
                "extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}},
            },
        }
    },
}
LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
def test_both_spellings_of_the_endpoint_answer_without_a_redirect(
    site: Site, token: str, path: str
) -> None:  # [1]
    answer = httpx2.post(site.origin + path, json=LIST, headers=site.headers(token, LEGACY))
    assert answer.status_code == 200


@ERAS
def test_tools_are_listed_and_called_without_a_handshake_or_a_session(
    site: Site, token: str, era: str
) -> None:  # [2]
    listed = site.rpc(token, "tools/list", era=era)
    assert "mcp-session-id" not in listed.headers
    assert listed.headers["content-type"].startswith("application/json")
    assert [tool["name"] for tool in listed.json()["result"]["tools"]]
    called = site.rpc(
        token, "tools/call", {"name": "airfare_trend_insights", "arguments": {"limit": 1}}, era=era
    )
    assert "mcp-session-id" not in called.headers
    assert called.json()["result"]["structuredContent"]["rows_returned"] == 1


@ERAS
def test_a_stale_session_id_is_ignored(site: Site, token: str, era: str) -> None:  # [2]
    assert site.rpc(token, "tools/list", era=era, more={"Mcp-Session-Id": "left-over"}).status_code == 200


def test_initialize_gets_no_session_id(site: Site, token: str) -> None:  # [2]
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}
    answer = site.rpc(token, "initialize", params, era=LEGACY)
    assert answer.json()["result"]["protocolVersion"] == LEGACY
    assert "mcp-session-id" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD", "PUT"])
def test_other_methods_are_challenged_first_and_then_not_allowed(
    site: Site, token: str, method: str
) -> None:  # [3, 5]
    assert httpx2.request(method, site.url).status_code == 401
    answer = httpx2.request(method, site.url, headers=site.headers(token), timeout=5)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@ERAS
@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "*/*",
        "application/json, text/event-stream",
        "text/event-stream, Application/JSON;q=0.5",
        "text/event-stream, */*;q=0.1",
        "text/html",
        "",
    ],
)
def test_every_other_accept_header_gets_a_json_answer(
    site: Site, token: str, era: str, accept: str
) -> None:  # [4]
    answer = site.rpc(token, "tools/list", era=era, more={"Accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["result"]["tools"]


@ERAS
@pytest.mark.parametrize(
    "accept", ["text/event-stream", "Text/Event-Stream; q=1", "text/event-stream, application/json;q=0"]
)
def test_a_client_that_accepts_events_alone_gets_the_answer_as_one(
    site: Site, token: str, era: str, accept: str
) -> None:  # [53]
    answer = site.rpc(token, "tools/list", era=era, more={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    event, data, *rest = answer.text.split("\r\n")
    assert (event, rest) == ("event: message", ["", ""])
    assert json.loads(data.removeprefix("data: "))["result"]["tools"]


@ERAS
def test_a_refusal_is_json_for_a_client_that_accepts_events_alone(
    site: Site, token: str, era: str
) -> None:  # [53]
    headers = site.headers(token, era, Accept="text/event-stream")
    for body, status in (
        (b"not json", 400),
        (b'{"jsonrpc":"2.0","method":"notifications/initialized"}', 202),
    ):
        answer = httpx2.post(site.url, content=body, headers=headers)
        assert answer.status_code == status
        assert "text/event-stream" not in answer.headers.get("content-type", "")
    assert site.rpc(None, "tools/list", era=era, more={"Accept": "text/event-stream"}).status_code == 401


@ERAS
@pytest.mark.parametrize(
    "given", ["Application/JSON", "application/json; charset=utf-8", "APPLICATION/JSON ;x=y", "", None]
)
def test_the_content_type_is_compared_without_case_and_parameters(
    site: Site, token: str, era: str, given: str | None
) -> None:  # [51]
    headers = {name: value for name, value in site.headers(token, era).items() if name != "Content-Type"}
    headers |= ({} if given is None else {"Content-Type": given}) | {"Mcp-Method": "tools/list"}
    body = site.raw(token, "tools/list", {}, era).partition(b"\r\n\r\n")[2]
    answer = httpx2.post(site.url, content=body, headers=headers)
    assert (answer.status_code, "result" in answer.text) == (200, True)


@ERAS
def test_another_content_type_is_refused_in_a_sentence(site: Site, token: str, era: str) -> None:  # [51]
    answer = site.rpc(token, "tools/list", era=era, more={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()) == (415, {"error": "Send the message as application/json."})


@ERAS
@pytest.mark.parametrize(
    ("sent", "told"), [(7, 7), ("seven", "seven"), ("", ""), (0, 0), (2**53, 2**53), (7.0, 7)]
)
def test_an_id_that_is_a_number_or_a_text_comes_back(
    site: Site, token: str, era: str, sent: object, told: object
) -> None:  # [51]
    answer = site.post(
        token,
        json.loads(site.raw(token, "tools/list", {}, era).split(b"\r\n\r\n")[1]) | {"id": sent},
        era=era,
    )
    assert (answer.status_code, answer.json()["id"]) == (200, told)
    assert type(answer.json()["id"]) is type(told)


@ERAS
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_call_is_answered_under_its_id_with_what_its_era_knows(
    site: Site, token: str, era: str, accept: str
) -> None:  # [6, 51, 53]
    call = {"name": "airfare_trend_insights", "arguments": {"airline_contains": "Zürich – 日本"}}
    head, body = site.raw(token, "tools/call", call, era).split(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    del headers["Content-Length"]
    sent = json.loads(body) | {"id": "zwölf"}
    answer = httpx2.post(site.url, json=sent, headers=headers | {"Accept": accept})
    text = answer.text.partition("data: ")[2] if accept == "text/event-stream" else answer.text
    message = json.loads(text)
    result = message.pop("result")
    assert (answer.status_code, message) == (200, {"jsonrpc": "2.0", "id": "zwölf"})
    assert result["structuredContent"]["filters"]["airline_contains"] == "Zürich – 日本"
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
    of_era = {"resultType", "_meta"} if era == MODERN else set()
    assert result.keys() == {"content", "structuredContent", "isError"} | of_era


@ERAS
@pytest.mark.parametrize("given", [1.5, None, True, False, [1], {"a": 1}, [], 1e300, float("inf")])
@pytest.mark.parametrize("method", ["ping", "tools/call", "notifications/initialized"])
def test_any_other_id_is_an_error(
    site: Site, token: str, era: str, given: object, method: str
) -> None:  # [51]
    answer = httpx2.post(
        site.url,
        content=json.dumps({"jsonrpc": "2.0", "id": given, "method": method, "params": {}}).replace(
            "Infinity", "1e999"
        ),
        headers=site.headers(token, era, **{"Mcp-Method": method}),
    )
    assert answer.status_code == 400
    assert answer.json() == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32600, "message": "The id of a request has to be text or a whole number."},
    }


@ERAS
@pytest.mark.parametrize(
    ("body", "code", "sentence", "request_id"),
    [
        (
            '[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
            -32600,
            "Batches are not supported; send each m",
            None,
        ),
        ("[]", -32600, "Batches are not supported", None),
        ('{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32602, "The params of a message have", 1),
        (
            '{"jsonrpc":"2.0","id":"a","method":"ping","params":"x"}',
            -32602,
            "The params of a message have",
            "a",
        ),
        (
            '{"jsonrpc":"2.0","method":"notifications/x","params":[]}',
            -32602,
            "The params of a message have",
            None,
        ),
        ('{"jsonrpc":"2.0","id":1,"method":7}', -32600, "The method of a message has to be text.", None),
        (
            '{"jsonrpc":"1.0","id":1,"method":"ping"}',
            -32600,
            "The body is not a single JSON-RPC message.",
            None,
        ),
        (
            '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":NaN}}',
            -32700,
            "The body is not JSON.",
            None,
        ),
        (
            '{"jsonrpc":"2.0","id":1,"method":"ping","params":' + "[" * 5000,
            -32700,
            "The body is nested too",
            None,
        ),
        ("x", -32700, "The body is not JSON.", None),
    ],
)
def test_a_message_that_is_not_well_formed_is_told_in_one_short_sentence(
    site: Site, token: str, era: str, body: str, code: int, sentence: str, request_id: object
) -> None:  # [8, 51]
    answer = httpx2.post(site.url, content=body, headers=site.headers(token, era), timeout=5)
    assert answer.status_code == 400
    told = answer.json()
    assert (told["id"], told["error"]["code"]) == (request_id, code)
    assert told["error"]["message"].startswith(sentence)
    assert len(answer.content) < 200


def test_a_byte_order_mark_before_the_message_does_not_matter(site: Site, token: str) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(LIST).encode()
    assert httpx2.post(site.url, content=body, headers=site.headers(token, LEGACY)).status_code == 200


@pytest.mark.parametrize("method", ["initialize", "server/discover", "tools/list", "tools/call", "ping"])
def test_the_first_request_without_a_token_is_challenged_whichever_it_is(
    site: Site, method: str
) -> None:  # [5]
    assert site.rpc(None, method, era=LEGACY).status_code == 401


def test_chatgpts_first_request_gets_a_complete_result(site: Site, token: str) -> None:  # [6]
    headers = site.headers(token, MODERN, **{"Mcp-Method": "server/discover"})
    answer = httpx2.post(site.url, json=DISCOVER, headers=headers)
    result = answer.json()["result"]
    assert answer.json()["id"] == "openai-mcp-discover"
    assert MODERN in result["supportedVersions"]
    assert result["resultType"] == "complete"
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["version"]


def test_a_header_that_disagrees_with_the_body_is_named(site: Site, token: str) -> None:  # [7]
    answer = site.rpc(token, "tools/list", more={"Mcp-Method": "tools/call"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)


def test_an_unknown_revision_is_told_what_is_supported(site: Site, token: str) -> None:  # [7]
    headers = site.headers(token, "2031-01-01", **{"Mcp-Method": "server/discover"})
    body = json.dumps(DISCOVER).replace(MODERN, "2031-01-01")
    answer = httpx2.post(site.url, content=body, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, -32022)
    assert error["data"]["requested"] == "2031-01-01"
    assert MODERN in error["data"]["supported"]


def test_an_unknown_method_is_a_404_in_the_modern_era(site: Site, token: str) -> None:  # [7]
    answer = site.rpc(token, "tools/invent")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, -32601)


def test_a_list_says_how_long_it_holds_and_that_it_is_the_callers_own(site: Site, token: str) -> None:  # [7]
    result = site.rpc(token, "tools/list").json()["result"]
    assert result["resultType"] == "complete"
    assert result["ttlMs"] > 0
    assert result["cacheScope"] == "private"


@ERAS
def test_a_notification_is_accepted_with_an_empty_body(site: Site, token: str, era: str) -> None:  # [8]
    body = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    answer = httpx2.post(site.url, json=body, headers=site.headers(token, era))
    assert (answer.status_code, answer.content) == (202, b"")


@ERAS
@pytest.mark.parametrize(
    "body", ["{}", "[]", "", "not json", '"text"', "[1]", "null", '{"jsonrpc":"2.0"', "\xff"]
)
def test_a_body_that_is_no_request_is_refused_at_once(
    site: Site, token: str, era: str, body: str
) -> None:  # [8]
    answer = httpx2.post(
        site.url, content=body.encode("latin-1"), headers=site.headers(token, era), timeout=5
    )
    assert 400 <= answer.status_code < 500
    assert len(answer.content) < 500


def test_a_body_over_the_bound_is_refused_before_it_is_parsed(site: Site, token: str) -> None:  # [8]
    body = b"[" + b" " * (256 * 1024)
    answer = httpx2.post(site.url, content=body, headers=site.headers(token, LEGACY), timeout=10)
    assert answer.status_code == 413
    assert answer.json() == {"error": "The request is larger than 262,144 bytes."}


def test_a_body_of_the_largest_size_is_answered_in_a_sentence(site: Site, token: str) -> None:
    call = {"name": "airfare_trend_insights", "arguments": {"route_contains": ""}}
    filled = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call})
    call["arguments"] = {"route_contains": "x" * (256 * 1024 - len(filled))}
    result = site.rpc(token, "tools/call", call, era=LEGACY).json()["result"]
    assert result["isError"] is True
    assert len(result["content"][0]["text"]) < 1000


def test_many_large_bodies_at_once_are_all_answered_and_hold_nobody_up(site: Site, token: str) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"query":['
    body += b"[]," * ((256 * 1024 - len(body) - 10) // 3) + b"1]}}}"
    headers = site.headers(token, LEGACY)

    async def story() -> tuple[list[int], float]:
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(timeout=30, limits=limits) as http:
            sending = [
                asyncio.create_task(http.post(site.url, content=body, headers=headers)) for _ in range(20)
            ]
            slowest = 0.0
            while not all(task.done() for task in sending):
                began = time.monotonic()
                assert (await http.get(f"{site.origin}/healthz")).status_code == 200
                slowest = max(slowest, time.monotonic() - began)
                await asyncio.sleep(0.01)
            return [task.result().status_code for task in sending], slowest

    statuses, slowest = asyncio.run(story())
    assert statuses == [200] * 20
    assert slowest < 1.5


def test_a_foreign_host_is_misdirected(site: Site, token: str) -> None:  # [9]
    assert site.rpc(token, "tools/list", more={"Host": "rebound.example:8788"}).status_code == 421


def test_a_foreign_origin_is_forbidden(site: Site, token: str) -> None:  # [9]
    for origin in (
        "http://[",
        "https://[::1",
        "https://evil.example",
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "null",
    ):
        assert site.rpc(token, "tools/list", more={"Origin": origin}).status_code == 403


def test_a_loopback_origin_is_allowed_on_any_port(site: Site, token: str) -> None:  # [9, 10]
    answer = site.rpc(token, "tools/list", more={"Origin": "http://localhost:6274"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "http://localhost:6274"
    assert "WWW-Authenticate" in answer.headers["access-control-expose-headers"]


def test_a_browsers_preflight_needs_no_token_and_allows_the_protocols_headers(site: Site) -> None:  # [10]
    asked = {
        "Origin": "http://localhost:6274",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,mcp-protocol-version",
    }
    answer = httpx2.request("OPTIONS", site.url, headers=asked)
    assert answer.status_code == 204
    allowed = {name.strip() for name in answer.headers["access-control-allow-headers"].split(",")}
    needed = (
        "authorization content-type mcp-protocol-version mcp-method mcp-name mcp-session-id last-event-id"
    )
    assert allowed >= set(needed.split())
    assert "POST" in answer.headers["access-control-allow-methods"]


def test_a_challenge_can_be_read_by_a_browser(site: Site) -> None:  # [10]
    answer = site.rpc(None, "tools/list", more={"Origin": "http://localhost:6274"})
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers["access-control-expose-headers"]


def test_a_token_in_the_query_string_is_not_taken(site: Site, token: str) -> None:  # [15]
    assert httpx2.post(f"{site.url}?access_token={token}", json=LIST).status_code == 401


def test_a_request_without_a_token_is_challenged_without_an_error(site: Site) -> None:  # [14]
    challenge = site.rpc(None, "tools/list").headers["www-authenticate"]
    metadata = f"{site.origin}/.well-known/oauth-protected-resource/mcp"
    assert challenge == f'Bearer resource_metadata="{metadata}"'


def test_a_refused_token_is_challenged_with_the_reason(site: Site) -> None:  # [14]
    challenge = site.rpc("a.b.c", "tools/list").headers["www-authenticate"]
    assert 'error="invalid_token"' in challenge
    assert "error_description=" in challenge


@pytest.mark.parametrize("path", ["oauth-protected-resource", "oauth-protected-resource/mcp"])
def test_the_resource_metadata_is_open_to_everybody(site: Site, path: str) -> None:  # [12]
    url = f"{site.origin}/.well-known/{path}"
    answer = httpx2.get(url, headers={"Origin": "https://any.example"})
    assert answer.json()["resource"] == site.url
    assert answer.json()["authorization_servers"] == [site.origin]
    assert answer.headers["access-control-allow-origin"] == "*"
    assert httpx2.head(url).status_code == 200
    assert httpx2.request("OPTIONS", url).status_code == 204


def test_the_resource_is_named_by_the_setting_whatever_the_host(site: Site) -> None:  # [12]
    url = f"http://127.0.0.1:{site.port}/.well-known/oauth-protected-resource"
    assert httpx2.get(url, headers={"Host": "elsewhere.example"}).json()["resource"] == site.url


@pytest.mark.parametrize(
    "path", ["", "security.txt", "oauth-protected-resource/other", "openid-configuration/mcp"]
)
def test_any_other_well_known_path_is_a_404_in_json(site: Site, path: str) -> None:  # [13]
    answer = httpx2.get(f"{site.origin}/.well-known/{path}")
    assert (answer.status_code, answer.json()) == (404, {"error": "not_found"})


def test_openais_challenge_is_answered_with_the_setting_as_plain_text(settings: Any) -> None:  # [55]
    settings.OPENAI_APPS_CHALLENGE = "openai-verify=abc.123"
    answer = challenge("GET")
    assert (answer.status_code, answer.text) == (200, "openai-verify=abc.123")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert challenge("HEAD").status_code == 200
    assert challenge("POST").status_code == 405
    settings.OPENAI_APPS_CHALLENGE = ""
    assert (challenge("GET").status_code, challenge("GET").json()) == (404, {"error": "not_found"})


def challenge(method: str) -> httpx2.Response:
    async def ask() -> httpx2.Response:
        application = metadata.well_known(metadata.Resource.from_settings())
        transport = httpx2.ASGITransport(application)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, "/.well-known/openai-apps-challenge")

    return asyncio.run(ask())


def test_the_own_issuers_keys_are_published(site: Site) -> None:
    metadata = httpx2.get(f"{site.origin}/.well-known/openid-configuration").json()
    assert metadata["issuer"] == site.origin
    keys = httpx2.get(metadata["jwks_uri"]).json()["keys"]
    assert [key["kty"] for key in keys] == ["RSA"]
    assert not {"d", "p", "q"} & set(keys[0])


def test_health_is_told_to_any_host_without_a_token(site: Site) -> None:
    answer = httpx2.get(f"{site.origin}/healthz", headers={"Host": "10.0.0.7:8788"})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_readiness_names_database_migrations_and_keys(site: Site) -> None:
    answer = httpx2.get(f"{site.origin}/readyz")
    checks = {"database": True, "migrations": True, "issuer_keys": True}
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "checks": checks})


def test_the_admin_stands_beside_the_endpoint(site: Site) -> None:
    answer = httpx2.get(f"{site.origin}/admin/", follow_redirects=True)
    assert answer.status_code == 200
    assert "csrfmiddlewaretoken" in answer.text
