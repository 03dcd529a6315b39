"""The steps to connect: the same on the home page and in the docs, and such that they can be pasted."""

import base64
import html
import json
import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from mcpsite.web.connecting import AS_OF, interpreter, pasteable, values
from tests.mcpsite import people

pytestmark = pytest.mark.django_db

DOCS = (Path(__file__).parents[2] / "docs" / "connecting.md").read_text()
FENCED = r"^```\w+\n(.+?)^```$"
PUBLIC = "https://data.example.com/mcp"
ISSUER = "https://login.example.com/"


@dataclass
class Steps:
    """What is said about one client."""

    labels: set[str]
    """What to press: the words in italics."""
    commands: set[str]
    """What to paste: the blocks of code."""


def of_page() -> dict[str, Steps]:
    """The clients of the home page, as an administrator sees it."""
    page = people.browser(people.olga()).get("/").content.decode()
    connect = page[page.index('<section id="connect"') :]
    clients = {}
    for found in re.finditer(r"<summary>(.+?)</summary>(.+?)</details>", connect, re.DOTALL):
        labels = re.findall(r"<em>(.+?)</em>", found[2], re.DOTALL)
        commands = re.findall(r"<pre data-copy><code>(.+?)</code></pre>", found[2], re.DOTALL)
        clients[plain(found[1])] = Steps(set(map(plain, labels)), set(map(plain, commands)))
    return clients


def of_docs(*titles: str) -> dict[str, Steps]:
    """The clients of the docs in the chapters with these titles, with this server's values."""
    clients = {}
    for title in titles:
        chapter = DOCS[DOCS.index(f"\n## {title}\n") :].partition("\n## ")[2].partition("\n## ")[0]
        for section in chapter.split("\n### ") if "\n### " in chapter else [chapter]:
            name, _, text = section.partition("\n")
            blocks = re.findall(FENCED, text, re.DOTALL | re.MULTILINE)
            prose = re.sub(FENCED, "", text, flags=re.DOTALL | re.MULTILINE)
            labels = re.findall(r"(?<!\*)\*([^*]+)\*", prose)
            clients[plain(name)] = Steps(set(map(plain, labels)), set(map(with_values, blocks)))
    return clients


def plain(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", text)).replace("’", "'").split())


def with_values(command: str) -> str:
    """A command of the docs as this server has to say it."""
    command = command.replace("http://localhost:8788/mcp", values().endpoint)
    command = command.replace("localhost:8788", f"localhost:{values().port}")
    return plain(command.replace(".venv/bin/python", interpreter()).replace("USER", "olga"))


def test_the_page_and_the_docs_name_the_same_clients_in_the_same_order() -> None:
    docs = [name for name in of_docs("Clients", "Tunnels") if name not in ("Clients", "Tunnels")]
    assert list(of_page()) == docs
    assert len(docs) == 13


def test_the_page_and_the_docs_give_the_same_commands() -> None:
    docs = of_docs("Clients", "Tunnels")
    for name, steps in of_page().items():
        assert steps.commands == docs[name].commands, name


def test_behind_an_identity_provider_the_page_adds_the_commands_of_clients_by_hand(settings: Any) -> None:
    settings.AUTH0_ISSUER = ISSUER
    docs, by_hand = of_docs("Clients"), of_docs("Clients by hand")["Clients by hand"]
    added: set[str] = set()
    for name, steps in of_page().items():
        added |= steps.commands - docs.get(name, Steps(set(), set())).commands
    assert by_hand.commands <= added
    assert len(by_hand.commands) == 4


@pytest.mark.parametrize("issuer", ["", ISSUER], ids=["built-in", "provider"])
@pytest.mark.parametrize("public", [False, True], ids=["here", "public"])
def test_the_page_and_the_docs_say_what_to_press_in_the_same_words(
    settings: Any, issuer: str, public: bool
) -> None:
    docs = of_docs("Clients", "Tunnels")
    by_hand = of_docs("Clients by hand")["Clients by hand"].labels
    of_docs_alone = {"invalid_target"} | ({"Connected applications → Add"} if issuer else set())
    settings.AUTH0_ISSUER = issuer
    if public:
        settings.PUBLIC, settings.RESOURCE_SERVER_URL = True, PUBLIC
    for name, steps in of_page().items():
        assert steps.labels <= docs[name].labels | by_hand, name
        assert docs[name].labels - steps.labels <= of_docs_alone, name


def test_page_and_docs_say_of_when_the_menus_are() -> None:
    page = people.browser(people.olga()).get("/").content.decode()
    for text in (page, DOCS):
        assert f"{AS_OF:%-d %B %Y}" in " ".join(text.split())


def test_redirects_of_clients_by_hand_are_the_same_on_the_page_and_in_the_docs(settings: Any) -> None:
    settings.AUTH0_ISSUER, settings.PUBLIC, settings.RESOURCE_SERVER_URL = ISSUER, True, PUBLIC
    page = html.unescape(people.browser(people.olga()).get("/").content.decode())
    table = DOCS[DOCS.index("## Clients by hand") :].partition("\n\n```")[0]
    redirects = re.findall(r"`(https?://[^`]+)`", table)
    assert len(redirects) == 8
    assert [redirect for redirect in redirects if f"<code>{redirect}</code>" not in page] == []


def test_files_and_links_are_what_each_client_reads(settings: Any) -> None:
    settings.SITE_NAME, settings.RESOURCE_SERVER_URL = "Acme’s Fares & more", PUBLIC
    told = values()
    assert told.name == "acmes-fares-more"
    assert tomllib.loads(told.codex_file) == {"mcp_servers": {told.name: {"url": PUBLIC}}}
    assert json.loads(told.vscode) == {"servers": {told.name: {"type": "http", "url": PUBLIC}}}
    assert json.loads(told.cursor) == {"mcpServers": {told.name: {"url": PUBLIC}}}
    vscode = json.loads(unquote(urlsplit(told.vscode_link).query))
    assert vscode == {"name": told.name, "type": "http", "url": PUBLIC}
    cursor = parse_qs(urlsplit(told.cursor_link).query)
    assert cursor["name"] == [told.name]
    assert json.loads(base64.b64decode(cursor["config"][0])) == {"url": PUBLIC}


@pytest.mark.parametrize("name", ["123", "Übersicht", "!?", "-x-", "x" * 300])
def test_whatever_the_site_is_called_a_client_takes_its_name(settings: Any, name: str) -> None:
    settings.SITE_NAME = name
    told = values()
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?", told.name)
    assert tomllib.loads(told.codex_file)["mcp_servers"][told.name]


def test_commands_name_the_port_where_it_is_not_the_usual_one(settings: Any) -> None:
    settings.PORT, settings.RESOURCE_SERVER_URL = 9123, "http://localhost:9123/mcp"
    told = values()
    assert told.manage == f"PORT=9123 {interpreter()} manage.py"
    assert "localhost:9123" in told.cloudflared
    assert told.ngrok.endswith(" 9123")
    assert " PORT=9123 " in told.public
    settings.PORT = 8788
    assert "PORT=" not in values().manage + values().public


def test_the_command_behind_a_tunnel_is_one_line_that_a_shell_understands(settings: Any) -> None:
    assert "\n" not in values().public
    words = shlex.split(values().public)
    assert words[:2] == ["RESOURCE_SERVER_URL=https://ADDRESS-OF-THE-TUNNEL", "AUTHORIZATION_SERVER=builtin"]
    assert words[-3:] == [interpreter(), "manage.py", "serve"]
    settings.AUTH0_ISSUER = ISSUER
    assert "AUTHORIZATION_SERVER" not in values().public


def test_advice_can_be_pasted() -> None:
    here = f"{interpreter()} manage.py"
    assert pasteable("Run manage.py migrate.") == f"Run {values().manage} migrate."
    assert pasteable(f"Run {here} migrate.") == f"Run {here} migrate."
    assert pasteable("chmod 600 key, then manage.py rotate_signing_key.").endswith(
        f"then {values().manage} rotate_signing_key."
    )


def test_the_interpreter_of_another_place_does_not_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/srv/secret-place/python3")
    assert interpreter() == "python"
