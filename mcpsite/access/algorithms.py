"""The signature algorithms a token may have (RFC 7518, RFC 8037), and the kind of key each of them needs.

Only asymmetric ones exist here: `none` and HS* (whose verifiers can also sign) cannot be allowed.
"""

from collections.abc import Iterable

from django.core.exceptions import ImproperlyConfigured

KEY_TYPES: dict[str, tuple[str, str]] = {
    "RS256": ("RSA", ""),
    "RS384": ("RSA", ""),
    "RS512": ("RSA", ""),
    "PS256": ("RSA", ""),
    "PS384": ("RSA", ""),
    "PS512": ("RSA", ""),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""Algorithm → (`kty`, `crv`) of the keys it works with; an empty curve if there is none."""


def allowed(names: Iterable[str]) -> frozenset[str]:
    """Return the allow-list JWT_ALGORITHMS; raises ImproperlyConfigured if it is empty or unsafe."""
    chosen = frozenset(names)
    unfit = sorted(chosen - KEY_TYPES.keys())
    if unfit or not chosen:
        raise ImproperlyConfigured(
            f"JWT_ALGORITHMS is {', '.join(unfit) or 'empty'!s}; only asymmetric algorithms are possible: "
            f"{', '.join(KEY_TYPES)}. Nearly every identity provider uses RS256."
        )
    return chosen
