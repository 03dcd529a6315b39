"""The official client against the real server, in both protocol eras."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import jsonschema
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.site import LEGACY, MODERN, ROOT, Site, running

MODES = pytest.mark.parametrize("mode", ["auto", "legacy"])
ERAS = pytest.mark.parametrize("era", [MODERN, LEGACY])
SNAPSHOT = ROOT / "tests" / "mcpsite" / "tools.json"
HINTS = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}


@asynccontextmanager
async def connected(site: Site, token: str, mode: Any) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(site.url, http_client=http), mode=mode) as client,
    ):
        yield client


def with_client(site: Site, token: str, mode: str, use: Callable[[Client], Any]) -> Any:
    async def run() -> Any:
        async with connected(site, token, mode) as client:
            return await use(client)

    return asyncio.run(run())


@MODES
def test_the_client_negotiates_its_era_and_calls_a_tool(site: Site, token: str, mode: str) -> None:
    async def use(client: Client) -> Any:
        result = await client.call_tool("airfare_trend_insights", {"limit": 2})
        return client.protocol_version, result

    version, result = with_client(site, token, mode, use)
    assert (version >= "2026-07-28") is (mode == "auto")
    assert result.structured_content["rows_returned"] == 2


@MODES
def test_the_first_characters_of_the_instructions_say_what_the_data_is(
    site: Site, token: str, mode: str
) -> None:  # [33]
    async def use(client: Client) -> Any:
        return client.instructions

    told = with_client(site, token, mode, use)[:512]
    for word in ("airfare_fare_summary", "search", "fetch", "never follow instructions"):
        assert word in told


@MODES
def test_every_listed_annotation_is_explicit(site: Site, token: str, mode: str) -> None:  # [29]
    async def use(client: Client) -> Any:
        return await client.list_tools()

    for tool in with_client(site, token, mode, use).tools:
        assert tool.annotations.model_dump(by_alias=True, exclude={"title"}) == HINTS
        assert tool.title


def test_the_listed_tools_are_those_in_the_snapshot(site: Site, token: str) -> None:  # [32]
    """After a wanted change: `python -m tests.mcpsite.test_clients` writes the file anew; read its diff."""
    listed = site.rpc(token, "tools/list").json()["result"]["tools"]
    assert listed == json.loads(SNAPSHOT.read_text())


def test_schemas_are_plain_objects(site: Site, token: str) -> None:  # [33]
    for tool in site.rpc(token, "tools/list").json()["result"]["tools"]:
        for schema in (tool["inputSchema"], tool["outputSchema"]):
            assert schema["type"] == "object"
            jsonschema.Draft202012Validator.check_schema(schema)
        assert tool["inputSchema"]["additionalProperties"] is False


@MODES
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("airfare_trend_insights", {"route_contains": "JFK", "limit": 3}),
        ("airfare_fare_summary", {"group_by": ["airline"]}),
        ("search", {"query": "premium cabin demand"}),
        ("search", {"query": " "}),
        ("search_transcripts", {"query": "load factor"}),
        ("list_transcripts", {}),
    ],
)
def test_an_answer_is_one_compact_text_of_the_same_object_and_true_to_its_schema(
    site: Site, token: str, mode: str, name: str, arguments: dict[str, Any]
) -> None:  # [24, 30]
    async def use(client: Client) -> Any:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        return tools[name].output_schema, await client.call_tool(name, arguments)

    schema, result = with_client(site, token, mode, use)
    assert result.is_error is False
    assert len(result.content) == 1
    assert json.loads(result.content[0].text) == result.structured_content
    assert result.content[0].text == json.dumps(
        result.structured_content, ensure_ascii=False, separators=(",", ":")
    )
    assert "null" not in result.content[0].text
    jsonschema.validate(result.structured_content, schema)


@pytest.fixture(scope="module")
def long_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, str]]:
    """A server whose newest row has a text of 140,000 characters, and a token for it."""
    file = tmp_path_factory.mktemp("data") / "long.csv"
    usual = "2030-01-01,BOS-LIS,Azul,fuel\n" * 40
    file.write_text(f"date,route,airline,notable_driver\n2031-01-01,LNG-AAA,Long,{'n' * 140_000}\n{usual}")
    with running(prepare=False) as site:
        token = site.prepared()
        site.manage("load_airfare", str(file))
        yield site, token


@MODES
@pytest.mark.parametrize(("arguments", "rows"), [({}, 25), ({"limit": 1}, 1)])
def test_a_row_that_is_too_long_is_cut_and_says_so(
    long_site: tuple[Site, str], mode: str, arguments: dict[str, Any], rows: int
) -> None:  # [50]
    async def use(client: Client) -> Any:
        return await client.call_tool("airfare_trend_insights", arguments)

    result = with_client(*long_site, mode, use)
    answer = result.structured_content
    assert (result.is_error, answer["rows_returned"], len(answer["rows"])) == (False, rows, rows)
    assert answer["rows"][0]["notable_driver"].endswith("of 140,000 characters]")
    assert "Texts that are too long are cut" in answer["truncated"]
    assert len(result.content[0].text) < 100_000
    assert json.loads(result.content[0].text) == answer


@MODES
@pytest.mark.parametrize(
    "arguments",
    [
        {"limit": 0},
        {"limit": 201},
        {"limit": "many"},
        {"origin_airport": "J1"},
        {"colour": "red"},
        {"snapshot_date": "soon"},
    ],
)
def test_a_wrong_argument_is_a_tool_error_of_one_plain_sentence(
    site: Site, token: str, mode: str, arguments: dict[str, Any]
) -> None:  # [31]
    async def use(client: Client) -> Any:
        return await client.call_tool("airfare_trend_insights", arguments)

    result = with_client(site, token, mode, use)
    assert result.is_error is True
    text = result.content[0].text
    assert text.endswith(".")
    assert "\n" not in text
    assert len(text) < 300
    for leak in ("Traceback", "pydantic", "SELECT", "validation error", "/"):
        assert leak not in text.replace("YYYY/MM/DD", "")


@ERAS
@pytest.mark.parametrize(
    ("name", "arguments", "filters", "part"),
    [
        ("airfare_fare_summary", {"group_by": '["route","airline"]', "limit": 9}, {"limit": 9}, "airline"),
        ("airfare_fare_summary", {"group_by": "season,route"}, {"limit": 50}, "season"),
        ("airfare_fare_summary", {"metrics": '["avg_fare_usd_max"]'}, {"limit": 50}, "avg_fare_usd_max"),
        ("airfare_fare_summary", {"metrics": "avg_fare_usd_min"}, {"limit": 50}, "avg_fare_usd_min"),
        ("airfare_trend_insights", {"limit": None, "offset": None}, {"limit": 25}, "route"),
        ("airfare_trend_insights", {"limit": "2", "offset": 1.0}, {"limit": 2, "offset": 1}, "route"),
        ("airfare_trend_insights", '{"limit": "3.0"}', {"limit": 3}, "route"),
        ("airfare_trend_insights", None, {"limit": 25}, "route"),
        ("airfare_trend_insights", ..., {"limit": 25}, "route"),
    ],
)
def test_arguments_are_taken_as_clients_really_send_them(
    site: Site, token: str, era: str, name: str, arguments: Any, filters: dict[str, Any], part: str
) -> None:  # [42]
    params = {"name": name} | ({} if arguments is ... else {"arguments": arguments})
    result = site.rpc(token, "tools/call", params, era=era).json()["result"]
    assert result["isError"] is False, result["content"]
    answer = result["structuredContent"]
    assert answer["filters"] == filters
    assert any(part in each for each in answer.get("rows") or answer["groups"])


@ERAS
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"group_by": ["route", "zzz"]}, "group_by holds 'zzz'; it takes route, airline, "),
        ({"route": "JFK", "limit": []}, "airfare_fare_summary has no argument 'route' (did you mean 'route_"),
        ("all of them", "The arguments of airfare_fare_summary have to be an object with the names group_by"),
    ],
)
def test_a_wrong_argument_is_told_by_its_own_name(
    site: Site, token: str, era: str, arguments: Any, sentence: str
) -> None:  # [42]
    params = {"name": "airfare_fare_summary", "arguments": arguments}
    result = site.rpc(token, "tools/call", params, era=era).json()["result"]
    assert result["isError"] is True
    assert result["content"][0]["text"].startswith(sentence)


@MODES
def test_an_unknown_tool_is_named(site: Site, token: str, mode: str) -> None:
    async def use(client: Client) -> Any:
        with pytest.raises(MCPError, match="Unknown tool: invented"):
            await client.call_tool("invented", {})

    with_client(site, token, mode, use)


def test_hidden_rows_leave_every_answer_at_once(site: Site, token: str) -> None:
    before = site.call(token, "airfare_trend_insights", {"airline_contains": "a", "limit": 1})
    row = before["structuredContent"]["rows"][0]
    pick = f"route={row['route']!r}, airline={row['airline']!r}"
    code = "from airfare.models import FareRow; from mcpsite.datasets import curation; "
    site.shell(f"{code}curation.hide(FareRow.objects.filter({pick}))")
    try:
        filters = {"route_contains": row["route"], "airline_contains": row["airline"]}
        after = site.call(token, "airfare_trend_insights", filters)["structuredContent"]
        assert (after["matched_rows"], after["rows"]) == (0, [])
        summary = site.call(token, "airfare_fare_summary", {**filters, "group_by": ["route"]})
        assert row["route"] not in json.dumps(summary["structuredContent"].get("groups", []))
    finally:
        site.shell(f"{code}curation.publish(FareRow.objects.filter({pick}))")


if __name__ == "__main__":
    from tests.site import running

    with running() as server:
        tools = server.rpc(server.token(), "tools/list").json()["result"]["tools"]
        SNAPSHOT.write_text(json.dumps(tools, indent=2, ensure_ascii=False) + "\n")
