"""What `doctor` says about the sign-in of people."""

import pytest
from pytest_django import Settings

from mcpsite.doctor.sign_in import about_sign_in
from tests.access.signin.op import Provider


def ids() -> list[str]:
    return [each.id for each in about_sign_in()]


def test_nothing_is_said_where_people_have_passwords_alone() -> None:
    assert ids() == []


def test_a_provider_that_can_be_used_is_fine_and_the_address_to_register_is_told(op: Provider) -> None:
    (found,) = about_sign_in()
    assert (found.id, found.level) == ("sign-in", "ok")
    assert "/accounts/oidc/callback/" in found.what


@pytest.mark.parametrize(
    ("metadata", "found"),
    [
        ({"issuer": "https://other.example.com"}, ["sign-in-issuer-differs"]),
        ({"token_endpoint": None}, ["sign-in-incomplete"]),
        ({"authorization_endpoint": "http://attacker.example/"}, ["sign-in-incomplete"]),
        ({"end_session_endpoint": None}, ["sign-in", "sign-in-without-sign-out"]),
    ],
)
def test_a_provider_that_lacks_something_is_described(
    op: Provider, metadata: dict[str, object], found: list[str]
) -> None:
    op.metadata = metadata
    assert ids() == found


def test_another_algorithm_than_the_providers_is_found(op: Provider, settings: Settings) -> None:
    settings.OIDC_RP_SIGN_ALGO = "ES256"
    assert ids() == ["sign-in-algorithm"]


def test_a_provider_that_is_down_is_a_warning_for_it_stops_no_client(
    op: Provider, settings: Settings
) -> None:
    settings.OIDC_ISSUER = settings.AUTH0_ISSUER = "http://127.0.0.1:9"
    (found,) = about_sign_in()
    assert (found.id, found.level) == ("sign-in-unreachable", "warning")


def test_settings_that_surprise_are_among_the_findings(op: Provider, settings: Settings) -> None:
    settings.AUTH0_ISSUER = "https://other.example.com"
    assert ids() == ["access.signin.W005", "sign-in"]
