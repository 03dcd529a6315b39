"""Signing in with a password: wrong ones are limited, from an address and for an account."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from access.limits import limits


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
    assert "You may not do that" in answer.content.decode()
