"""An identity provider for the tests: keys, tokens, and a real HTTP server that can misbehave."""

import base64
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from mcpsite.access.keys import Keys
from mcpsite.access.tokens import Verifier
from tests.loopback_http import Handler, listening

ISSUER = "https://tenant.example.com/"
AUDIENCE = "https://data.example.com/mcp"
NOW = 1_800_000_000


def rsa_key(name: str = "first", bits: int = 2048) -> rsa.RSAPrivateKey:
    """The key of this name; made once, for that takes a while."""
    return _rsa_key(name, bits)


@cache
def _rsa_key(name: str, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def public_jwk(key: Any, kid: str | None = "first", **members: object) -> dict[str, Any]:
    """The JWK to publish for a private key."""
    algorithm: Any = OKPAlgorithm
    if isinstance(key, rsa.RSAPrivateKey):
        algorithm = RSAAlgorithm
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        algorithm = ECAlgorithm
    jwk: dict[str, Any] = dict(algorithm.to_jwk(key.public_key(), as_dict=True))
    jwk.pop("key_ops", None)
    return jwk | ({"kid": kid} if kid is not None else {}) | members


def claims(**changes: object) -> dict[str, Any]:
    """Claims of a good access token; a claim changed to None is left out."""
    good: dict[str, Any] = {
        "iss": ISSUER,
        "sub": "auth0|5f7c8ec7c33c6c004bbafe82",
        "aud": AUDIENCE,
        "iat": NOW - 10,
        "exp": NOW + 3600,
        "scope": "read",
        "client_id": "client",
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def mint(
    content: Mapping[str, object] | None = None,
    *,
    key: Any = None,
    alg: str = "RS256",
    header: Mapping[str, object] | None = None,
) -> str:
    """A token signed with `key`; a header parameter that is None is left out."""
    parameters = {"typ": "at+jwt", "kid": "first"} | dict(header or {})
    parameters["typ"] = parameters["typ"] or ""
    return jwt.encode(
        dict(claims() if content is None else content),
        rsa_key() if key is None else key,
        alg,
        headers={name: value for name, value in parameters.items() if value is not None},
    )


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


def verifier(
    *jwks: Mapping[str, Any],
    algorithms: Iterable[str] = ("RS256",),
    clock: Clock | None = None,
    keys: Keys | None = None,
    issuer: str = ISSUER,
    audiences: Iterable[str] = (AUDIENCE,),
) -> Verifier:
    """A verifier with these keys, by default the first RSA key."""
    published = list(jwks) or [public_jwk(rsa_key())]

    async def load() -> list[Mapping[str, Any]]:
        return published

    return Verifier(
        issuer=issuer,
        audiences=audiences,
        algorithms=algorithms,
        keys=keys or Keys(load, max_stale=3600),
        max_lifetime=86_400,
        clock=clock or Clock(),
    )


@dataclass
class Answer:
    """What the server answers at one path."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Provider:
    """A provider on loopback: its metadata, its keys, the requests it got, and how slow or broken it is."""

    def __init__(self, port: int, path: str = "") -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self.issuer = f"{self.origin}{path}"
        self.requests: list[str] = []
        self.delay = 0.0
        self.tokens: dict[str, dict[str, object]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.answers: dict[str, Answer] = {}
        self.publish(public_jwk(rsa_key()))
        self.answer("/.well-known/openid-configuration", self.metadata())

    def metadata(self, **changes: object) -> dict[str, object]:
        return {"issuer": self.issuer, "jwks_uri": f"{self.origin}/keys"} | changes

    def publish(self, *jwks: Mapping[str, Any]) -> None:
        self.answer("/keys", {"keys": list(jwks)})

    def answer(self, path: str, document: object, status: int = 200, **headers: str) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.answers[path] = Answer(body, status, headers)

    def introspected(self, authorization: str, form: Mapping[str, str]) -> Answer:
        """The answer at `/introspect` (RFC 7662 §2.2), to the client `site` with the secret `s3cret:&`."""
        self.asked.append((authorization, dict(form)))
        if "/introspect" in self.answers:
            return self.answers["/introspect"]
        if authorization != f"Basic {base64.b64encode(b'site:s3cret%3A%26').decode()}":
            return Answer(b'{"error": "invalid_client"}', 401)
        known = self.tokens.get(form.get("token", ""))
        return Answer(json.dumps({"active": True, **known} if known else {"active": False}).encode())

    def fetches(self) -> int:
        """How often the keys were asked for."""
        return self.requests.count("/keys")


@contextmanager
def provider(port: int = 0) -> Iterator[Provider]:
    """A provider that listens until the end of the block, at `port` where one is named."""

    class Answering(Handler):
        def get(self) -> None:
            serving.requests.append(self.path)
            time.sleep(serving.delay)
            self.reply(serving.answers.get(self.path, Answer(b"{}", 404)))

        def post(self) -> None:
            serving.requests.append(self.path)
            form = dict(parse_qsl(self.read_body().decode()))
            time.sleep(serving.delay)
            asked = self.path == "/introspect"
            authorization = self.headers.get("Authorization", "")
            self.reply(serving.introspected(authorization, form) if asked else Answer(b"{}", 404))

        def reply(self, answer: Answer) -> None:
            headers = {name.replace("_", "-"): value for name, value in answer.headers.items()}
            self.answer(answer.status, answer.body, headers)

    with listening(Answering, port=port) as listening_at:
        serving = Provider(listening_at)
        yield serving
