"""The whole sign-in by the command line of the MCP Inspector."""

import json
import os
import subprocess
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import pytest

from tests.access.oauth.person import Person
from tests.e2e.looking import PACKAGES
from tests.site import Site, free_port

pytestmark = pytest.mark.e2e

CLI = PACKAGES / "@modelcontextprotocol" / "inspector" / "clients" / "cli" / "build" / "index.js"
INVITATION = "Please navigate to: "


def inspect(node: Path, home: Path, server: Site, person: Person, *options: str) -> str:
    """Run the Inspector; `person` goes where it sends them and comes back to it. What it printed."""
    callback = f"http://127.0.0.1:{free_port()}/oauth/callback"
    environment = os.environ | {
        "HOME": str(home),
        "PATH": f"{node.parent}:{os.environ['PATH']}",
        # Where there is no terminal it signs in only when told that a browser may open.
        "MCP_AUTO_OPEN_ENABLED": "true",
        "MCP_INSPECTOR_SECRET_STORE": "memory",
    }
    command = [
        str(node),
        str(CLI),
        "--server-url",
        server.url,
        "--transport",
        "http",
        "--callback-url",
        callback,
    ]
    with subprocess.Popen(
        [*command, *options],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as inspector:
        assert inspector.stdout is not None
        printed = ""
        for line in inspector.stdout:
            if line.startswith(INVITATION):
                back = person.connect(line.removeprefix(INVITATION).strip())
                httpx2.get(f"{callback}?{urlencode(back)}", timeout=30)
            else:
                printed += line
        assert inspector.wait(timeout=60) == 0, printed
    return printed


def result(printed: str) -> dict[str, object]:
    """The JSON object that the Inspector printed; its remarks on schemas may stand behind it."""
    found: dict[str, object]
    found, _ = json.JSONDecoder().raw_decode(printed, printed.index("\n{") + 1)
    return found


def test_the_inspector_signs_in_and_lists_the_tools(
    node: Path, server: Site, alice: Person, tmp_path: Path
) -> None:
    printed = inspect(node, tmp_path, server, alice, "--method", "tools/list")
    listed = result(printed)
    # Where it has a remark on a schema it counts the errors, too.
    assert "Schema portability" not in printed or "Schema portability: 0 errors" in printed
    assert "airfare_trend_insights" in json.dumps(listed["tools"])
    assert alice.consents == 1


def test_the_inspector_signs_in_and_calls_a_tool(
    node: Path, server: Site, alice: Person, tmp_path: Path
) -> None:
    options = ["--method", "tools/call", "--tool-name", "airfare_trend_insights", "--tool-arg", "limit=2"]
    called = result(inspect(node, tmp_path, server, alice, *options))
    assert '"rows_returned": 2' in json.dumps(called["structuredContent"])
