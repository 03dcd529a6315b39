"""Commands and settings of the documents, as a reader types them at a site of their own."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory

from tests.commands import Commands
from tests.docs.documents import blocks_of, documents, lines_of, spans
from tests.site import ROOT, Site, environment, wait_for

MANAGE = ".venv/bin/python manage.py "


def in_a_shell(line: str) -> list[str]:
    return ["bash", "-c", line.replace(".venv/bin/python", sys.executable)]


def typed(line: str, site: Site) -> str:
    """Type a management command at the site; what it printed."""
    assert line.startswith(MANAGE)
    return site.manage(*line.removeprefix(MANAGE).split()).stdout


def test_the_first_steps_of_readme(site: Site) -> None:
    tools, fares, token = lines_of(*blocks_of("README.md", "First steps"))
    listed = json.loads(typed(tools, site))
    assert {"airfare_trend_insights", "search", "fetch"} <= {each["name"] for each in listed["tools"]}
    assert json.loads(typed(fares, site))["groups"]
    assert site.rpc(typed(token, site).strip(), "tools/list").status_code == 200


def test_a_token_for_a_client_that_cannot_sign_in(site: Site) -> None:
    [line] = lines_of(*blocks_of("docs/connecting.md", "Anything else"))
    token = typed(line.replace("USER", "admin"), site).strip()
    assert site.rpc(token, "tools/list").status_code == 200


def test_the_audit_is_pruned(site: Site) -> None:
    [line] = lines_of(*blocks_of("docs/audit.md", "Reading it"))
    assert typed(line, site)


def test_doctor_looks_here_and_at_an_address(site: Site) -> None:
    here, address, _ = lines_of(*blocks_of("docs/doctor.md"))
    for line in (here, address.replace("https://data.example.com", site.origin)):
        assert "fetch" in typed(line, site)


def test_doctor_looks_at_a_token(site: Site, tmp_path: Path) -> None:
    _, _, line = lines_of(*blocks_of("docs/doctor.md"))
    file = tmp_path / "token.txt"
    file.write_text(site.token())
    line = line.replace("https://data.example.com", site.origin).replace("token.txt", str(file))
    done = subprocess.run(
        in_a_shell(line), cwd=ROOT, env=site.env, capture_output=True, text=True, check=True
    )
    assert "fetch" in done.stdout


def test_mistakes_in_settings_read_as_readme_says(tmp_path: Path) -> None:
    [told] = blocks_of("README.md", "Settings")
    file = tmp_path / ".env"
    file.write_text("\n" * 6 + "SITENAME=Acme\n")
    with environment({"PORT": "abc", "ENV_FILE": str(file)}) as env:
        command = in_a_shell(f"{MANAGE}check")
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, told)


@pytest.mark.django_db
def test_the_panel_of_contributing_leads_to_what_it_counts(admin_user: User, admin_client: Client) -> None:
    [code] = blocks_of("CONTRIBUTING.md", "a panel of the dashboard")
    names: dict[str, Any] = {}
    exec(code, names)
    request = RequestFactory().get("/admin/")
    request.user = admin_user
    [panel] = [panel() for panel in names["panels"](request)]
    [figure] = panel.figures
    assert figure.value == 0
    assert admin_client.get(figure.url).status_code == 200


@pytest.mark.parametrize(
    "text",
    [
        *blocks_of("docs/connecting.md", "Auth0, switch by switch"),
        *blocks_of("docs/sign-in.md", "What to register, whatever the provider"),
        blocks_of("docs/watching.md", "Traces")[1],
    ],
    ids=["Auth0", "sign-in", "traces"],
)
def test_the_site_starts_with_the_settings_of_a_document(text: str, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(text.replace("SECRET_KEY=…", f"SECRET_KEY={'s' * 60}").replace("…", "something"))
    with environment({"ENV_FILE": str(file)}) as env, closing(Commands(env)) as commands:
        said = commands.run(
            "shell", "--no-imports", "-c", "from mcpsite.settings import env; print(env.warnings)"
        )
        commands.run("check")
    assert said.stdout.strip() == "[]"


def test_a_site_starts_behind_a_tunnel() -> None:
    _, _, line = blocks_of("docs/connecting.md", "cloudflared, ngrok and the like")
    with served(line.replace("ADDRESS-OF-THE-TUNNEL", "data.example.org")) as site:
        headers = {"Host": "data.example.org", "X-Forwarded-Proto": "https"}
        described = httpx2.get(f"{site.origin}/.well-known/oauth-protected-resource/mcp", headers=headers)
        assert described.json()["resource"] == "https://data.example.org/mcp"


@contextmanager
def served(line: str) -> Iterator[Site]:
    """A server that somebody started by a line."""
    with environment() as env:
        log = Path(env["STATE_DIR"]) / "server.log"
        with log.open("w") as output:
            # The shell and what it starts are ended together.
            process = subprocess.Popen(
                in_a_shell(line),
                cwd=ROOT,
                env=env,
                stdout=output,
                stderr=output,
                text=True,
                start_new_session=True,
            )
        site = Site(port=int(env["PORT"]), env=env, process=process, log=log)
        try:
            wait_for(site)
            yield site
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)


NO_PAGES = {
    "/.well-known/openai-apps-challenge": "not there without OPENAI_APPS_CHALLENGE; test_transport has it",
    "/data/curators": "a group at a provider",
    "/embeddings": "OpenAI's",
    "/metrics": "not there without METRICS_TOKEN; test_watching has it",
    "/root": "a folder",
    "/tmp": "a folder",
}
"""Words like addresses of the site that are none, each with what it is."""


def test_every_address_is_one_of_the_site(site: Site) -> None:
    words = {span for document in documents() for span in spans(document)}
    addresses = {word for word in words if re.fullmatch(r"/[\w./-]*", word)} - NO_PAGES.keys()
    assert len(addresses) > 5
    answers = {address: httpx2.get(f"{site.origin}{address}").status_code for address in addresses}
    assert [address for address, status in answers.items() if status == 404] == []
