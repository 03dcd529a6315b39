"""A client of the authorization server, and the person in front of the browser, in the test's process."""

import base64
import hashlib
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

REDIRECT = "https://client.example.com/callback"
VERIFIER = "correct-horse-battery-staple-correct-horse-battery"


def challenge(verifier: str = VERIFIER) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass
class Flow:
    """One client and one person."""

    user: User
    browser: Client = field(default_factory=Client)
    machine: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True))
    client_id: str = ""
    secret: str = ""

    def __post_init__(self) -> None:
        self.browser.force_login(self.user)

    def register(self, **metadata: Any) -> Any:
        """Register; the answer, whose client is used from now on where there is one."""
        asked = {
            "client_name": "Test client",
            "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": "none",
        }
        answer = self.machine.post("/oauth/register", asked | metadata, content_type="application/json")
        if answer.status_code == 201:
            self.client_id = answer.json()["client_id"]
            self.secret = answer.json().get("client_secret", "")
        return answer

    def authorization(self, **changes: Any) -> str:
        """The address that the client sends the browser to; a parameter that is None is left out."""
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT,
            "scope": "openid offline_access",
            "state": "opaque-state",
            "code_challenge": challenge(),
            "code_challenge_method": "S256",
            "resource": settings.RESOURCE_SERVER_URL,
        } | changes
        kept = {name: value for name, value in parameters.items() if value is not None}
        return "/oauth/authorize?" + urlencode(kept, doseq=True)

    def authorize(self, **changes: Any) -> Any:
        """Open the authorization address; the consent page, or whatever comes instead of it."""
        return self.browser.get(self.authorization(**changes))

    def consent(self, page: Any, *, allow: bool = True, **changes: str) -> Any:
        """Press a button of the consent page; the answer."""
        return self.browser.post(
            page.wsgi_request.get_full_path(), fields(page) | changes | ({"allow": "true"} if allow else {})
        )

    def code(self, **changes: Any) -> str:
        """The code that a consent leads to."""
        answer = self.consent(self.authorize(**changes))
        return returned(answer)["code"]

    def token(self, **parameters: Any) -> Any:
        """POST to the token endpoint."""
        body = {
            "client_id": self.client_id,
            **({"client_secret": self.secret} if self.secret else {}),
        } | parameters
        kept = {name: value for name, value in body.items() if value is not None}
        return self.machine.post(
            "/oauth/token", urlencode(kept, doseq=True), content_type="application/x-www-form-urlencoded"
        )

    def exchange(self, code: str, **changes: Any) -> Any:
        parameters = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
            "resource": settings.RESOURCE_SERVER_URL,
        }
        return self.token(**parameters | changes)

    def refresh(self, refresh_token: str, **changes: Any) -> Any:
        return self.token(grant_type="refresh_token", refresh_token=refresh_token, **changes)

    def tokens(self, **changes: Any) -> dict[str, Any]:
        """What the whole dance gives."""
        answer = self.exchange(self.code(**changes))
        assert answer.status_code == 200, answer.content
        result: dict[str, Any] = answer.json()
        return result


def fields(page: Any) -> dict[str, str]:
    """The hidden fields of a page's form."""
    found = re.findall(r'<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?', page.content.decode())
    import html

    return {name: html.unescape(value) for name, value in found}


def returned(answer: Any) -> dict[str, str]:
    """The parameters that a redirect to the client carries."""
    assert answer.status_code == 302, answer.content
    assert answer["Location"].startswith(REDIRECT), answer["Location"]
    return {name: values[0] for name, values in parse_qs(urlsplit(answer["Location"]).query).items()}
