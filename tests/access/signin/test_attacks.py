"""What somebody may try against the sign-in, and a provider that misbehaves: each is refused with a page."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from mcpsite.access.models import Identity
from mcpsite.access.signin.provider import provider as provider_in_force
from tests.access.issuer import public_jwk, rsa_key
from tests.access.signin.conftest import CALLBACK, Browser
from tests.access.signin.op import CLIENT_ID, CLIENT_SECRET, Provider

NOW = int(time.time())


def refused(browser: Browser, answer: Any, *, status: int = 400) -> str:
    """Assert that the answer is a page that leads back to the sign-in, and that nobody is signed in."""
    page: str = answer.content.decode()
    assert answer.status_code == status, page
    assert "<h1>" in page
    assert "Try again" in page
    assert "Traceback" not in page
    assert browser.user_id is None
    assert not User.objects.exists()
    return page


WRONG_CLAIMS: dict[str, dict[str, object]] = {
    "wrong issuer": {"iss": "https://attacker.example"},
    "issuer that differs by a slash": {"iss": "slash"},
    "wrong audience": {"aud": "another-client"},
    "no audience": {"aud": None},
    "foreign azp": {"azp": "another-client"},
    "two audiences without azp": {"aud": [CLIENT_ID, "another-client"]},
    "two audiences with a foreign azp": {"aud": [CLIENT_ID, "other"], "azp": "other"},
    "expired": {"exp": NOW - 120, "iat": NOW - 240},
    "from the future": {"iat": NOW + 600},
    "issued too long ago": {"iat": NOW - 86_400},
    "without iat": {"iat": None},
    "without exp": {"exp": None},
    "without a subject": {"sub": None},
    "a subject that is no text": {"sub": 7},
    "an empty subject": {"sub": ""},
    "an unprintable subject": {"sub": "alice\n"},
    "another nonce": {"nonce": "replayed"},
    "no nonce": {"nonce": None},
    "an expiry that is no number": {"exp": "soon"},
}


@pytest.mark.parametrize("fault", WRONG_CLAIMS)
def test_an_id_token_with_a_wrong_claim_is_refused(browser: Browser, op: Provider, fault: str) -> None:
    wrong = dict(WRONG_CLAIMS[fault])
    if wrong.get("iss") == "slash":
        wrong["iss"] = f"{op.issuer}/"
    op.id_token = wrong
    refused(browser, browser.sign_in())


def hs256_with_the_client_secret(op: Provider) -> None:
    op.signing = {"key": CLIENT_SECRET * 8, "alg": "HS256"}


def hs256_with_the_public_key(op: Provider) -> None:
    op.signing = {"key": public_jwk(rsa_key("sign-in"))["n"], "alg": "HS256"}


def none(op: Provider) -> None:
    op.signing = {"key": "", "alg": "none"}


def another_key_by_the_same_name(op: Provider) -> None:
    op.signing = {"key": rsa_key("attacker")}


def unknown_key(op: Provider) -> None:
    op.signing = {"key": rsa_key("attacker"), "header": {"typ": "JWT", "kid": "attacker"}}


def key_in_the_header(op: Provider) -> None:
    key = rsa_key("attacker")
    op.signing = {"key": key, "header": {"typ": "JWT", "kid": "op", "jwk": public_jwk(key)}}


def other_algorithm(op: Provider) -> None:
    op.signing = {"alg": "RS512"}


def critical_header(op: Provider) -> None:
    op.signing = {"header": {"typ": "JWT", "kid": "op", "crit": ["exp"], "exp": 1}}


@pytest.mark.parametrize(
    "forge",
    [
        hs256_with_the_client_secret,
        hs256_with_the_public_key,
        none,
        another_key_by_the_same_name,
        unknown_key,
        key_in_the_header,
        other_algorithm,
        critical_header,
    ],
)
def test_a_forged_id_token_is_refused(
    browser: Browser, op: Provider, forge: Callable[[Provider], None]
) -> None:
    forge(op)
    answer = browser.sign_in()
    # An unknown key may be a new one: it is looked for, and then refused.
    refused(browser, answer, status=answer.status_code if forge is unknown_key else 400)


def test_a_token_of_another_sign_in_cannot_be_replayed(browser: Browser, op: Provider) -> None:
    first, second = browser.start(), browser.start()
    nonce = parse_qs(urlsplit(first).query)["nonce"][0]
    refused(browser, browser.come_back(op.sign_in(second, nonce=nonce)))


def test_a_code_cannot_be_used_twice(browser: Browser, op: Provider) -> None:
    query = op.sign_in(browser.start())
    code = dict(parse_qsl(query))["code"]
    assert browser.come_back(query).status_code == 302
    other = Browser(op)
    fresh = dict(parse_qsl(op.sign_in(other.start()))) | {"code": code}
    answer = other.come_back(urlencode(fresh))
    assert answer.status_code == 400
    assert "took too long or was already used" in answer.content.decode()
    assert other.user_id is None


def test_the_code_of_another_browser_is_of_no_use_here(browser: Browser, op: Provider) -> None:
    """The verifier of this browser does not fit it (PKCE)."""
    victim = Browser(op)
    stolen = dict(parse_qsl(op.sign_in(victim.start())))["code"]
    mine = dict(parse_qsl(op.sign_in(browser.start()))) | {"code": stolen}
    refused(browser, browser.come_back(urlencode(mine)))


def test_a_state_of_another_browser_is_refused(browser: Browser, op: Provider) -> None:
    attacker = Browser(op)
    query = op.sign_in(attacker.start(), "mallory")
    page = refused(browser, browser.come_back(query))
    assert "started in another browser" in page


@pytest.mark.parametrize("query", ["", "state=guessed", "code=x&state=", "error=access_denied&state=guessed"])
def test_a_callback_that_nobody_asked_for_is_refused(browser: Browser, query: str) -> None:
    refused(browser, browser.come_back(query))


def test_a_callback_that_nobody_asked_for_signs_nobody_out(browser: Browser) -> None:
    browser.sign_in()
    for query in ("error=login_required&state=guessed", "code=x&state=guessed"):
        assert browser.come_back(query).status_code == 400
    assert browser.user_id is not None


def test_a_callback_works_once(browser: Browser, op: Provider) -> None:
    query = op.sign_in(browser.start())
    assert browser.come_back(query).status_code == 302
    assert browser.come_back(query).status_code == 400
    assert op.requests.count("/token") == 1


def test_a_sign_in_that_took_too_long_is_refused(browser: Browser, op: Provider) -> None:
    query = op.sign_in(browser.start())
    session = browser.client.session
    for state in session["oidc_states"].values():
        state["added_on"] -= 601
    session.save()
    assert "took too long" in refused(browser, browser.come_back(query))


@pytest.mark.parametrize("iss", ["https://attacker.example", "", None])
def test_an_answer_of_another_issuer_is_refused_before_its_code_is_sent(
    browser: Browser, op: Provider, iss: str | None
) -> None:
    """RFC 9207: the code of an honest provider must not go to another one's token endpoint."""
    query = dict(parse_qsl(op.sign_in(browser.start())))
    del query["iss"]
    refused(browser, browser.come_back(urlencode(query | ({"iss": iss} if iss is not None else {}))))
    assert "/token" not in op.requests


def test_a_provider_that_sends_no_issuer_and_does_not_promise_one_is_taken(
    browser: Browser, op: Provider
) -> None:
    op.metadata = {"authorization_response_iss_parameter_supported": None}
    query = dict(parse_qsl(op.sign_in(browser.start())))
    del query["iss"]
    assert browser.come_back(urlencode(query)).status_code == 302


def test_userinfo_of_somebody_else_is_refused(browser: Browser, op: Provider) -> None:
    op.userinfo = {"sub": "bob", "groups": ["operators"]}
    refused(browser, browser.sign_in("alice"))


def test_the_same_e_mail_of_another_subject_is_another_person(browser: Browser, op: Provider) -> None:
    boss = User.objects.create_superuser("boss", "boss@example.com", "secret")
    op.userinfo = {"email": "boss@example.com", "email_verified": True, "preferred_username": "boss"}
    browser.sign_in("mallory", email="boss@example.com", email_verified=True)
    assert browser.user_id not in (None, str(boss.pk))
    assert not User.objects.get(pk=browser.user_id).is_staff


def test_the_same_subject_of_another_issuer_is_another_person(browser: Browser) -> None:
    boss = User.objects.create_superuser("boss")
    Identity.objects.create(issuer="https://other.example.com", subject="alice", user=boss)
    browser.sign_in("alice")
    assert browser.user_id != str(boss.pk)


def test_signing_in_makes_a_new_session_key(browser: Browser, op: Provider) -> None:
    """Fixation: whoever planted a session does not know the one that is signed in."""
    query = op.sign_in(browser.start())
    planted = browser.client.cookies["sessionid"].value
    browser.come_back(query)
    assert browser.client.cookies["sessionid"].value != planted
    other = Client()
    other.cookies["sessionid"] = planted
    assert "_auth_user_id" not in other.session


def test_the_session_of_another_user_is_emptied(browser: Browser) -> None:
    browser.client.force_login(User.objects.create_user("bob"))
    session = browser.client.session
    session["of bob"] = "private"
    session.save()
    browser.sign_in("alice")
    assert "of bob" not in browser.client.session


@pytest.mark.parametrize(
    "target",
    [
        "https://attacker.example/",
        "//attacker.example/",
        r"/\attacker.example/",
        "javascript:alert(1)",
        "http:attacker.example",
        "https://testserver@attacker.example/",
    ],
)
def test_nobody_is_sent_to_another_site(browser: Browser, target: str) -> None:
    assert browser.sign_in(after=target)["Location"] == "/"
    browser.client.logout()
    User.objects.create_user("bob", password="secret")
    signed_in = browser.client.post(
        "/accounts/login/", {"username": "bob", "password": "secret", "next": target}
    )
    assert signed_in["Location"] == "/"
    switched = browser.client.post("/accounts/switch/", {"next": target})
    assert switched["Location"].startswith("/accounts/login/?next=&")
    browser.client.force_login(User.objects.create_superuser("boss"))
    assert browser.client.get("/admin/login/", {"next": target})["Location"] == "/admin/"


@pytest.mark.parametrize(
    "target", ["/accounts/login/", "/admin/login/", "/accounts/logout/", "/admin/logout/"]
)
def test_a_page_about_signing_in_is_nowhere_to_come_back_to(browser: Browser, target: str) -> None:
    assert browser.sign_in(after=target)["Location"] == "/"
    assert browser.client.get("/accounts/login/", {"next": target})["Location"] == "/"


# The provider misbehaves


BAD_ANSWERS: dict[str, tuple[int, bytes, dict[str, str]]] = {
    "500": (500, b"<html>Traceback</html>", {}),
    "garbage": (200, b"\xff\x00not JSON", {}),
    "a list": (200, b"[]", {}),
    "huge": (200, b'{"a": "' + b"x" * 300_000 + b'"}', {}),
    "compressed": (200, b"\x1f\x8b", {"Content-Encoding": "gzip"}),
    "redirect": (302, b"", {"Location": "http://127.0.0.1:1/elsewhere"}),
    "nested": (200, b"[" * 100_000, {}),
}


@pytest.mark.parametrize("fault", BAD_ANSWERS)
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/userinfo", "/keys"])
def test_an_answer_that_cannot_be_used_is_a_page_and_not_a_failure(
    browser: Browser, op: Provider, path: str, fault: str
) -> None:
    op.answers[path] = BAD_ANSWERS[fault]
    answer: Any = browser.client.get("/accounts/oidc/start/")
    if answer.status_code == 302:
        answer = browser.come_back(op.sign_in(answer["Location"]))
    refused(browser, answer, status=503)
    assert answer["Retry-After"]
    assert "/elsewhere" not in op.requests


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/userinfo", "/keys"])
def test_a_slow_provider_is_given_up_in_time(
    browser: Browser, op: Provider, settings: Settings, path: str
) -> None:
    settings.OIDC_TIMEOUT = 0.3
    started = None if "well-known" in path else op.sign_in(browser.start())
    op.slow = {path}
    begin = time.monotonic()
    answer: Any = browser.come_back(started) if started else browser.client.get("/accounts/oidc/start/")
    assert time.monotonic() - begin < 1.5
    refused(browser, answer, status=503)


def test_a_provider_that_calls_itself_otherwise_is_not_used(
    browser: Browser, op: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    op.metadata = {"issuer": f"{op.issuer}/"}
    refused(browser, browser.client.get("/accounts/oidc/start/"), status=503)
    assert "correct OIDC_ISSUER" in caplog.text


@pytest.mark.parametrize("endpoint", ["authorization_endpoint", "token_endpoint"])
@pytest.mark.parametrize("address", ["http://attacker.example/", "javascript:alert(1)", "", None, 7])
def test_an_endpoint_that_is_not_https_is_not_used(
    browser: Browser, op: Provider, endpoint: str, address: object
) -> None:
    op.metadata = {endpoint: address}
    start: Any = browser.client.get("/accounts/oidc/start/")
    if start.status_code == 302:
        start = browser.come_back(op.sign_in(start["Location"]))
    refused(browser, start, status=503)


def test_a_provider_that_is_back_is_used_again(
    browser: Browser, op: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    op.answers["/.well-known/openid-configuration"] = (500, b"", {})
    assert browser.client.get("/accounts/oidc/start/").status_code == 503
    asked = len(op.requests)
    assert browser.client.get("/accounts/oidc/start/").status_code == 503
    assert len(op.requests) == asked, "it is left alone for a moment"
    op.answers.clear()
    monkeypatch.setattr("mcpsite.access.signin.provider.PAUSE", 0.0)
    assert browser.client.get("/accounts/oidc/start/").status_code == 302


ERRORS = {
    "access_denied": 403,
    "server_error": 503,
    "temporarily_unavailable": 503,
    "invalid_request": 400,
    "<script>": 400,
}


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_of_the_provider_is_a_page(browser: Browser, op: Provider, error: str) -> None:
    answer = browser.come_back(op.refuse(browser.start(next="/admin/"), error))
    page = refused(browser, answer, status=ERRORS[error])
    assert "<script>" not in page
    assert "/accounts/login/?next=%2Fadmin%2F" in page


def test_a_wrong_client_is_said_in_the_log(
    browser: Browser, op: Provider, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.OIDC_RP_CLIENT_SECRET = "wrong"
    refused(browser, browser.sign_in(), status=503)
    assert "check OIDC_RP_CLIENT_ID and OIDC_RP_CLIENT_SECRET" in caplog.text
    assert "wrong" not in caplog.text.replace("went wrong", "")


def test_the_keys_of_the_provider_are_fetched_once(browser: Browser, op: Provider) -> None:
    for subject in ("alice", "bob", "carol"):
        assert Browser(op).sign_in(subject).status_code == 302
    assert op.requests.count("/keys") == 1
    assert provider_in_force().issuer == op.issuer


def test_the_callback_takes_no_post(browser: Browser) -> None:
    assert browser.client.post(CALLBACK).status_code == 405


def test_pyjwt_knows_the_algorithms_we_refuse() -> None:
    """Else the tests of forged tokens would show nothing."""
    assert {"HS256", "none", "RS512"} <= set(jwt.algorithms.get_default_algorithms())
