"""How each client is connected to this server: its own values, ready to paste.

The words are in `templates/connect.html`; docs/connecting.md has the same clients, labels and commands for
the defaults.
"""

import base64
import json
import re
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.utils.text import slugify

AS_OF = date(2026, 11, 27)
"""When the clients' menus and commands were last compared with their makers' documentation."""
DEFAULT_PORT = 8788
MAX_NAME = 50
"""Characters of a server's name; some clients put it before tools' names, which may have 64 characters."""
GEMINI_REDIRECT = "https://vertexaisearch.cloud.google.com/oauth-redirect"


@dataclass(frozen=True, kw_only=True, slots=True)
class Values:
    """This server's values in the steps."""

    endpoint: str
    name: str
    """This server's name in clients' lists: letters, digits and hyphens."""
    port: int
    site: str
    """The origin of this site's pages."""
    only_here: bool
    """Whether the address is this machine's own, which chats on the web cannot reach."""
    issuer: str
    """The identity provider; empty if this site signs people in itself."""

    as_of = AS_OF
    gemini_redirect = GEMINI_REDIRECT

    @property
    def issuer_host(self) -> str:
        return urlsplit(self.issuer).netloc

    @property
    def issuer_metadata(self) -> str:
        """Where the identity provider publishes its addresses (OpenID Connect Discovery §4)."""
        return f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"

    @property
    def manage(self) -> str:
        return manage()

    @property
    def codex(self) -> str:
        return f"codex mcp add {self.name} --url {self.endpoint}"

    @property
    def codex_by_hand(self) -> str:
        return f"{self.codex} --oauth-client-id CLIENT_ID"

    @property
    def codex_file(self) -> str:
        """What to add to `~/.codex/config.toml`."""
        return f'[mcp_servers.{self.name}]\nurl = "{self.endpoint}"'

    @property
    def claude_code(self) -> str:
        return f"claude mcp add --transport http {self.name} {self.endpoint}\nclaude mcp login {self.name}"

    @property
    def claude_code_by_hand(self) -> str:
        return (
            "claude mcp add --transport http --client-id CLIENT_ID --callback-port 8080 "
            f"{self.name} {self.endpoint}"
        )

    @property
    def vscode(self) -> str:
        """The contents of `.vscode/mcp.json`."""
        return self._vscode()

    @property
    def vscode_by_hand(self) -> str:
        return self._vscode(oauth={"clientId": "CLIENT_ID"})

    def _vscode(self, **more: Any) -> str:
        return json.dumps({"servers": {self.name: {"type": "http", "url": self.endpoint, **more}}})

    @property
    def vscode_link(self) -> str:
        """A link that opens VS Code, which asks whether to add the server."""
        server: dict[str, Any] = {"name": self.name, "type": "http", "url": self.endpoint}
        return f"vscode:mcp/install?{quote(json.dumps(server))}"

    @property
    def cursor(self) -> str:
        """The contents of `.cursor/mcp.json`."""
        return self._cursor()

    @property
    def cursor_by_hand(self) -> str:
        return self._cursor(auth={"CLIENT_ID": "CLIENT_ID"})

    def _cursor(self, **more: Any) -> str:
        return json.dumps({"mcpServers": {self.name: {"url": self.endpoint, **more}}})

    @property
    def cursor_link(self) -> str:
        """A link that opens Cursor, which asks whether to add the server."""
        server = base64.b64encode(json.dumps({"url": self.endpoint}).encode()).decode()
        return f"cursor://anysphere.cursor-deeplink/mcp/install?name={self.name}&config={quote(server)}"

    @property
    def inspector(self) -> str:
        return "npx @modelcontextprotocol/inspector"

    @property
    def inspector_command_line(self) -> str:
        return (
            "npx @modelcontextprotocol/inspector --cli --transport http "
            f"--server-url {self.endpoint} --method tools/list"
        )

    @property
    def cloudflared(self) -> str:
        return f"cloudflared tunnel --url http://localhost:{self.port}"

    @property
    def ngrok(self) -> str:
        return f"ngrok http {self.port}"

    @property
    def public(self) -> str:
        """The command that starts this server behind a tunnel's address."""
        sign_in = "" if self.issuer else "AUTHORIZATION_SERVER=builtin "
        port = "" if self.port == DEFAULT_PORT else f"PORT={self.port} "
        secret = f"$({interpreter()} -c 'import secrets; print(secrets.token_urlsafe(50))')"
        return (
            f'RESOURCE_SERVER_URL=https://ADDRESS-OF-THE-TUNNEL {sign_in}{port}SECRET_KEY="{secret}" '
            f"{interpreter()} manage.py serve"
        )

    @property
    def openai_tunnel(self) -> str:
        return (
            "export CONTROL_PLANE_API_KEY=RUNTIME_KEY\n"
            f"tunnel-client init --sample sample_mcp_with_dcr --profile {self.name} --tunnel-id TUNNEL_ID "
            f"--mcp-server-url {self.endpoint}\n"
            f"tunnel-client run --profile {self.name}"
        )


def values() -> Values:
    """Return this server's values, from the settings."""
    return Values(
        endpoint=settings.RESOURCE_SERVER_URL,
        name=slugify(settings.SITE_NAME)[:MAX_NAME].strip("-_") or "company-data",
        port=settings.PORT,
        site=settings.SITE_URL,
        only_here=not settings.PUBLIC,
        issuer=settings.AUTH0_ISSUER,
    )


def manage(*, elsewhere: str = "python") -> str:
    """Return `manage.py` as typed in the folder of this site, for this server; see `interpreter`."""
    port = "" if settings.PUBLIC or settings.PORT == DEFAULT_PORT else f"PORT={settings.PORT} "
    return f"{port}{interpreter(elsewhere=elsewhere)} manage.py"


def interpreter(*, elsewhere: str = "python") -> str:
    """Return this Python as typed in the folder of this site; `elsewhere` if it is outside of the folder."""
    path = Path(sys.executable)
    return str(path.relative_to(settings.BASE_DIR)) if path.is_relative_to(settings.BASE_DIR) else elsewhere


def pasteable(text: str) -> str:
    """Return `text` with each `manage.py …` in it as it is typed here."""
    return re.sub(rf"(?<!{re.escape(interpreter())} )\bmanage\.py(?= \w)", manage(), text)
