"""The resource metadata: it has to name this address and the issuer."""

import json
from collections.abc import Iterator

import httpx2

from mcpsite.access import signing
from mcpsite.core.findings import Finding, one_line
from mcpsite.doctor.visit import Visit, response_object, unreachable


def about_metadata(visit: Visit) -> Iterator[Finding]:
    """Yield what is found in the protected resource metadata (RFC 9728), at both of its addresses."""
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
    document = response_object(answer)
    if answer.status_code != httpx2.codes.OK or not document:
        yield Finding(
            id="metadata-missing",
            level="error",
            what=f"{url} answered {answer.status_code} without a JSON document; clients cannot find out "
            "where to sign in.",
            change="Let paths under /.well-known/ through to this server, without redirects or a login.",
        )
        return
    if document.get("resource") != visit.resource:
        yield Finding(
            id="metadata-other-resource",
            level="error",
            what=f"The metadata says that the resource is {one_line(str(document.get('resource')))}, but "
            f"clients use {visit.resource}, so they refuse to connect.",
            change=f"Set RESOURCE_SERVER_URL to {visit.resource} and restart, or give clients the other "
            "address.",
        )
    servers = document.get("authorization_servers")
    # The built-in server is named after the address, so a different address is reported once, above.
    if servers != [signing.issuer()] and (document.get("resource") == visit.resource):
        yield Finding(
            id="metadata-other-issuer",
            level="error",
            what=f"The metadata names the authorization servers {one_line(json.dumps(servers))}, but the "
            f"settings name {signing.issuer()}.",
            change="Restart the server: it is running with different settings from this command.",
        )
    if "offline_access" in (document.get("scopes_supported") or []):
        yield Finding(
            id="metadata-offline-access",
            level="warning",
            what="The metadata lists offline_access, which is not a scope of a resource.",
            change="Update the server.",
        )
