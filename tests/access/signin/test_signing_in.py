"""Signing in with the company's provider: who gets in, as whom, with which rights."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from pytest_django import Settings

from mcpsite.access.caller import Claims
from mcpsite.access.identities import caller_for
from mcpsite.access.models import Identity
from tests.access.signin.conftest import Browser
from tests.access.signin.op import Provider


def test_somebody_whom_the_provider_knows_is_signed_in_and_comes_to_their_page(browser: Browser) -> None:
    answer = browser.sign_in(after="/transcripts/?q=lounge")
    assert answer.status_code == 302
    assert answer["Location"] == "/transcripts/?q=lounge"
    assert browser.user_id is not None


def test_the_person_is_the_same_user_as_for_their_tokens(browser: Browser, op: Provider) -> None:
    browser.sign_in("auth0|alice")
    claims = Claims(
        issuer=op.issuer, subject="auth0|alice", client_id="chatgpt", scopes=frozenset(), expires_at=0
    )
    assert caller_for(claims).user_id == int(browser.user_id or 0)
    assert Identity.objects.count() == 1


def test_a_newcomer_joins_the_default_group(browser: Browser) -> None:
    browser.sign_in()
    assert [group.name for group in User.objects.get().groups.all()] == ["readers"]


def test_groups_follow_their_claim_as_for_tokens(browser: Browser, settings: Settings) -> None:
    settings.ACCESS_GROUPS_CLAIM = "groups"
    Group.objects.create(name="desk")
    browser.sign_in(groups=["desk"])
    assert {group.name for group in User.objects.get().groups.all()} == {"readers", "desk"}


def test_strangers_stay_out_where_users_are_not_made(browser: Browser, settings: Settings) -> None:
    settings.ACCESS_AUTO_CREATE_USERS = False
    answer = browser.sign_in()
    assert answer.status_code == 403
    assert b"You have no account on this server" in answer.content
    assert not User.objects.exists()


def test_a_deactivated_user_is_refused(browser: Browser) -> None:
    browser.sign_in()
    User.objects.update(is_active=False)
    other = Browser(browser.op)
    answer = other.sign_in()
    assert answer.status_code == 403
    assert b"not active" in answer.content
    assert other.user_id is None


def test_a_user_deactivated_while_signed_in_is_out_at_the_next_page(browser: Browser) -> None:
    browser.sign_in(groups=["operators"])
    assert browser.client.get("/admin/").status_code == 200
    User.objects.update(is_active=False)
    assert browser.client.get("/admin/").status_code == 302


@pytest.mark.parametrize(
    ("groups", "staff", "superuser"),
    [
        (["curators"], True, False),
        (["operators"], True, True),
        (["others"], False, False),
        (None, False, False),
        ("curators,others", True, False),
        ("curators others", False, False),
        ('["operators"]', True, True),
        (["/operators"], True, True),
        (["/others/operators"], False, False),
    ],
)
def test_the_groups_claim_opens_the_admin(
    browser: Browser, groups: object, staff: bool, superuser: bool
) -> None:
    browser.sign_in(groups=groups)
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser) == (staff, superuser)


def test_a_staff_group_may_have_a_comma_in_its_name(browser: Browser, settings: Settings) -> None:
    settings.OIDC_STAFF_GROUP, settings.OIDC_SUPERUSER_GROUP = "Sales, EMEA", "EMEA"
    browser.sign_in(groups="Sales, EMEA")
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser) == (True, False)


def test_a_nested_claim_opens_the_admin(browser: Browser, settings: Settings) -> None:
    settings.OIDC_GROUPS_CLAIM = "realm_access.roles"
    browser.sign_in(realm_access={"roles": ["curators"]})
    assert User.objects.get().is_staff


def test_too_many_groups_to_list_take_nobodys_rights_away(
    browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    browser.sign_in(groups=["operators"])
    Browser(browser.op).sign_in(_claim_names={"groups": "src1"})
    assert User.objects.get().is_superuser
    assert "too many groups to list" in caplog.text
    Browser(browser.op).sign_in(groups=[])
    assert not User.objects.get().is_superuser


def test_groups_that_only_userinfo_tells_count(browser: Browser, op: Provider) -> None:
    op.userinfo = {"groups": ["curators"]}
    browser.sign_in()
    assert User.objects.get().is_staff


def test_what_the_id_token_says_about_groups_comes_before_userinfo(browser: Browser, op: Provider) -> None:
    op.userinfo = {"groups": ["operators"]}
    browser.sign_in(groups=["curators"])
    assert not User.objects.get().is_superuser


def test_rights_are_taken_away_at_the_next_sign_in(browser: Browser) -> None:
    browser.sign_in(groups=["operators"])
    Browser(browser.op).sign_in(groups=[])
    user = User.objects.get()
    assert not user.is_staff
    assert not user.is_superuser


def test_rights_given_by_hand_stay_where_no_group_is_named(browser: Browser, settings: Settings) -> None:
    settings.OIDC_STAFF_GROUP = settings.OIDC_SUPERUSER_GROUP = ""
    browser.sign_in()
    User.objects.update(is_staff=True, is_superuser=True)
    browser.sign_in()
    user = User.objects.get()
    assert user.is_staff
    assert user.is_superuser


def test_the_request_for_a_code_holds_what_it_should(browser: Browser, settings: Settings) -> None:
    asked = parse_qs(urlsplit(browser.start()).query)
    assert asked["redirect_uri"] == [f"{settings.SITE_URL}/accounts/oidc/callback/"]
    assert asked["scope"] == ["openid profile email"]
    assert len(asked["nonce"][0]) >= 32
    assert len(asked["state"][0]) >= 32
    assert asked["code_challenge_method"] == ["S256"]
    assert "prompt" not in asked


def test_parameters_that_the_provider_has_in_its_address_are_kept(browser: Browser, op: Provider) -> None:
    op.metadata = {"authorization_endpoint": f"{op.origin}/authorize?p=policy"}
    asked = parse_qs(urlsplit(browser.start()).query)
    assert asked["p"] == ["policy"]
    assert asked["response_type"] == ["code"]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_the_client_proves_itself_as_the_provider_wants(browser: Browser, op: Provider, method: str) -> None:
    op.methods = (method,)
    assert browser.sign_in().status_code == 302
    asked = op.requests.count("/token")
    assert Browser(op).sign_in().status_code == 302
    assert op.requests.count("/token") == asked + 1


def test_a_public_client_signs_in_with_pkce_alone(browser: Browser, op: Provider, settings: Settings) -> None:
    settings.OIDC_RP_CLIENT_SECRET = ""
    op.methods = ("none",)
    assert browser.sign_in().status_code == 302


def test_a_provider_without_userinfo_is_enough(browser: Browser, op: Provider) -> None:
    op.metadata = {"userinfo_endpoint": None}
    browser.sign_in(groups=["curators"])
    assert User.objects.get().is_staff
    assert "/userinfo" not in op.requests


def test_two_sign_ins_under_way_come_back_to_their_own_pages(browser: Browser, op: Provider) -> None:
    first = browser.start(next="/transcripts/")
    second = browser.start(next="/admin/")
    assert browser.come_back(op.sign_in(first))["Location"] == "/transcripts/"
    assert browser.come_back(op.sign_in(second))["Location"] == "/admin/"


def test_the_provider_is_asked_nothing_before_somebody_signs_in(browser: Browser, op: Provider) -> None:
    assert browser.client.get("/accounts/login/").status_code == 200
    assert browser.client.get("/admin/", follow=True).status_code == 200
    assert op.requests == []


def test_the_page_offers_the_provider_first(browser: Browser, settings: Settings) -> None:
    settings.OIDC_SIGN_IN_NAME = "Acme"
    page = browser.client.get("/accounts/login/", {"next": "/admin/"}).content.decode()
    assert page.index("Sign in with Acme") < page.index("or with a password") < page.index("Password")
    assert "/accounts/oidc/start/?next=%2Fadmin%2F" in page


def test_without_passwords_there_is_no_form_and_none_is_taken(browser: Browser, settings: Settings) -> None:
    settings.PASSWORD_SIGN_IN = False
    User.objects.create_user("bob", password="secret")
    assert b"Password" not in browser.client.get("/accounts/login/").content
    for path in ("/accounts/login/", "/admin/login/"):
        answer = browser.client.post(path, {"username": "bob", "password": "secret"})
        assert answer.status_code == 403
    assert browser.user_id is None


def test_the_admin_leads_to_the_one_sign_in_page(browser: Browser) -> None:
    answer = browser.client.get("/admin/airfare/", follow=True)
    assert answer.redirect_chain[-1][0] == "/accounts/login/?next=%2Fadmin%2Fairfare%2F"


def test_somebody_without_staff_is_told_whom_to_ask_and_not_sent_round(
    browser: Browser, settings: Settings
) -> None:
    settings.SUPPORT_CONTACT = "data-desk@example.com"
    browser.sign_in()
    answer = browser.client.get("/admin/", follow=True)
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "No access to the admin" in page
    assert "mailto:data-desk@example.com" in page
    assert "Sign in as somebody else" in page


def test_signing_in_as_somebody_else_asks_the_provider_who_is_there(browser: Browser) -> None:
    browser.sign_in()
    answer = browser.client.post("/accounts/switch/", {"next": "/admin/"}, follow=True)
    assert browser.user_id is None
    assert b"another=1" in answer.content
    assert parse_qs(urlsplit(browser.start(another="1")).query)["prompt"] == ["login"]


def test_without_a_client_id_there_is_no_provider_to_start_with(client: Client, db: None) -> None:
    assert client.get("/accounts/oidc/start/").status_code == 404
    assert client.get("/accounts/oidc/callback/").status_code == 404
    assert b"Sign in with" not in client.get("/accounts/login/").content


def test_nothing_that_is_secret_reaches_the_log(
    browser: Browser, op: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    op.answers["/userinfo"] = (500, b"no", {})
    browser.sign_in()
    op.answers.clear()
    op.id_token = {"aud": "another"}
    browser.sign_in()
    logged = caplog.text
    assert "Sign-in failed" in logged
    for secret in ("s3cret", "eyJ", *op.access_tokens):
        assert secret not in logged
