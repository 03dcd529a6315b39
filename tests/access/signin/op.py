"""An OpenID provider on loopback, over real HTTP, that can be told to misbehave."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.access.issuer import mint, public_jwk, rsa_key
from tests.loopback_http import Handler, listening

CLIENT_ID = "site"
CLIENT_SECRET = "s3cret:&"
KEY = rsa_key("sign-in")
SLOW = 2.0


@dataclass
class Grant:
    """What a code stands for."""

    subject: str
    asked: dict[str, str]
    claims: dict[str, object]


@dataclass
class Provider:
    """The provider's state, and what it does wrong."""

    origin: str
    requests: list[str] = field(default_factory=list)
    grants: dict[str, Grant] = field(default_factory=dict)
    access_tokens: dict[str, Grant] = field(default_factory=dict)
    slow: set[str] = field(default_factory=set)
    """Paths that take SLOW seconds."""
    methods: tuple[str, ...] = ("client_secret_basic",)
    """How a client may prove itself."""
    metadata: dict[str, object] = field(default_factory=dict)
    """Changes to the metadata document; a member that is None is left out."""
    id_token: dict[str, object] = field(default_factory=dict)
    """Changes to the claims of ID tokens."""
    signing: dict[str, Any] = field(default_factory=dict)
    """Arguments for the signature: key, alg, header."""
    userinfo: dict[str, object] = field(default_factory=dict)
    answers: dict[str, tuple[int, bytes, dict[str, str]]] = field(default_factory=dict)
    """Path → what is answered there instead."""

    @property
    def issuer(self) -> str:
        return self.origin

    def document(self) -> dict[str, object]:
        document: dict[str, object] = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.origin}/keys",
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{self.origin}/token",
            "userinfo_endpoint": f"{self.origin}/userinfo",
            "end_session_endpoint": f"{self.origin}/end",
            "authorization_response_iss_parameter_supported": True,
        } | self.metadata
        return {name: value for name, value in document.items() if value is not None}

    def sign_in(self, authorization: str, subject: str = "alice", **claims: object) -> str:
        """The person signs in on the page at `authorization`; the query of the callback."""
        asked = dict(parse_qsl(urlsplit(authorization).query))
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self.grants[code] = Grant(subject, asked, claims)
        return urlencode({"code": code, "state": asked["state"], "iss": self.issuer})

    def refuse(self, authorization: str, error: str) -> str:
        """The query of the callback for an error."""
        asked = dict(parse_qsl(urlsplit(authorization).query))
        return urlencode({"error": error, "state": asked["state"], "iss": self.issuer})

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, object]:
        method = "client_secret_basic" if authorization else "client_secret_post"
        method = method if authorization or "client_secret" in form else "none"
        pair = base64.b64encode(b"site:s3cret%3A%26").decode()
        good = {
            "client_secret_basic": authorization == f"Basic {pair}",
            "client_secret_post": form.get("client_secret") == CLIENT_SECRET,
            "none": form.get("client_id") == CLIENT_ID,
        }[method]
        if method not in self.methods or not good:
            return 401, {"error": "invalid_client"}
        grant = self.grants.pop(form["code"], None)
        if grant is None:
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if grant.asked["code_challenge"] != challenge or grant.asked["redirect_uri"] != form["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": self.issuer,
            "sub": grant.subject,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": grant.asked["nonce"],
        }
        claims = claims | grant.claims | self.id_token
        signature: dict[str, Any] = {"key": KEY, "header": {"typ": "JWT", "kid": "op"}} | self.signing
        signed = mint({name: value for name, value in claims.items() if value is not None}, **signature)
        access_token = secrets.token_urlsafe(8)
        self.access_tokens[access_token] = grant
        return 200, {"id_token": signed, "access_token": access_token, "token_type": "Bearer"}

    def about(self, authorization: str) -> tuple[int, object]:
        grant = self.access_tokens.get(authorization.removeprefix("Bearer "))
        return (200, {"sub": grant.subject, **self.userinfo}) if grant else (401, {"error": "invalid_token"})


@contextmanager
def provider() -> Iterator[Provider]:
    """A provider that listens, until the end of the block."""

    class Answering(Handler):
        def get(self) -> None:
            serving.requests.append(self.path)
            time.sleep(SLOW if self.path in serving.slow else 0)
            if self.path in serving.answers:
                self.answer(*serving.answers[self.path])
            elif self.path == "/.well-known/openid-configuration":
                self.say(200, serving.document())
            elif self.path == "/keys":
                self.say(200, {"keys": [public_jwk(KEY, "op")]})
            elif self.path == "/userinfo":
                self.say(*serving.about(self.headers.get("Authorization", "")))
            else:
                self.say(404, {})

        def post(self) -> None:
            serving.requests.append(self.path)
            time.sleep(SLOW if self.path in serving.slow else 0)
            form = dict(parse_qsl(self.read_body().decode()))
            if self.path in serving.answers:
                self.answer(*serving.answers[self.path])
            else:
                self.say(*serving.token(form, self.headers.get("Authorization", "")))

        def say(self, status: int, document: object) -> None:
            self.answer(status, json.dumps(document).encode(), {"Content-Type": "application/json"})

    with listening(Answering) as port:
        serving = Provider(f"http://127.0.0.1:{port}")
        yield serving
