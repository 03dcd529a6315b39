"""An https server on loopback with the documents of clients."""

import datetime
import ipaddress
import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.access.oauth.flow import REDIRECT
from tests.loopback_http import Handler, listening


class Documents:
    """An https server on loopback with documents; it counts who asks."""

    def __init__(self, port: int, certificate: Path) -> None:
        self.certificate = certificate
        self.origin = f"https://localhost:{port}"
        self.port = port
        self.requests: list[str] = []
        self.pause = 0.0
        """Seconds between the bytes of a body."""
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


@contextmanager
def serving_documents(folder: Path) -> Iterator[Documents]:
    """The server, until the end of the block; its certificate stands in `folder`."""

    class Answering(Handler):
        def get(self) -> None:
            serving.requests.append(self.path)
            status, headers, body = serving.answers.get(self.path, (404, {}, b"{}"))
            self.send_head(status, len(body), headers)
            if not serving.pause:
                self.wfile.write(body)
                return
            with suppress(OSError):
                for place in range(len(body)):
                    self.wfile.write(body[place : place + 1])
                    time.sleep(serving.pause)

    public, private = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    with listening(Answering, tls=context) as port:
        serving = Documents(port, public)
        yield serving
