"""The provider that the other tests sign in with does what they count on."""

import base64
import hashlib
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx2
import pytest

from tests.e2e.provider import Provider, password

pytestmark = pytest.mark.e2e

SITE = "http://localhost:9999"
CALLBACK = f"{SITE}/oidc/callback/"
SECRET = "a secret of the site, long enough"
VERIFIER = "v" * 43


@pytest.fixture(autouse=True)
def site(provider: Provider) -> None:
    """The site is known to the provider: as an application and as a resource."""
    provider.application("site", SECRET, redirect_uris=[CALLBACK], post_logout_redirect_uris=[f"{SITE}/"])
    provider.set(resources=[f"{SITE}/mcp"])


def authorization(provider: Provider, **more: str) -> str:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": "site",
        "redirect_uri": CALLBACK,
        "scope": "openid email profile",
        "state": "s",
        "nonce": "n",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        **more,
    }
    return f"{provider.issuer}/auth?{urlencode(query)}"


def signed_in(provider: Provider, login: str, browser: httpx2.Client) -> dict[str, Any]:
    """The tokens of somebody who signed in to the site."""
    url = authorization(provider)
    while not url.startswith(SITE):
        page = browser.get(url)
        if not page.is_redirect:
            page = browser.post(url, data={"username": login, "password": password(login)})
        url = urljoin(url, page.headers["location"])
    back = parse_qs(urlsplit(url).query)
    assert back["iss"] == [provider.issuer]
    answer = browser.post(
        f"{provider.issuer}/token",
        data={
            "grant_type": "authorization_code",
            "code": back["code"][0],
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        },
        auth=("site", SECRET),
    )
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def userinfo(provider: Provider, tokens: dict[str, Any]) -> Any:
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return httpx2.get(f"{provider.issuer}/me", headers=headers).raise_for_status().json()


@pytest.mark.parametrize(("login", "groups"), [("alice", ["staff"]), ("bob", [])])
def test_the_groups_of_a_person_are_in_the_id_token_and_at_userinfo(
    provider: Provider, login: str, groups: list[str]
) -> None:
    with httpx2.Client() as browser:
        tokens = signed_in(provider, login, browser)
    said, known = claims(tokens["id_token"]), userinfo(provider, tokens)
    assert (said["groups"], known["groups"]) == (groups, groups)
    assert said["sub"] == known["sub"] == f"person-{login}"
    assert known["email"] == f"{login}@example.com"
    assert said["nonce"] == "n"


def test_a_demotion_shows_at_once_at_userinfo(provider: Provider) -> None:
    with httpx2.Client() as browser:
        tokens = signed_in(provider, "alice", browser)
        provider.account("alice", groups=[])
        try:
            assert userinfo(provider, tokens)["groups"] == []
        finally:
            provider.account("alice", groups=["staff"])


def test_an_outage_forgets_nobody(provider: Provider) -> None:
    with httpx2.Client() as browser:
        tokens = signed_in(provider, "alice", browser)
        provider.go_away()
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(provider.issuer)
        provider.come_back()
        assert userinfo(provider, tokens)["sub"] == "person-alice"


def test_signing_out_ends_the_session_and_leads_back(provider: Provider) -> None:
    with httpx2.Client() as browser:
        tokens = signed_in(provider, "alice", browser)
        query = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": f"{SITE}/"}
        page = browser.get(f"{provider.issuer}/session/end?{urlencode(query)}")
        token = re.search(r'name="xsrf" value="([^"]+)"', page.text)
        assert token is not None
        sent = browser.post(
            f"{provider.issuer}/session/end/confirm", data={"xsrf": token[1], "logout": "yes"}
        )
        assert sent.headers["location"] == f"{SITE}/"
        silent = browser.get(authorization(provider, prompt="none"))
        assert "error=login_required" in silent.headers["location"]


def test_new_keys_sign_what_comes_next(provider: Provider) -> None:
    def kids() -> list[str]:
        return [key["kid"] for key in httpx2.get(f"{provider.issuer}/jwks").json()["keys"]]

    assert kids() == ["first"]
    provider.set(keys=["second", "first"])
    try:
        assert kids() == ["second", "first"]
        with httpx2.Client() as browser:
            header = signed_in(provider, "bob", browser)["id_token"].split(".")[0]
        assert json.loads(base64.urlsafe_b64decode(header + "=="))["kid"] == "second"
    finally:
        provider.set(keys=["first"])
