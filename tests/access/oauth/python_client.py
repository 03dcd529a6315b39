"""The official Python client, signed in by a person in a browser."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)

from tests.access.oauth.person import Person
from tests.site import Site

MODES = pytest.mark.parametrize("mode", ["auto", "legacy"])
CALLBACK = "http://localhost:51763/callback"


class Memory(TokenStorage):
    """What a client keeps between its runs."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def signing_in(
    server: Site, person: Person, memory: Memory, document: str | None = None
) -> OAuthClientProvider:
    """The SDK's OAuth client, with `person` as its browser."""
    sent: list[str] = []

    async def open_browser(url: str) -> None:
        sent.append(url)

    async def come_back() -> AuthorizationCodeResult:
        answer = await asyncio.to_thread(person.connect, sent[-1])
        return AuthorizationCodeResult(code=answer["code"], state=answer["state"], iss=answer["iss"])

    metadata = OAuthClientMetadata(
        client_name="Python client",
        redirect_uris=[CALLBACK],  # type: ignore[list-item]
        grant_types=["authorization_code", "refresh_token"],
        token_endpoint_auth_method="none",
    )
    return OAuthClientProvider(
        server.url, metadata, memory, open_browser, come_back, client_metadata_url=document
    )


@asynccontextmanager
async def connected(server: Site, auth: OAuthClientProvider, mode: Any) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(auth=auth, timeout=60) as http,
        Client(streamable_http_client(server.url, http_client=http), mode=mode) as client,
    ):
        yield client


def use(
    server: Site,
    person: Person,
    memory: Memory,
    mode: str,
    what: Callable[[Client], Any],
    document: str | None = None,
) -> Any:
    async def run() -> Any:
        async with connected(server, signing_in(server, person, memory, document), mode) as client:
            return await what(client)

    # In a thread of its own: a browser that an earlier test opened keeps an event loop in this one.
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(asyncio.run, run()).result()


async def list_and_call(client: Client) -> Any:
    tools = {tool.name for tool in (await client.list_tools()).tools}
    answer = await client.call_tool("airfare_trend_insights", {"limit": 2})
    return tools, answer.structured_content
