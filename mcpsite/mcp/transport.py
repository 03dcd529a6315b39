"""The endpoint for HTTP clients: what happens before the SDK sees a request.

Real clients differ from what the SDK's transport accepts (trailing slashes, `Accept` headers, GET
requests, CORS, the order of challenge and answer). Each difference is handled here, once; what passes
is a POST of at most MCP_MAX_BODY_BYTES from an allowed host and origin with a verified token.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.http.request import split_domain_port, validate_host
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcpsite.access import audit
from mcpsite.access.audit import Refusals
from mcpsite.access.caller import Claims
from mcpsite.access.limits import LimitExceeded, limits
from mcpsite.access.oauth import grants
from mcpsite.access.tokens import ExpiredToken, InvalidToken, KeysUnavailable, verifier
from mcpsite.core import metrics, tracing
from mcpsite.core.conf import LOOPBACK_NAMES
from mcpsite.mcp import challenges, messages
from mcpsite.mcp.calls import Record, malformed, over_limit
from mcpsite.mcp.database import in_database
from mcpsite.mcp.incoming import BodyRefused, Incoming
from mcpsite.mcp.metadata import Resource
from mcpsite.mcp.server import AUDITED
from mcpsite.mcp.state import KEY, RequestState

logger = logging.getLogger(__name__)

PATHS = frozenset({"/mcp", "/mcp/"})
"""Both are served directly: no client follows a redirect of a POST."""

ALLOWED_HEADERS = (
    "authorization, content-type, mcp-protocol-version, mcp-method, mcp-name, mcp-session-id, last-event-id"
)
PATIENCE_SECONDS = 0.1
"""How long an answer may take before the server checks whether the client still waits."""
EXPOSED_HEADERS = "WWW-Authenticate, Retry-After"

EVENTS, JSON = "text/event-stream", "application/json"

_NORMAL = [(b"accept", f"{JSON}, {EVENTS}".encode()), (b"content-type", JSON.encode())]
"""What the SDK gets in place of the client's own headers: a request for JSON, in JSON."""
_DROPPED = (b"accept", b"content-type", b"content-length", b"mcp-session-id")
"""Session headers are dropped because a stateless server has no sessions."""


class Endpoint:
    """An ASGI application for `/mcp`: host, origin, CORS, token, method, then the SDK."""

    def __init__(self, server: Server[Any], resource: Resource, record: Record) -> None:
        """Serve `server`; `record` gets an event for each call with a good token that never reaches it."""
        self._resource = resource
        self._record = record
        self._manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True)
        self._origins = frozenset(settings.ALLOWED_ORIGINS)
        self._refusals = Refusals()
        self._incoming = Incoming()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Keep the SDK's task group open while the process serves."""
        try:
            async with self._manager.run():
                yield
        finally:
            self._refusals.log()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if not self._host_allowed(headers.get("host", "")):
            logger.warning(
                "refused a request for the host %.100r; ALLOWED_HOSTS would admit it", headers.get("host")
            )
            await _error(421, "This server does not accept that host name.")(scope, receive, send)
            return
        if origin is not None and not self._origin_allowed(origin):
            logger.warning("refused a request from the origin %.100r; ALLOWED_ORIGINS would admit it", origin)
            await _error(403, "Pages of that origin may not use this server.")(scope, receive, send)
            return
        if origin is not None:
            send = _with_cors(send, origin)
        if scope["method"] == "OPTIONS":
            await _preflight()(scope, receive, send)
            return
        admitted = await self._admit(scope, headers)
        if isinstance(admitted, Response):
            await admitted(scope, receive, send)
            return
        if not _is_json(headers):
            await _error(415, "Send the message as application/json.")(scope, receive, send)
            return
        try:
            async with self._incoming.message(receive, admitted) as message:
                state = scope[KEY] = RequestState(claims=admitted, arguments=message.arguments)
                with tracing.continued(headers):
                    await self._answer(message, state, scope, headers, receive, send)
        except messages.Malformed as error:
            if error.method in AUDITED:
                self._record(malformed(error.method, admitted, _origin(headers, error.id)))
            await error.response()(scope, receive, send)
        except LimitExceeded as error:
            await self._limited(error, admitted, headers)(scope, receive, send)
        except BodyRefused as error:
            await _error(error.status, str(error), error.headers)(scope, receive, send)

    async def _answer(
        self,
        message: messages.Message,
        state: RequestState,
        scope: Scope,
        headers: Headers,
        receive: Receive,
        send: Send,
    ) -> None:
        """Have the SDK answer `message`."""
        scope["path"] = "/mcp"
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in _DROPPED] + _NORMAL
        client = _Client(receive)
        if _wants_event(headers):
            send = _as_event(send)
        answer = self._manager.handle_request(
            scope, _replay(message.body, receive), self._completing(message, state, scope, client.heard(send))
        )
        try:
            await client.wait_for(answer)
        finally:
            if not state.recorded and message.id is not None and message.method in AUDITED:
                self._record(malformed(message.name, state.claims, _origin(headers, message.id)))

    def _completing(self, request: messages.Message, state: RequestState, scope: Scope, send: Send) -> Send:
        """Return a `send` that puts in what does not go through the SDK.

        That is the result of a tool call, and the challenge for want of a scope (client-contract 14).
        """
        instead: ASGIApp | None = None

        async def sending(message: Message) -> None:
            nonlocal instead
            if message["type"] == "http.response.start":
                if state.missing_scopes:
                    instead = challenges.insufficient_scope(self._resource, state.missing_scopes)
                elif state.result is not None and message["status"] == HTTPStatus.OK:
                    instead = Response(request.answer(state.result), media_type=JSON)
                if instead:
                    await instead(scope, _nothing, send)
            if not instead:
                await send(message)

        return sending

    async def _admit(self, scope: Scope, headers: Headers) -> Claims | Response:
        """Return the claims of the request's token, or the answer to a request that stops here.

        The token comes first, whatever the method: a client that once got an answer without one
        never signs in.
        """
        address = scope["client"][0] if scope.get("client") else ""
        try:
            claims = await _authenticate(headers, address)
        except ExpiredToken as error:
            self._refuse(error.code, "with an expired token")
            return challenges.unauthorized(self._resource, error.description)
        except InvalidToken as error:
            self._refuse(error.code, "with a bad token")
            # Good tokens of this address are still served: many people may share it.
            wait = await limits().count_failure(address)
            if wait is not None:
                return challenges.too_many_failures(wait)
            return challenges.unauthorized(self._resource, error.description)
        except KeysUnavailable as error:
            # Not a 401: that would send every client back to the sign-in page.
            metrics.tokens_refused.labels("unverifiable").inc()
            return JSONResponse(
                {"error": "temporarily_unavailable"},
                503,
                {"Retry-After": str(max(1, round(error.retry_after)))},
            )
        if claims is None:
            self._refuse("missing", "without a token")
            return challenges.unauthorized(self._resource)
        if not claims.has_scopes(settings.REQUIRED_SCOPES):
            self._refuse("scope", "with a token that lacks a scope")
            return challenges.insufficient_scope(self._resource, tuple(settings.REQUIRED_SCOPES))
        try:
            await limits().count_request(claims.issuer, claims.subject)
        except LimitExceeded as error:
            return self._limited(error, claims, headers)
        if scope["method"] != "POST":
            return JSONResponse({"error": "method_not_allowed"}, 405, {"Allow": "POST"})
        return claims

    def _refuse(self, reason: str, sentence: str) -> None:
        """Count a request whose token is refused, for the metrics and for the log."""
        metrics.tokens_refused.labels(reason).inc()
        self._refusals.count(sentence)

    def _limited(self, error: LimitExceeded, claims: Claims, headers: Headers) -> Response:
        """Return the answer to a request over a limit, of which nothing was parsed, and record it."""
        self._record(over_limit(str(error), claims, _origin(headers, None)))
        return _error(429, str(error), {"Retry-After": str(error.seconds)})

    def _host_allowed(self, host: str) -> bool:
        return validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS)

    def _origin_allowed(self, origin: str) -> bool:
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return origin in self._origins or (
            parts.scheme in ("http", "https") and parts.netloc.rsplit(":", 1)[0] in LOOPBACK_NAMES
        )


async def _authenticate(headers: Headers, address: str) -> Claims | None:
    """Return the claims of the bearer token in the Authorization header; None if there is none.

    Raises InvalidToken and KeysUnavailable.
    """
    values = headers.getlist("authorization")
    if len(values) > 1:
        raise InvalidToken("More than one Authorization header was sent.")
    scheme, _, token = (values[0] if values else "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        return None
    claims = await verifier().verify(token, address)
    grant = grants.of_token(claims)
    if grant is not None and not grants.seen_alive(grant):
        try:
            async with asyncio.timeout(settings.MCP_DEADLINE_SECONDS):
                alive = await in_database(grants.is_alive, grant)
        except (DatabaseError, InterfaceError, TimeoutError) as error:
            raise KeysUnavailable(5.0) from error  # That cannot be known now; a 401 would end the session.
        if not alive:
            raise InvalidToken("The access token has been revoked.", code="revoked")
    return claims


def _origin(headers: Headers, request_id: str | int | None) -> audit.Origin:
    return audit.Origin(
        client_name=headers.get("user-agent", ""),
        protocol=headers.get("mcp-protocol-version", ""),
        request_id="" if request_id is None else str(request_id),
    )


def _is_json(headers: Headers) -> bool:
    """Return whether a body is declared as JSON; one without a declaration can be nothing else."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() in ("", "application/json")


def _wants_event(headers: Headers) -> bool:
    """Return whether the client accepts a stream of events and no JSON (client-contract 53)."""
    accepted = set()
    for media_range in ",".join(headers.getlist("accept")).lower().split(","):
        kind, *parameters = (part.strip() for part in media_range.split(";"))
        if not any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in parameters):
            accepted.add(kind)
    return "text/event-stream" in accepted and not accepted & {"application/json", "application/*", "*/*"}


def _as_event(send: Send) -> Send:
    """Return a `send` that turns an answer into a stream of one event. Refusals stay as they are."""
    started: Message | None = None
    body = bytearray()

    async def sending(message: Message) -> None:
        nonlocal started
        if message["type"] == "http.response.start" and message["status"] == 200:
            started = message
        elif started is None or message["type"] != "http.response.body":
            await send(message)
        else:
            body.extend(message.get("body", b""))
            if not message.get("more_body"):
                event = b"event: message\r\ndata: " + body + b"\r\n\r\n"
                response = Response(event, headers={"Content-Type": EVENTS, "Cache-Control": "no-cache"})
                await send({**started, "headers": response.raw_headers})
                await send({"type": "http.response.body", "body": response.body})

    return sending


class _Client:
    """The client that waits for an answer. If it hangs up, the work ends: nobody would read the answer.

    The SDK does not check that. Most answers come before PATIENCE_SECONDS are over, and cost nothing.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._answered = self._gone = False
        self._watching: asyncio.Task[None] | None = None

    def heard(self, send: Send) -> Send:
        """Return a `send` after whose first message it no longer matters whether the client is there."""

        async def sending(message: Message) -> None:
            self._answered = True
            await send(message)

        return sending

    async def wait_for(self, answer: Coroutine[Any, Any, None]) -> None:
        """Await `answer`, or cancel it when the client hangs up before it begins."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (this is a coroutine)
        loop = asyncio.get_running_loop()

        async def watch() -> None:
            while (await self._receive())["type"] != "http.disconnect":
                pass
            if not self._answered:
                self._gone = True
                task.cancel()

        def begin() -> None:
            self._watching = loop.create_task(watch())

        patience = loop.call_later(PATIENCE_SECONDS, begin)
        try:
            await answer
        except asyncio.CancelledError:
            if not self._gone:
                raise
            task.uncancel()
        finally:
            patience.cancel()
            if self._watching is not None:
                self._watching.cancel()


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that begins with the body that was read."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receiving() -> Message:
        return messages.pop() if messages else await receive()

    return receiving


def _error(status: int, sentence: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": sentence}, status, headers)


def _preflight() -> Response:
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": "POST, GET, DELETE, OPTIONS",
            "Access-Control-Allow-Headers": ALLOWED_HEADERS,
            "Access-Control-Max-Age": "600",
        },
    )


def _with_cors(send: Send, origin: str) -> Send:
    added = [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", EXPOSED_HEADERS.encode()),
        (b"vary", b"Origin"),
    ]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *added]}
        await send(message)

    return sending
