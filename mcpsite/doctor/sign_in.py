"""People's sign-in: its settings, and whether its provider can be used. Its faults stop no client."""

import asyncio
from collections.abc import Iterator

from django.conf import settings

from mcpsite.access import discovery
from mcpsite.access.keys import KeySet, key_set
from mcpsite.access.signin.backend import redirect_uri
from mcpsite.access.signin.checks import check_sign_in
from mcpsite.core.findings import Finding
from mcpsite.doctor.issuer import reading_problem


def about_sign_in() -> Iterator[Finding]:
    """Yield what would keep people from signing in to the site's pages; nothing if there is no provider."""
    for message in check_sign_in():
        yield Finding(id=message.id or "", level="warning", what=str(message.msg), change=message.hint or "")
    if settings.OIDC_RP_CLIENT_ID:
        yield from about_provider()


def about_provider() -> Iterator[Finding]:
    issuer = settings.OIDC_ISSUER
    try:
        document, keys = asyncio.run(_metadata_and_keys(issuer))
    except discovery.IssuerDiffers:
        yield Finding(
            id="sign-in-issuer-differs",
            level="warning",
            what=f"Nobody can sign in with the provider: its own name for itself is not {issuer}.",
            change="Correct OIDC_ISSUER: it has to be exactly the provider's own name, including the "
            "trailing slash.",
        )
        return
    except (discovery.DiscoveryFailed, TimeoutError) as error:
        yield Finding(
            id="sign-in-unreachable",
            level="warning",
            what=f"Nobody can sign in with the provider {issuer}. {reading_problem(error)}",
            change="Check OIDC_ISSUER, this machine's network, and whether the provider is running.",
        )
        return
    missing = [
        name
        for name in ("authorization_endpoint", "token_endpoint")
        if not discovery.is_safe(str(document.get(name, "")), issuer)
    ]
    if missing:
        yield Finding(
            id="sign-in-incomplete",
            level="warning",
            what=f"Nobody can sign in: the provider's metadata has no usable {' and no '.join(missing)}.",
            change="Use an issuer that offers the authorization code flow over https.",
        )
    elif not any(key.fits(settings.OIDC_RP_SIGN_ALGO) for key in keys.keys):
        yield Finding(
            id="sign-in-algorithm",
            level="warning",
            what=f"Nobody can sign in: the provider publishes no key for {settings.OIDC_RP_SIGN_ALGO}.",
            change="Set OIDC_RP_SIGN_ALGO to the algorithm of its ID tokens, or change that at the provider.",
        )
    else:
        yield Finding(
            id="sign-in",
            level="ok",
            what=f"People can sign in with {issuer}, if {redirect_uri()} is registered there.",
        )
    if "end_session_endpoint" not in document:
        yield Finding(
            id="sign-in-without-sign-out",
            level="info",
            what="The provider has no sign-out page (end_session_endpoint), so people who sign out here "
            "stay signed in there.",
        )


async def _metadata_and_keys(issuer: str) -> tuple[dict[str, object], KeySet]:
    async with asyncio.timeout(settings.OIDC_TIMEOUT):
        return await discovery.metadata(issuer), key_set(await discovery.fetch_keys(issuer))
