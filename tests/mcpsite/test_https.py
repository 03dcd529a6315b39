"""A site whose address is https, asked over http."""

from typing import Any

import pytest
from pytest_django import Settings
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from mcpsite.web.https import HttpsOnly


@pytest.fixture
def client(settings: Settings) -> TestClient:
    """A client of an application that answers whatever is let through."""
    settings.SITE_URL = "https://data.example.com"
    return TestClient(HttpsOnly(PlainTextResponse("let through")), follow_redirects=False)


def ask(client: TestClient, method: str, path: str, host: str, proto: str = "") -> Any:
    forwarded = {"X-Forwarded-Proto": proto} if proto else {}
    return client.request(method, f"http://{host}{path}", headers={"Host": host, **forwarded})


def test_a_page_is_redirected_to_the_same_page_over_https(client: TestClient) -> None:
    answer = ask(client, "GET", "/a%20b/?c=d%26e", "data.example.com", "http")
    assert answer.status_code == 301
    assert answer.headers["location"] == "https://data.example.com/a%20b/?c=d%26e"


def test_a_client_that_speaks_to_the_process_itself_is_sent_to_https(client: TestClient) -> None:
    answer = ask(client, "GET", "/", "data.example.com:8788")
    assert answer.headers["location"] == "https://data.example.com/"


def test_what_is_sent_over_http_is_refused_and_not_redirected(client: TestClient) -> None:
    answer = ask(client, "POST", "/mcp", "data.example.com", "http")
    assert answer.status_code == 403
    assert answer.json()["error"] == "https_required"
    assert "https://data.example.com" in answer.json()["error_description"]


@pytest.mark.parametrize(
    ("host", "proto"),
    [
        ("data.example.com", "https"),
        ("data.example.com", "https, http"),
        # A proxy that says nothing: a redirect could go round for ever.
        ("data.example.com", ""),
        # On the machine itself, and by names of ALLOWED_HOSTS.
        ("localhost:8788", ""),
        ("site.internal:8788", ""),
    ],
)
def test_what_came_or_may_have_come_over_https_is_served(client: TestClient, host: str, proto: str) -> None:
    assert ask(client, "POST", "/mcp", host, proto).text == "let through"


def test_a_site_on_http_serves_http(client: TestClient, settings: Settings) -> None:
    settings.SITE_URL = "http://localhost:8788"
    assert ask(client, "GET", "/", "localhost:8788", "http").text == "let through"
