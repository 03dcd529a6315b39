"""docs/answers-of-mcp.md says of each status that `/mcp` can answer when it does."""

import ast
import json
import re
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from mcp.shared.inbound import ERROR_CODE_HTTP_STATUS
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from mcpsite import router
from tests.site import LEGACY, MODERN, ROOT, Site

PAGE = (ROOT / "docs/answers-of-mcp.md").read_text()
ANSWERS = PAGE.partition("\n## How large an answer is")[0]
ROWS = [line for line in ANSWERS.splitlines() if re.match(r"\| \w", line) and "| when |" not in line]
SIZES = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE)
ANSWERING = (
    "router.py",
    "core/receiving.py",
    "mcp/challenges.py",
    "mcp/incoming.py",
    "mcp/messages.py",
    "mcp/transport.py",
    "web/https.py",
)
"""What of the site answers requests to `/mcp` by a number."""


def numbers(file: Path) -> set[int]:
    """Return the whole numbers in a file that can be a status."""
    nodes = ast.walk(ast.parse(file.read_text()))
    values = {node.value for node in nodes if isinstance(node, ast.Constant)}
    return {value for value in values if isinstance(value, int) and 200 <= value < 600}


def test_each_status_that_the_code_knows_stands_in_the_table() -> None:
    of_site = {number for name in ANSWERING for number in numbers(ROOT / "mcpsite" / name)}
    of_heads = set(re.findall(r"HTTP/1\.1 (\d{3})", (ROOT / "mcpsite/web/heads.py").read_text()))
    of_library = {202, *ERROR_CODE_HTTP_STATUS.values()}
    told = {int(status) for status in re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE)}
    assert told == of_site | set(map(int, of_heads)) | of_library


def test_each_row_names_tests_that_there_are() -> None:
    assert len(ROWS) > 20
    for row in ROWS:
        named = re.findall(r"`(tests/\S+\.py)`", row)
        assert named, row
        assert all((ROOT / name).exists() for name in named), row


def test_the_usual_limits_are_those_of_the_tools() -> None:
    limits = {
        tool["name"]: tool["inputSchema"]["properties"]["limit"]
        for tool in json.loads((ROOT / "tests/mcpsite/tools.json").read_text())
        if "limit" in tool["inputSchema"]["properties"]
    }
    assert {name: int(usual) for name, usual, _ in SIZES} == {
        name: limit["default"] for name, limit in limits.items()
    }
    assert all(f"to {most}." in limits[name]["description"] for name, _, most in SIZES)


def test_the_endpoint_is_away_if_its_server_cannot_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ImproperlyConfigured("a tool has no description")

    monkeypatch.setattr(router, "discover", broken)
    client = TestClient(router.Router(PlainTextResponse("a page")))
    answer = client.post("/mcp", json={})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert client.get("/").text == "a page"


@pytest.mark.parametrize(("era", "status"), [(MODERN, 400), (LEGACY, 200)])
def test_an_unknown_tool_is_an_error_of_the_protocol(site: Site, token: str, era: str, status: int) -> None:
    answer = site.rpc(token, "tools/call", {"name": "nothing", "arguments": {}}, era=era)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, -32602)


@pytest.mark.parametrize(("era", "status"), [(MODERN, 400), (LEGACY, 202)])
def test_a_result_that_nobody_asked_for_has_no_answer(site: Site, token: str, era: str, status: int) -> None:
    answer = site.post(token, {"id": 1, "result": {}}, era=era)
    assert answer.status_code == status
