"""What the home page says about transcripts."""

from collections.abc import Iterator
from functools import cache

from django.conf import settings
from django.urls import reverse

from mcpsite.access.caller import Caller
from mcpsite.access.holding import Holding, State
from mcpsite.core.findings import Finding
from mcpsite.core.watch import Watch
from transcripts import searching
from transcripts.doctor import about_services
from transcripts.models import TRANSCRIPTS
from transcripts.stores import base as stores
from transcripts.stores.breaker import breaker

WATCH_SECONDS = 60.0


def holdings(caller: Caller) -> Iterator[Holding]:
    """Yield the transcripts that the caller may read, as a line."""
    if TRANSCRIPTS.admits(caller):
        count = searching.matching_transcripts(caller, searching.TranscriptFilters()).count()
        yield Holding(label="transcripts", count=count, path=reverse("transcripts:list"))


def states() -> Iterator[State]:
    """Yield where transcripts are searched, and whether that works."""
    yield _search_state()


def _search_state() -> State:
    name = stores.chosen()
    if name == "local":
        return State(part="Search", said="in the index of this site's database", good=True)
    behind = stores.indexed()
    called = "the vector store" if behind == "openai" else f"the store {behind.rpartition('.')[2]}"
    instead = "; the site's own index answers instead" if settings.TRANSCRIPT_STORE_FALLBACK else ""
    if not breaker(name).closed:
        return State(part="Search", said=f"{called} did not answer the last search{instead}", good=False)
    where = f"in the site's own index and {called}" if name == "hybrid" else f"in {called}"
    if behind != "openai":
        return State(part="Search", said=where, good=None)
    seen = _vector_store_watch(settings.VECTOR_STORE_ID).look()
    if seen is None:
        said = f"{where}; checking whether it answers"
        return State(part="Search", said=said, good=None)
    if any(each.level in ("error", "warning") for each in seen.answer):
        said = f"the vector store does not answer correctly{instead}"
        return State(part="Search", said=said, good=False)
    return State(part="Search", said=f"{where}, which answers", good=True)


@cache
def _vector_store_watch(_: str) -> Watch[list[Finding]]:
    """Return the watch of whether the vector store answers; one for each that the settings name."""
    return Watch(lambda: list(about_services()), seconds=WATCH_SECONDS)


def services() -> Iterator[tuple[str, str]]:
    """Yield where transcripts are searched, for the person who starts the site."""
    name = stores.chosen()
    place = {"local": "this site's database", "openai": f"the OpenAI vector store {settings.VECTOR_STORE_ID}"}
    behind = place.get(stores.indexed(), stores.indexed())
    where = f"{place['local']} and {behind}" if name == "hybrid" else behind
    yield "Transcripts", f"searched in {where}"
