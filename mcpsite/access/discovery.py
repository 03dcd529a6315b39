"""What an issuer says about itself: its metadata document and its published keys, read over HTTP.

Everything here comes from the network, so each request is bounded in size, follows no redirect and
goes to https, or to this machine if the issuer itself is on this machine. The time limit of the
whole is the caller's (`mcpsite.access.keys`).
"""

import json
import ssl
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx2

from mcpsite.core import conf

MAX_BYTES = 256 * 1024
"""The largest document accepted; the largest known key sets are below 30 KiB."""


class DiscoveryFailed(Exception):
    """The issuer could not be read; the sentence says why, for the log and for people."""


class IssuerDiffers(DiscoveryFailed):
    """The document names an issuer other than the configured one, perhaps only by a slash."""


class Unreachable(DiscoveryFailed):
    """No answer came, or not all of it."""


class _NotThere(DiscoveryFailed):
    """The address answered with something other than 200: another address may be tried."""


async def metadata(issuer: str) -> dict[str, Any]:
    """Return the metadata document of `issuer`: OIDC Discovery 1.0 §4, else RFC 8414 §3.

    Its `issuer` is equal to `issuer` to the letter (OIDC Discovery §4.3, RFC 8414 §3.3), a trailing
    slash included. Raises DiscoveryFailed.
    """
    async with http_client(issuer) as client:
        return await _metadata(client, issuer)


async def fetch_keys(issuer: str) -> list[dict[str, Any]]:
    """Return the JWKs (RFC 7517 §5) at the `jwks_uri` of `issuer`; raises DiscoveryFailed."""
    async with http_client(issuer) as client:
        document = await _metadata(client, issuer)
        jwks_uri = document.get("jwks_uri")
        if not isinstance(jwks_uri, str):
            raise DiscoveryFailed(f"the metadata of {issuer} has no jwks_uri")
        key_set = await _get_json(client, jwks_uri, issuer)
    keys = key_set.get("keys")
    if not isinstance(keys, list):
        raise DiscoveryFailed(f"the document at {jwks_uri} is not a JWK set")
    return [key for key in keys if isinstance(key, dict)]


def metadata_urls(issuer: str) -> tuple[str, str]:
    """Return where the metadata may be: after the issuer (OIDC), or before its path (RFC 8414 §3.1)."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    origin = f"{parts.scheme}://{parts.netloc}"
    return (
        f"{origin}{path}/.well-known/openid-configuration",
        f"{origin}/.well-known/oauth-authorization-server{path}",
    )


async def _metadata(client: httpx2.AsyncClient, issuer: str) -> dict[str, Any]:
    oidc, oauth = metadata_urls(issuer)
    try:
        document = await _get_json(client, oidc, issuer)
    except _NotThere as missing:
        try:
            document = await _get_json(client, oauth, issuer)
        except _NotThere as also_missing:
            raise DiscoveryFailed(f"{missing}, and {also_missing}") from also_missing
    if document.get("issuer") != issuer:
        raise IssuerDiffers(
            f"the issuer is configured as {issuer!r} but calls itself {document.get('issuer')!a}; "
            "set AUTH0_ISSUER to exactly that text, trailing slash included"
        )
    return document


async def _get_json(client: httpx2.AsyncClient, url: str, issuer: str) -> dict[str, Any]:
    """Return the JSON object at `url`, at most MAX_BYTES long; raises DiscoveryFailed."""
    status, document = await ask(client, "GET", url, issuer)
    if status != httpx2.codes.OK:
        raise _NotThere(f"{url} answered {status}")
    if document is None:
        raise DiscoveryFailed(f"{url} did not answer with a JSON object")
    return document


async def ask(
    client: httpx2.AsyncClient,
    method: str,
    url: str,
    issuer: str,
    *,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, dict[str, Any] | None]:
    """Return the status and the JSON object that `url` answers with; None for any other answer.

    The answer is at most MAX_BYTES long. Raises DiscoveryFailed; Unreachable if nothing answered.
    """
    _require_safe(url, issuer)
    try:
        async with client.stream(method, url, data=form, headers=headers) as response:
            try:
                body = await _body(response, url)
            except DiscoveryFailed:
                if response.status_code == httpx2.codes.OK:
                    raise
                body = b""  # If the status is another, only the status matters.
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Unreachable(f"{url} could not be read ({type(error).__name__})") from error
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    return response.status_code, document if isinstance(document, dict) else None


async def _body(response: httpx2.Response, url: str) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        # A few compressed bytes can unfold into gigabytes; we asked for none.
        raise DiscoveryFailed(f"{url} answered in a compressed form, which was not asked for")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            raise DiscoveryFailed(f"{url} answered with more than {MAX_BYTES // 1024} KiB")
    return bytes(body)


def _require_safe(url: str, issuer: str) -> None:
    """Raise DiscoveryFailed unless `url` is safe for requests that are meant for `issuer`."""
    try:
        urlsplit(url)
    except ValueError:
        raise DiscoveryFailed("the issuer's metadata names an address that is not a URL") from None
    if not is_safe(url, issuer):
        raise DiscoveryFailed(f"{url!a} is not an https address")


def is_safe(url: str, issuer: str) -> bool:
    """Return whether `url` is https, or http on this machine for an issuer on this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    local = conf.is_loopback(url) and conf.is_loopback(issuer)
    return not parts.username and (parts.scheme == "https" or (parts.scheme == "http" and local))


def http_client(issuer: str) -> httpx2.AsyncClient:
    """Return a client for requests to `issuer`: no redirects, our trust, uncompressed JSON."""
    return httpx2.AsyncClient(
        verify=trust(),
        follow_redirects=False,
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        # A company's proxy is for the outside, not for an issuer on this machine.
        trust_env=not conf.is_loopback(issuer),
    )


@cache
def trust() -> ssl.SSLContext:
    """Return the certificates we trust; reading them takes tens of milliseconds, so once a process."""
    return httpx2.create_ssl_context()
