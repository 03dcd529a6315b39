"""Refresh tokens: they rotate, and one that is used twice ends its grant."""

import asyncio

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from oauth2_provider.models import AccessToken

from access import tokens
from access.oauth import grants
from tests.access.oauth.flow import Flow


def alive(access_token: str) -> bool:
    grant = grants.of_token(asyncio.run(tokens.verifier().verify(access_token)))
    assert grant is not None
    return grants.is_alive(grant)


def test_a_refresh_gives_new_tokens_of_the_same_grant(flow: Flow) -> None:
    first = flow.tokens()
    second = flow.refresh(first["refresh_token"], resource=settings.RESOURCE_SERVER_URL).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert second["scope"] == first["scope"]
    assert alive(first["access_token"])
    assert alive(second["access_token"])


def test_a_refresh_token_used_twice_ends_the_whole_family(flow: Flow) -> None:
    first = flow.tokens()
    second = flow.refresh(first["refresh_token"]).json()
    third = flow.refresh(second["refresh_token"]).json()
    again = flow.refresh(first["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert flow.refresh(third["refresh_token"]).json()["error"] == "invalid_grant"
    assert not alive(third["access_token"])


def test_the_end_of_one_family_leaves_another_alone(flow: Flow) -> None:
    stolen, other = flow.tokens(), flow.tokens()
    flow.refresh(stolen["refresh_token"])
    flow.refresh(stolen["refresh_token"])
    assert flow.refresh(other["refresh_token"]).status_code == 200


def test_a_refresh_token_is_of_no_use_to_another_client(flow: Flow, bob: User) -> None:
    held = flow.tokens()["refresh_token"]
    other = Flow(bob)
    other.register()
    assert other.refresh(held).json()["error"] == "invalid_grant"
    assert flow.refresh(held).status_code == 200


def test_an_access_token_is_no_refresh_token(flow: Flow) -> None:
    assert flow.refresh(flow.tokens()["access_token"]).json()["error"] == "invalid_grant"


def test_a_refresh_may_not_ask_for_more_than_was_granted(flow: Flow) -> None:
    held = flow.tokens(scope="offline_access")["refresh_token"]
    assert flow.refresh(held, scope="offline_access email").json()["error"] == "invalid_scope"
    assert flow.refresh(held, scope="offline_access claudeai").json()["scope"] == "offline_access"


def test_a_person_who_was_deactivated_gets_no_more_tokens(flow: Flow) -> None:
    held = flow.tokens()["refresh_token"]
    flow.user.is_active = False
    flow.user.save()
    assert flow.refresh(held).json()["error"] == "invalid_grant"


def test_a_client_that_stays_away_too_long_has_to_sign_in_again(flow: Flow) -> None:
    held = flow.tokens()["refresh_token"]
    AccessToken.objects.update(expires="2020-01-01T00:00:00Z")
    assert flow.refresh(held).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("hint", ["refresh_token", "access_token", "nonsense", None])
@pytest.mark.parametrize("which", ["refresh_token", "access_token"])
def test_revoking_either_token_ends_both(flow: Flow, which: str, hint: str | None) -> None:
    held = flow.tokens()
    assert alive(held["access_token"])
    body = {"token": held[which], "client_id": flow.client_id} | ({"token_type_hint": hint} if hint else {})
    assert flow.machine.post("/oauth/revoke", body).status_code == 200
    assert not alive(held["access_token"])
    assert flow.refresh(held["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_client_cannot_revoke_the_tokens_of_another(flow: Flow, bob: User) -> None:
    held = flow.tokens()
    other = Flow(bob)
    other.register()
    answer = flow.machine.post(
        "/oauth/revoke", {"token": held["refresh_token"], "client_id": other.client_id}
    )
    assert answer.status_code == 200
    assert alive(held["access_token"])


def test_revocation_needs_a_client(flow: Flow) -> None:
    answer = flow.machine.post("/oauth/revoke", {"token": flow.tokens()["refresh_token"]})
    assert answer.json()["error"] == "invalid_client"


def test_a_revoked_token_that_was_just_seen_alive_is_asked_about_again_soon(flow: Flow) -> None:
    held = flow.tokens()
    assert alive(held["access_token"])
    grant = grants.of_token(asyncio.run(tokens.verifier().verify(held["access_token"])))
    assert grant is not None
    assert grants.seen_alive(grant)
    assert grants.REMEMBERED_SECONDS <= 5
    grants.end(grant)
    assert not grants.seen_alive(grant)
