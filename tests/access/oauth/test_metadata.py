"""What the server says about itself, and what browsers may read."""

import pytest
from django.conf import settings
from django.test import Client

from mcpsite.access.oauth import metadata
from tests.access.oauth.flow import Flow

ENDPOINTS = ["token", "register", "revoke", "introspect"]


def test_the_metadata_names_each_endpoint_at_the_public_address() -> None:
    document = metadata.document()
    assert document["issuer"] == settings.SITE_URL
    for name in ("authorization", "token", "registration", "revocation", "introspection"):
        assert document[f"{name}_endpoint"].startswith(f"{settings.SITE_URL}/oauth/")


def test_the_metadata_advertises_what_there_is_and_no_more() -> None:
    document = metadata.document()
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["response_types_supported"] == ["code"]
    assert document["grant_types_supported"] == ["authorization_code", "refresh_token"]
    assert "none" in document["token_endpoint_auth_methods_supported"]
    assert document["client_id_metadata_document_supported"] is True
    assert document["authorization_response_iss_parameter_supported"] is True
    assert {"openid", "offline_access"} <= set(document["scopes_supported"])


def test_every_advertised_scope_can_be_granted_at_once(flow: Flow) -> None:  # contract [21]
    asked = " ".join(metadata.document()["scopes_supported"])
    assert flow.tokens(scope=asked)["scope"] == asked


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_browsers_preflight_is_answered(endpoint: str) -> None:
    answer = Client().options(f"/oauth/{endpoint}", headers={"Origin": "http://localhost:6274"})
    assert answer.status_code == 204
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "authorization" in answer["Access-Control-Allow-Headers"]
    assert "mcp-protocol-version" in answer["Access-Control-Allow-Headers"]


@pytest.mark.django_db
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_browser_may_read_refusals_but_never_with_its_cookies(endpoint: str) -> None:
    answer = Client().post(f"/oauth/{endpoint}", headers={"Origin": "https://page.example.com"})
    assert answer.status_code >= 400
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer


def test_a_browser_may_read_the_tokens(flow: Flow) -> None:
    assert flow.exchange(flow.code())["Access-Control-Allow-Origin"] == "*"


def test_the_page_that_asks_a_person_is_closed_to_other_pages(flow: Flow) -> None:
    assert "Access-Control-Allow-Origin" not in flow.authorize()


@pytest.mark.django_db
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_endpoints_for_programs_take_posts_only(endpoint: str) -> None:
    assert Client().get(f"/oauth/{endpoint}").status_code == 405


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["applications/", "device/", "device-authorization/", "userinfo/", "logout/", "o/"]
)
def test_nothing_else_of_the_toolkit_is_served(path: str) -> None:
    assert Client().get(f"/oauth/{path}").status_code == 404
