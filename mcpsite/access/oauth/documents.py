"""Client ID Metadata Documents: clients whose id is the address of a document about themselves.

A stranger makes this server send the request for it, so it goes only to public addresses, over https,
without redirects, to the address that was resolved once, within five seconds and 16 KiB
(draft-ietf-oauth-client-id-metadata-document §6).
"""

import ipaddress
import socket
import ssl
import threading
import time
from concurrent.futures import Future
from typing import Any
from urllib.parse import SplitResult, urlsplit

import urllib3
from django.conf import settings
from django.http.request import validate_host
from oauth2_provider import cimd
from oauth2_provider.settings import oauth2_settings

from mcpsite.access.limits import limits
from mcpsite.access.oauth import clients

MAX_CLIENT_ID_LENGTH = 255
AUTHORIZE_PATH = "/oauth/authorize"


class MayBeRead:
    """Whether a document may be read now: only if a signed-in person is asked to consent.

    At the token endpoint a client's id is already known or useless, so a stranger cannot make this
    server send requests. The count is for each address.
    """

    def has_permission(self, request: Any, _client_id: str) -> bool:
        if urlsplit(request.uri).path != AUTHORIZE_PATH:
            return False
        address = request.headers.get("REMOTE_ADDR", "")
        return not limits().count_stranger("document", address)


class DocumentFetcher(cimd.SafeMetadataFetcher):
    """The toolkit's fetcher, with two differences.

    Hosts in OAUTH_TRUSTED_CLIENT_HOSTS may have addresses inside the company. And a document that names
    another method first but lists `none` too, such as ChatGPT's, is a public client here.
    """

    def fetch(self, client_id: str) -> tuple[dict[str, Any], int]:
        """Return the document at `client_id` and for how many seconds it is good; raises CIMDError."""
        if len(client_id) > MAX_CLIENT_ID_LENGTH or not client_id.isascii() or not client_id.isprintable():
            raise cimd.CIMDError("the client_id is too long or not a URL")
        try:
            url = urlsplit(client_id)
            cimd._validate_client_id_url(client_id)
        except ValueError as error:
            raise cimd.CIMDError("the client_id is not a URL") from error
        document, max_age = self._read(url)
        return as_public_client(document), max_age

    def _read(self, url: SplitResult) -> tuple[dict[str, Any], int]:
        host, port = url.hostname or "", url.port or 443
        deadline = time.monotonic() + oauth2_settings.CIMD_FETCH_TIMEOUT_SECONDS
        failure: Exception | None = None
        for address in _resolved(host, port, deadline):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            # To the address that was judged, so that a second answer of the DNS changes nothing; the
            # certificate is still that of the name.
            pool = urllib3.HTTPSConnectionPool(
                address,
                port,
                timeout=urllib3.Timeout(total=remaining),
                retries=False,
                maxsize=1,
                ssl_context=Context(deadline),
                server_hostname=host,
                assert_hostname=host,
            )
            try:
                response = pool.urlopen(
                    "GET",
                    url.path + (f"?{url.query}" if url.query else ""),
                    headers={"Host": url.netloc, "Accept": "application/json", "Accept-Encoding": "identity"},
                    redirect=False,
                    preload_content=False,
                    decode_content=False,
                )
                document: tuple[dict[str, Any], int] = self._read_document(response)
                return document
            except (urllib3.exceptions.HTTPError, OSError) as error:
                failure = error
            finally:
                pool.close()
        raise cimd.CIMDError(f"the document could not be read ({type(failure).__name__})")


_SPECIAL = [
    ipaddress.ip_network(each)
    for each in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24"),
        *("192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
        *("224.0.0.0/3", "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
    )
]
"""IANA's registries of special-purpose addresses, with multicast; those of IPv6 within _GLOBAL."""
_GLOBAL = ipaddress.ip_network("2000::/3")
"""All IPv6 addresses in use; mapped, translated (64:ff9b::/96) and local addresses are outside."""


def is_public(address: str) -> bool:
    """Return whether a document may be read from `address`: a public one that is reached directly.

    Addresses that stand for others (6to4, Teredo, NAT64, IPv4-mapped) are not.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if parsed.version == 6 and parsed not in _GLOBAL:
        return False
    return not any(parsed in network for network in _SPECIAL)


class Socket(ssl.SSLSocket):
    """A connection that ends at its context's deadline, however slowly the other side keeps sending.

    The time limit of a socket applies to each read, and a server may send a byte at a time.
    """

    context: "Context"

    def do_handshake(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(self.context.time_left())
        super().do_handshake(*args, **kwargs)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.context.time_left())
        return super().recv_into(*args, **kwargs)


class Context(ssl.SSLContext):
    """The TLS of one request: the default trust, and a deadline."""

    sslsocket_class = Socket

    def __new__(cls, _deadline: float) -> "Context":
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self.load_default_certs()

    def time_left(self) -> float:
        """Return the seconds until the deadline. Raises TimeoutError."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _resolved(host: str, port: int, deadline: float) -> list[str]:
    """Return the addresses of `host` by `_safe_addresses`, in time; raises CIMDError."""
    resolving: Future[list[str]] = Future()

    def resolve() -> None:
        try:
            resolving.set_result(_safe_addresses(host, port))
        except cimd.CIMDError as error:
            resolving.set_exception(error)

    # The system's resolver has no time limit; it ends by itself later, and nobody waits for it.
    threading.Thread(target=resolve, daemon=True).start()
    try:
        return resolving.result(max(0.0, deadline - time.monotonic()))
    except TimeoutError as error:
        raise cimd.CIMDError(f"{host} could not be resolved in time") from error


def _safe_addresses(host: str, port: int) -> list[str]:
    """Return the addresses of `host`; raises CIMDError unless all are public or the host is trusted."""
    try:
        found = socket.getaddrinfo(host, port, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        raise cimd.CIMDError(f"{host} could not be resolved") from error
    addresses = [str(each[4][0]) for each in found]
    if not validate_host(host, settings.OAUTH_TRUSTED_CLIENT_HOSTS):
        for address in addresses:
            if not is_public(address):
                raise cimd.CIMDError(f"{host} has an address that is not public ({address})")
    return addresses


def as_public_client(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document as the toolkit reads it, of a client that needs no secret; raises CIMDError."""
    methods = [document.get("token_endpoint_auth_method") or "none"]
    for name in ("token_endpoint_auth_methods", "token_endpoint_auth_methods_supported"):
        listed = document.get(name)
        methods += listed if isinstance(listed, list) else []
    if "none" not in methods:
        raise cimd.CIMDError(f"the client cannot do without authentication ({methods[0]!r:.100})")
    try:
        metadata = clients.Metadata.from_document({**document, "token_endpoint_auth_method": "none"})
    except clients.InvalidMetadata as error:
        raise cimd.CIMDError(error.description) from error
    return {
        **document,
        "client_name": metadata.name,
        "redirect_uris": list(metadata.redirect_uris),
        "grant_types": ["authorization_code"],
        "token_endpoint_auth_method": "none",
    }
