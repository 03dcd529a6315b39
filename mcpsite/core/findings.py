"""What `doctor` finds, and how it shows other people's words."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "info", "ok"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was checked."""

    id: str
    """Stable, for scripts: `access.E001` for a setting, otherwise words with hyphens."""
    level: Level
    """`error`: it stops clients. `warning`: it will surprise somebody. `info`: not checked. `ok`: fine."""
    what: str
    """What is wrong, or what is fine: one plain sentence or two."""
    change: str = ""
    """What to change; empty if nothing has to be."""


def stops_clients(found: Iterable[Finding]) -> bool:
    """Return whether a finding would stop a client."""
    return any(each.level == "error" for each in found)


def one_line(text: str) -> str:
    """Return somebody else's text on one line, bounded."""
    text = "".join(each if each.isprintable() else " " for each in text)
    return text if len(text) <= 200 else f"{text[:200]}…"


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]
