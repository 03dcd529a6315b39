"""The site as its own issuer: on a developer's machine, without AUTH0_ISSUER, it signs its own tokens.

`mcpsite.access.private_keys` knows where its private keys are; this module signs with them and publishes
them.
"""

import asyncio
import base64
import hashlib
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError
from jwt.algorithms import RSAAlgorithm

from mcpsite.access.discovery import DiscoveryFailed
from mcpsite.access.private_keys import store as private_key_store

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

ALGORITHM = "RS256"


def issuer() -> str:
    """Return the issuer whose tokens are accepted, to the letter: AUTH0_ISSUER, else this site's origin."""
    return str(settings.AUTH0_ISSUER or settings.SITE_URL)


def is_own_issuer() -> bool:
    """Return whether this site signs the tokens that it accepts."""
    return not settings.AUTH0_ISSUER


def jwks() -> dict[str, Any]:
    """Return the JWK set (RFC 7517 §5) for `/.well-known/jwks.json` while the site is its own issuer.

    Makes the key on first use. Raises ImproperlyConfigured if there is no usable one.
    """
    return {"keys": [_public_jwk(key) for key in private_keys()]}


async def own_keys() -> list[dict[str, Any]]:
    """Return the keys of `jwks()`, for `mcpsite.access.keys.Keys`; raises DiscoveryFailed for its faults."""
    try:
        # Reading waits for a file or the database, and making the key takes a good part of a second.
        document = await asyncio.to_thread(jwks)
    except (OSError, ImproperlyConfigured) as error:
        raise DiscoveryFailed(str(error)) from error
    except (DatabaseError, InterfaceError) as error:
        raise DiscoveryFailed("the database does not answer, or lacks migrations") from error
    keys: list[dict[str, Any]] = document["keys"]
    return keys


def issue(
    subject: str,
    *,
    scopes: Iterable[str] = (),
    lifetime: int,
    client_id: str,
    audience: str | None = None,
    more: Mapping[str, object] | None = None,
) -> str:
    """Return an access token (RFC 9068) of this site for `subject`, good for `lifetime` seconds.

    `audience` is the first of JWT_AUDIENCES unless given; `more` are further claims.
    """
    now = int(time.time())
    claims = {
        "iss": issuer(),
        "sub": subject,
        "aud": audience or settings.JWT_AUDIENCES[0],
        "client_id": client_id,
        "scope": " ".join(scopes),
        "jti": uuid.uuid4().hex,
        "iat": now,
        "exp": now + lifetime,
    }
    return sign({**(more or {}), **claims}, "at+jwt")


def sign(claims: Mapping[str, object], kind: str) -> str:
    """Return a JWT of `claims` with the header `typ` of its kind, signed with the current key."""
    key = private_keys()[0]
    return jwt.encode(dict(claims), key, ALGORITHM, headers={"typ": kind, "kid": key_id(key)})


def own_subject(user: "AbstractBaseUser") -> str:
    """Return the `sub` of this site's tokens for `user`: the primary key, which never changes hands."""
    return str(user.pk)


def private_keys() -> tuple[RSAPrivateKey, ...]:
    """Return the site's keys, the signing one first; made on first use. Raises ImproperlyConfigured."""
    return private_key_store().keys()


def rotate() -> tuple[str, int]:
    """Sign with a new key from now on; return its `kid` and how many older keys stay published.

    An older key stays for as long as a token that it signed may live (JWT_MAX_LIFETIME_SECONDS), counted
    from the day it was replaced. A running server notices by itself.
    """
    older = private_key_store().rotate()
    return key_id(private_keys()[0]), older


def key_id(key: RSAPrivateKey) -> str:
    """Return the key's `kid`: its thumbprint (RFC 7638), because that follows from the key alone."""
    members = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    canonical = json.dumps(
        {name: members[name] for name in ("e", "kty", "n")}, separators=(",", ":"), sort_keys=True
    )
    digest = hashlib.sha256(canonical.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _public_jwk(key: RSAPrivateKey) -> dict[str, Any]:
    members = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": ALGORITHM,
        "kid": key_id(key),
        "n": members["n"],
        "e": members["e"],
    }
