"""Clients that identify themselves by a document of their own, read from real servers on loopback."""

import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.contrib.auth.models import User
from oauth2_provider.cimd import CIMDError
from oauth2_provider.models import Application
from pytest_django import Settings

from access.oauth.documents import DocumentFetcher, as_public_client
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


class Documents:
    """An https server on loopback with documents; it counts who asks."""

    def __init__(self, port: int) -> None:
        self.origin = f"https://localhost:{port}"
        self.port = port
        self.requests: list[str] = []
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}

    def put(self, path: str, document: object, status: int = 200, **headers: str) -> str:
        """Serve a document (bytes as they are) at `path`; its address."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        sent = {"Content-Type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        self.answers[path] = (status, sent, body)
        return self.origin + path

    def client(self, path: str = "/client.json", **changes: Any) -> str:
        """Serve a good document of a client; its id."""
        document: dict[str, object] = {
            "client_id": self.origin + path,
            "client_name": "Example client",
            "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": "none",
        } | changes
        return self.put(path, document)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "certificate.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return public, private


@pytest.fixture
def documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Documents]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            serving.requests.append(self.path)
            status, headers, body = serving.answers.get(self.path, (404, {}, b"{}"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # A reader that hangs up early is what some tests are about.

    public, private = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    serving = Documents(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield serving
    server.shutdown()
    thread.join()
    server.server_close()


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
    assert b"<strong>localhost</strong> asks" in page.content
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
