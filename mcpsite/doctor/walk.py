"""All checks, in the order of a connector's requests."""

import httpx2
from django.conf import settings

from mcpsite.core import conf
from mcpsite.core.contributions import contributed
from mcpsite.core.findings import Finding, stops_clients
from mcpsite.doctor.cache import about_cache
from mcpsite.doctor.data import about_database
from mcpsite.doctor.endpoint import about_endpoint
from mcpsite.doctor.issuer import about_issuer
from mcpsite.doctor.metadata import about_metadata
from mcpsite.doctor.protocol import replay
from mcpsite.doctor.settings import about_settings
from mcpsite.doctor.sign_in import about_sign_in
from mcpsite.doctor.token import about_token, own_token
from mcpsite.doctor.visit import TIME_LIMIT, Visit


def examine(*, url: str = "", token: str = "") -> list[Finding]:
    """Return all findings, in the order of a connector's requests. Synchronous; no event loop may run.

    `url`: the public address; by default this machine's own server. `token`: an access token; by
    default one that the site signs for this check, if it signs its own.
    """
    found = [*about_settings(), *about_database(), *about_cache()]
    found += [each for about in contributed("doctor", "about_services") for each in about()]
    found += [*about_issuer(), *about_sign_in()]
    target = conf.resource_url(url) if url else _local_url()
    resource = target if url else settings.RESOURCE_SERVER_URL
    if not url and settings.PUBLIC:
        found.append(
            Finding(
                id="public-address-not-tried",
                level="info",
                what=f"The server was called at {target}, not at its public address.",
                change=f"Run doctor with --url {settings.RESOURCE_SERVER_URL} to test through its proxy.",
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


def _local_url() -> str:
    return settings.RESOURCE_SERVER_URL if not settings.PUBLIC else f"http://localhost:{settings.PORT}/mcp"
