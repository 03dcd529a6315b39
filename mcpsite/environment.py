"""Variables of the environment and of `.env`: what their text means and how a message may show it."""

import re
from collections.abc import Callable

TRUE = ("1", "true", "yes", "on", "y", "t")
FALSE = ("0", "false", "no", "off", "n", "f")

_SECRET = re.compile(r"(.*_)?(KEY|SECRET|PASSWORD|TOKEN)")
_WITH_PASSWORD = ("DATABASE_URL", "CACHE_URL")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:/+)?")
_HARMLESS = re.compile(r"[\w.\[\]-]*(:[0-9]{1,5})?(/[^:@=]*)?")
"""A host and port, a path or a single word: no password stands there."""
MOST_CHARACTERS = 80


def shown(name: str, text: str) -> str:
    """Return the value `text` of the variable `name` as a message may show it.

    Nothing of a secret; no user, password or query of an address; no control characters; one line.
    """
    if _SECRET.fullmatch(name):
        return "a secret that is not shown"
    address, question, _ = text.partition("?")
    scheme = address[: len(address) - len(_SCHEME.sub("", address, count=1))]
    _, at, rest = address.removeprefix(scheme).rpartition("@")
    if name in _WITH_PASSWORD and not _HARMLESS.fullmatch(rest):
        rest = "***"
    safe = f"{scheme}{'***@' if at else ''}{rest}{'?***' if question else ''}"
    return repr(safe if len(safe) <= MOST_CHARACTERS else f"{safe[:MOST_CHARACTERS]}…")


def flag(text: str) -> bool:
    """Return what a switch says. Raises ValueError."""
    if text.lower() not in TRUE + FALSE:
        raise ValueError("has to be 1 or 0 (true or false, yes or no, on or off)")
    return text.lower() in TRUE


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `most`, which raises ValueError."""

    def number(text: str) -> int:
        # Not `int` alone, which also takes 1_000 and the digits of other scripts.
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text) or not least <= int(text) <= most:
            raise ValueError(f"has to be a whole number from {least} to {most}")
        return int(text)

    return number
