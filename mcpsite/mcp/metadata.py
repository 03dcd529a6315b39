"""What this resource server publishes about itself under `/.well-known/` (RFC 9728)."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from mcpsite.access import discovery, signing
from mcpsite.access.scopes import offered_scopes

logger = logging.getLogger(__name__)

PREFIX = "/.well-known/"
MIRROR_SECONDS = 300.0
MIRROR_TIMEOUT_SECONDS = 10.0

_OPEN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "authorization, content-type, mcp-protocol-version",
    "Cache-Control": "public, max-age=300",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """The protected resource: this server's endpoint, as its clients name it."""

    url: str
    """The exact public URL of the endpoint, from the setting, never from a request's Host."""
    issuer: str
    """Byte for byte the issuer's own name."""
    scopes: tuple[str, ...]
    """Scopes that every call needs and that a client can be granted."""
    more_scopes: tuple[str, ...] = ()
    """Scopes that some tools need in addition."""

    @classmethod
    def from_settings(cls) -> "Resource":
        # offline_access is between a client and the authorization server, never a resource's business.
        scopes = tuple(scope for scope in settings.REQUIRED_SCOPES if scope != "offline_access")
        more = tuple(scope for scope in offered_scopes() if scope not in (*scopes, "offline_access"))
        return cls(url=settings.RESOURCE_SERVER_URL, issuer=signing.issuer(), scopes=scopes, more_scopes=more)

    @property
    def metadata_path(self) -> str:
        """The path with the resource's path inserted (RFC 9728 §3.1)."""
        return f"{PREFIX}oauth-protected-resource{urlsplit(self.url).path}"

    @property
    def metadata_url(self) -> str:
        return f"{settings.SITE_URL}{self.metadata_path}"

    def document(self) -> dict[str, Any]:
        """Return the metadata document of RFC 9728 §2."""
        supported = [*self.scopes, *self.more_scopes]
        return {
            "resource": self.url,
            "authorization_servers": [self.issuer],
            **({"scopes_supported": supported} if supported else {}),
            "bearer_methods_supported": ["header"],
            "resource_name": settings.SITE_NAME,
        }


Document = Callable[[], Awaitable[dict[str, Any] | str | None]]
"""A function that makes one document, in JSON or plain text; None if the server has no such document now."""


class WellKnown:
    """An ASGI application for every path under `/.well-known/`: a document, or a 404 in JSON."""

    def __init__(self, documents: dict[str, Document]) -> None:
        self._documents = documents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (await self._respond(Request(scope)))(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        make = self._documents.get(request.url.path.rstrip("/"))
        if make is None:
            return JSONResponse({"error": "not_found"}, 404, {"Access-Control-Allow-Origin": "*"})
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={**_OPEN, "Access-Control-Max-Age": "600"})
        if request.method not in ("GET", "HEAD"):
            return JSONResponse({"error": "method_not_allowed"}, 405, {"Allow": "GET, HEAD, OPTIONS"})
        document = await make()
        if document is None:
            return JSONResponse({"error": "temporarily_unavailable"}, 503, {"Retry-After": "10", **_OPEN})
        as_text = isinstance(document, str)
        return (
            PlainTextResponse(document, headers=_OPEN) if as_text else JSONResponse(document, headers=_OPEN)
        )


def well_known(resource: Resource) -> WellKnown:
    """Return the documents that this server has, by path."""

    async def protected_resource() -> dict[str, Any]:
        return resource.document()

    async def own_issuer() -> dict[str, Any]:
        from mcpsite.access.oauth import metadata as authorization_server  # its app is installed only then

        return authorization_server.document()

    async def own_keys() -> dict[str, Any] | None:
        try:
            return {"keys": await signing.own_keys()}
        except discovery.DiscoveryFailed as failed:
            logger.warning("The site's own keys could not be read: %s", failed)
            return None

    async def openai_challenge() -> str:
        return str(settings.OPENAI_APPS_CHALLENGE)

    documents: dict[str, Document] = {
        f"{PREFIX}oauth-protected-resource": protected_resource,
        resource.metadata_path: protected_resource,
    }
    if settings.OPENAI_APPS_CHALLENGE:
        # By this OpenAI verifies that the host belongs to the company, before an app is published.
        documents[f"{PREFIX}openai-apps-challenge"] = openai_challenge
    if signing.is_own_issuer():
        documents[f"{PREFIX}jwks.json"] = own_keys
        issuer_document: Document = own_issuer
    elif settings.MIRROR_ISSUER_METADATA:
        issuer_document = Mirror(resource.issuer).document
    else:
        return WellKnown(documents)
    documents[f"{PREFIX}oauth-authorization-server"] = issuer_document
    documents[f"{PREFIX}openid-configuration"] = issuer_document
    return WellKnown(documents)


class Mirror:
    """The external issuer's document, for clients older than RFC 9728 that look for it on this host.

    Anybody may request it, so the issuer is asked at most once in MIRROR_SECONDS.
    """

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._lock = asyncio.Lock()
        self._document: dict[str, Any] | None = None
        self._asked_at = -MIRROR_SECONDS

    async def document(self) -> dict[str, Any] | None:
        """Return the document as last read; None until it could be read."""
        async with self._lock:
            if time.monotonic() - self._asked_at >= MIRROR_SECONDS:
                self._asked_at = time.monotonic()
                try:
                    async with asyncio.timeout(MIRROR_TIMEOUT_SECONDS):
                        self._document = await discovery.metadata(self._issuer)
                except (discovery.DiscoveryFailed, TimeoutError) as error:
                    logger.warning("The issuer's metadata could not be mirrored: %s", error)
        return self._document
