"""The site as its own issuer: on a developer's machine, with no AUTH0_ISSUER, it signs its own tokens.

The private keys stand in SIGNING_KEY_FILE, PEM after PEM: the first one signs, those after it have
signed before and are still published so that their tokens stay good. The file is made on first use.
"""

import asyncio
import base64
import hashlib
import json
import re
import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files import locks
from jwt.algorithms import RSAAlgorithm

from mcpsite.access.discovery import DiscoveryFailed
from mcpsite.core import conf

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

ALGORITHM = "RS256"
KEY_BITS = 2048
MOST_KEYS = 32
"""Verifiers stop at some number of keys (`mcpsite.access.keys.MAX_KEYS`)."""
RETIREMENT_MARGIN = 3600
"""Seconds that a replaced key is published beyond the life of the last token it may have signed."""
_REPLACED = re.compile(r"^# replaced (\S+)$", re.MULTILINE)
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)


def issuer() -> str:
    """The issuer whose tokens are accepted, to the letter: AUTH0_ISSUER, else this site's own origin."""
    return str(settings.AUTH0_ISSUER or settings.SITE_URL)


def is_own_issuer() -> bool:
    """Whether this site signs the tokens that it accepts."""
    return not settings.AUTH0_ISSUER


def jwks() -> dict[str, Any]:
    """The JWK set (RFC 7517 §5) to publish at `/.well-known/jwks.json` while the site is its own issuer.

    Makes the key on first use. Raises ImproperlyConfigured when SIGNING_KEY_FILE holds no usable key.
    """
    return {"keys": [_public_jwk(key) for key in private_keys()]}


async def own_keys() -> list[dict[str, Any]]:
    """The keys of `jwks()`, for `mcpsite.access.keys.Keys`; raises DiscoveryFailed where `jwks()` raises."""
    try:
        # Reading is quick, but making the key on first use takes a good part of a second.
        document = await asyncio.to_thread(jwks)
    except (OSError, ImproperlyConfigured) as error:
        raise DiscoveryFailed(str(error)) from error
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
    """An access token (RFC 9068) of this site for `subject`, good for `lifetime` seconds.

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
    """A JWT of `claims` with the header `typ` of its kind, signed with the current key."""
    key = private_keys()[0]
    return jwt.encode(dict(claims), key, ALGORITHM, headers={"typ": kind, "kid": key_id(key)})


def own_subject(user: "AbstractBaseUser") -> str:
    """The `sub` of this site's own tokens for `user`: the primary key, which never changes hands."""
    return str(user.pk)


def private_keys() -> tuple[RSAPrivateKey, ...]:
    """The keys in SIGNING_KEY_FILE, the signing one first; makes the file where there is none.

    Safe between processes: of several that start at once, one makes the key and all use it.
    """
    path = Path(settings.SIGNING_KEY_FILE)
    if not path.exists():
        conf.read_or_create(path, new_key())
    state = path.stat()
    return _keys_in(path, state.st_ino, state.st_size, state.st_mtime_ns)


def new_key() -> str:
    """A fresh private key as PEM text (PKCS #8, not encrypted)."""
    return (
        generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode("ascii")
    )


def rotate() -> tuple[str, int]:
    """Sign with a new key from now on; returns its `kid` and how many older keys stay published.

    An older key stays for as long as a token that it signed may live (JWT_MAX_LIFETIME_SECONDS), counted
    from the day it was replaced, which is noted beside it in the file. A running server notices by itself.
    """
    path = Path(settings.SIGNING_KEY_FILE)
    private_keys()
    now = datetime.now(UTC).replace(microsecond=0)
    fresh = new_key()
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        locks.lock(lock, locks.LOCK_EX)
        needed = [
            (retired, pem)
            for retired, pem in _dated(path.read_text(encoding="ascii"), now)
            if (now - retired).total_seconds() <= settings.JWT_MAX_LIFETIME_SECONDS + RETIREMENT_MARGIN
        ]
        if len(needed) >= MOST_KEYS:
            raise ImproperlyConfigured(
                f"{len(needed)} keys are still needed for live tokens; wait, or lower "
                "JWT_MAX_LIFETIME_SECONDS."
            )
        text = fresh + "".join(f"\n# replaced {retired.isoformat()}\n{pem}\n" for retired, pem in needed)
        beside = path.with_name(f"{path.name}.new")
        beside.unlink(missing_ok=True)
        beside.touch(mode=0o600)
        beside.write_text(text, encoding="ascii")
        beside.replace(path)
    return key_id(private_keys()[0]), len(needed)


def _dated(text: str, now: datetime) -> list[tuple[datetime, str]]:
    """Each key in `text` with the time at which it was replaced; `now` for one that signed until now."""
    dated: list[tuple[datetime, str]] = []
    end = 0
    for pem in _PEM.finditer(text):
        noted = _REPLACED.search(text, end, pem.start())
        dated.append((datetime.fromisoformat(noted[1]) if noted else now, pem.group()))
        end = pem.end()
    return dated


def key_id(key: RSAPrivateKey) -> str:
    """The key's `kid`: its thumbprint (RFC 7638), so that it follows from the key alone."""
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


@lru_cache(maxsize=4)
def _keys_in(path: Path, *_state: int) -> tuple[RSAPrivateKey, ...]:
    """The keys in `path`; remembered until the file changes, for checking an RSA key takes milliseconds."""
    keys: list[RSAPrivateKey] = []
    for pem in _PEM.finditer(path.read_text(encoding="ascii", errors="replace")):
        try:
            key = serialization.load_pem_private_key(pem.group().encode(), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, RSAPrivateKey):
            raise ImproperlyConfigured(
                f"SIGNING_KEY_FILE ({path.name}) holds something else than unencrypted RSA keys in PEM form; "
                "move it away and a new key is made."
            )
        keys.append(key)
    if not keys:
        raise ImproperlyConfigured(
            f"SIGNING_KEY_FILE ({path.name}) holds no key; move it away and a new key is made."
        )
    return tuple(keys)
