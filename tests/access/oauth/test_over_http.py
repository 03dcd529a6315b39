"""The whole dance over real HTTP: the official Python client, a person in a browser, a real server."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
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

from access.oauth.grants import REMEMBERED_SECONDS
from tests.access.oauth.documents import Documents, serving_documents
from tests.access.oauth.person import Person
from tests.site import Site, running

MODES = pytest.mark.parametrize("mode", ["auto", "legacy"])
CALLBACK = "http://localhost:51763/callback"


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Documents]:
    with serving_documents(tmp_path_factory.mktemp("documents")) as documents:
        yield documents


@pytest.fixture(scope="module")
def server(documents: Documents) -> Iterator[Site]:
    """A server with the built-in sign-in and two people, that trusts the documents of one more host."""
    settings = {
        "OAUTH_TRUSTED_CLIENT_HOSTS": "localhost",
        "SSL_CERT_FILE": str(documents.certificate),
        "OAUTH_REGISTRATIONS_PER_HOUR": "1000",
    }
    with running(settings) as site:
        site.shell(
            "from django.contrib.auth.models import User, Group\n"
            "alice = User.objects.create_user('alice', 'alice@example.com', 'a password of alice')\n"
            "alice.groups.add(Group.objects.get(name='readers'))"
        )
        yield site


@pytest.fixture
def alice(server: Site) -> Iterator[Person]:
    with httpx2.Client(timeout=60) as browser:
        yield Person(server.origin, "alice", "a password of alice", browser)


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


def provider(
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
        async with connected(server, provider(server, person, memory, document), mode) as client:
            return await what(client)

    return asyncio.run(run())


async def list_and_call(client: Client) -> Any:
    tools = {tool.name for tool in (await client.list_tools()).tools}
    answer = await client.call_tool("airfare_trend_insights", {"limit": 2})
    return tools, answer.structured_content


def token_request(server: Site, memory: Memory, path: str, **parameters: str) -> httpx2.Response:
    assert memory.client is not None
    assert memory.client.client_id is not None
    return httpx2.post(
        f"{server.origin}/oauth/{path}", data={"client_id": memory.client.client_id, **parameters}, timeout=60
    )


@MODES
def test_the_whole_dance_register_sign_in_consent_token_list_call_refresh_revoke(
    server: Site, alice: Person, mode: str
) -> None:
    memory = Memory()
    tools, answer = use(server, alice, memory, mode, list_and_call)
    assert {"airfare_trend_insights", "search", "fetch"} <= tools
    assert answer["rows_returned"] == 2
    assert any("It will be able to" in page for page in alice.pages)

    first = memory.tokens
    assert first is not None
    assert first.refresh_token is not None
    assert first.scope is not None
    assert "offline_access" in first.scope.split()
    refreshed = token_request(
        server,
        memory,
        "token",
        grant_type="refresh_token",
        refresh_token=first.refresh_token,
        resource=server.url,
    )
    memory.tokens = OAuthToken.model_validate(refreshed.raise_for_status().json())
    seen = len(alice.pages)
    assert use(server, alice, memory, mode, list_and_call)[1]["rows_returned"] == 2
    assert len(alice.pages) == seen  # Nobody was asked again.

    held = memory.tokens
    assert server.rpc(held.access_token, "tools/list").status_code == 200
    assert held.refresh_token is not None
    revoked = token_request(server, memory, "revoke", token=held.refresh_token)
    assert revoked.status_code == 200
    assert within_seconds(lambda: server.rpc(held.access_token, "tools/list").status_code == 401)
    again = token_request(
        server, memory, "token", grant_type="refresh_token", refresh_token=held.refresh_token
    )
    assert again.json()["error"] == "invalid_grant"


def within_seconds(holds: Callable[[], bool]) -> bool:
    """Whether something comes true within the seconds that a grant is remembered as alive."""
    end = time.monotonic() + REMEMBERED_SECONDS + 2
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.25)
    return False


@MODES
@pytest.mark.parametrize("restarted", [False, True])
def test_an_expired_token_is_refreshed_by_the_client_itself(
    server: Site, alice: Person, mode: str, restarted: bool
) -> None:
    memory = Memory()

    async def run() -> Any:
        auth = provider(server, alice, memory)
        async with connected(server, auth, mode) as client:
            await list_and_call(client)
        before, seen = memory.tokens, len(alice.pages)
        if restarted:
            auth = provider(server, alice, memory)
            await auth._initialize()
        auth.context.token_expiry_time = 1.0
        async with connected(server, auth, mode) as client:
            return before, seen, await list_and_call(client)

    before, seen, (_, answer) = asyncio.run(run())
    assert answer["rows_returned"] == 2
    assert memory.tokens is not None
    assert memory.tokens.access_token != before.access_token
    assert len(alice.pages) == seen  # Nobody was asked again.


@MODES
def test_a_client_with_a_document_of_its_own_does_not_register(
    server: Site, alice: Person, documents: Documents, mode: str
) -> None:
    memory = Memory()
    document = documents.client(f"/{mode}.json", redirect_uris=[CALLBACK])
    tools, _ = use(server, alice, memory, mode, list_and_call, document)
    assert "search" in tools
    assert memory.client is not None
    assert memory.client.client_id == document
    assert f"/{mode}.json" in documents.requests


def test_a_refresh_token_is_refused_as_an_access_token(server: Site, alice: Person) -> None:
    memory = Memory()
    use(server, alice, memory, "auto", list_and_call)
    assert memory.tokens is not None
    answer = server.rpc(memory.tokens.refresh_token, "tools/list")
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_two_refreshes_at_once_give_one_answer_and_no_server_error(server: Site, alice: Person) -> None:
    memory = Memory()
    use(server, alice, memory, "auto", list_and_call)
    assert memory.tokens is not None
    token = memory.tokens.refresh_token or ""

    def refresh(_: int) -> int:
        answer = token_request(server, memory, "token", grant_type="refresh_token", refresh_token=token)
        return answer.status_code

    with ThreadPoolExecutor(6) as together:
        statuses = sorted(together.map(refresh, range(6)))
    assert statuses == [200, 400, 400, 400, 400, 400]


def test_a_person_who_refuses_is_heard(server: Site, alice: Person) -> None:
    registered = httpx2.post(f"{server.origin}/oauth/register", json={"redirect_uris": [CALLBACK]}).json()
    answer = alice.connect(
        f"{server.origin}/oauth/authorize?response_type=code&client_id={registered['client_id']}"
        f"&redirect_uri={CALLBACK}&state=s&code_challenge={'x' * 43}&code_challenge_method=S256",
        allow=False,
    )
    assert answer["error"] == "access_denied"
    assert answer["iss"] == server.origin


def test_the_key_is_rolled_while_the_server_runs_and_live_tokens_stay_good(
    server: Site, alice: Person
) -> None:
    memory = Memory()
    use(server, alice, memory, "auto", list_and_call)
    assert memory.tokens is not None
    old = memory.tokens.access_token
    kid = re.search(r"key is (\S+);", server.manage("rotate_signing_key").stdout)
    assert kid is not None
    published = httpx2.get(f"{server.origin}/.well-known/jwks.json").json()["keys"]
    assert published[0]["kid"] == kid[1]
    assert server.rpc(old, "tools/list").status_code == 200
    assert server.rpc(server.token("alice"), "tools/list").status_code == 200


@pytest.mark.parametrize("path", ["oauth-authorization-server", "openid-configuration"])
def test_the_metadata_is_open_to_every_page(server: Site, path: str) -> None:
    answer = httpx2.get(f"{server.origin}/.well-known/{path}", headers={"Origin": "http://localhost:6274"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.json()["issuer"] == server.origin
    assert answer.json()["registration_endpoint"] == f"{server.origin}/oauth/register"


def test_neither_tokens_nor_codes_nor_passwords_are_logged(server: Site, alice: Person) -> None:
    memory = Memory()
    use(server, alice, memory, "auto", list_and_call)
    assert memory.tokens is not None
    token_request(server, memory, "token", grant_type="refresh_token", refresh_token="wrong-refresh-token")
    token_request(
        server, memory, "token", grant_type="authorization_code", code="wrong-code", code_verifier="v" * 43
    )
    log = Path(server.log).read_text()
    for secret in (
        memory.tokens.access_token,
        memory.tokens.refresh_token or "",
        "wrong-refresh-token",
        "wrong-code",
        alice.password,
    ):
        assert secret not in log
