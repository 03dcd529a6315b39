"""What a visitor may know of the data on this site, from the apps that publish it.

An app defines it in its `holdings.py`: a function `holdings(caller)`; and, if its answers need a service that
may be away, `states()` for the home page and `services()` for the person who starts the site.
"""

from dataclasses import dataclass

from mcpsite.access.caller import Caller
from mcpsite.core.contributions import contributed


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """A line: so many of what."""

    label: str
    count: int
    """Counts only what the caller may see; never the rest."""
    path: str = ""
    """A page of this site that shows it."""


def holdings_for(caller: Caller) -> list[Holding]:
    """Return each app's lines for `caller`. Synchronous; reads the database."""
    return [each for holdings in contributed("holdings", "holdings") for each in holdings(caller)]


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """A part of the server, and whether it is well."""

    part: str
    said: str
    good: bool | None
    """None while it is not known."""


def service_states() -> list[State]:
    """Return the state of the services that the apps' answers need. Asks nothing over the network itself."""
    return [each for states in contributed("holdings", "states") for each in states()]
