"""Requests to the endpoint as a client sends them, and reading the answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from mcpsite.core import conf
from mcpsite.core.findings import Finding, one_line

TIME_LIMIT = 15.0
"""Seconds for one request; clients themselves give up after about a minute."""
MODERN = "2026-07-28"
FIRST_REQUEST: dict[str, Any] = {
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
"""ChatGPT's first message (client-contract 6)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """Where to send requests, and with which token."""

    url: str
    """The endpoint that is called."""
    resource: str
    """The `resource` that its metadata has to name."""
    http: httpx2.Client
    token: str = ""

    @property
    def origin(self) -> str:
        return conf.origin_of(self.url)

    def post(
        self, body: Mapping[str, Any], *, token: str = "", url: str = "", **headers: str
    ) -> httpx2.Response:
        """Post one JSON-RPC message as a modern client does; raises httpx2.HTTPError."""
        sent = {
            "Accept": "application/json, text/event-stream",
            "Mcp-Protocol-Version": MODERN,
            "Mcp-Method": body["method"],
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **({"Mcp-Name": body["params"]["name"]} if "name" in body["params"] else {}),
            **headers,
        }
        return self.http.post(url or self.url, json=body, headers=sent)

    def result(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the result of one request with the token; raises AnswerRefused and httpx2.HTTPError."""
        # Not as ChatGPT: the audit trail has to say who called.
        meta = {
            **FIRST_REQUEST["params"]["_meta"],
            "io.modelcontextprotocol/clientInfo": {"name": "doctor", "version": "1"},
        }
        answer = self.post(
            {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}},
            token=self.token,
        )
        said = response_object(answer)
        if answer.status_code != httpx2.codes.OK or not isinstance(said.get("result"), dict):
            raise AnswerRefused(complaint(answer))
        result: dict[str, Any] = said["result"]
        return result


class AnswerRefused(Exception):
    """The endpoint answered with something other than a result; what it said."""


def unreachable(url: str, error: Exception) -> Finding:
    where = urlsplit(url)
    local = conf.is_loopback(url)
    return Finding(
        id="endpoint-unreachable",
        level="error",
        what=f"{url} cannot be reached ({type(error).__name__}: {one_line(str(error))}).",
        change="Start the server (make run), or set PORT to the port that it listens on."
        if local
        else f"Check the tunnel or proxy, the name {where.hostname} and its certificate.",
    )


def response_object(answer: httpx2.Response) -> dict[str, Any]:
    try:
        value = answer.json()
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}


def complaint(answer: httpx2.Response) -> str:
    """Return what went wrong according to an answer: its status and its sentence."""
    body = response_object(answer)
    error = body.get("error")
    sentence = error.get("message") if isinstance(error, dict) else body.get("error_description") or error
    return f"{answer.status_code} {one_line(str(sentence or 'without a reason'))}"
