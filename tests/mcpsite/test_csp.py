"""What a page may load and where it may send forms; tests/e2e/admin asks a browser."""

import pytest
from django.test import Client

from mcpsite.access.oauth.clients import form_target
from tests.access.oauth.conftest import alice, flow, own_server
from tests.access.oauth.flow import Flow

__all__ = ["alice", "flow", "own_server"]

pytestmark = pytest.mark.django_db


def policy(response: object) -> dict[str, list[str]]:
    """The sources of each directive."""
    header = response["Content-Security-Policy"]  # type: ignore[index]
    return {name: sources for name, *sources in (part.split() for part in header.split(";"))}


@pytest.mark.parametrize(
    "path",
    ["/", "/accounts/login/", "/transcripts/", "/oauth/authorize?client_id=x", "/admin/", "/nowhere"],
)
def test_no_page_takes_code_or_data_from_another_host_or_stands_in_a_frame(
    admin_client: Client, path: str
) -> None:
    found = policy(admin_client.get(path))
    assert found["default-src"] == found["object-src"] == found["base-uri"] == ["'none'"]
    assert found["frame-ancestors"] == ["'none'"]
    assert {source for sources in found.values() for source in sources} <= {
        "'none'",
        "'self'",
        "'unsafe-eval'",
        "'unsafe-inline'",
        "data:",
    }
    assert "'unsafe-inline'" not in found["script-src"] + found["style-src"]


def test_only_the_admin_compiles_code_from_text(admin_client: Client) -> None:
    assert policy(admin_client.get("/admin/"))["script-src"] == ["'self'", "'unsafe-eval'"]
    assert policy(admin_client.get("/"))["script-src"] == ["'self'"]


def test_the_consent_page_may_send_its_form_on_to_its_client_and_nowhere_else(flow: Flow) -> None:
    assert policy(flow.authorize())["form-action"] == ["'self'", "https://client.example.com"]


def test_the_sign_in_page_may_lead_to_the_client_that_sent_the_person_and_to_no_other(flow: Flow) -> None:
    def allowed(after: str) -> list[str]:
        return policy(Client().get("/accounts/login/", {"next": after}))["form-action"]

    assert allowed(flow.authorization()) == ["'self'", "https://client.example.com"]
    for other in (
        flow.authorization(redirect_uri="https://evil.example.com/callback"),
        flow.authorization(client_id="unknown"),
        flow.authorization(client_id="\0"),
        flow.authorization().replace("/oauth/", "/else/"),
        "/admin/",
    ):
        assert allowed(other) == ["'self'"]


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("https://chatgpt.com/connector/callback?x=1", "https://chatgpt.com"),
        ("http://127.0.0.1:6274/callback", "http://127.0.0.1:6274"),
        ("http://[::1]:6274/callback", "http:"),
        ("https://a;script-src/callback", "https:"),
        ("https://a,b.example/callback", "https:"),
    ],
)
def test_a_redirect_is_named_by_its_origin_in_characters_that_a_policy_can_hold(
    uri: str, source: str
) -> None:
    assert form_target(uri) == source
