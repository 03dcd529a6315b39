"""Refresh tokens: they rotate, may be used again for a moment, and end their grant after it."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import AccessToken, RefreshToken
from pytest_django import Settings

from mcpsite.access import tokens
from mcpsite.access.oauth import grants
from mcpsite.access.oauth.validator import Validator
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


def pass_seconds(seconds: float) -> None:
    """Let time pass since the refresh tokens were used, by dating their use back."""
    for token in RefreshToken.objects.exclude(revoked=None):
        token.revoked -= timedelta(seconds=seconds)
        token.save(update_fields=["revoked"])


def works(flow: Flow, pair: dict[str, Any]) -> bool:
    """Whether both tokens of a pair are good."""
    return alive(pair["access_token"]) and flow.refresh(pair["refresh_token"]).status_code == 200


def over(flow: Flow, pair: dict[str, Any]) -> bool:
    """Whether neither token of a pair is good any longer."""
    refused = flow.refresh(pair["refresh_token"])
    return (refused.status_code, refused.json().get("error")) == (400, "invalid_grant") and not alive(
        pair["access_token"]
    )


def test_a_refresh_token_used_again_within_the_minute_gives_a_working_pair_each_time(flow: Flow) -> None:
    first = flow.tokens()
    pairs = [flow.refresh(first["refresh_token"]).json() for _ in range(8)]
    pass_seconds(60)
    pairs += [flow.refresh(first["refresh_token"]).json() for _ in range(8)]
    assert len({pair["refresh_token"] for pair in pairs} | {pair["access_token"] for pair in pairs}) == 32
    assert all(works(flow, pair) for pair in [*pairs, first])


def test_the_pairs_of_a_race_are_one_grant(flow: Flow) -> None:
    first = flow.tokens()
    pairs = [first, *(flow.refresh(first["refresh_token"]).json() for _ in range(2))]
    claims = [asyncio.run(tokens.verifier().verify(pair["access_token"])) for pair in pairs]
    assert len({grants.of_token(each) for each in claims}) == 1


def test_a_first_token_works_again_after_its_successors_were_used(flow: Flow) -> None:
    first = flow.tokens()
    second = flow.refresh(first["refresh_token"]).json()
    third = flow.refresh(second["refresh_token"]).json()
    late = flow.refresh(first["refresh_token"]).json()
    assert all(works(flow, pair) for pair in (late, second, third))


def test_a_refresh_token_used_again_after_the_time_of_grace_ends_the_whole_family(flow: Flow) -> None:
    first = flow.tokens()
    second = flow.refresh(first["refresh_token"]).json()
    sibling = flow.refresh(first["refresh_token"]).json()
    third = flow.refresh(second["refresh_token"]).json()
    pass_seconds(settings.OAUTH_REFRESH_GRACE_SECONDS)
    again = flow.refresh(first["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert all(over(flow, pair) for pair in (first, second, sibling, third))


def test_using_a_token_again_does_not_prolong_its_time_of_grace(flow: Flow) -> None:
    first = flow.tokens()
    for _ in range(2):
        assert flow.refresh(first["refresh_token"]).status_code == 200
        pass_seconds(50)
    assert over(flow, first)


def test_a_clock_that_runs_ahead_a_little_ends_nothing_and_one_that_runs_ahead_far_gives_nothing(
    flow: Flow,
) -> None:
    first = flow.tokens()
    flow.refresh(first["refresh_token"])
    pass_seconds(-30)
    assert flow.refresh(first["refresh_token"]).status_code == 200
    pass_seconds(-3600)
    assert over(flow, first)


def test_the_time_of_grace_can_be_switched_off(flow: Flow, settings: Settings) -> None:
    settings.OAUTH_REFRESH_GRACE_SECONDS = 0
    first = flow.tokens()
    second = flow.refresh(first["refresh_token"]).json()
    assert over(flow, first)
    assert over(flow, second)


def test_the_end_of_one_family_leaves_another_alone(flow: Flow) -> None:
    stolen, other = flow.tokens(), flow.tokens()
    flow.refresh(stolen["refresh_token"])
    pass_seconds(100)
    assert over(flow, stolen)
    assert flow.refresh(other["refresh_token"]).status_code == 200


def test_a_used_token_is_of_no_use_to_another_client_and_its_family_lives_on(flow: Flow, bob: User) -> None:
    first = flow.tokens()
    second = flow.refresh(first["refresh_token"]).json()
    other = Flow(bob)
    other.register()
    assert other.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    pass_seconds(100)
    assert other.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert works(flow, second)


def test_a_used_token_of_a_client_with_a_secret_needs_the_secret_again(flow: Flow) -> None:
    flow.register(token_endpoint_auth_method="client_secret_post")
    first = flow.tokens()
    second = flow.refresh(first["refresh_token"]).json()
    assert flow.refresh(first["refresh_token"], client_secret="wrong").json()["error"] == "invalid_client"
    assert works(flow, flow.refresh(first["refresh_token"]).json())
    assert works(flow, second)


def test_a_used_token_keeps_the_scopes_that_it_came_with(flow: Flow) -> None:
    first = flow.tokens(scope="openid email")
    narrow = flow.refresh(first["refresh_token"], scope="openid").json()
    assert narrow["scope"] == "openid"
    assert flow.refresh(first["refresh_token"]).json()["scope"] == "openid email"
    assert flow.refresh(first["refresh_token"], scope="openid profile").json()["error"] == "invalid_scope"
    assert flow.refresh(narrow["refresh_token"], scope="openid email").json()["error"] == "invalid_scope"


def test_a_used_token_of_a_person_who_was_deactivated_gives_nothing(flow: Flow) -> None:
    first = flow.tokens()
    flow.refresh(first["refresh_token"])
    User.objects.update(is_active=False)
    assert flow.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_code_replayed_within_the_time_of_grace_still_ends_every_pair(flow: Flow) -> None:
    code = flow.code()
    first = flow.exchange(code).json()
    pairs = [flow.refresh(first["refresh_token"]).json() for _ in range(2)]
    assert flow.exchange(code).json()["error"] == "invalid_grant"
    assert all(over(flow, pair) for pair in [first, *pairs])


@pytest.mark.parametrize("which", ["refresh_token", "access_token"])
@pytest.mark.parametrize("member", ["used", "winner", "sibling"])
def test_revoking_a_token_of_any_pair_ends_all_of_them_for_good(flow: Flow, member: str, which: str) -> None:
    used = flow.tokens()
    winner, sibling = (flow.refresh(used["refresh_token"]).json() for _ in range(2))
    chosen = {"used": used, "winner": winner, "sibling": sibling}[member]
    flow.machine.post("/oauth/revoke", {"token": chosen[which], "client_id": flow.client_id})
    assert all(over(flow, pair) for pair in (used, winner, sibling))


def test_disconnecting_ends_every_pair_for_good_and_shows_one_connection_before(flow: Flow) -> None:
    first = flow.tokens()
    pairs = [first, *(flow.refresh(first["refresh_token"]).json() for _ in range(3))]
    page = flow.browser.get("/oauth/connections").content.decode()
    assert page.count("Disconnect Test client") == 1
    grant = RefreshToken.objects.filter(revoked=None).values_list("token_family", flat=True).distinct().get()
    flow.browser.post("/oauth/connections", {"grant": str(grant)})
    assert all(over(flow, pair) for pair in pairs)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite lets one writer in at a time")
@pytest.mark.django_db(transaction=True)
def test_a_pair_that_is_being_given_while_its_grant_ends_is_over_too(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = flow.tokens()
    grant = RefreshToken.objects.get().token_family
    ending: list[Future[None]] = []
    save = Validator._save_bearer_token

    def end() -> None:
        grants.revoke_grant(grant)
        connection.close()

    def save_late(*arguments: Any) -> None:
        ending.append(aside.submit(end))
        wait(ending, timeout=0.5)
        save(*arguments)

    monkeypatch.setattr(Validator, "_save_bearer_token", save_late)
    with ThreadPoolExecutor(1) as aside:
        pair = flow.refresh(first["refresh_token"]).json()
    monkeypatch.undo()
    ending[0].result()
    assert over(flow, pair)


@pytest.mark.parametrize("table", ["accesstoken", "refreshtoken"])
def test_ending_a_connection_in_the_admin_ends_every_pair(
    flow: Flow, admin_client: Client, table: str
) -> None:
    first, other = flow.tokens(), flow.tokens()
    pairs = [flow.refresh(first["refresh_token"]).json() for _ in range(2)]
    model = {"accesstoken": AccessToken, "refreshtoken": RefreshToken}[table]
    answer = admin_client.post(
        f"/admin/oauth2_provider/{table}/",
        {"action": "revoke_tokens", "_selected_action": [model.objects.latest("pk").pk]},
        follow=True,
    )
    assert "1 connection ended." in answer.content.decode()
    assert all(over(flow, pair) for pair in [first, *pairs])
    assert works(flow, other)


def test_cleaning_up_takes_nothing_from_a_pair_that_works(flow: Flow) -> None:
    first = flow.tokens()
    pairs = [flow.refresh(first["refresh_token"]).json() for _ in range(2)]
    call_command("cleartokens")
    assert all(works(flow, pair) for pair in [first, *pairs])
    RefreshToken.objects.exclude(revoked=None).update(revoked=timezone.now() - timedelta(days=91))
    AccessToken.objects.update(expires=timezone.now() - timedelta(days=91))
    call_command("cleartokens")
    assert not RefreshToken.objects.exists()
    assert not AccessToken.objects.exists()


def test_each_pair_is_known_to_introspection_until_the_grant_ends(flow: Flow) -> None:
    flow.register(token_endpoint_auth_method="client_secret_post")
    first = flow.tokens()
    second = flow.refresh(first["refresh_token"]).json()
    pairs = [first, second, flow.refresh(first["refresh_token"]).json()]

    def active() -> list[bool]:
        body = {"client_id": flow.client_id, "client_secret": flow.secret}
        return [
            flow.machine.post("/oauth/introspect", body | {"token": pair["access_token"]}).json()["active"]
            for pair in pairs
        ]

    assert active() == [True, True, True]
    pass_seconds(100)
    flow.refresh(first["refresh_token"])
    assert active() == [False, False, False]


def test_a_client_that_refreshes_without_end_is_told_to_wait_and_keeps_what_it_has(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grants, "MOST_PAIRS", 5)
    first = flow.tokens()
    answers = [flow.refresh(first["refresh_token"]) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
    assert answers[-1]["Retry-After"] == "60"
    assert answers[-1].json()["error"] == "temporarily_unavailable"
    RefreshToken.objects.update(created=timezone.now() - timedelta(seconds=61))
    assert all(works(flow, answer.json()) for answer in answers[:4])


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
    grants.revoke_grant(grant)
    assert not grants.seen_alive(grant)
