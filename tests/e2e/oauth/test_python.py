"""The whole dance by the Python SDK in both eras, and what holds behind a company's provider."""

import json
import time

import httpx2
import pytest
from mcp.shared.auth import OAuthToken

from tests.access.oauth.person import Person
from tests.access.oauth.python_client import MODES, Memory, list_and_call, use
from tests.e2e.oauth.conftest import SignIn
from tests.e2e.provider import password

pytestmark = pytest.mark.e2e

PROVIDER = pytest.mark.parametrize("sign_in", ["provider"], indirect=True)
BUILTIN = pytest.mark.parametrize("sign_in", ["builtin"], indirect=True)


def post(sign_in: SignIn, memory: Memory, endpoint: str, **parameters: str) -> httpx2.Response:
    """Send a form to an endpoint of the authorization server as the client that `memory` is of."""
    assert memory.client is not None
    metadata = httpx2.get(f"{sign_in.issuer}/.well-known/openid-configuration").json()
    form = {"client_id": memory.client.client_id, **parameters}
    return httpx2.post(metadata[endpoint], data=form, timeout=60)


def tokens_of(memory: Memory) -> tuple[str, str]:
    """The access token and the refresh token."""
    assert memory.tokens is not None
    assert memory.tokens.refresh_token is not None
    return memory.tokens.access_token, memory.tokens.refresh_token


def renewed(sign_in: SignIn, memory: Memory) -> httpx2.Response:
    return post(
        sign_in,
        memory,
        "token_endpoint",
        grant_type="refresh_token",
        refresh_token=tokens_of(memory)[1],
        resource=sign_in.site.url,
    )


@MODES
def test_the_whole_dance_register_sign_in_consent_token_list_call_refresh_revoke(
    sign_in: SignIn, alice: Person, mode: str
) -> None:
    memory = Memory()
    tools, answer = use(sign_in.site, alice, memory, mode, list_and_call)
    assert {"airfare_trend_insights", "search", "fetch"} <= tools
    assert answer["rows_returned"] == 2
    assert alice.consents == 1

    first = tokens_of(memory)
    memory.tokens = OAuthToken.model_validate(renewed(sign_in, memory).raise_for_status().json())
    assert set(tokens_of(memory)).isdisjoint(first)
    seen = len(alice.pages)
    assert use(sign_in.site, alice, memory, mode, list_and_call)[1]["rows_returned"] == 2
    assert len(alice.pages) == seen  # Nobody was asked again.

    assert post(sign_in, memory, "revocation_endpoint", token=tokens_of(memory)[1]).status_code == 200
    assert renewed(sign_in, memory).json()["error"] == "invalid_grant"


@BUILTIN
@MODES
def test_a_client_that_lost_the_answer_to_a_refresh_asks_again_and_stays_connected(
    sign_in: SignIn, alice: Person, mode: str
) -> None:
    memory = Memory()
    use(sign_in.site, alice, memory, mode, list_and_call)
    lost = OAuthToken.model_validate(renewed(sign_in, memory).raise_for_status().json())
    memory.tokens = OAuthToken.model_validate(renewed(sign_in, memory).raise_for_status().json())
    use(sign_in.site, alice, memory, mode, list_and_call)
    assert alice.consents == 1
    # Should it have arrived after all, it is as good.
    memory.tokens = lost
    assert renewed(sign_in, memory).status_code == 200


@PROVIDER
@MODES
def test_a_refresh_token_used_twice_ends_its_family_where_the_provider_is_strict(
    sign_in: SignIn, alice: Person, mode: str
) -> None:
    memory = Memory()
    use(sign_in.site, alice, memory, mode, list_and_call)
    stolen = memory.tokens
    successor = OAuthToken.model_validate(renewed(sign_in, memory).raise_for_status().json())
    assert renewed(sign_in, memory).json()["error"] == "invalid_grant"
    memory.tokens = successor
    assert renewed(sign_in, memory).json()["error"] == "invalid_grant"
    assert stolen != successor


@PROVIDER
def test_a_revocation_at_the_provider_is_not_heard_here_until_the_access_token_expires(
    sign_in: SignIn, alice: Person
) -> None:
    """Tokens are verified on the spot, without asking the provider; that is what lets them pass in its
    outage. Whoever has to be kept out now is deactivated here: see the next test."""
    memory = Memory()
    use(sign_in.site, alice, memory, "auto", list_and_call)
    access, refresh = tokens_of(memory)
    assert post(sign_in, memory, "revocation_endpoint", token=refresh).status_code == 200
    assert sign_in.site.rpc(access, "tools/list").status_code == 200


@PROVIDER
def test_somebody_deactivated_here_is_refused_at_the_next_call_whatever_the_provider_says(
    sign_in: SignIn,
) -> None:
    memory = Memory()
    with httpx2.Client(timeout=60) as browser:
        bob = Person(sign_in.issuer, "bob", password("bob"), browser)
        use(sign_in.site, bob, memory, "auto", list_and_call)
    sign_in.site.shell(
        "from mcpsite.access.models import Identity\n"
        "user = Identity.objects.get(subject='person-bob').user\n"
        "user.is_active = False\n"
        "user.save()"
    )
    listed = sign_in.site.rpc(tokens_of(memory)[0], "tools/list")
    assert (listed.status_code, listed.json()["result"]["tools"]) == (200, [])
    assert renewed(sign_in, memory).status_code == 200


@PROVIDER
def test_a_token_of_new_keys_passes_soon_and_one_of_the_old_while_they_are_published(
    sign_in: SignIn, alice: Person
) -> None:
    assert sign_in.provider is not None
    memory = Memory()
    use(sign_in.site, alice, memory, "auto", list_and_call)
    old = tokens_of(memory)[0]
    sign_in.provider.set(keys=["second", "first"])
    try:
        memory.tokens = OAuthToken.model_validate(renewed(sign_in, memory).raise_for_status().json())
        # The site looks at the keys again, but not within five seconds of the last look.
        for _ in range(10):
            new = sign_in.site.rpc(tokens_of(memory)[0], "tools/list").status_code
            if new == 200:
                break
            time.sleep(1)
        assert new == 200
        assert sign_in.site.rpc(old, "tools/list").status_code == 200
    finally:
        sign_in.provider.set(keys=["first"])


@PROVIDER
def test_good_tokens_pass_while_the_provider_is_away(sign_in: SignIn, alice: Person) -> None:
    assert sign_in.provider is not None
    memory = Memory()
    use(sign_in.site, alice, memory, "auto", list_and_call)
    sign_in.provider.go_away()
    try:
        assert sign_in.site.rpc(tokens_of(memory)[0], "tools/list").status_code == 200
    finally:
        sign_in.provider.come_back()


@PROVIDER
def test_doctor_has_nothing_against_the_provider_and_a_token_of_it(sign_in: SignIn, alice: Person) -> None:
    memory = Memory()
    use(sign_in.site, alice, memory, "auto", list_and_call)
    done = sign_in.site.manage("doctor", "--json", "--token", tokens_of(memory)[0], check=False)
    found = {each["id"]: each["level"] for each in json.loads(done.stdout)["findings"]}
    assert set(found.values()) == {"ok"}
    assert {"issuer", "metadata", "token", "first-request", "search-and-fetch"} <= found.keys()
    assert done.returncode == 0
