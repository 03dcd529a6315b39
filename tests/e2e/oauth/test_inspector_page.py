"""The MCP Inspector's web page in a browser: a person signs in, consents and uses a tool."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from tests.e2e.looking import PACKAGES
from tests.e2e.oauth.conftest import SignIn
from tests.site import Site, free_port

pytestmark = pytest.mark.e2e

LAUNCHER = PACKAGES / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build"
PATIENCE = 60_000
"""Milliseconds; the page talks to the server through a process of its own."""


@contextmanager
def inspector(node: Path, home: Path, server: Site) -> Iterator[str]:
    """The Inspector's page for `server`, at the address that is given."""
    environment = os.environ | {
        "HOME": str(home),
        "PATH": f"{node.parent}:{os.environ['PATH']}",
        "CLIENT_PORT": str(free_port()),
        "DANGEROUSLY_OMIT_AUTH": "true",
        "MCP_AUTO_OPEN_ENABLED": "false",
        "MCP_INSPECTOR_SECRET_STORE": "memory",
    }
    command = [
        str(node),
        str(LAUNCHER / "index.js"),
        "--web",
        "--server-url",
        server.url,
        "--transport",
        "http",
    ]
    log = home / "inspector.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, text=True
        )
    try:
        yield f"http://127.0.0.1:{environment['CLIENT_PORT']}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def opened(page: Page, address: str) -> None:
    """Open the address as soon as it answers."""
    for _ in range(120):
        try:
            page.goto(address)
        except Error as error:
            if "ERR_CONNECTION_REFUSED" not in str(error):
                raise
            page.wait_for_timeout(500)
        else:
            return
    raise AssertionError("the Inspector did not start")


def test_a_person_signs_in_from_the_inspectors_page_and_sees_the_tools(
    browser: Browser, node: Path, sign_in: SignIn, tmp_path: Path
) -> None:
    with inspector(node, tmp_path, sign_in.site) as address, browser.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        opened(page, address)
        page.get_by_text("Streamable HTTP").first.wait_for()
        page.get_by_role("switch").first.click(force=True)

        page.wait_for_url(f"{sign_in.issuer}/**")
        page.get_by_label("Username").fill("alice")
        page.get_by_label("Password").fill("a password of alice")
        page.get_by_role("main").get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name=re.compile("^Connect .*Inspector"))).to_be_visible()
        if sign_in.provider is None:  # What a client may do here is known to this site alone.
            expect(page.get_by_text("search and read what you may read here: Airfare")).to_be_visible()
        page.get_by_role("button", name="Connect").click()

        expect(page.get_by_text("Connected", exact=True).first).to_be_visible(timeout=PATIENCE)
        page.get_by_text("Tools", exact=True).first.click()
        expect(page.get_by_text("airfare", exact=False).first).to_be_visible(timeout=PATIENCE)
