"""Where the private keys of this site's own tokens are stored: a setting, a file, or the database.

Everywhere, the first key signs; those after it have signed before and are still published because their
tokens have to stay good. Keys in the database are shared by every process of the site and encrypted with a
key that is derived from SECRET_KEY, so that a copy of the database alone signs nothing.
"""

import base64
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files import locks
from django.db import transaction

from mcpsite.access import pem
from mcpsite.access.models import SigningKey
from mcpsite.core import conf, exclusive

MOST_KEYS = 32
"""Verifiers stop at some number of keys (`mcpsite.access.keys.MAX_KEYS`)."""
RETIREMENT_MARGIN = 3600
"""Seconds that a replaced key is published beyond the life of the last token it may have signed."""


class Store(Protocol):
    """A place where the keys are stored."""

    name: str
    """A description for an operator."""

    def keys(self) -> tuple[RSAPrivateKey, ...]:
        """Return the keys, the signing one first. Raises ImproperlyConfigured."""

    def rotate(self) -> int:
        """Put a new key first, and return how many of the others stay. Raises ImproperlyConfigured."""


def store() -> Store:
    """Return where the keys are, as the settings say."""
    if settings.SIGNING_KEYS:
        return InSetting(settings.SIGNING_KEYS)
    if settings.SIGNING_KEY_FILE is not None:
        return InFile(Path(settings.SIGNING_KEY_FILE))
    return InDatabase()


def _still_needed(retired: datetime, now: datetime) -> bool:
    """Return whether a token of a key that was replaced at `retired` may still be alive."""
    return now - retired <= timedelta(seconds=settings.JWT_MAX_LIFETIME_SECONDS + RETIREMENT_MARGIN)


def _check_number(needed: int) -> None:
    if needed >= MOST_KEYS:
        raise ImproperlyConfigured(
            f"{needed} keys are still needed for live tokens; wait, or lower JWT_MAX_LIFETIME_SECONDS."
        )


# In a setting


class InSetting:
    """SIGNING_KEYS: the text, or a file that is never written, such as a secret that a platform mounts."""

    name = "SIGNING_KEYS"

    def __init__(self, value: str | Path) -> None:
        self._value = value

    def keys(self) -> tuple[RSAPrivateKey, ...]:
        if isinstance(self._value, Path):
            state = self._value.stat()
            return _read(self._value, state.st_ino, state.st_size, state.st_mtime_ns)
        return _parsed(self._value)

    def rotate(self) -> int:
        raise ImproperlyConfigured(
            "the keys are in SIGNING_KEYS, which this site does not change. Add a new key after the "
            "others and restart every process, then move it to the front and restart them again; remove "
            f"the old one after {settings.JWT_MAX_LIFETIME_SECONDS + RETIREMENT_MARGIN} seconds."
        )


@lru_cache(maxsize=4)
def _read(path: Path, *_state: int) -> tuple[RSAPrivateKey, ...]:
    return pem.read_file(path)


@lru_cache(maxsize=4)
def _parsed(text: str) -> tuple[RSAPrivateKey, ...]:
    return pem.keys_in(text, where="SIGNING_KEYS", remedy=pem.REMEDY)


# In a file


class InFile:
    """SIGNING_KEY_FILE, PEM after PEM, made on first use; the line above a key says when it was replaced."""

    name = "SIGNING_KEY_FILE"

    def __init__(self, path: Path) -> None:
        self._path = path

    def keys(self) -> tuple[RSAPrivateKey, ...]:
        """Return the keys, safe between processes: of several that start, one makes the key all use."""
        if not self._path.exists():
            conf.read_or_create(self._path, pem.new_key())
        state = self._path.stat()
        return _keys_in_file(self._path, state.st_ino, state.st_size, state.st_mtime_ns)

    def rotate(self) -> int:
        self.keys()
        now = datetime.now(UTC).replace(microsecond=0)
        fresh = pem.new_key()
        with self._path.with_name(f"{self._path.name}.lock").open("w") as lock:
            locks.lock(lock, locks.LOCK_EX)
            dated = _dated(self._path.read_text(encoding="ascii"), now)
            needed = [(retired, text) for retired, text in dated if _still_needed(retired, now)]
            _check_number(len(needed))
            text = fresh + "".join(f"\n# replaced {at.isoformat()}\n{older}\n" for at, older in needed)
            beside = self._path.with_name(f"{self._path.name}.new")
            beside.unlink(missing_ok=True)
            beside.touch(mode=0o600)
            beside.write_text(text, encoding="ascii")
            beside.replace(self._path)
        return len(needed)

    def dated(self) -> list[tuple[datetime, str]]:
        """Return each key as PEM text with the time it was replaced, now for the one that signs."""
        self.keys()
        return _dated(self._path.read_text(encoding="ascii"), datetime.now(UTC).replace(microsecond=0))

    def put_away(self) -> Path:
        """Rename the file, so that no process reads the keys from it; return its new path."""
        return self._path.replace(self._path.with_name(f"{self._path.name}.moved"))


_REPLACED = re.compile(r"^# replaced (\S+)$", re.MULTILINE)


def _dated(text: str, now: datetime) -> list[tuple[datetime, str]]:
    """Return each key in `text` with the time it was replaced; `now` for the one that signs."""
    dated: list[tuple[datetime, str]] = []
    end = 0
    for found in pem.PEM.finditer(text):
        noted = _REPLACED.search(text, end, found.start())
        dated.append((datetime.fromisoformat(noted[1]) if noted else now, found.group()))
        end = found.end()
    return dated


@lru_cache(maxsize=4)
def _keys_in_file(path: Path, *_state: int) -> tuple[RSAPrivateKey, ...]:
    """Return the keys in `path`, remembered until it changes: checking an RSA key takes milliseconds."""
    return pem.keys_in(
        path.read_text(encoding="ascii", errors="replace"),
        where=f"SIGNING_KEY_FILE ({path.name})",
        remedy="move the file away and a new key is created.",
    )


# In the database


class InDatabase:
    """The table of signing keys, encrypted; the first key is made on first use."""

    name = "the database"

    def keys(self) -> tuple[RSAPrivateKey, ...]:
        """Return the keys, safe between processes: of several that start, one makes the key all use."""
        secrets = self._secrets()
        if not secrets:
            with exclusive.alone("signing keys", wait=True):
                if not self._secrets():
                    self._add(pem.new_key())
            secrets = self._secrets()
        return _decrypted(tuple(secrets), _passwords())

    def rotate(self) -> int:
        fresh = pem.new_key()
        self.keys()
        with exclusive.alone("signing keys", wait=True), transaction.atomic():
            now = datetime.now(UTC)
            SigningKey.objects.filter(replaced_at=None).update(replaced_at=now)
            rows = list(SigningKey.objects.all())
            needed = [row for row in rows if row.replaced_at and _still_needed(row.replaced_at, now)]
            _check_number(len(needed))
            SigningKey.objects.exclude(pk__in=[row.pk for row in needed]).delete()
            for row in needed:  # From now on no key needs SECRET_KEY_FALLBACKS.
                row.secret = _box(_passwords()).rotate(row.secret).decode("ascii")
            SigningKey.objects.bulk_update(needed, ["secret"])
            self._add(fresh)
        return len(needed)

    def take_over(self, dated: Sequence[tuple[datetime, str]]) -> None:
        """Store keys from elsewhere, the first of which continues to sign, beside those here."""
        with exclusive.alone("signing keys", wait=True), transaction.atomic():
            SigningKey.objects.filter(replaced_at=None).update(replaced_at=datetime.now(UTC))
            for number, (retired, text) in enumerate(dated):
                self._add(text, replaced_at=retired if number else None)

    @staticmethod
    def needs_fallback() -> bool:
        """Return whether a key is still encrypted with one of SECRET_KEY_FALLBACKS."""
        secrets = InDatabase._secrets()
        try:
            _decrypted(tuple(secrets), _passwords()[:1])
        except ImproperlyConfigured:
            return bool(secrets)
        return False

    @staticmethod
    def start_over() -> None:
        """Delete all keys, readable or not, and make a new one: every earlier token is refused."""
        with exclusive.alone("signing keys", wait=True), transaction.atomic():
            SigningKey.objects.all().delete()
            InDatabase._add(pem.new_key())

    @staticmethod
    def _secrets() -> list[str]:
        return list(SigningKey.objects.values_list("secret", flat=True))

    @staticmethod
    def _add(text: str, *, replaced_at: datetime | None = None) -> None:
        secret = _box(_passwords()).encrypt(text.encode("ascii")).decode("ascii")
        SigningKey.objects.create(secret=secret, replaced_at=replaced_at)


def _passwords() -> tuple[str, ...]:
    return (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)


@lru_cache(maxsize=4)
def _box(passwords: tuple[str, ...]) -> MultiFernet:
    """Return what encrypts with the first of `passwords` and decrypts with any of them."""
    return MultiFernet([Fernet(_derived(password)) for password in passwords])


def _derived(password: str) -> bytes:
    # SECRET_KEY is long and random, so it needs no slow derivation; RFC 5869 derives one for this purpose.
    derivation = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"mcpsite signing keys")
    return base64.urlsafe_b64encode(derivation.derive(password.encode()))


@lru_cache(maxsize=4)
def _decrypted(secrets: tuple[str, ...], passwords: tuple[str, ...]) -> tuple[RSAPrivateKey, ...]:
    box = _box(passwords)
    try:
        texts = [box.decrypt(secret).decode("ascii") for secret in secrets]
    except InvalidToken:
        raise ImproperlyConfigured(
            "the signing keys in the database were encrypted with another SECRET_KEY. Set it, or add it "
            "to SECRET_KEY_FALLBACKS; if it is lost, manage.py rotate_signing_key --start-over creates a "
            "new key, and everybody has to sign in again."
        ) from None
    return pem.keys_in("\n".join(texts), where="The database", remedy="use rotate_signing_key --start-over.")
