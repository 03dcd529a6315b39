"""The settings of the sign-in: what they mean, and what is refused with the remedy."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pytest_django import Settings

from mcpsite.access.signin import conf
from mcpsite.access.signin.checks import check_sign_in

ISSUER = "https://tenant.example.com/"


def issuer(value: str = "", *, client_id: str = "site", secret: str = "", auth0: str = "") -> str:
    return conf.oidc_issuer(value, client_id=client_id, client_secret=secret, auth0_issuer=auth0)


def test_the_issuer_is_that_of_the_tokens_unless_it_is_set() -> None:
    assert issuer(auth0=ISSUER) == ISSUER
    assert issuer("https://other.example.com", auth0=ISSUER) == "https://other.example.com"
    assert issuer("http://localhost:9000") == "http://localhost:9000"
    assert issuer(client_id="", auth0=ISSUER) == ""


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ({}, "set OIDC_ISSUER"),
        ({"value": ISSUER, "client_id": ""}, "set OIDC_RP_CLIENT_ID"),
        ({"secret": "x", "client_id": ""}, "OIDC_RP_CLIENT_SECRET is set without OIDC_RP_CLIENT_ID"),
        ({"value": "http://tenant.example.com"}, "https://"),
        ({"value": "http://[::1].tenant.example.com"}, "https://"),
        ({"value": "tenant.example.com"}, "https://"),
        ({"value": "https://user@tenant.example.com"}, "https://"),
        ({"value": "https://tenant.example.com?x=1"}, "without query"),
    ],
)
def test_an_issuer_that_cannot_work_is_refused(arguments: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=remedy):
        issuer(**arguments)


@pytest.mark.parametrize("name", ["none", "HS256", "", "rs256"])
def test_only_asymmetric_algorithms_can_be_chosen(name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="RS256"):
        conf.algorithm(name)
    assert conf.algorithm("ES256") == "ES256"


def test_the_scopes_hold_openid() -> None:
    assert conf.scopes("openid groups") == "openid groups"
    with pytest.raises(ImproperlyConfigured, match="openid profile email"):
        conf.scopes("profile email")


def test_somebody_has_to_be_able_to_sign_in() -> None:
    assert conf.backends(client_id="site", password=False) == [conf.OIDC_BACKEND]
    assert conf.backends(client_id="", password=True) == [conf.PASSWORD_BACKEND]
    assert conf.backends(client_id="site", password=True) == [conf.OIDC_BACKEND, conf.PASSWORD_BACKEND]
    with pytest.raises(ImproperlyConfigured, match="PASSWORD_SIGN_IN is off"):
        conf.backends(client_id="", password=False)


GOOD: dict[str, Any] = {
    "OIDC_RP_CLIENT_ID": "site",
    "OIDC_ISSUER": ISSUER,
    "AUTH0_ISSUER": ISSUER,
    "OIDC_STAFF_GROUP": "curators",
    "SUPPORT_CONTACT": "the data desk",
    "PUBLIC": True,
}


@pytest.mark.parametrize(
    ("wrong", "ids"),
    [
        ({}, []),
        ({"OIDC_RP_CLIENT_ID": ""}, ["access.signin.W001"]),
        ({"OIDC_ISSUER": "https://a.eu.auth0.com", "AUTH0_ISSUER": ""}, ["access.signin.E002"]),
        ({"OIDC_ISSUER": "http://localhost:1", "AUTH0_ISSUER": ""}, ["access.signin.E003"]),
        ({"OIDC_STAFF_GROUP": "", "PASSWORD_SIGN_IN": False}, ["access.signin.W004"]),
        ({"AUTH0_ISSUER": "https://other.example.com"}, ["access.signin.W005"]),
        ({"SUPPORT_CONTACT": ""}, ["access.signin.W006"]),
    ],
)
def test_settings_that_surprise_have_a_numbered_check(
    settings: Settings, wrong: dict[str, Any], ids: list[str]
) -> None:
    for name, value in (GOOD | wrong).items():
        setattr(settings, name, value)
    assert [message.id for message in check_sign_in()] == ids
