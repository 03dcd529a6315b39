"""How long somebody stays signed in, and what the provider has to say about it meanwhile."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from pytest_django import Settings

from tests.access.signin.conftest import START, Browser
from tests.access.signin.op import Provider

LIST = "/admin/auth/group/"
ADD = "/admin/auth/group/add/"


@pytest.fixture
def operator(browser: Browser) -> Browser:
    """Somebody who may do everything, as the groups claim says."""
    browser.sign_in(groups=["operators"])
    return browser


def due(answer: Any) -> bool:
    """Whether the answer sends the browser to be vouched for again."""
    location = answer.headers.get("Location", "")
    return answer.status_code == 302 and location.startswith(START) and "renew=1" in location


def test_nobody_is_asked_about_again_before_it_is_due(operator: Browser, op: Provider) -> None:
    operator.session_age(440)
    asked = len(op.requests)
    assert operator.client.get(LIST).status_code == 200
    assert operator.client.post(ADD, {"name": "desk"}).status_code == 302
    assert len(op.requests) == asked


def test_a_page_is_vouched_for_again_without_a_question_to_the_person(operator: Browser) -> None:
    operator.session_age(901)
    answer = operator.client.get(f"{LIST}?q=x")
    assert due(answer)
    to_provider = operator.client.get(answer["Location"])["Location"]
    assert parse_qs(urlsplit(to_provider).query)["prompt"] == ["none"]
    back = operator.come_back(operator.op.sign_in(to_provider, groups=["operators"]))
    assert back["Location"] == f"{LIST}?q=x"
    assert operator.client.get(LIST).status_code == 200


def test_reading_renews_early_so_that_forms_seldom_have_to(operator: Browser) -> None:
    operator.session_age(460)
    assert operator.client.post(ADD, {"name": "desk"}).status_code == 302
    assert Group.objects.filter(name="desk").exists()
    assert due(operator.client.get(LIST))


def test_a_renewal_leaves_open_forms_good(operator: Browser) -> None:
    """A new session key or CSRF secret would refuse what somebody is typing in another tab."""
    before = operator.client.cookies["sessionid"].value, operator.client.cookies["csrftoken"].value
    operator.session_age(901)
    operator.renew(operator.client.get(LIST)["Location"], groups=["operators"])
    assert (operator.client.cookies["sessionid"].value, operator.client.cookies["csrftoken"].value) == before


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_a_demoted_administrator_cannot_go_on_with_any_method(operator: Browser, method: str) -> None:
    operator.session_age(901)
    answer = getattr(operator.client, method)(ADD, {"name": "mine"})
    page = answer.content.decode()
    assert "renew=1" in page
    assert not Group.objects.filter(name="mine").exists()
    start = page.partition('href="/accounts/oidc/start/')[2].partition('"')[0].replace("&amp;", "&")
    operator.renew(f"/accounts/oidc/start/{start}", groups=[])
    assert not User.objects.get().is_staff
    refused = operator.client.post(ADD, {"name": "mine"}, follow=True)
    assert refused.status_code == 403
    assert not Group.objects.filter(name="mine").exists()


@pytest.mark.parametrize("error", ["login_required", "interaction_required", "consent_required"])
def test_a_renewal_that_the_provider_refuses_ends_the_session(operator: Browser, error: str) -> None:
    operator.session_age(901)
    to_provider = operator.client.get(operator.client.get(LIST)["Location"])["Location"]
    answer = operator.client.get(
        f"/accounts/oidc/callback/?{operator.op.refuse(to_provider, error)}", follow=True
    )
    assert operator.user_id is None
    assert answer.redirect_chain[-1][0] == "/accounts/login/?next=%2Fadmin%2Fauth%2Fgroup%2F"
    assert "Your session has ended" in answer.content.decode()


def test_somebody_who_was_removed_from_the_application_is_out(operator: Browser) -> None:
    operator.session_age(901)
    to_provider = operator.client.get(operator.client.get(LIST)["Location"])["Location"]
    answer = operator.come_back(operator.op.refuse(to_provider, "access_denied"))
    assert answer.status_code == 403
    assert operator.user_id is None


def test_another_person_at_the_provider_is_another_session_here(operator: Browser) -> None:
    before = operator.user_id
    operator.session_age(901)
    to_provider = operator.client.get(operator.client.get(LIST)["Location"])["Location"]
    operator.come_back(operator.op.sign_in(to_provider, "bob"))
    assert operator.user_id not in (None, before)
    assert not User.objects.get(pk=operator.user_id).is_staff


def test_an_outage_is_bridged_for_a_bounded_time(operator: Browser, settings: Settings) -> None:
    settings.OIDC_ISSUER = "http://127.0.0.1:9"
    operator.session_age(901)
    assert operator.client.get(LIST).status_code == 200
    assert operator.client.post(ADD, {"name": "desk"}).status_code == 302
    operator.session_age(900)
    answer = operator.client.get(LIST)
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert "Your session cannot be renewed" in answer.content.decode()
    refused = operator.client.post(ADD, {"name": "mine"})
    assert refused.status_code == 503
    assert not Group.objects.filter(name="mine").exists()


def test_after_the_outage_the_session_goes_on(operator: Browser, settings: Settings) -> None:
    issuer = settings.OIDC_ISSUER
    settings.OIDC_ISSUER = "http://127.0.0.1:9"
    operator.session_age(1801)
    assert operator.client.get(LIST).status_code == 503
    settings.OIDC_ISSUER = issuer
    assert due(operator.client.get(LIST))


def test_a_renewal_that_fails_on_the_way_is_put_off_within_the_grace(operator: Browser, op: Provider) -> None:
    operator.session_age(901)
    op.answers["/token"] = (500, b"", {})
    assert operator.renew(operator.client.get(LIST)["Location"]).status_code == 503
    assert operator.client.get(LIST).status_code == 200
    operator.session_age(900)
    assert due(operator.client.get(LIST))


def test_what_a_script_asks_for_is_refused_and_not_sent_to_the_provider(operator: Browser) -> None:
    operator.session_age(901)
    answer = operator.client.get(LIST, headers={"Sec-Fetch-Mode": "cors"})
    assert answer.status_code == 401
    assert operator.user_id is not None


def test_a_session_ends_however_busy_it_is(operator: Browser, settings: Settings) -> None:
    session = operator.client.session
    session["signed_in_at"] -= settings.SIGN_IN_SECONDS
    session.save()
    answer = operator.client.get(LIST, follow=True)
    assert "Your session has ended" in answer.content.decode()
    assert operator.user_id is None


def test_a_session_of_a_password_is_not_the_providers_to_renew(browser: Browser, op: Provider) -> None:
    User.objects.create_superuser("boss", password="secret")
    browser.client.post("/accounts/login/", {"username": "boss", "password": "secret"})
    assert browser.client.get(LIST).status_code == 200
    assert op.requests == []


def test_a_session_of_a_password_ends_too(client: Client, db: None, settings: Settings) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    assert client.get(LIST).status_code == 200
    session = client.session
    session["signed_in_at"] -= settings.SIGN_IN_SECONDS
    session.save()
    assert client.get(LIST)["Location"].startswith("/accounts/login/")


# Signing out


def test_signing_out_ends_both_sessions(operator: Browser, op: Provider, settings: Settings) -> None:
    answer = operator.client.post("/accounts/logout/")
    assert operator.user_id is None
    page = answer.content.decode()
    assert "signed out here" in page
    target = page.partition('content="0; url=')[2].partition('"')[0].replace("&amp;", "&")
    assert target.startswith(f"{op.origin}/end?")
    asked = parse_qs(urlsplit(target).query)
    assert asked["client_id"] == ["site"]
    assert asked["post_logout_redirect_uri"] == [f"{settings.SITE_URL}/accounts/signed-out/"]
    assert asked["id_token_hint"][0].count(".") == 2
    assert "You are signed out" in operator.client.get("/accounts/signed-out/").content.decode()


def test_signing_out_works_while_the_provider_is_down(operator: Browser, settings: Settings) -> None:
    settings.OIDC_ISSUER = "http://127.0.0.1:9"
    answer = operator.client.post("/accounts/logout/", follow=True)
    assert operator.user_id is None
    assert "You may still be signed in at 127.0.0.1" in answer.content.decode()


def test_a_provider_without_such_a_page_leaves_its_session_open_and_we_say_so(
    browser: Browser, op: Provider
) -> None:
    op.metadata = {"end_session_endpoint": None}
    browser.sign_in()
    answer = browser.client.post("/accounts/logout/", follow=True)
    assert "You may still be signed in" in answer.content.decode()


def test_the_admins_own_button_signs_out_the_same_way(operator: Browser) -> None:
    assert "signed out here" in operator.client.post("/admin/logout/").content.decode()
    assert operator.user_id is None


def test_a_link_does_not_sign_anybody_out(operator: Browser) -> None:
    answer = operator.client.get("/accounts/logout/")
    assert answer.status_code == 200
    assert "Sign out?" in answer.content.decode()
    assert operator.user_id is not None


def test_who_signed_in_with_a_password_is_not_sent_to_the_provider(browser: Browser, op: Provider) -> None:
    User.objects.create_user("bob", password="secret")
    browser.client.post("/accounts/login/", {"username": "bob", "password": "secret"})
    assert browser.client.post("/accounts/logout/")["Location"] == "/accounts/signed-out/"
    assert op.requests == []
