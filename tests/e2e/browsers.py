"""What the tests in a browser and the screenshots share."""

from typing import NamedTuple

import httpx2

from tests.site import Site


class Chromium(NamedTuple):
    """How Debian's Chromium is started.

    The build without windows: the other one opens a whole browser window for each context, headless too,
    and has hung on it.
    """

    path: str = "/usr/bin/chromium-headless-shell"
    arguments: tuple[str, ...] = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


CHROMIUM = Chromium()


def consent_page(site: Site) -> str:
    """The path of a consent page, as a client that has registered itself opens it."""
    back = "http://localhost:6274/oauth/callback"
    made = httpx2.post(
        f"{site.origin}/oauth/register", json={"client_name": "MCP Inspector", "redirect_uris": [back]}
    )
    asked = {
        "client_id": made.json()["client_id"],
        "response_type": "code",
        "redirect_uri": back,
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
        "resource": site.url,
        "scope": "offline_access",
        "state": "s",
    }
    return f"/oauth/authorize?{httpx2.QueryParams(asked)}"
