"""A real server for the tests: `manage.py serve` in a process of its own, and its clients' side.

Migrations and loads run once in a test session, into a folder (and a PostgreSQL database) that each server
gets a copy of.
"""

import atexit
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import httpx2
import psycopg
from psycopg.rows import dict_row

from tests.commands import Commands

ROOT = Path(__file__).resolve().parent.parent
MODERN = "2026-07-28"
LEGACY = "2025-11-25"
START_SECONDS = 120


@dataclass(kw_only=True)
class Site:
    """A running server: its address, its environment, and requests as clients send them."""

    port: int
    env: dict[str, str] = field(repr=False)
    process: subprocess.Popen[str] = field(repr=False)
    log: Path
    commands: Commands = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.commands = Commands(self.env)

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/mcp"

    def manage(self, *arguments: str, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a management command against the server's database; `env` changes its environment."""
        if env:
            with closing(Commands(self.env | env)) as changed:
                return changed.run(*arguments, check=check)
        return self.commands.run(*arguments, check=check)

    def shell(self, code: str) -> str:
        """Run Python in the site's Django; what it printed."""
        return self.manage("shell", "--no-imports", "-c", code).stdout.strip()

    def token(self, user: str = "admin", *options: str) -> str:
        return self.manage("issue_token", user, *options).stdout.strip()

    def prepared(self) -> str:
        """Migrate a database that is no copy of the template's, and make `admin`; a token of theirs."""
        return self.shell(
            "from django.contrib.auth.models import User\n"
            "from django.core.management import call_command\n"
            "call_command('migrate', verbosity=0)\n"
            "User.objects.create_superuser('admin')\n"
            "call_command('issue_token', 'admin')"
        )

    def headers(self, token: str | None, era: str | None = None, **more: str) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if era:
            headers["Mcp-Protocol-Version"] = era
        return headers | more

    def rpc(
        self,
        token: str | None,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        era: str = MODERN,
        more: dict[str, str] | None = None,
    ) -> httpx2.Response:
        """POST one JSON-RPC request as a client of the era does."""
        headers, body = self._request(token, method, params, era)
        return httpx2.post(self.url, content=body, headers=headers | (more or {}), timeout=60)

    def request(self, token: str, method: str, params: dict[str, Any] | None = None) -> httpx2.Request:
        """The same request, to be sent when and as often as one likes."""
        headers, body = self._request(token, method, params, MODERN)
        return httpx2.Request("POST", self.url, content=body, headers=headers)

    def post(self, token: str | None, message: dict[str, Any], *, era: str = MODERN) -> httpx2.Response:
        """POST a JSON-RPC message with these members, well made or not."""
        headers = self.headers(token, era)
        if era == MODERN:
            headers["Mcp-Method"] = str(message.get("method"))
        return httpx2.post(self.url, json={"jsonrpc": "2.0", **message}, headers=headers, timeout=60)

    def raw(self, token: str, method: str, params: dict[str, Any], era: str) -> bytes:
        """The same request as `rpc`, as it goes over a socket."""
        headers, body = self._request(token, method, params, era)
        lines = [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join(
            ["POST /mcp HTTP/1.1", f"Host: localhost:{self.port}", f"Content-Length: {len(body)}", *lines]
        )
        return f"{head}\r\n\r\n{body}".encode()

    def _request(
        self, token: str | None, method: str, params: dict[str, Any] | None, era: str
    ) -> tuple[dict[str, str], str]:
        params = dict(params or {})
        headers = self.headers(token, era)
        if era == MODERN:
            params["_meta"] = {
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            }
            headers["Mcp-Method"] = method
            if isinstance(params.get("name"), str):
                headers["Mcp-Name"] = params["name"]
        return headers, json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})

    def call(
        self, token: str, name: str, arguments: dict[str, Any] | None = None, *, era: str = MODERN
    ) -> Any:
        """The result of a tool call."""
        answer = self.rpc(token, "tools/call", {"name": name, "arguments": arguments or {}}, era=era)
        return answer.raise_for_status().json()["result"]


@contextmanager
def running(
    settings: dict[str, str] | None = None, *, prepare: bool = True, first: bool = False, workers: int = 1
) -> Iterator[Site]:
    """A server with these settings and a database of its own, gone at the end.

    With the bundled data and the account `admin`, or with `prepare=False` with an empty database. `first` is
    the first run of a fresh checkout: `serve --prepare` on nothing, seconds longer.
    """
    with environment(settings, start_from=None if first else "bundled" if prepare else "empty") as env:
        options = ("--workers", str(workers), *(["--prepare"] if first else []))
        with serving(env, *options) as site:
            yield site


@contextmanager
def serving(env: dict[str, str], *options: str) -> Iterator[Site]:
    """A server in an environment that is there already, ended at the end; its log is added to."""
    log = Path(env["STATE_DIR"]) / "server.log"
    command = (sys.executable, "manage.py", "serve", *options)
    with log.open("a") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output, text=True)
    site = Site(port=int(env["PORT"]), env=env, process=process, log=log)
    try:
        wait_for(site)
        yield site
    finally:
        process.terminate()
        site.commands.close()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()  # so that it takes no other test's time
            raise


@contextmanager
def environment(
    settings: dict[str, str] | None = None, *, start_from: str | None = "empty"
) -> Iterator[dict[str, str]]:
    """The environment of a site with these settings, a STATE_DIR and a database of its own; no server.

    Both are copies of the template `start_from`: `empty` or `bundled`, or None for nothing at all.
    """
    source = template(start_from) if start_from else None
    # A load in the background may outlive its server by a moment, and still write there.
    folders = tempfile.TemporaryDirectory(prefix="site-", ignore_cleanup_errors=True)
    with folders as folder, _database(source.database if source else None) as url:
        if source:
            shutil.copytree(source.folder, folder, dirs_exist_ok=True)
        kept = {
            name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "CACHE_URL")
        }
        secret = Path(folder) / "secret_key"
        yield {
            **kept,
            "STATE_DIR": folder,
            "ENV_FILE": str(Path(folder) / "no.env"),
            # What is bundled alone: the apps of the tests themselves are for those that ask for them.
            "APPS_DIR": "",
            "DJANGO_SETTINGS_MODULE": "mcpsite.settings",
            "PORT": str(free_port()),
            # Tests and benchmarks call more often than people; those of the limits set their own.
            "RATE_LIMIT": "none",
            "REQUEST_RATE_LIMIT": "none",
            "FAILED_AUTH_RATE_LIMIT": "none",
            "FAILED_SIGN_IN_RATE_LIMIT": "none",
            "FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT": "none",
            "CONCURRENT_CALLS": "0",
            **({"DATABASE_URL": url} if url else {}),
            # The signing keys in a copied database are encrypted with the template's secret.
            **({"SECRET_KEY_FALLBACKS": secret.read_text()} if url and secret.exists() else {}),
            **(settings or {}),
        }


@dataclass(frozen=True, kw_only=True)
class Template:
    """What a site starts from: the files of its STATE_DIR and, on PostgreSQL, its database's name."""

    folder: Path
    database: str | None


_templates = ExitStack()
atexit.register(_templates.close)


def template(name: str) -> Template:
    """Make what sites start from, once for each DATABASE_URL: `empty` (migrated) or `bundled` (with data)."""
    return _template(name, os.environ.get("DATABASE_URL", ""))


@cache
def _template(name: str, server: str) -> Template:
    start_from, code = {
        "empty": (None, "from mcpsite.access import signing; signing.private_keys()"),
        "bundled": ("empty", "from mcpsite.web.management.commands import serve; serve.Command().prepare()"),
    }[name]
    env = _templates.enter_context(environment(start_from=start_from))
    with closing(Commands(env)) as commands:
        if start_from is None:
            commands.run("migrate", "-v0")
        commands.run("shell", "--no-imports", "-c", code)
    database = urlsplit(env.get("DATABASE_URL", "")).path.strip("/")
    return Template(folder=Path(env["STATE_DIR"]), database=database or None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(site: Site) -> None:
    """Return when the server answers. Raises RuntimeError if it ends before."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if site.process.poll() is not None:
            break
        try:
            httpx2.get(f"{site.origin}/healthz", timeout=1)
        except httpx2.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the server did not start:\n{site.log.read_text()[-3000:]}")


def ask(env: dict[str, str], statement: str) -> list[dict[str, Any]]:
    """The rows that a statement finds in a site's database, without starting Django for it."""
    url = env.get("DATABASE_URL", "")
    if url:
        with psycopg.connect(url, row_factory=dict_row) as connection:
            found = connection.execute(statement)
            return found.fetchall() if found.description else []
    with closing(sqlite3.connect(Path(env["STATE_DIR"]) / "db.sqlite3", timeout=30)) as lite, lite:
        lite.row_factory = sqlite3.Row
        return [dict(row) for row in lite.execute(statement)]


@contextmanager
def _database(template: str | None) -> Iterator[str | None]:
    """A PostgreSQL database, copied from `template`, where DATABASE_URL names one; else None (SQLite)."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        yield None
        return
    name = f"site_{uuid4().hex[:12]}"
    with psycopg.connect(url.partition("?")[0], autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template1'}")
        parts = urlsplit(url)
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
