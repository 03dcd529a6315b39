"""RSA private keys as PEM text, and what the setting SIGNING_KEYS may hold."""

import re
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from django.core.exceptions import ImproperlyConfigured

KEY_BITS = 2048
PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)


def new_key() -> str:
    """Return a fresh private key as PEM text (PKCS #8, not encrypted)."""
    return (
        generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode("ascii")
    )


def keys_in(text: str, *, where: str, remedy: str) -> tuple[RSAPrivateKey, ...]:
    """Return the keys of `text`, PEM after PEM; raise ImproperlyConfigured for none or anything else.

    `where` and `remedy` are the beginning and the end of its sentence.
    """
    keys: list[RSAPrivateKey] = []
    for pem in PEM.finditer(text):
        try:
            key = serialization.load_pem_private_key(pem.group().encode(), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, RSAPrivateKey) or key.key_size < KEY_BITS:
            raise ImproperlyConfigured(
                f"{where} contains something other than unencrypted RSA keys of {KEY_BITS} bits or more "
                f"in PEM form; {remedy}"
            )
        keys.append(key)
    if not keys:
        raise ImproperlyConfigured(f"{where} contains no key; {remedy}")
    return tuple(keys)


REMEDY = (
    "create one with: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048, and put it, or the "
    "path of a file that contains it, into SIGNING_KEYS."
)


def setting(text: str, base: Path) -> str | Path:
    r"""Return SIGNING_KEYS as PEM text or as the path of a file with it; "" if it is not set.

    In one line of an environment newlines may be written as `\n`. Raises ImproperlyConfigured.
    """
    if not text:
        return ""
    if "-----BEGIN" in text:
        pem = text.replace("\\n", "\n")
        keys_in(pem, where="SIGNING_KEYS", remedy=REMEDY)
        return pem
    path = base / text
    read_file(path)
    return path


def read_file(path: Path) -> tuple[RSAPrivateKey, ...]:
    """Return the keys in the file that SIGNING_KEYS names. Raises ImproperlyConfigured."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise ImproperlyConfigured(
            "SIGNING_KEYS is neither a key in PEM form nor a file that can be read "
            f"({error.strerror}); {REMEDY}"
        ) from None
    return keys_in(text, where="The file of SIGNING_KEYS", remedy=REMEDY)
