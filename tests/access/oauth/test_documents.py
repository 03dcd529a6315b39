"""Clients that identify themselves by a document of their own, read from real servers on loopback."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import pytest
from django.contrib.auth.models import User
from oauth2_provider.cimd import CIMDError
from oauth2_provider.models import Application
from pytest_django import Settings

from mcpsite.access import signing
from mcpsite.access.oauth.documents import DocumentFetcher, as_public_client, is_public
from tests.access.oauth.documents import Documents, serving_documents
from tests.access.oauth.flow import REDIRECT, Flow

CHATGPT = {
    "client_id": "https://chatgpt.com/oauth/client.json",
    "client_name": "ChatGPT",
    "redirect_uris": ["https://chatgpt.com/connector_platform_oauth_redirect"],
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "private_key_jwt",
    "token_endpoint_auth_methods_supported": ["private_key_jwt", "none"],
    "token_endpoint_auth_signing_alg": "RS256",
    "jwks_uri": "https://chatgpt.com/oauth/jwks.json",
}


@pytest.fixture
def documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Documents]:
    with serving_documents(tmp_path) as documents:
        monkeypatch.setenv("SSL_CERT_FILE", str(documents.certificate))
        yield documents


@pytest.fixture
def trusted(settings: Settings) -> None:
    """localhost stands for a host inside the company that an operator has named."""
    settings.OAUTH_TRUSTED_CLIENT_HOSTS = ["localhost"]


@pytest.fixture
def person(alice: User) -> Flow:
    return Flow(alice)


def test_a_client_with_a_document_connects_without_registering(
    documents: Documents, trusted: None, person: Flow
) -> None:
    person.client_id = documents.client()
    page = person.authorize()
    assert b"<h1>Connect localhost to" in page.content
    assert b"<strong>localhost</strong>, which calls itself\n    Example client, asks" in page.content
    answer = person.exchange(person.code())
    assert answer.status_code == 200
    assert person.refresh(answer.json()["refresh_token"]).status_code == 200
    assert documents.requests == ["/client.json"]


def test_chatgpts_document_is_that_of_a_public_client(
    documents: Documents, trusted: None, person: Flow
) -> None:
    document = {**CHATGPT, "client_id": f"{documents.origin}/oauth/client.json", "redirect_uris": [REDIRECT]}
    person.client_id = documents.put("/oauth/client.json", document)
    assert person.exchange(person.code()).status_code == 200
    application = Application.objects.get()
    assert (application.name, application.client_type) == ("ChatGPT", "public")


LOOPBACK = ["http://127.0.0.1/callback", "http://localhost/callback"]
DOCUMENTS: dict[str, dict[str, Any]] = {
    "ChatGPT": {**CHATGPT, "logo_uri": "https://chatgpt.com/logo.png", "application_type": "web"},
    "ChatGPT, for one connector": {
        **CHATGPT,
        "redirect_uris": ["https://chatgpt.com/connector/oauth/abc123"],
    },
    "Codex": {
        "client_name": "Codex",
        "client_uri": "https://openai.com/codex",
        "application_type": "native",
        "redirect_uris": LOOPBACK,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "token_endpoint_auth_methods_supported": ["none"],
    },
    "VS Code": {
        "client_name": "Visual Studio Code",
        "client_uri": "https://vscode.dev/product",
        "logo_uri": "https://code.visualstudio.com/assets/branding/code-stable.png",
        "application_type": "native",
        "redirect_uris": ["http://127.0.0.1:33418/", "https://vscode.dev/redirect"],
        "grant_types": [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
        ],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    },
    "Claude": {
        "client_name": "Claude",
        "redirect_uris": [
            "https://claude.ai/api/mcp/auth_callback",
            "https://claude.com/api/mcp/auth_callback",
        ],
        "token_endpoint_auth_method": "none",
    },
    "Claude Code": {
        "client_name": "Claude Code",
        "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    },
    "an editor": {
        "client_name": "Editor",
        "redirect_uris": ["cursor://vendor.editor-mcp/callback", "myapp://callback"],
        "grant_types": None,
        "response_types": None,
        "token_endpoint_auth_method": None,
        "scope": None,
    },
    "an application": {"client_name": "App", "redirect_uris": ["com.example.app:/callback"]},
}
"""What clients say about themselves, as they were read on 2026-11-27 or are known to."""


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_documents_of_real_clients_lead_to_tokens(
    documents: Documents, trusted: None, person: Flow, name: str
) -> None:  # contract [20, 44]
    path = f"/oauth/{name.lower().replace(' ', '-')}/client.json"
    document = DOCUMENTS[name]
    person.client_id = documents.put(path, document | {"client_id": documents.origin + path})
    for redirect in [uri for uri in document["redirect_uris"] if not uri.startswith("myapp:")]:
        asked = with_port(redirect, 53211)
        answer = person.consent(person.authorize(redirect_uri=asked))
        assert answer["Location"].startswith(asked)
        said = {name: value for name, [value] in parse_qs(urlsplit(answer["Location"]).query).items()}
        assert said["iss"] == signing.issuer()
        held = person.exchange(said["code"], redirect_uri=asked)
        assert held.status_code == 200
        assert person.refresh(held.json()["refresh_token"]).status_code == 200
    assert Application.objects.get().name == document["client_name"]


def with_port(redirect: str, port: int) -> str:
    """A loopback address as a program asks for it that listens where it can (RFC 8252 §7.3)."""
    parts = urlsplit(redirect)
    if parts.scheme != "http" or parts.port:
        return redirect
    return urlunsplit(parts._replace(netloc=f"{parts.hostname}:{port}"))


def test_a_document_of_a_client_that_insists_on_another_method_is_refused() -> None:
    with pytest.raises(CIMDError, match="private_key_jwt"):
        as_public_client({**CHATGPT, "token_endpoint_auth_methods_supported": ["private_key_jwt"]})


def test_a_document_lists_the_grants_of_a_whole_program() -> None:
    grants = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"]
    assert as_public_client({**CHATGPT, "grant_types": grants})["grant_types"] == ["authorization_code"]


PRIVATE = [
    "https://127.0.0.1:{port}/client.json",
    "https://localhost:{port}/client.json",
    "https://[::1]:{port}/client.json",
    "https://[::ffff:127.0.0.1]:{port}/client.json",
    "https://[64:ff9b::7f00:1]:{port}/client.json",
    "https://2130706433:{port}/client.json",
    "https://0x7f.1:{port}/client.json",
    "https://0.0.0.0:{port}/client.json",
    "https://10.0.0.1/client.json",
    "https://192.168.1.1/client.json",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1/client.json",
    "https://[fd00::1]/client.json",
    "https://[fe80::1]/client.json",
]


SPECIAL = [
    *("0.1.2.3", "100.64.0.1", "127.1.1.1", "192.0.0.9", "192.0.2.1", "192.88.99.1"),
    *("198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "::1", "::", "::ffff:8.8.8.8", "64:ff9b::808:808", "64:ff9b:1::1"),
    *("100::1", "2001::1", "2001:20::1", "2001:db8::1", "2002:808:808::1", "3fff::1"),
    *("5f00::1", "fc00::1", "fe80::1", "fec0::1", "ff02::1", "x"),
]


@pytest.mark.parametrize("address", SPECIAL)
def test_an_address_of_a_special_use_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "192.0.1.1", "198.20.0.1", "223.255.255.255", "2606:4700::1"])
def test_an_ordinary_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_document_at_an_address_that_is_not_public_is_never_asked_for(
    documents: Documents, person: Flow, address: str
) -> None:
    documents.client()
    person.client_id = address.format(port=documents.port)
    assert person.authorize().status_code == 400
    with pytest.raises(CIMDError):
        DocumentFetcher().fetch(person.client_id)
    assert documents.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:{port}/client.json",
        "https://localhost:{port}",
        "https://user:secret@localhost:{port}/client.json",
        "https://localhost:{port}/client.json#fragment",
        "https://localhost:{port}/a/../client.json",
        "https://localhost:{port}/" + "x" * 300,
        "https://localhost:{port}/client.json\r\nX-Evil: 1",
        "https://localhost:99999/client.json",
        "https://[",
        "https://[::1",
        "file:///etc/passwd",
    ],
)
def test_an_id_that_is_no_clean_https_address_is_never_asked_for(
    documents: Documents, trusted: None, person: Flow, address: str
) -> None:
    documents.client()
    person.client_id = address.format(port=documents.port)
    assert person.authorize().status_code == 400
    assert documents.requests == []


def test_a_redirect_to_another_address_is_not_followed(
    documents: Documents, trusted: None, person: Flow
) -> None:
    target = documents.client("/inside.json")
    person.client_id = documents.put("/client.json", {}, 302, Location=target)
    assert person.authorize().status_code == 400
    assert documents.requests == ["/client.json"]


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "https://other.example.com/client.json"},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": ["http://client.example.com/callback"]},
        {"redirect_uris": []},
        {"redirect_uris": None},
        {"client_secret": "x"},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"grant_types": ["client_credentials"]},
        {"padding": "x" * 20_000},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_document_that_is_wrong_is_refused(
    documents: Documents, trusted: None, person: Flow, changes: dict[str, Any]
) -> None:
    person.client_id = documents.client(**changes)
    assert person.authorize().status_code == 400
    assert not Application.objects.exists()


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"not json", 200, "application/json"),
        (b"[]", 200, "application/json"),
        (b"\xff\xfe", 200, "application/json"),
        (b"[" * 9000, 200, "application/json"),
        (b"{}", 200, "text/html"),
        (b"{}", 500, "application/json"),
    ],
)
def test_an_answer_that_is_no_document_is_refused(
    documents: Documents, trusted: None, person: Flow, body: bytes, status: int, kind: str
) -> None:
    person.client_id = documents.put("/client.json", body, status, Content_Type=kind)
    assert person.authorize().status_code == 400


def test_a_certificate_of_nobody_known_is_refused(
    documents: Documents, trusted: None, person: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    person.client_id = documents.client()
    assert person.authorize().status_code == 400
    assert documents.requests == []


def test_a_stranger_cannot_make_this_server_ask(documents: Documents, trusted: None, person: Flow) -> None:
    person.client_id = documents.client()
    person.browser.logout()
    for prompt in (None, "none", "login"):
        person.authorize(prompt=prompt)
    person.exchange("code")
    person.refresh("token")
    person.machine.post("/oauth/revoke", {"token": "x", "client_id": person.client_id})
    person.machine.post(
        "/oauth/introspect", {"token": "x", "client_id": person.client_id, "client_secret": "x"}
    )
    assert documents.requests == []


def test_a_document_that_fails_is_not_asked_for_again_at_once(
    documents: Documents, trusted: None, person: Flow
) -> None:
    person.client_id = documents.put("/client.json", {}, 500)
    for _ in range(3):
        assert person.authorize().status_code == 400
    assert documents.requests == ["/client.json"]


def test_a_flood_of_documents_is_stopped(
    documents: Documents, trusted: None, person: Flow, settings: Settings
) -> None:
    settings.OAUTH_REGISTRATIONS_PER_HOUR = 2
    for number in range(5):
        person.client_id = documents.client(f"/{number}.json")
        person.authorize()
    assert len(documents.requests) == 2


def test_a_document_that_has_changed_is_read_again_when_it_is_old(
    documents: Documents, trusted: None, person: Flow
) -> None:
    person.client_id = documents.client()
    person.authorize()
    Application.objects.update(cimd_expires_at="2020-01-01T00:00:00Z")
    documents.client(client_name="Renamed")
    assert person.authorize().status_code == 200
    assert Application.objects.get().name == "Renamed"


def test_a_client_stays_known_while_its_document_cannot_be_read(
    documents: Documents, trusted: None, person: Flow
) -> None:
    person.client_id = documents.client()
    held = person.tokens()
    Application.objects.update(cimd_expires_at="2020-01-01T00:00:00Z")
    documents.put("/client.json", {}, 500)
    assert person.refresh(held["refresh_token"]).status_code == 200


def timed(client_id: str) -> float:
    """How long it takes until a document is given up."""
    began = time.monotonic()
    with pytest.raises(CIMDError):
        DocumentFetcher().fetch(client_id)
    return time.monotonic() - began


@pytest.fixture
def hurried(settings: Settings) -> None:
    settings.OAUTH2_PROVIDER = {**settings.OAUTH2_PROVIDER, "CIMD_FETCH_TIMEOUT_SECONDS": 1}


def test_a_server_that_sends_its_document_byte_by_byte_is_given_up_in_time(
    documents: Documents, trusted: None, hurried: None
) -> None:
    documents.pause = 0.2
    assert timed(documents.client()) < 2


@pytest.mark.parametrize("byte", [b"", b"\x16", b"H"])
def test_a_server_that_answers_the_handshake_slowly_or_never_is_given_up_in_time(
    trusted: None, hurried: None, byte: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                for _ in range(20):
                    connection.sendall(byte)
                    time.sleep(0.2)

        thread = threading.Thread(target=drip)
        thread.start()
        assert timed(f"https://localhost:{server.getsockname()[1]}/client.json") < 2
        thread.join()
