"""The site behind somebody else's identity provider: a real one on loopback, real tokens, real refusals."""

import time
from collections.abc import Iterator

import httpx2
import pytest

from tests.access.issuer import Provider, claims, mint, provider
from tests.site import Site, running

AUDIENCE = "https://api.example/data"
PUBLIC = "https://data.example.com/mcp"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Provider]:
    with provider() as serving:
        yield serving


@pytest.fixture(scope="module")
def behind(issuer: Provider) -> Iterator[Site]:
    settings = {
        "AUTH0_ISSUER": issuer.issuer,
        "JWT_AUDIENCES": f"{AUDIENCE},https://other.example",
        "REQUIRED_SCOPES": "data:read,offline_access",
        "RESOURCE_SERVER_URL": PUBLIC,
        "SECRET_KEY": "not-a-secret-of-anybody" * 3,
        "MIRROR_ISSUER_METADATA": "1",
    }
    with running(settings, first=True) as server:
        # A public start loads no sample data by itself.
        server.manage("load_airfare", "data/airfare")
        yield server


def token(issuer: Provider, **changes: object) -> str:
    now = int(time.time())
    good = {
        "iss": issuer.issuer,
        "aud": [AUDIENCE, f"{issuer.issuer}/userinfo"],
        "iat": now,
        "exp": now + 600,
    }
    return mint(claims(**good | {"scope": "data:read offline_access"} | changes))


def test_a_new_person_gets_in_with_the_providers_token(behind: Site, issuer: Provider) -> None:
    answer = behind.call(token(issuer, sub="auth0|newcomer"), "airfare_trend_insights", {"limit": 1})
    assert answer["structuredContent"]["rows_returned"] == 1


def test_scopes_may_come_as_permissions(behind: Site, issuer: Provider) -> None:  # [15]
    granted = token(issuer, scope=None, permissions=["data:read", "offline_access"])
    assert behind.rpc(granted, "tools/list").status_code == 200


def test_a_missing_scope_is_a_403_that_names_what_is_needed(behind: Site, issuer: Provider) -> None:  # [14]
    answer = behind.rpc(token(issuer, scope="openid"), "tools/list")
    challenge = answer.headers["www-authenticate"]
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="data:read offline_access"' in challenge
    assert "/.well-known/oauth-protected-resource/mcp" in challenge


def test_the_challenge_asks_for_the_scopes_a_client_can_be_granted(behind: Site) -> None:  # [14]
    challenge = behind.rpc(None, "tools/list").headers["www-authenticate"]
    metadata = "https://data.example.com/.well-known/oauth-protected-resource/mcp"
    assert challenge == f'Bearer resource_metadata="{metadata}", scope="data:read"'


def test_the_metadata_names_the_issuer_to_the_letter_and_only_grantable_scopes(
    behind: Site, issuer: Provider
) -> None:  # [12]
    document = httpx2.get(f"{behind.origin}/.well-known/oauth-protected-resource").json()
    assert document["resource"] == PUBLIC
    assert document["authorization_servers"] == [issuer.issuer]
    assert document["scopes_supported"] == ["data:read"]


@pytest.mark.parametrize("host", ["data.example.com", "localhost", "127.0.0.1:8788"])
def test_the_public_name_and_loopback_are_both_answered(
    behind: Site, issuer: Provider, host: str
) -> None:  # [9]
    assert behind.rpc(token(issuer), "tools/list", more={"Host": host}).status_code == 200


def test_pages_of_the_public_origin_may_call(behind: Site, issuer: Provider) -> None:  # [9]
    answer = behind.rpc(token(issuer), "tools/list", more={"Origin": "https://data.example.com"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "changes", [{"aud": "https://elsewhere.example"}, {"exp": 1}, {"iss": "https://elsewhere.example"}]
)
def test_a_token_for_somebody_else_is_refused(
    behind: Site, issuer: Provider, changes: dict[str, object]
) -> None:  # [15, 16]
    answer = behind.rpc(token(issuer, **changes), "tools/list")
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_nothing_of_a_token_is_logged(behind: Site, issuer: Provider) -> None:  # [15]
    secret = token(issuer, aud="https://elsewhere.example")
    behind.rpc(secret, "tools/list")
    log = behind.log.read_text()
    assert "refused" in log
    assert not any(part in log for part in secret.split("."))


@pytest.mark.parametrize("name", ["oauth-authorization-server", "openid-configuration"])
def test_the_issuers_document_can_be_mirrored(behind: Site, issuer: Provider, name: str) -> None:  # [13]
    assert httpx2.get(f"{behind.origin}/.well-known/{name}").json() == issuer.metadata()


def test_the_sites_own_keys_are_not_published(behind: Site) -> None:
    assert httpx2.get(f"{behind.origin}/.well-known/jwks.json").status_code == 404


def test_an_issuer_that_was_never_reached_is_a_503_and_not_a_401() -> None:
    """A 401 would send every client back to its sign-in page."""
    with provider() as gone:
        issuer = gone.issuer
    with running({"AUTH0_ISSUER": issuer}, prepare=False) as alone:
        now = int(time.time())
        good = mint(claims(iss=issuer, aud=alone.url, iat=now, exp=now + 600))
        answer = alone.rpc(good, "tools/list")
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert httpx2.get(f"{alone.origin}/healthz").status_code == 200
        ready = httpx2.get(f"{alone.origin}/readyz", timeout=30)
        assert (ready.status_code, ready.json()["checks"]["issuer_keys"]) == (503, False)
        assert httpx2.get(f"{alone.origin}/.well-known/openid-configuration").status_code == 404  # [13]


def test_keys_are_fetched_at_the_start_which_does_not_wait_for_them() -> None:
    with provider() as slow:
        slow.delay = 8.0
        with running({"AUTH0_ISSUER": slow.issuer}, prepare=False):
            end = time.monotonic() + 5
            while not slow.requests and time.monotonic() < end:
                time.sleep(0.05)
            # The server serves, and the first of the two documents is still on its way.
            assert slow.requests == ["/.well-known/openid-configuration"]
