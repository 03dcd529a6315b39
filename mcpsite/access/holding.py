"""What a visitor may know of the data that is here, told by the apps that publish it.

An app says it in its `holdings.py`: a function `holdings(caller)`; and, where its answers need a service
that may be away, `states()` for the home page and `services()` for who starts the site.
"""

from dataclasses import dataclass

from mcpsite.access.caller import Caller
from mcpsite.core.contributions import contributed


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """One line: so much of what."""

    label: str
    count: int
    """Only of what the caller may see; never of the rest."""
    path: str = ""
    """A page of this site that shows it."""


def holdings_for(caller: Caller) -> list[Holding]:
    """What each app says to `caller`. Synchronous; reads the database."""
    return [each for holdings in contributed("holdings", "holdings") for each in holdings(caller)]


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """One part of the server, and whether it is well."""

    part: str
    said: str
    good: bool | None
    """None while nobody knows."""


def service_states() -> list[State]:
    """Return how the services stand that the apps' answers need. Asks nothing over the network itself."""
    return [each for states in contributed("holdings", "states") for each in states()]
