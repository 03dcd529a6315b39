"""What a store of transcripts does, and which one is in use.

The database always has the transcripts; a store finds passages in them. To add another one (Azure AI Search,
Pinecone, Weaviate):

1. Write a class with the three methods of `Store`; it is made without arguments, once for each process, and
   reads what it needs from the settings. It reaches the ORM through `mcpsite.mcp.in_database`.
2. Name it by its dotted path in TRANSCRIPT_STORE, for example `TRANSCRIPT_STORE=acme.search.AzureStore`.
3. A search for which it raises `StoreUnavailable` is answered from the local index, unless
   TRANSCRIPT_STORE_FALLBACK is off, and so are the searches of the next half a minute
   (`transcripts.stores.breaker`).

A store keeps the attributes that limit searches (`Within`) beside each transcript, and filters by them before
it ranks: what a person may not read takes nobody's place, and the number of answers reveals nothing of it. It
does not decide who may read what, though: what it finds beyond that, because it is behind, is dropped.
`tests/store_contract.py` has what every store has to do.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import cache
from typing import Protocol

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

STORES = {
    "local": "transcripts.stores.local.LocalStore",
    "openai": "transcripts.stores.openai.OpenAIStore",
    "pgvector": "transcripts.stores.pgvector.PgvectorStore",
    "hybrid": "transcripts.stores.hybrid.HybridStore",
}


class StoreUnavailable(Exception):
    """The store did not answer; one sentence that says why."""

    def __init__(self, sentence: str = "", *, retry_after: float = 0) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after
        """Seconds after which the store wants to be asked again, if it said so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A found passage."""

    transcript_id: int
    text: str
    """The passage."""
    score: float
    """Higher is better; comparable only within one search."""
    position: int | None = None
    """The passage's position in its transcript, if the store knows it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Within:
    """What to search in: published transcripts to which all of this applies. None limits nothing.

    These are attributes that a store keeps of each transcript, with few values however many the transcripts.
    """

    collections: frozenset[str] | None = None
    """Slugs of the collections that the person may read, or asks for."""
    sectors: frozenset[str] | None = None
    since: date | None = None
    """The first day, included; a call without a date is then left out."""
    until: date | None = None
    """The last day, included."""
    without: frozenset[int] = frozenset()
    """Ids of transcripts to leave out: a continued search names those that were found."""


class Store(Protocol):
    """Finds passages. Its methods run on the event loop and reach the ORM through `sync_to_async`'s like."""

    async def index(self, transcript_ids: Collection[int]) -> None:
        """Bring these transcripts up to date in the store. Raises StoreUnavailable."""

    async def remove(self, transcript_ids: Collection[int]) -> None:
        """Remove these transcripts from the store. Raises StoreUnavailable."""

    async def search(self, query: str, *, within: Within, limit: int) -> Sequence[Hit]:
        """Return up to `limit` passages of the transcripts `within`, best first; fewer if there are no more.

        Any text is a valid query; a blank one finds nothing. Raises StoreUnavailable.
        """


def store_name(text: str) -> str:
    """Return the name of a store, for the setting TRANSCRIPT_STORE. Raises ValueError."""
    known = text.lower() in STORES
    if not known and not (text.isascii() and "." in text and all(map(str.isidentifier, text.split(".")))):
        near = get_close_matches(text.lower(), STORES, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(f"can be {', '.join(STORES)} or the dotted path of a class{hint}")
    return text.lower() if known else text


def check_store(name: str) -> None:
    """Raise ImproperlyConfigured unless there is a store called `name`."""
    found = _class(name)
    if not all(callable(getattr(found, method, None)) for method in ("index", "remove", "search")):
        raise ImproperlyConfigured(
            f"TRANSCRIPT_STORE is {name!r}, which is not a store; it has to be a class with the "
            "methods index, remove and search."
        )


def _class(name: str) -> type[Store]:
    try:
        found: type[Store] = import_string(STORES.get(name, name))
    except ImportError as error:
        raise ImproperlyConfigured(
            f"TRANSCRIPT_STORE is {name!r}, which cannot be imported ({error}); it can be "
            f"{', '.join(STORES)} or the dotted path of a class."
        ) from error
    return found


@cache
def store(name: str) -> Store:
    """Return the process's store called `name`: one of STORES, or a dotted path."""
    return _class(name)()


def chosen() -> str:
    """Return the name of the store in use: TRANSCRIPT_STORE, else openai if its key and store id are set."""
    if settings.TRANSCRIPT_STORE:
        return str(settings.TRANSCRIPT_STORE)
    return "openai" if settings.OPENAI_API_KEY and settings.VECTOR_STORE_ID else "local"


def by_meaning() -> str:
    """Return the name of the store that finds by meaning, for `hybrid`: pgvector if it has a database."""
    return "pgvector" if settings.PGVECTOR_URL else "openai"


def indexed() -> str:
    """Return the name of the store that follows the database: the one in use, or the one behind `hybrid`."""
    return by_meaning() if chosen() == "hybrid" else chosen()
