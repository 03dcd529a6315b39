"""Views over the real server: who is told of them, who may read them, in both eras."""

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from mcpsite.datasets.charts import VIEW
from mcpsite.mcp import View
from tests.site import LEGACY, MODERN, Site, running

ERAS = pytest.mark.parametrize("era", [MODERN, LEGACY])
UI = "io.modelcontextprotocol/ui"
MIME = "text/html;profile=mcp-app"
PLAIN = "ui://datasets/line-chart.html"
URI = VIEW.uri
APPS = {"extensions": {UI: {"mimeTypes": [MIME]}}}


def ask(site: Site, token: str, method: str, capabilities: dict[str, Any]) -> Any:
    """The result that a modern client with these capabilities gets."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta}}
    headers = site.headers(token, MODERN) | {"Mcp-Method": method}
    return httpx2.post(site.url, json=body, headers=headers, timeout=60).json()["result"]


def views(tools: list[dict[str, Any]]) -> dict[str, Any]:
    return {tool["name"]: tool["_meta"]["ui"] for tool in tools if "ui" in tool.get("_meta", {})}


def read(site: Site, token: str, era: str, uri: str = URI) -> Any:
    return site.rpc(token, "resources/read", {"uri": uri}, era=era, more={"Mcp-Name": uri}).json()


def test_the_server_says_that_it_has_views(site: Site, token: str) -> None:
    """To modern clients: in the older protocol a server's capabilities hold no extensions."""
    assert ask(site, token, "server/discover", {})["capabilities"]["extensions"] == {UI: {}}


def test_one_tool_names_its_view_to_a_client_that_shows_views(site: Site, token: str) -> None:
    """`search` and `fetch` above all have none: deep research wants them plain."""
    tools = ask(site, token, "tools/list", APPS)["tools"]
    assert {"search", "fetch", "show_fare_trends"} <= {tool["name"] for tool in tools}
    assert views(tools) == {"show_fare_trends": {"resourceUri": URI}}


@pytest.mark.parametrize("capabilities", [{}, {"extensions": {UI: {"mimeTypes": ["text/plain"]}}}])
def test_a_client_that_shows_no_views_is_told_of_none(
    site: Site, token: str, capabilities: dict[str, Any]
) -> None:
    tools = ask(site, token, "tools/list", capabilities)["tools"]
    assert views(tools) == {}
    assert "show_fare_trends" in {tool["name"] for tool in tools}


def test_an_older_client_is_always_told(site: Site, token: str) -> None:
    tools = site.rpc(token, "tools/list", era=LEGACY).json()["result"]["tools"]
    assert views(tools) == {"show_fare_trends": {"resourceUri": URI}}


@ERAS
def test_a_view_is_one_page_that_asks_for_nothing(site: Site, token: str, era: str) -> None:
    (page,) = read(site, token, era)["result"]["contents"]
    assert (page["uri"], page["mimeType"]) == (URI, MIME)
    assert page["text"].startswith("<!doctype html>")
    policy = page["_meta"]["ui"]["csp"]
    assert policy == {
        "connectDomains": [],
        "resourceDomains": [],
        "frameDomains": [],
        "baseUriDomains": [],
    }


def test_the_address_changes_with_the_page_and_with_nothing_else(tmp_path: Path) -> None:
    def made(text: str) -> View:
        (tmp_path / "map.html").write_text(text)
        return View(name="rates/map.html", title="Map", file=tmp_path / "map.html")

    one, other = made("<!doctype html>one").uri, made("<!doctype html>other").uri
    assert one != other
    assert made("<!doctype html>one").uri == one
    assert re.fullmatch(r"ui://rates/map\.[0-9a-f]{12}\.html", one)


@ERAS
@pytest.mark.parametrize("uri", [PLAIN, "ui://datasets/line-chart.0123456789ab.html"])
def test_a_client_that_knows_an_older_version_gets_the_page_of_today(
    site: Site, token: str, era: str, uri: str
) -> None:
    """A connector keeps its list of tools until a person renews it."""
    (page,) = read(site, token, era, uri)["result"]["contents"]
    assert (page["uri"], page["text"]) == (uri, VIEW.html)


@pytest.mark.parametrize(
    "uri",
    [
        "ui://datasets/line-chart.0123456789AB.html",
        "ui://datasets/line-chart.0123456789ab.0123456789ab.html",
        "ui://datasets/line-chartxhtml",
        "ui://datasets/line-chart.html/../fare-chart.html",
    ],
)
def test_what_is_no_version_of_a_page_is_unknown(site: Site, token: str, uri: str) -> None:
    assert read(site, token, LEGACY, uri)["error"]["code"] == -32602


def test_a_view_names_no_domain_of_its_own(site: Site, token: str) -> None:
    """Claude shows nothing where it is not Claude's."""
    (page,) = read(site, token, MODERN)["result"]["contents"]
    assert page["_meta"].keys() == {"ui"}
    assert page["_meta"]["ui"].keys() == {"csp", "prefersBorder"}


def test_chatgpt_is_told_the_domain_of_the_settings() -> None:
    with running({"OPENAI_WIDGET_DOMAIN": "https://data.example.com/"}) as site:
        (page,) = read(site, site.token(), MODERN)["result"]["contents"]
    assert page["_meta"]["openai/widgetDomain"] == "https://data.example.com"
    assert "domain" not in page["_meta"]["ui"]


@ERAS
def test_a_view_is_for_those_who_may_use_its_tool(site: Site, era: str) -> None:
    site.shell("from django.contrib.auth.models import User; User.objects.get_or_create(username='charles')")
    error = read(site, site.token("charles"), era)["error"]
    assert (error["code"], error["message"]) == (-32602, f"Unknown resource: {URI}")


def test_views_stand_in_no_menu(site: Site, token: str) -> None:
    listed = site.rpc(token, "resources/list").json()["result"]["resources"]
    assert [each for each in listed if each["uri"].startswith("ui:")] == []


@ERAS
def test_every_client_reads_the_figures_as_a_table(site: Site, token: str, era: str) -> None:
    result = site.call(token, "show_fare_trends", {"route_contains": "JFK-LAX"}, era=era)
    (text,) = result["content"]
    assert "| 2025-11-03 | 409 / 700 / 85 % |" in text["text"]
    assert result["structuredContent"]["series"][0]["airline"] == "Atlantic Crown"
