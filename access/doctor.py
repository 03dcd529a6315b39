"""Walks the way a connector walks and says in plain words what is wrong and what to change.

Each check is one small function that yields findings. The settings and the database are looked at
here; the endpoint is met over HTTP, as a client meets it.
"""

import asyncio
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx2
import openai
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.checks import ERROR
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from access import algorithms, checks, discovery, signing
from access.keys import FETCH_SECONDS, KeysUnavailable, key_set
from access.tokens import REMEDY, InvalidToken, Verifier, verifier
from mcpsite import conf

Level = Literal["error", "warning", "info", "ok"]

TIME_LIMIT = 15.0
"""Seconds for one request; clients themselves give up after about a minute."""
TOKEN_SECONDS = 300
MODERN = "2026-07-28"
MOST_FILES = 20_000
"""Files of a vector store that are compared one by one."""
ANNOTATIONS = {
    "readOnlyHint": True,
    "destructiveHint": False,
    "idempotentHint": True,
    "openWorldHint": False,
}
FIRST_REQUEST: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": "openai-mcp-discover",
    "method": "server/discover",
    "params": {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientInfo": {"name": "openai-mcp", "version": "1.0.0"},
            "io.modelcontextprotocol/clientCapabilities": {
                "experimental": {"openai/visibility": {"enabled": True}},
                "extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}},
            },
        }
    },
}
"""What ChatGPT sends first (client-contract 6)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was looked at."""

    id: str
    """Stable, for scripts: `access.E001` for a setting, else words with hyphens."""
    level: Level
    """`error`: it stops clients. `warning`: it will surprise somebody. `info`: not looked at. `ok`: fine."""
    what: str
    """What is wrong, or what is fine: one plain sentence or two."""
    change: str = ""
    """What to change; empty where nothing has to be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """Where to knock, and as whom."""

    url: str
    """The endpoint that is called."""
    resource: str
    """The `resource` that its metadata has to name."""
    http: httpx2.Client
    token: str = ""

    @property
    def origin(self) -> str:
        return conf.origin_of(self.url)

    def post(
        self, body: Mapping[str, Any], *, token: str = "", url: str = "", **headers: str
    ) -> httpx2.Response:
        """One JSON-RPC message as a modern client sends it; raises httpx2.HTTPError."""
        sent = {
            "Accept": "application/json, text/event-stream",
            "Mcp-Protocol-Version": MODERN,
            "Mcp-Method": body["method"],
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **({"Mcp-Name": body["params"]["name"]} if "name" in body["params"] else {}),
            **headers,
        }
        return self.http.post(url or self.url, json=body, headers=sent)

    def result(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of one request with the token; raises Refused and httpx2.HTTPError."""
        # Not as ChatGPT: the audit trail shall say who called.
        meta = {
            **FIRST_REQUEST["params"]["_meta"],
            "io.modelcontextprotocol/clientInfo": {"name": "doctor", "version": "1"},
        }
        answer = self.post(
            {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}},
            token=self.token,
        )
        said = _object(answer)
        if answer.status_code != httpx2.codes.OK or not isinstance(said.get("result"), dict):
            raise Refused(_said(answer))
        result: dict[str, Any] = said["result"]
        return result


class Refused(Exception):
    """The endpoint answered with something else than a result: what it said."""


def examine(*, url: str = "", token: str = "") -> list[Finding]:
    """Everything that was found, in the order of a connector's way. Synchronous; no event loop may run.

    `url`: the public address; by default this machine's own server. `token`: an access token; by
    default one that the site signs for this look, where it signs its own.
    """
    found = [*about_settings(), *about_database()]
    found += [*about_vector_store(), *about_issuer()]
    target = conf.resource_url(url) if url else _local_url()
    resource = target if url else settings.RESOURCE_SERVER_URL
    if not url and settings.PUBLIC:
        found.append(
            Finding(
                id="public-address-not-tried",
                level="info",
                what=f"The server was called at {target}, not at its public address.",
                change=f"Run doctor with --url {settings.RESOURCE_SERVER_URL} to go by way of its proxy.",
            )
        )
    # A company's proxy is for the outside, not for a server on this machine.
    with httpx2.Client(
        follow_redirects=False, timeout=TIME_LIMIT, trust_env=not conf.is_loopback(target)
    ) as http:
        visit = Visit(url=target, resource=resource, http=http)
        endpoint = list(about_endpoint(visit))
        found += endpoint
        reachable = not any(each.level == "error" for each in endpoint)
        if reachable:
            found += about_metadata(visit)
        given = bool(token)
        if not token:
            token, missing = own_token()
            found += missing
        if token:
            judged = list(about_token(token, given=given))
            found += judged
            if reachable and not stops_clients(judged):
                found += replay(Visit(url=target, resource=resource, http=http, token=token))
    return found


def stops_clients(found: Iterable[Finding]) -> bool:
    """Whether something that was found would stop a client."""
    return any(each.level == "error" for each in found)


def _local_url() -> str:
    return settings.RESOURCE_SERVER_URL if not settings.PUBLIC else f"http://localhost:{settings.PORT}/mcp"


# Settings and database


def about_settings() -> Iterator[Finding]:
    """The findings of `manage.py check --deploy` that are about clients."""
    messages = checks.check_settings()
    for message in messages:
        level: Level = "error" if message.level >= ERROR else "warning"
        yield Finding(id=message.id or "", level=level, what=str(message.msg), change=message.hint or "")
    if not messages:
        yield Finding(id="settings", level="ok", what="The settings agree with each other.")


def about_database() -> Iterator[Finding]:
    """Whether the database answers, has its tables, and holds something to publish."""
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        yield Finding(
            id="database-unreachable",
            level="error",
            what="The database cannot be used.",
            change="Check DATABASE_URL and whether the database runs.",
        )
        return
    if waiting:
        yield Finding(
            id="migrations-missing",
            level="error",
            what=f"{len(waiting)} migrations are not applied, so tools fail.",
            change="Run manage.py migrate.",
        )
        return
    yield from default_group()
    yield from data_present()


def default_group() -> Iterator[Finding]:
    name = settings.ACCESS_DEFAULT_GROUP
    if name and not Group.objects.filter(name=name).exists():
        yield Finding(
            id="default-group-missing",
            level="error",
            what=f"ACCESS_DEFAULT_GROUP is {name}, but there is no such group; new people may do nothing.",
            change="Make the group in the admin, or correct ACCESS_DEFAULT_GROUP.",
        )


def data_present() -> Iterator[Finding]:
    rows = apps.get_model("airfare", "FareRow")._default_manager.count()
    transcripts = apps.get_model("transcripts", "Transcript")._default_manager.filter(published=True).count()
    if not rows:
        yield Finding(
            id="airfare-empty",
            level="warning",
            what="There are no airfare rows.",
            change="Run manage.py load_airfare, with TREND_DATA_DIR set to your files.",
        )
    if not transcripts:
        yield Finding(
            id="transcripts-empty",
            level="warning",
            what="There are no published transcripts, so search finds nothing.",
            change="Run manage.py upload_transcripts, or publish some in the admin.",
        )
    if rows and transcripts:
        yield Finding(
            id="data",
            level="ok",
            what=f"The database holds {rows:,} airfare rows, {transcripts:,} transcripts.",
        )


# The vector store


def about_vector_store() -> Iterator[Finding]:
    """Whether the store that search asks is there and holds what the database says."""
    from transcripts.stores import base  # an app above this one; only doctor looks at all of them

    if base.chosen() != "openai" or not (settings.OPENAI_API_KEY and settings.VECTOR_STORE_ID):
        return
    from transcripts.stores.openai_client import sentence

    try:
        expired, held, complete = asyncio.run(_vector_store())
    except (openai.APIError, TimeoutError) as error:
        level: Level = "warning" if settings.TRANSCRIPT_STORE_FALLBACK else "error"
        fallback = " Until then the local index answers." if level == "warning" else ""
        yield Finding(
            id="vector-store-unreachable",
            level=level,
            what=f"The vector store {settings.VECTOR_STORE_ID} cannot be used.{fallback}",
            change=sentence(error),
        )
        return
    if expired:
        yield Finding(
            id="vector-store-expired",
            level="warning",
            what=f"The vector store {settings.VECTOR_STORE_ID} has expired; what it held is gone.",
            change="Unset VECTOR_STORE_ID, run manage.py upload_transcripts, and set the id that it prints.",
        )
        return
    try:
        yield from _against_database(held, complete=complete)
    except DatabaseError:
        return  # Said by about_database.


async def _vector_store() -> tuple[bool, set[str], bool]:
    """Whether the store has expired, the ids of the files it holds, and whether those are all."""
    from transcripts.stores.openai_client import open_client

    async with (
        asyncio.timeout(4 * TIME_LIMIT),
        open_client(timeout=TIME_LIMIT, connections=1) as client,
    ):
        store = await client.vector_stores.retrieve(settings.VECTOR_STORE_ID)
        held: set[str] = set()
        if store.status != "expired":
            async for file in client.vector_stores.files.list(store.id, limit=100):
                held.add(file.id)
                if len(held) >= MOST_FILES:
                    return False, held, False
        return store.status == "expired", held, True


def _against_database(held: set[str], *, complete: bool) -> Iterator[Finding]:
    files = apps.get_model("transcripts", "VectorStoreFile")._default_manager.filter(
        store_id=settings.VECTOR_STORE_ID
    )
    done = set(files.filter(status="completed").values_list("file_id", flat=True))
    missing = len(done - held) if complete else 0
    waiting = (
        apps.get_model("transcripts", "Transcript")
        ._default_manager.filter(published=True)
        .exclude(pk__in=files.filter(status="completed").values("transcript_id"))
        .count()
    )
    if missing:
        yield Finding(
            id="vector-store-lost-files",
            level="warning",
            what=f"{missing} transcripts are recorded as uploaded, but the vector store does not hold them.",
            change="Run manage.py upload_transcripts.",
        )
    if waiting:
        yield Finding(
            id="vector-store-behind",
            level="warning",
            what=f"{waiting} published transcripts are not in the vector store, so search misses them.",
            change="Run manage.py upload_transcripts.",
        )
    if not missing and not waiting:
        yield Finding(id="vector-store", level="ok", what="The vector store agrees with the database.")


# The issuer


def about_issuer() -> Iterator[Finding]:
    """What a client reads of the authorization server, and the keys that we read."""
    issuer = signing.issuer()
    setting = "RESOURCE_SERVER_URL" if signing.is_own_issuer() else "AUTH0_ISSUER"
    try:
        document = asyncio.run(_in_time(discovery.metadata(issuer)))
    except discovery.IssuerDiffers as error:
        yield Finding(
            id="issuer-differs",
            level="error",
            what=f"For a client {_sentence(error)}",
            change=f"Correct {setting}: it has to be equal to the letter, trailing slash included.",
        )
        return
    except (discovery.DiscoveryFailed, TimeoutError) as error:
        yield Finding(
            id="issuer-unreachable",
            level="error",
            what=f"Nobody can sign in: the metadata of {issuer} cannot be read. {_sentence(error)}",
            change="Start the server."
            if signing.is_own_issuer()
            else "Check AUTH0_ISSUER, this machine's network, and whether the provider is up.",
        )
        return
    before = list(issuer_document(document))
    yield from before
    keys = list(issuer_keys(issuer))
    yield from keys
    if not before and not keys:
        yield Finding(id="issuer", level="ok", what=f"The issuer {issuer} can be discovered and used.")


def issuer_document(document: Mapping[str, Any]) -> Iterator[Finding]:
    for name in ("authorization_endpoint", "token_endpoint"):
        if not isinstance(document.get(name), str):
            yield Finding(
                id="issuer-incomplete",
                level="error",
                what=f"The issuer's metadata has no {name}.",
                change="Use an issuer that offers the authorization code flow.",
            )
    if "S256" not in (document.get("code_challenge_methods_supported") or []):
        yield Finding(
            id="issuer-without-pkce",
            level="error",
            what="The issuer does not advertise PKCE with S256 (code_challenge_methods_supported), "
            "so clients refuse to start.",
            change="Switch PKCE with S256 on at the provider and have its metadata say so.",
        )
    if not document.get("registration_endpoint") and not document.get(
        "client_id_metadata_document_supported"
    ):
        yield Finding(
            id="issuer-without-registration",
            level="warning",
            what="Clients cannot register themselves at the issuer: it has neither dynamic registration "
            "nor client id metadata documents.",
            change="Enable DCR or CIMD at the provider, or give each client a client id by hand.",
        )


def issuer_keys(issuer: str) -> Iterator[Finding]:
    try:
        keys = key_set(asyncio.run(_in_time(discovery.published_keys(issuer))))
    except (discovery.DiscoveryFailed, TimeoutError) as error:
        yield Finding(
            id="keys-unusable",
            level="error",
            what=f"The issuer's signing keys cannot be used: {_sentence(error)}",
            change="Check the jwks_uri of the provider's metadata from this machine.",
        )
        return
    allowed = algorithms.allowed(settings.JWT_ALGORITHMS)
    if not any(key.fits(alg) for key in keys.keys for alg in allowed):
        offered = ", ".join(sorted({key.alg or key.kty for key in keys.keys}))
        yield Finding(
            id="keys-of-another-algorithm",
            level="error",
            what=f"The issuer signs with {offered}; JWT_ALGORITHMS allows {', '.join(sorted(allowed))}.",
            change="Set JWT_ALGORITHMS to the provider's algorithm, or change the one of the API there.",
        )


async def _in_time(work: Any) -> Any:
    async with asyncio.timeout(FETCH_SECONDS):
        return await work


# The endpoint


def about_endpoint(visit: Visit) -> Iterator[Finding]:
    """The first request, without a token: each client has to be challenged there."""
    for url in (visit.url, f"{visit.url}/"):
        try:
            answer = visit.post(FIRST_REQUEST, url=url)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            yield unreachable(url, error)
            return
        fault = challenge_fault(visit, url, answer)
        if fault is not None:
            yield fault
            return
    yield Finding(id="endpoint", level="ok", what=f"{visit.url} answers and asks clients to sign in.")


def unreachable(url: str, error: Exception) -> Finding:
    where = urlsplit(url)
    local = conf.is_loopback(url)
    return Finding(
        id="endpoint-unreachable",
        level="error",
        what=f"{url} cannot be reached ({type(error).__name__}: {_line(str(error))}).",
        change="Start the server (make run), or set PORT to the one it listens on."
        if local
        else f"Check the tunnel or proxy, the name {where.hostname} and its certificate.",
    )


def challenge_fault(visit: Visit, url: str, answer: httpx2.Response) -> Finding | None:
    """What is wrong with the answer to a request without a token; None where it is as it should be."""
    status = answer.status_code
    error = partial(Finding, level="error")
    if answer.is_redirect:
        return error(
            id="endpoint-redirects",
            what=f"{url} redirects to {_line(answer.headers.get('location', ''))}; clients do not follow it.",
            change="Give clients the address that answers itself, or take the redirect out of the proxy.",
        )
    if status == httpx2.codes.MISDIRECTED_REQUEST:
        return error(
            id="endpoint-refuses-host",
            what=f"The server does not know itself by the name {urlsplit(url).netloc}.",
            change=f"Set RESOURCE_SERVER_URL to {visit.url} and restart, or add the name to ALLOWED_HOSTS.",
        )
    if status == httpx2.codes.SERVICE_UNAVAILABLE:
        return error(
            id="endpoint-unavailable",
            what="The MCP server could not start, or cannot judge tokens.",
            change="Read the server's log: the reason stands there.",
        )
    challenge = answer.headers.get("www-authenticate", "")
    if status != httpx2.codes.UNAUTHORIZED:
        kind = answer.headers.get("content-type", "nothing")
        return error(
            id="endpoint-not-challenged",
            what=f"{url} answered {status} ({_line(kind)}) to a request without a token, not 401; "
            "clients would never sign in.",
            change="Something else answers there (a tunnel's warning page, a proxy, another program): "
            "let requests through to this server unchanged.",
        )
    metadata = _parameter(challenge, "resource_metadata")
    if not challenge.lower().startswith("bearer ") or not metadata:
        return error(
            id="challenge-incomplete",
            what="The 401 does not say where to sign in (no WWW-Authenticate with resource_metadata).",
            change="Have the proxy pass the header WWW-Authenticate on.",
        )
    expected = f"{conf.origin_of(visit.resource)}/.well-known/oauth-protected-resource/mcp"
    if metadata != expected:
        return error(
            id="challenge-elsewhere",
            what=f"The 401 sends clients to {_line(metadata)}, not to {expected}.",
            change=f"Set RESOURCE_SERVER_URL to {visit.resource} and restart the server, or give clients the "
            "address that it is set to.",
        )
    return None


def about_metadata(visit: Visit) -> Iterator[Finding]:
    """The protected resource metadata (RFC 9728), at both of its addresses."""
    for path in ("/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"):
        url = f"{visit.origin}{path}"
        try:
            answer = visit.http.get(url)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            yield unreachable(url, error)
            return
        found = list(metadata_faults(visit, url, answer))
        yield from found
        if found:
            return
    yield Finding(id="metadata", level="ok", what="The resource metadata names this address and the issuer.")


def metadata_faults(visit: Visit, url: str, answer: httpx2.Response) -> Iterator[Finding]:
    document = _object(answer)
    if answer.status_code != httpx2.codes.OK or not document:
        yield Finding(
            id="metadata-missing",
            level="error",
            what=f"{url} answered {answer.status_code} and no JSON document; clients find no way to sign in.",
            change="Let paths under /.well-known/ through to this server, without redirects or a login.",
        )
        return
    if document.get("resource") != visit.resource:
        yield Finding(
            id="metadata-other-resource",
            level="error",
            what=f"The metadata says that the resource is {_line(str(document.get('resource')))}, "
            f"but clients are told {visit.resource}; they stop there.",
            change=f"Set RESOURCE_SERVER_URL to {visit.resource} and restart, or tell clients the other one.",
        )
    servers = document.get("authorization_servers")
    # The built-in server is named after the address, so another address is said once, above.
    if servers != [signing.issuer()] and (document.get("resource") == visit.resource):
        yield Finding(
            id="metadata-other-issuer",
            level="error",
            what=f"The metadata names the authorization servers {_line(json.dumps(servers))}, "
            f"the settings here {signing.issuer()}.",
            change="Restart the server: it runs with other settings than this command.",
        )
    if "offline_access" in (document.get("scopes_supported") or []):
        yield Finding(
            id="metadata-offline-access",
            level="warning",
            what="The metadata lists offline_access, which is no scope of a resource.",
            change="Update the server.",
        )


# The token


def own_token() -> tuple[str, list[Finding]]:
    """A token that the site signs for this look, or why there is none."""
    if not signing.is_own_issuer():
        skipped = Finding(
            id="token-not-given",
            level="info",
            what="No token was given, so signing in, search and fetch were not tried.",
            change="Run doctor with --token and an access token of your provider.",
        )
        return "", [skipped]
    try:
        user = get_user_model()._default_manager.filter(is_active=True, is_superuser=True).first()
    except DatabaseError:
        return "", []  # Said by about_database.
    if user is None:
        missing = Finding(
            id="no-administrator",
            level="warning",
            what="There is no active administrator, so nobody could be signed in for this look.",
            change="Run manage.py createsuperuser.",
        )
        return "", [missing]
    token = signing.issue(
        signing.subject_of(user),
        scopes=settings.REQUIRED_SCOPES,
        lifetime=TOKEN_SECONDS,
        client_id="doctor",
    )
    return token, []


TOKEN_CHANGES: dict[str, str] = {
    "encrypted": f"{REMEDY}.",
    "opaque": f"{REMEDY}. Where your provider gives out opaque tokens only, set INTROSPECTION_ENDPOINT.",
    "audience": f"{REMEDY}. Or add the token's aud to JWT_AUDIENCES, if it is yours.",
    "issuer": "Set AUTH0_ISSUER to the token's iss to the letter, if that is your provider.",
    "expired": "Get a fresh token; clients refresh theirs by themselves.",
    "clock": "Set this machine's clock by NTP; the provider's is ahead of it.",
    "unknown-key": "Get a fresh token: this one was signed with a key that the issuer has withdrawn, or by "
    "another tenant.",
    "signature": "Get a fresh token and copy it whole; this one was changed or cut.",
    "algorithm": "Set JWT_ALGORITHMS to what the provider signs with, or change it there.",
    "kind": "Use the access token, not the ID token or the refresh token.",
    "lifetime": "Shorten the life of access tokens at the provider, or raise JWT_MAX_LIFETIME_SECONDS.",
    "inactive": "Get a fresh token; the provider says that this one has expired or was revoked.",
    "subject": "Have the provider put `sub` into access tokens.",
}


def about_token(token: str, *, given: bool) -> Iterator[Finding]:
    """What is wrong with this token, as this site's own verifier sees it."""
    try:
        claims = asyncio.run(_fresh_verifier().verify(token))
    except InvalidToken as error:
        yield Finding(
            id=f"token-{error.code}",
            level="error",
            what=f"The token is refused: {error.reason.replace(f': {REMEDY}', '')}",
            change=_capital(TOKEN_CHANGES.get(error.code, "Get another token from your provider.")),
        )
        return
    except KeysUnavailable:
        yield Finding(
            id="token-not-judged",
            level="error",
            what="Nobody can tell whether the token is good: the issuer's keys, or its introspection "
            "endpoint, cannot be used.",
            change="See the log and the findings about the issuer.",
        )
        return
    lacking = sorted(set(settings.REQUIRED_SCOPES) - claims.scopes)
    if lacking:
        yield Finding(
            id="token-scopes",
            level="error",
            what=f"The token lacks {', '.join(lacking)}, which REQUIRED_SCOPES demands; it has "
            f"{', '.join(sorted(claims.scopes)) or 'none'}.",
            change="Let the provider grant these scopes to the client, or take them out of REQUIRED_SCOPES.",
        )
        return
    left = claims.expires_at - time.time()
    if given:
        yield Finding(id="token", level="ok", what=f"The token is good for another {left:.0f} s.")


def _fresh_verifier() -> Verifier:
    verifier.cache_clear()  # Keys belong to the event loop that fetched them.
    return verifier()


# The replay


def replay(visit: Visit) -> Iterator[Finding]:
    """ChatGPT's first request, the list of tools, and `search` and `fetch` against their contract."""
    try:
        first = list(first_request(visit))
        yield from first
        if stops_clients(first):
            return
        tools = visit.result("tools/list").get("tools")
        listed = {
            each["name"]: each
            for each in (tools if isinstance(tools, list) else [])
            if isinstance(each, dict) and isinstance(each.get("name"), str)
        }
        yield from tools_listed(listed)
        if {"search", "fetch"} <= listed.keys():
            yield from search_and_fetch(visit)
    except Refused as error:
        yield Finding(
            id="call-refused",
            level="error",
            what=f"A request with the token was refused: {error}",
            change="See the server's log for the reason.",
        )
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        yield unreachable(visit.url, error)


def first_request(visit: Visit) -> Iterator[Finding]:
    answer = visit.post(FIRST_REQUEST, token=visit.token)
    result = _object(answer).get("result")
    versions = result.get("supportedVersions") if isinstance(result, dict) else None
    if answer.status_code == httpx2.codes.UNAUTHORIZED:
        yield Finding(
            id="first-request-refused",
            level="error",
            what=f"The running server refuses the token: {_said(answer)}",
            change="The token is good for the settings here, so the server runs with other settings or "
            "keys, or the token was revoked: restart the server, or get a fresh token.",
        )
    elif answer.status_code != httpx2.codes.OK or not isinstance(result, dict):
        yield Finding(
            id="first-request-failed",
            level="error",
            what=f"ChatGPT's first request (server/discover) fails: {_said(answer)}",
            change="See the server's log for the reason.",
        )
    elif not isinstance(versions, list) or MODERN not in versions:
        yield Finding(
            id="first-request-version",
            level="error",
            what=f"The server does not offer MCP {MODERN}, which ChatGPT asks for first.",
            change="Update the server.",
        )
    else:
        yield Finding(id="first-request", level="ok", what="ChatGPT's first request is answered.")


def tools_listed(listed: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    if not listed:
        yield Finding(
            id="no-tools",
            level="error",
            what="This caller is shown no tools.",
            change="Put the user into a group that may read, in the admin under Users.",
        )
        return
    for name, parameter in (("search", "query"), ("fetch", "id")):
        if name not in listed:
            yield Finding(
                id=f"{name}-missing",
                level="warning",
                what=f"This caller is not shown {name}, which deep research and company knowledge need.",
                change="Grant the user “Can view transcript”, in the admin under Users or Groups.",
            )
            continue
        schema = listed[name].get("inputSchema") or {}
        kind = (schema.get("properties") or {}).get(parameter, {}).get("type")
        if set(schema.get("properties") or {}) != {parameter} or kind != "string":
            yield _out_of_contract(name, f"it has to take {parameter} (a text) and nothing else")
    unmarked = sorted(
        name
        for name, tool in listed.items()
        if not ANNOTATIONS.keys() <= (tool.get("annotations") or {}).keys()
    )
    if unmarked:
        yield Finding(
            id="tools-without-annotations",
            level="warning",
            what=f"ChatGPT asks for confirmation at each call of {', '.join(unmarked)}: hints are missing.",
            change="Set all four annotations on these tools.",
        )


def search_and_fetch(visit: Visit) -> Iterator[Finding]:
    """`search` and `fetch` as deep research uses them (client-contract 23 to 27)."""
    faults = list(_search_faults(visit))
    yield from faults
    if not faults:
        yield Finding(id="search-and-fetch", level="ok", what="search and fetch keep to their contract.")


def _search_faults(visit: Visit) -> Iterator[Finding]:
    blank = _content(visit.result("tools/call", name="search", arguments={"query": " "}))
    if blank != {"results": []}:
        yield _out_of_contract("search", "a blank query has to give no results and no error")
    title = _some_title()
    found = _content(visit.result("tools/call", name="search", arguments={"query": title}))
    results = found.get("results") if found is not None else None
    if not isinstance(results, list):
        yield _out_of_contract("search", "it has to answer {results: […]}, twice the same: as structured "
                               "content and as one text")  # fmt: skip
        return
    if not results:
        yield Finding(
            id="search-finds-nothing",
            level="warning",
            what=f"search finds nothing for “{title}”.",
            change="Run manage.py upload_transcripts, and see which collections this caller may read.",
        )
        return
    for result in results:
        if not _texts(result, "id", "title", "url"):
            yield _out_of_contract("search", "each result has to have an id, a title and a url")
            return
    yield from _fetch_faults(visit, results[0])
    missing = visit.result("tools/call", name="fetch", arguments={"id": "no-such-transcript"})
    if missing.get("isError") is not True:
        yield _out_of_contract("fetch", "an unknown id has to be an error")


def _fetch_faults(visit: Visit, result: Mapping[str, Any]) -> Iterator[Finding]:
    document = _content(visit.result("tools/call", name="fetch", arguments={"id": result["id"]}))
    if document is None or not _texts(document, "id", "title", "text", "url"):
        yield _out_of_contract("fetch", "a document has to have an id, a title, a text and a url")
        return
    metadata = document.get("metadata")
    if metadata is not None and not (
        isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())
    ):
        yield _out_of_contract("fetch", "metadata has to be texts by name")
    page = document["url"]
    if conf.origin_of(page) != conf.origin_of(visit.resource):
        yield Finding(
            id="citations-elsewhere",
            level="error",
            what=f"Citations lead to {_line(page)}, which is not on {conf.origin_of(visit.resource)}.",
            change=f"Set RESOURCE_SERVER_URL to {visit.resource} and restart the server.",
        )
        return
    # By the address that is looked at, which may be this machine's.
    path = page.removeprefix(conf.origin_of(page)).partition("#")[0]
    answer = visit.http.get(f"{visit.origin}{path}", headers={"Accept": "text/html"})
    if answer.status_code >= httpx2.codes.BAD_REQUEST:
        yield Finding(
            id="citations-broken",
            level="warning",
            what=f"A citation leads to {_line(page)}, which answers {answer.status_code}.",
            change="Let paths under /transcripts/ through to this server.",
        )


def _some_title() -> str:
    try:
        transcript = (
            apps.get_model("transcripts", "Transcript")._default_manager.filter(published=True).first()
        )
    except DatabaseError:
        transcript = None
    return str(transcript) if transcript is not None else "interview with an expert"


def _out_of_contract(name: str, rule: str) -> Finding:
    return Finding(
        id=f"{name}-out-of-contract",
        level="error",
        what=f"{name} does not keep to the contract of deep research: {rule}.",
        change="Update the server, or restart it if it runs older code.",
    )


def _content(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a tool answered, where it says the same as structured content and as its only text.

    Raises Refused with the words of a tool error: no access, a limit, a store that is down.
    """
    structured, content = result.get("structuredContent"), result.get("content")
    if result.get("isError"):
        words = content[0].get("text") if isinstance(content, list) and content else ""
        raise Refused(_line(str(words or "a tool error without a reason")))
    if (
        not isinstance(structured, dict)
        or not isinstance(content, list)
        or len(content) != 1
        or not isinstance(content[0], dict)
    ):
        return None
    try:
        same = json.loads(content[0].get("text", "")) == structured
    except (ValueError, TypeError):
        same = False
    return structured if same else None


def _texts(value: object, *names: str) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) and value[name] for name in names)


def _object(answer: httpx2.Response) -> dict[str, Any]:
    try:
        value = answer.json()
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}


def _said(answer: httpx2.Response) -> str:
    """What an answer says went wrong: its status and its sentence."""
    body = _object(answer)
    error = body.get("error")
    sentence = error.get("message") if isinstance(error, dict) else body.get("error_description") or error
    return f"{answer.status_code} {_line(str(sentence or 'without a reason'))}"


def _parameter(challenge: str, name: str) -> str:
    """The quoted parameter `name` of a challenge (RFC 9110 §11.2), or an empty text."""
    _, found, rest = challenge.partition(f'{name}="')
    return rest.partition('"')[0] if found else ""


def _line(text: str) -> str:
    """Somebody else's text on one line, bounded."""
    text = "".join(each if each.isprintable() else " " for each in text)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"It took longer than {FETCH_SECONDS:g} seconds."
    return f"{error}."
