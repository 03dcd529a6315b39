"""The endpoint: it has to answer, and to challenge requests without a token."""

from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

import httpx2

from mcpsite.core import conf
from mcpsite.core.findings import Finding, one_line
from mcpsite.doctor.visit import FIRST_REQUEST, Visit, unreachable


def about_endpoint(visit: Visit) -> Iterator[Finding]:
    """Yield what is found in the first request, without a token: each client has to be challenged there."""
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


def challenge_fault(visit: Visit, url: str, answer: httpx2.Response) -> Finding | None:
    """Return what is wrong with the answer to a request without a token; None if nothing is."""
    status = answer.status_code
    error = partial(Finding, level="error")
    if answer.is_redirect:
        target = one_line(answer.headers.get("location", ""))
        return error(
            id="endpoint-redirects",
            what=f"{url} redirects to {target}; clients do not follow it.",
            change="Give clients the address that answers without a redirect, or remove the redirect "
            "from the proxy.",
        )
    if status == httpx2.codes.MISDIRECTED_REQUEST:
        return error(
            id="endpoint-refuses-host",
            what=f"The server does not accept the host name {urlsplit(url).netloc}.",
            change=f"Set RESOURCE_SERVER_URL to {visit.url} and restart, or add the name to ALLOWED_HOSTS.",
        )
    if status == httpx2.codes.SERVICE_UNAVAILABLE:
        return error(
            id="endpoint-unavailable",
            what="The MCP server could not start, or cannot verify tokens.",
            change="See the server's log for the reason.",
        )
    challenge = answer.headers.get("www-authenticate", "")
    if status != httpx2.codes.UNAUTHORIZED:
        kind = answer.headers.get("content-type", "nothing")
        return error(
            id="endpoint-not-challenged",
            what=f"{url} answered {status} ({one_line(kind)}) to a request without a token instead of "
            "401; clients would never sign in.",
            change="Something else answers at that address (a tunnel's warning page, a proxy, another "
            "program): let requests through to this server unchanged.",
        )
    metadata = parameter(challenge, "resource_metadata")
    if not challenge.lower().startswith("bearer ") or not metadata:
        return error(
            id="challenge-incomplete",
            what="The 401 does not say where to sign in (no WWW-Authenticate with resource_metadata).",
            change="Let the proxy pass on the header WWW-Authenticate.",
        )
    expected = f"{conf.origin_of(visit.resource)}/.well-known/oauth-protected-resource/mcp"
    if metadata != expected:
        return error(
            id="challenge-elsewhere",
            what=f"The 401 sends clients to {one_line(metadata)}, not to {expected}.",
            change=f"Set RESOURCE_SERVER_URL to {visit.resource} and restart the server, or give clients "
            "the address in RESOURCE_SERVER_URL.",
        )
    return None


def parameter(challenge: str, name: str) -> str:
    """Return the quoted parameter `name` of a challenge (RFC 9110 §11.2), or an empty text."""
    _, found, rest = challenge.partition(f'{name}="')
    return rest.partition('"')[0] if found else ""
