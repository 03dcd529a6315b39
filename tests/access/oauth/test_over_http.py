"""The whole dance over real HTTP: the official Python client, a person in a browser, a real server."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bench.refreshing import Machine
from mcpsite.access.oauth.grants import REMEMBERED_SECONDS
from tests.access.oauth.documents import Documents, serving_documents
from tests.access.oauth.person import Person
from tests.access.oauth.python_client import (
    CALLBACK,
    MODES,
    Memory,
    connected,
    list_and_call,
    signing_in,
    use,
)
from tests.site import Site, running


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Documents]:
    with serving_documents(tmp_path_factory.mktemp("documents")) as documents:
        yield documents


@pytest.fixture(scope="module")
def server(documents: Documents) -> Iterator[Site]:
    """Two processes with the built-in sign-in and two people, that trust the documents of one more host."""
    settings = {
        "OAUTH_TRUSTED_CLIENT_HOSTS": "localhost",
        "SSL_CERT_FILE": str(documents.certificate),
        "OAUTH_REGISTRATIONS_PER_HOUR": "1000",
    }
    with running(settings, workers=2) as site:
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


def token_request(server: Site, client: Memory | str, path: str, **parameters: str) -> httpx2.Response:
    if isinstance(client, Memory):
        assert client.client is not None
        assert client.client.client_id is not None
        client = client.client.client_id
    return httpx2.post(f"{server.origin}/oauth/{path}", data={"client_id": client, **parameters}, timeout=60)


def test_a_revoked_grant_ends_its_access_token_within_seconds(server: Site, alice: Person) -> None:
    memory = Memory()
    use(server, alice, memory, "auto", list_and_call)
    assert any("It will be able to" in page for page in alice.pages)
    held = memory.tokens
    assert held is not None
    assert held.refresh_token is not None
    assert server.rpc(held.access_token, "tools/list").status_code == 200
    assert token_request(server, memory, "revoke", token=held.refresh_token).status_code == 200
    assert within_seconds(lambda: server.rpc(held.access_token, "tools/list").status_code == 401)


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
        auth = signing_in(server, alice, memory)
        async with connected(server, auth, mode) as client:
            await list_and_call(client)
        before, seen = memory.tokens, len(alice.pages)
        if restarted:
            auth = signing_in(server, alice, memory)
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


def test_refreshes_at_once_all_give_pairs_that_work_however_often(server: Site, alice: Person) -> None:
    machine = Machine(server)
    first = machine.connect(alice)
    for _ in range(2):
        race = machine.race(first["refresh_token"], 8)
        assert race.answers == {200: 8}
        assert all(machine.works(pair) for pair in race.pairs)
    assert machine.works(first)


def test_refreshes_that_race_a_revocation_bring_nothing_back_to_life(server: Site, alice: Person) -> None:
    machine = Machine(server)
    for _ in range(4):
        first = machine.connect(alice)
        with ThreadPoolExecutor(1) as aside:
            racing = aside.submit(machine.race, first["refresh_token"], 8)
            token_request(server, machine.client_id, "revoke", token=first["refresh_token"])
        race = racing.result()
        assert race.answers.keys() <= {200, 400}
        pairs = [first, *race.pairs]
        assert {machine.refresh(pair["refresh_token"]).status_code for pair in pairs} == {400}
        # Nothing was called with these before, so that no worker remembers the grant as alive.
        assert {machine.called(pair) for pair in pairs} == {401}


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
