"""Signing in with a password: wrong ones are limited, from an address and for an account."""

import statistics
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from mcpsite.access.limits import limits
from tests.site import running

LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def people(db: None) -> None:
    User.objects.create_superuser("alice", password="secret")
    User.objects.create_user("bob", password="secret")
    limits.cache_clear()


def attempt(
    username: str, password: str, *, address: str = "192.0.2.1", path: str = "/accounts/login/"
) -> Any:
    return Client(REMOTE_ADDR=address).post(path, {"username": username, "password": password})


@pytest.mark.parametrize("path", ["/accounts/login/", "/admin/login/"])
def test_too_many_wrong_passwords_from_an_address_stop_it(settings: Settings, path: str) -> None:
    settings.FAILED_SIGN_IN_RATE_LIMIT = "3/minute"
    for name in ("a", "b", "c"):
        assert attempt(name, "wrong", path=path).status_code == 200
    answer = attempt("alice", "secret", path=path)
    assert answer.status_code == 429
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert "Too many wrong passwords" in answer.content.decode()
    assert attempt("alice", "secret", path=path, address="198.51.100.7").status_code == 302


def test_too_many_wrong_passwords_for_an_account_stop_it_from_everywhere(settings: Settings) -> None:
    settings.FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT = "3/hour"
    for number, name in enumerate(("alice", "Alice", " ALICE ")):
        assert attempt(name, "wrong", address=f"192.0.2.{number}").status_code == 200
    answer = attempt("alice", "secret", address="198.51.100.7")
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 60
    assert attempt("bob", "secret", address="198.51.100.7").status_code == 302


def test_right_passwords_are_not_counted(settings: Settings) -> None:
    settings.FAILED_SIGN_IN_RATE_LIMIT = settings.FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT = "2/minute"
    for _ in range(5):
        assert attempt("alice", "secret").status_code == 302


def test_an_unknown_account_is_limited_like_a_known_one(settings: Settings) -> None:
    settings.FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT = "1/minute"
    pages = [[attempt(name, "wrong").status_code for _ in range(2)] for name in ("nobody", "alice")]
    assert pages == [[200, 429], [200, 429]]


def test_a_host_of_ipv6_counts_as_one(settings: Settings) -> None:
    settings.FAILED_SIGN_IN_RATE_LIMIT = "1/minute"
    assert attempt("a", "wrong", address="2001:db8::1").status_code == 200
    assert attempt("a", "wrong", address="2001:db8::2").status_code == 429


def test_a_deactivated_user_does_not_get_in() -> None:
    User.objects.update(is_active=False)
    assert attempt("alice", "secret").status_code == 200


def test_signing_in_at_the_admins_address_leads_into_the_admin() -> None:
    assert attempt("alice", "secret", path="/admin/login/")["Location"] == "/admin/"


def test_somebody_signed_in_without_staff_is_refused_by_a_page(client: Client) -> None:
    client.force_login(User.objects.get(username="bob"))
    answer = client.get("/admin/", follow=True)
    assert answer.status_code == 403
    assert "an administrator of this site" in answer.content.decode()


def test_a_page_that_somebody_may_not_see_says_so(client: Client) -> None:
    User.objects.filter(username="bob").update(is_staff=True)
    client.force_login(User.objects.get(username="bob"))
    answer = client.get("/admin/auth/group/")
    assert answer.status_code == 403
    assert "You do not have access" in answer.content.decode()


def browser(username: str = "alice", *, address: str = "192.0.2.1") -> Client:
    """A browser that has signed in, and out again."""
    client = Client(REMOTE_ADDR=address)
    assert client.post(LOGIN, {"username": username, "password": "secret"}).status_code == 302
    client.post("/accounts/logout/")
    return client


def test_strangers_lock_nobody_out_of_a_browser_that_signed_in_before(settings: Settings) -> None:
    settings.FAILED_SIGN_IN_RATE_LIMIT = settings.FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT = "3/hour"
    client = browser()
    for _ in range(4):
        attempt("alice", "wrong", address="192.0.2.99")  # for the account, from elsewhere
        attempt("carol", "wrong", address="192.0.2.1")  # from the same address
    assert attempt("alice", "secret", address="203.0.113.1").status_code == 429
    assert client.post(LOGIN, {"username": "alice", "password": "secret"}).status_code == 302


def test_strangers_lock_nobody_out_of_an_address_that_signed_in_before(settings: Settings) -> None:
    settings.FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT = "3/hour"
    browser(address="192.0.2.1")
    for number in range(4):
        attempt("alice", "wrong", address=f"198.51.100.{number}")
    assert attempt("alice", "secret", address="203.0.113.1").status_code == 429
    assert attempt("alice", "secret", address="192.0.2.1").status_code == 302
    assert attempt("Alice", "wrong", address="192.0.2.1").status_code == 200


def test_a_known_browser_and_a_known_address_may_not_guess_more_than_others(settings: Settings) -> None:
    settings.FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT = "3/hour"
    client = browser()
    tried = [client.post(LOGIN, {"username": "alice", "password": "x"}).status_code for _ in range(5)]
    assert tried == [200, 200, 200, 429, 429]
    tried = [attempt("alice", "x").status_code for _ in range(5)]
    assert tried == [200, 200, 200, 429, 429]


def test_a_known_browser_is_a_stranger_to_other_accounts_and_after_a_new_password(settings: Settings) -> None:
    settings.FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT = "1/hour"
    client = browser(address="198.51.100.1")
    for name in ("alice", "bob"):
        attempt(name, "wrong", address="192.0.2.99")
    client = Client(REMOTE_ADDR="203.0.113.1", headers={"Cookie": f"device={client.cookies['device'].value}"})
    assert client.post(LOGIN, {"username": "bob", "password": "secret"}).status_code == 429
    alice = User.objects.get(username="alice")
    alice.set_password("changed")
    alice.save()
    assert client.post(LOGIN, {"username": "alice", "password": "changed"}).status_code == 429


def test_the_cookie_is_out_of_reach_and_bounded(settings: Settings) -> None:
    settings.SESSION_COOKIE_SECURE = True
    client = Client()
    for number in range(8):
        User.objects.create_user(f"user{number}", password="secret")
        client.post(LOGIN, {"username": f"user{number}", "password": "secret"})
        client.post("/accounts/logout/")
    cookie = client.cookies["device"]
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"]) == (True, True, "Lax")
    assert len(cookie.value) < 1000
    assert "device" not in attempt("alice", "wrong").cookies


@pytest.mark.parametrize("value", ["", "x", "a:b:c", "WyJhIix7fV0:1uQ:x"])
def test_a_made_up_cookie_is_no_help(settings: Settings, value: str) -> None:
    settings.FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT = "1/hour"
    client = Client(headers={"Cookie": f"device={value}"})
    tried = [client.post(LOGIN, {"username": "alice", "password": "x"}).status_code for _ in range(2)]
    assert tried == [200, 429]


def test_empty_fields_are_not_counted(settings: Settings) -> None:
    settings.FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT = "1/hour"
    for _ in range(3):
        assert attempt("alice", "").status_code == 200
    assert attempt("alice", "wrong").status_code == 200


def test_of_a_burst_no_more_passwords_are_tried_than_the_limit_and_a_known_browser_gets_in() -> None:
    limited = {"FAILED_SIGN_IN_RATE_LIMIT": "20/minute", "FAILED_SIGN_IN_ACCOUNT_RATE_LIMIT": "30/hour"}
    with running(limited, prepare=False) as site:
        made = "User.objects.create_superuser('eve', password='s')"
        site.shell(f"from django.contrib.auth.models import User; {made}")
        known, stranger = Visitor(site.port), Visitor(site.port)
        assert known.post("eve", "s") == 302
        healthy: list[float] = []
        with ThreadPoolExecutor(120) as pool:
            guesses = [pool.submit(stranger.post, "eve", "wrong") for _ in range(120)]
            while not all(each.done() for each in guesses):
                began = time.monotonic()
                assert known.get("/healthz")[0] == 200
                healthy.append(time.monotonic() - began)
                time.sleep(0.05)
        answers = Counter(each.result() for each in guesses)
        assert answers.keys() <= {200, 429, 503}
        assert 1 <= answers[200] <= 20
        assert statistics.quantiles(healthy, n=10)[-1] < 0.5
        assert known.post("eve", "s") == 302


class Visitor:
    """A browser with the cookies of the sign-in page, light enough to send many requests at once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cookies: dict[str, str] = {}
        page = self.get(LOGIN)[1]
        self._token = page.partition('csrfmiddlewaretoken" value="')[2][:64]

    def get(self, path: str) -> tuple[int, str]:
        return self._ask("GET", path)

    def post(self, username: str, password: str) -> int:
        form = {"username": username, "password": password, "csrfmiddlewaretoken": self._token}
        return self._ask("POST", LOGIN, urlencode(form))[0]

    def _ask(self, method: str, path: str, body: str = "") -> tuple[int, str]:
        cookies = {name: value for name, value in self._cookies.items() if name != "sessionid"}
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            for line in answer.headers.get_all("Set-Cookie") or []:
                name, _, value = line.partition(";")[0].partition("=")
                if name != "csrftoken" or "csrftoken" not in self._cookies:
                    self._cookies[name] = value
            return answer.status, answer.read().decode()


def test_sessions_that_have_ended_are_cleared_where_somebody_signs_in() -> None:
    now = timezone.now()
    for number in range(3):
        Session.objects.create(session_key=f"ended{number}", expire_date=now - timedelta(days=1))
    Session.objects.create(session_key="alive", expire_date=now + timedelta(days=1))
    attempt("alice", "secret")
    keys = set(Session.objects.values_list("pk", flat=True))
    assert "alive" in keys
    assert not any(key.startswith("ended") for key in keys)
