"""How each client is connected to this server: its own values, as they are pasted.

The words stand in `templates/connect.html`; docs/connecting.md has the same commands for the defaults.
"""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.utils.text import slugify


@dataclass(frozen=True, kw_only=True, slots=True)
class Values:
    """What the steps of this server are filled in with."""

    endpoint: str
    name: str
    """What clients call this server in their own lists: letters, digits and hyphens."""
    port: int
    only_here: bool
    """Whether the address is this machine's own, out of reach of ChatGPT and Claude on the web."""
    issuer_host: str
    """The host of the identity provider; empty where this site signs people in itself."""

    @property
    def vscode(self) -> str:
        """The contents of `.vscode/mcp.json`."""
        return json.dumps({"servers": {self.name: {"type": "http", "url": self.endpoint}}})

    @property
    def vscode_link(self) -> str:
        """Opens VS Code, which asks whether the server shall be added."""
        server: dict[str, Any] = {"name": self.name, "type": "http", "url": self.endpoint}
        return f"vscode:mcp/install?{quote(json.dumps(server))}"

    @property
    def claude_code(self) -> str:
        return f"claude mcp add --transport http {self.name} {self.endpoint}"

    @property
    def inspector(self) -> str:
        return "npx @modelcontextprotocol/inspector"

    @property
    def inspector_command_line(self) -> str:
        return (
            "npx @modelcontextprotocol/inspector --cli --transport http \\\n"
            f"    --server-url {self.endpoint} --method tools/list"
        )

    @property
    def tunnel(self) -> str:
        return (
            f"ngrok http {self.port}\n"
            "RESOURCE_SERVER_URL=https://your-name.ngrok.app AUTHORIZATION_SERVER=builtin "
            "SECRET_KEY=… make run"
        )


def values() -> Values:
    """This server's values, from the settings."""
    return Values(
        endpoint=settings.RESOURCE_SERVER_URL,
        name=slugify(settings.SITE_NAME) or "company-data",
        port=settings.PORT,
        only_here=not settings.PUBLIC,
        issuer_host=urlsplit(settings.AUTH0_ISSUER).netloc,
    )
