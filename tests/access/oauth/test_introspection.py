"""Token introspection (RFC 7662)."""

from base64 import b64encode
from typing import Any

import pytest
from django.contrib.auth.models import User
from oauth2_provider.models import Application

from mcpsite.access import signing
from tests.access.oauth.flow import REDIRECT, Flow


@pytest.fixture
def gateway(alice: User) -> Flow:
    """A client with a secret that an operator made in the admin."""
    application = Application(
        client_type="confidential",
        authorization_grant_type="authorization-code",
        redirect_uris=REDIRECT,
        client_secret="a secret of the gateway",
    )
    application.save()
    return Flow(alice, client_id=application.client_id, secret="a secret of the gateway")


def introspect(asker: Flow, token: str, **more: str) -> Any:
    body = {"token": token, "client_id": asker.client_id, "client_secret": asker.secret} | more
    return asker.machine.post("/oauth/introspect", body)


def test_an_operators_client_learns_whose_token_it_is(flow: Flow, gateway: Flow) -> None:
    held = flow.tokens()
    told = introspect(gateway, held["access_token"]).json()
    assert told["active"] is True
    assert told["client_id"] == flow.client_id
    assert told["username"] == "alice"
    assert told["sub"] == signing.own_subject(flow.user)
    assert told["scope"] == held["scope"]
    assert told["exp"] - told["iat"] == pytest.approx(3600, abs=2)
    assert introspect(gateway, held["refresh_token"]).json()["active"] is True


def test_the_secret_may_come_as_basic_credentials(flow: Flow, gateway: Flow) -> None:
    basic = b64encode(f"{gateway.client_id}:{gateway.secret.replace(' ', '%20')}".encode()).decode()
    token = flow.tokens()["access_token"]
    answer = gateway.machine.post(
        "/oauth/introspect", {"token": token}, headers={"Authorization": f"Basic {basic}"}
    )
    assert answer.json()["active"] is True


def test_a_token_that_is_over_is_only_inactive(flow: Flow, gateway: Flow) -> None:
    held = flow.tokens()
    flow.machine.post("/oauth/revoke", {"token": held["refresh_token"], "client_id": flow.client_id})
    for token in (held["access_token"], held["refresh_token"], "nonsense"):
        assert introspect(gateway, token).json() == {"active": False}


def test_the_tokens_of_a_deactivated_user_are_inactive(flow: Flow, gateway: Flow) -> None:
    held = flow.tokens()
    flow.user.is_active = False
    flow.user.save()
    for token in (held["access_token"], held["refresh_token"]):
        assert introspect(gateway, token).json() == {"active": False}


def test_a_client_that_registered_itself_learns_about_its_own_tokens_only(flow: Flow, bob: User) -> None:
    other = Flow(bob)
    other.register(token_endpoint_auth_method="client_secret_post")
    assert introspect(other, flow.tokens()["access_token"]).json() == {"active": False}
    assert introspect(other, other.tokens()["access_token"]).json()["active"] is True


@pytest.mark.parametrize("more", [{}, {"grant_type": "urn:ietf:params:oauth:grant-type:device_code"}])
def test_a_client_without_a_secret_learns_nothing(flow: Flow, more: dict[str, str]) -> None:
    answer = introspect(flow, flow.tokens()["access_token"], **more)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_wrong_secret_learns_nothing(flow: Flow, gateway: Flow) -> None:
    gateway.secret = "wrong"
    assert introspect(gateway, flow.tokens()["access_token"]).status_code == 401


def test_a_token_has_to_be_named(gateway: Flow) -> None:
    assert introspect(gateway, "").status_code == 400
