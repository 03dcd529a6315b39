"""A real server for the tests: `manage.py serve --prepare` in a process of its own, and its clients' side."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import httpx2
import psycopg

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

    @property
    def origin(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}/mcp"

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a management command against the server's own database."""
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.env, capture_output=True, text=True, check=check, timeout=120
        )

    def shell(self, code: str) -> str:
        """Run Python in the site's Django; what it printed."""
        return self.manage("shell", "--no-imports", "-c", code).stdout.strip()

    def token(self, user: str = "admin", *options: str) -> str:
        return self.manage("issue_token", user, *options).stdout.strip()

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
    settings: dict[str, str] | None = None, *, prepare: bool = True, workers: int = 1
) -> Iterator[Site]:
    """A server with these settings and a database of its own, gone at the end."""
    # A load in the background may outlive its server by a moment, and still write there.
    folders = tempfile.TemporaryDirectory(prefix="site-", ignore_cleanup_errors=True)
    with folders as folder, _database() as url:
        port = free_port()
        env = {
            **{
                name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "CACHE_URL")
            },
            "STATE_DIR": folder,
            "ENV_FILE": str(Path(folder) / "no.env"),
            "PORT": str(port),
            # Tests and benchmarks call more often than people; those of the limits set their own.
            "RATE_LIMIT": "",
            "FAILED_AUTH_RATE_LIMIT": "",
            "FAILED_SIGN_IN_RATE_LIMIT": "",
            "FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT": "",
            "CONCURRENT_CALLS": "0",
            **({"DATABASE_URL": url} if url else {}),
            **(settings or {}),
        }
        log = Path(folder) / "server.log"
        command = [sys.executable, "manage.py", "serve", *(["--prepare"] if prepare else [])]
        command += ["--workers", str(workers)]
        with log.open("w") as output:
            process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output, text=True)
        site = Site(port=port, env=env, process=process, log=log)
        try:
            _wait(site)
            yield site
        finally:
            process.terminate()
            process.wait(timeout=30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(site: Site) -> None:
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


@contextmanager
def _database() -> Iterator[str | None]:
    """A PostgreSQL database of its own where DATABASE_URL names that server; else None (SQLite)."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        yield None
        return
    name = f"site_{uuid4().hex[:12]}"
    with psycopg.connect(url.partition("?")[0], autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        parts = urlsplit(url)
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
