"""The authorization server: discoverable, exactly equal, with PKCE, registration and usable keys."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from mcpsite.access import algorithms, discovery, signing
from mcpsite.access.keys import FETCH_SECONDS, key_set
from mcpsite.core.findings import Finding


def about_issuer() -> Iterator[Finding]:
    """Yield what is found in what a client reads of the authorization server, and in our keys."""
    issuer = signing.issuer()
    setting = "RESOURCE_SERVER_URL" if signing.is_own_issuer() else "AUTH0_ISSUER"
    try:
        document = asyncio.run(_in_time(discovery.metadata(issuer)))
    except discovery.IssuerDiffers as error:
        yield Finding(
            id="issuer-differs",
            level="error",
            what=f"The issuer cannot be used: {reading_problem(error)}",
            change=f"Correct {setting}: it has to be exactly the issuer's own name, including the "
            "trailing slash.",
        )
        return
    except (discovery.DiscoveryFailed, TimeoutError) as error:
        yield Finding(
            id="issuer-unreachable",
            level="error",
            what=f"Nobody can sign in: the metadata of {issuer} cannot be read. {reading_problem(error)}",
            change="Start the server."
            if signing.is_own_issuer()
            else "Check AUTH0_ISSUER, this machine's network, and whether the provider is running.",
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
            what="The issuer does not advertise PKCE with S256 (code_challenge_methods_supported), so "
            "clients refuse to connect.",
            change="Enable PKCE with S256 at the provider, and make sure that its metadata lists it.",
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
        keys = key_set(asyncio.run(_in_time(discovery.fetch_keys(issuer))))
    except (discovery.DiscoveryFailed, TimeoutError) as error:
        yield Finding(
            id="keys-unusable",
            level="error",
            what=f"The issuer's signing keys cannot be used: {reading_problem(error)}",
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
            change="Set JWT_ALGORITHMS to the provider's algorithm, or change the API's algorithm at the "
            "provider.",
        )


def reading_problem(error: Exception) -> str:
    """Return why an issuer could not be read, as a sentence."""
    if isinstance(error, TimeoutError):
        return f"It took longer than {FETCH_SECONDS:g} seconds."
    return f"{error}."


async def _in_time(work: Any) -> Any:
    async with asyncio.timeout(FETCH_SECONDS):
        return await work
