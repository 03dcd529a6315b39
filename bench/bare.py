"""The yardstick: the SDK as its documentation shows it, answering a canned result.

Stateless, JSON answers, an RS256 token checked on each call; no database. `python -m bench.bare
PORT FILE KEY AUDIENCE` serves the answer in FILE to tokens signed by the private key in KEY (PEM).
"""

import json
import sys
from pathlib import Path
from typing import Any

import jwt
import uvicorn
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from pydantic import AnyHttpUrl


class RS256(TokenVerifier):
    """Checks a token's signature, audience and expiry in each call."""

    def __init__(self, key: Path, audience: str) -> None:
        private = load_pem_private_key(key.read_bytes(), None)
        self._key: Any = private.public_key()
        self._audience = audience

    async def verify_token(self, token: str) -> AccessToken | None:
        claims = jwt.decode(token, self._key, ["RS256"], audience=self._audience)
        return AccessToken(
            token=token,
            client_id=claims["client_id"],
            scopes=[],
            expires_at=claims["exp"],
            resource=self._audience,
            subject=claims["sub"],
        )


def main() -> None:
    port, key = int(sys.argv[1]), Path(sys.argv[3])
    answer: dict[str, Any] = json.loads(Path(sys.argv[2]).read_text())
    url = f"http://127.0.0.1:{port}/mcp"
    server = MCPServer(
        "bare",
        log_level="WARNING",
        token_verifier=RS256(key, sys.argv[4]),
        auth=AuthSettings(
            issuer_url=AnyHttpUrl("http://127.0.0.1/"),
            resource_server_url=AnyHttpUrl(url),
            validate_token_resource=False,
        ),
    )

    @server.tool()
    async def canned() -> dict[str, Any]:
        """Answer what was given at the start."""
        return answer

    app = server.streamable_http_app(json_response=True, stateless_http=True)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
