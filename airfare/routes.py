"""How a route between two airports is written, and what it means."""

import re

_ROUTE = re.compile(r"([A-Za-z]{3})-([A-Za-z]{3})", re.ASCII)
_PARTED = re.compile(
    r"([A-Za-z]{3})(?:\s*(?:[-‐‑‒–—−/→>]|->|=>|–>)\s*|\s+to\s+)([A-Za-z]{3})", re.ASCII | re.IGNORECASE
)
"""Another way in which people write a route."""


def airports_of(route: str) -> tuple[str, str]:
    """Return origin and destination of a route written `AAA-BBB`, in capitals; empty for any other text."""
    match = _ROUTE.fullmatch(route)
    return (match[1].upper(), match[2].upper()) if match else ("", "")


def usual_route(route: str) -> str:
    """Return a route between two airports as `AAA-BBB`, however it is written; any other text unchanged."""
    match = _PARTED.fullmatch(route)
    return f"{match[1]}-{match[2]}".upper() if match else route
