"""Filters and found passages → what is shown of them, for tools and pages alike.

A store finds, the database decides: what the person may not see is neither searched nor cited, and the text
shown is the one that the database has now.
"""

import asyncio
import datetime
import logging
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import TypeVar
from urllib.parse import urlencode

from django.conf import settings
from django.db.models import Count, Q, QuerySet

from mcpsite.access.policies import Principal
from mcpsite.mcp import in_database
from transcripts.models import Collection, Passage, SpeakerLabel, Transcript, Turn
from transcripts.passages import digest
from transcripts.stores import local
from transcripts.stores.base import Hit, StoreUnavailable, Within, chosen, store
from transcripts.stores.breaker import LeftAlone, breaker
from transcripts.stores.words import asked, pieces

logger = logging.getLogger(__name__)

MOST_HITS = 50
"""Passages requested at once; an OpenAI store returns no more."""
FACTS = 1
"""The position of the passage with the facts."""
ROUNDS = 3
"""How often a store is asked again because a few long transcripts filled all places."""
SNIPPET = 500
"""Characters shown of a result's passage."""

MOST_READ = 20_000
"""Characters of a passage, or of a query, that are used to choose the place of a snippet."""
LEAD = 60
"""The most characters before a word that is far from the start of its sentence, after the last space."""
STEMMED = 3
"""The fewest letters of a word whose other forms are marked."""
_SENTENCE_ENDS = re.compile(r"[.?!:] |[。？！：] ?")

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class TranscriptFilters:
    """Which transcripts, and whose words; all given filters apply. Text is found in any case."""

    title: str = ""
    """Part of the title."""
    sector: str = ""
    """Part of the sector."""
    collection: str = ""
    """Name or slug of a collection."""
    speaker: str = ""
    """Part of a speaker's label."""
    since: datetime.date | None = None
    until: datetime.date | None = None
    """The last day, included."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cited:
    """A found passage, in its transcript."""

    transcript: Transcript
    position: int | None
    """The passage's position in the transcript; None if the store did not know it."""
    turns: Sequence[Turn]
    """Its turns; none for the passage of the facts."""
    text: str

    @property
    def path(self) -> str:
        """The page on this site that shows it: at the passage, which is highlighted."""
        page = self.transcript.get_absolute_url()
        if not self.turns:
            return page
        # With a digest of its words, because another load may put another passage in its place.
        words = digest(turn.text for turn in self.turns)
        return f"{page}?p={self.position}&v={words}#{self.turns[0].anchor}"

    def path_among(self, query: str) -> str:
        """Return the same page, with what else `query` finds in this call."""
        page, _, anchor = self.path.partition("#")
        asked_for = f"{'&' if '?' in page else '?'}{urlencode({'q': query})}"
        return f"{page}{asked_for}#{anchor}" if anchor else f"{page}{asked_for}"

    @property
    def url(self) -> str:
        return f"{settings.SITE_URL}{self.path}"

    @property
    def stamp(self) -> str:
        """When it begins, as `mm:ss` or `h:mm:ss`; empty if the file does not say."""
        return self.turns[0].stamp if self.turns else ""


def matching_transcripts(principal: Principal, filters: TranscriptFilters) -> QuerySet[Transcript]:
    """Return the transcripts that `principal` may see and that pass `filters`, latest first."""
    found: QuerySet[Transcript] = Transcript.objects.visible_to(principal)
    if filters.title:
        found = found.filter(title__in=_containing(filters.title, _values(found, "title")))
    if filters.sector:
        found = found.filter(sector__in=_containing(filters.sector, _values(found, "sector")))
    if filters.collection:
        wanted = filters.collection.strip().casefold()
        found = found.filter(
            collection__in=[
                pk
                for pk, *names in Collection.objects.values_list("pk", "name", "slug")
                if wanted in (name.casefold() for name in names)
            ]
        )
    if filters.speaker:
        found = found.filter(pk__in=SpeakerLabel.containing(filters.speaker).values("transcript"))
    if filters.since:
        found = found.filter(call_date__gte=filters.since)
    if filters.until:
        found = found.filter(call_date__lte=filters.until)
    return found.defer("text").select_related("collection")


def _values(found: QuerySet[Transcript], name: str) -> Iterable[str]:
    return found.order_by(name).values_list(name, flat=True).distinct()


def _containing(part: str, texts: Iterable[str]) -> list[str]:
    """Return those of `texts` that contain `part`, in any case of any script (no database does that)."""
    wanted = part.strip().casefold()
    return [text for text in texts if text and wanted in text.casefold()]


def sectors(principal: Principal) -> list[str]:
    """Return the sectors of the transcripts that `principal` may see, in order."""
    return [sector for sector in _values(Transcript.objects.visible_to(principal), "sector") if sector]


async def search_passages(
    principal: Principal,
    query: str,
    filters: TranscriptFilters,
    *,
    limit: int,
    one_per_transcript: bool = False,
) -> tuple[list[Cited], str]:
    """Return up to `limit` passages for `query`, best first, and why another store answered, or "".

    With `one_per_transcript` only the best passage of each transcript. A filter by speaker or title is
    answered from the local index, because other stores do not know them. Raises StoreUnavailable if the
    chosen store does not answer and TRANSCRIPT_STORE_FALLBACK is off.
    """
    name = "local" if filters.speaker or filters.title else chosen()
    reason = ""
    if name != "local" and query.strip():
        try:
            hits = await _ask_in_time(
                name, principal, query, filters, limit, one_per_transcript=one_per_transcript
            )
            return await in_database(cite, principal, hits), ""
        except StoreUnavailable as error:
            if not settings.TRANSCRIPT_STORE_FALLBACK:
                raise
            if not isinstance(error, LeftAlone):
                logger.warning("The store %s did not answer, the local index did: %s", name, error)
            reason = "The vector store did not answer; this comes from the local index."
    found = await in_database(
        passages_here, principal, query, filters, limit=limit, one_per_transcript=one_per_transcript
    )
    return found, reason


def passages_here(
    principal: Principal,
    query: str,
    filters: TranscriptFilters,
    *,
    limit: int,
    one_per_transcript: bool = True,
) -> list[Cited]:
    """Return up to `limit` passages from the local index, best first: each transcript's best, or all."""
    if not query.strip():
        return []
    # The passages are searched for the speaker.
    readable = matching_transcripts(principal, replace(filters, speaker=""))
    if not one_per_transcript:
        hits = local.search_database(query, transcripts=readable, speaker=filters.speaker, limit=limit)
        return cite(principal, hits)
    best: dict[int, Hit] = {}
    for _ in range(ROUNDS):
        rest = readable.exclude(pk__in=best) if best else readable
        found = local.search_database(query, transcripts=rest, speaker=filters.speaker, limit=MOST_HITS)
        _add_best(best, found)
        if len(found) < MOST_HITS or len(best) >= limit:
            break
    return cite(principal, list(best.values())[:limit])


async def _ask_in_time(
    name: str,
    principal: Principal,
    query: str,
    filters: TranscriptFilters,
    limit: int,
    *,
    one_per_transcript: bool,
) -> list[Hit]:
    """Return what the store called `name` finds, unless it is left alone. Raises StoreUnavailable.

    Half of the call's time is reserved for the local index.
    """
    within = await in_database(_within, principal, filters)
    if within is None:
        return []
    seconds = settings.MCP_DEADLINE_SECONDS / 2
    with breaker(name).asking():
        try:
            async with asyncio.timeout(seconds):
                return await _ask(
                    name, principal, query, filters, within, limit, one_per_transcript=one_per_transcript
                )
        except TimeoutError as error:
            raise StoreUnavailable(f"It did not answer within {seconds:g} seconds.") from error


def _within(principal: Principal, filters: TranscriptFilters) -> Within | None:
    """Return what a store has to search for `principal`; None if that is nothing.

    It names the collections whose transcripts they may read, unless these are all.
    """
    found = matching_transcripts(principal, filters).order_by()
    readable = set(found.values_list("collection__slug", flat=True).distinct())
    if not readable:
        return None
    others = Transcript.objects.filter(published=True).exclude(collection__slug__in=readable)
    sectors = None
    if filters.sector:
        sectors = frozenset(_containing(filters.sector, _values(found, "sector")))
    return Within(
        collections=frozenset(readable) if others.exists() else None,
        sectors=sectors,
        since=filters.since,
        until=filters.until,
    )


async def _ask(
    name: str,
    principal: Principal,
    query: str,
    filters: TranscriptFilters,
    within: Within,
    limit: int,
    *,
    one_per_transcript: bool,
) -> list[Hit]:
    """Ask until there is enough, excluding what was found and what the store should not have found."""
    asked_for = MOST_HITS if one_per_transcript else limit
    hits: list[Hit] = []
    best: dict[int, Hit] = {}
    for _ in range(ROUNDS):
        found = (await store(name).search(query, within=within, limit=asked_for))[:asked_for]
        ids = {hit.transcript_id for hit in found}
        served = await in_database(_served, principal, filters, ids)
        hits = [hit for hit in found if hit.transcript_id in served]
        _add_best(best, hits)
        enough = len(best if one_per_transcript else hits) >= limit
        if enough or (len(found) < asked_for and served == ids):
            break
        passed = (ids - served) | (best.keys() if one_per_transcript else set())
        within = replace(within, without=within.without | passed)
    return list(best.values())[:limit] if one_per_transcript else hits[:limit]


def _served(principal: Principal, filters: TranscriptFilters, ids: set[int]) -> set[int]:
    """Return which of the transcripts `ids` `principal` may see and pass `filters`, as they are now."""
    found = matching_transcripts(principal, filters).filter(pk__in=ids).order_by()
    return set(found.values_list("pk", flat=True))


def _add_best(best: dict[int, Hit], found: Sequence[Hit]) -> None:
    """Add to `best` the best hit of each further transcript."""
    for hit in found:
        earlier = best.setdefault(hit.transcript_id, hit)
        if earlier.position == FACTS:
            # The facts rank the transcript, but what somebody says is better to show.
            best[hit.transcript_id] = hit


def cite(principal: Principal, hits: Sequence[Hit]) -> list[Cited]:
    """Return `hits` with all that is shown of them, in order, without those that `principal` may not see."""
    transcripts = (
        Transcript.objects.visible_to(principal)
        .defer("text")
        .select_related("collection")
        .in_bulk({hit.transcript_id for hit in hits})
    )
    wanted = [(hit.transcript_id, hit.position) for hit in hits if hit.position is not None]
    places = {
        (passage.transcript_id, passage.position): passage
        for passage in _any_of(
            Passage.objects.defer("text", "words"),
            [Q(transcript_id=pk, position=position) for pk, position in wanted],
        )
    }
    turns: dict[int, list[Turn]] = {}
    spans = [
        Q(transcript_id=each.transcript_id, position__range=(each.first_turn, each.last_turn))
        for each in places.values()
        if each.first_turn is not None
    ]
    for turn in _any_of(Turn.objects.order_by("transcript_id", "position"), spans):
        turns.setdefault(turn.transcript_id, []).append(turn)
    cited = []
    for hit in hits:
        if hit.transcript_id not in transcripts:
            continue
        place = places.get((hit.transcript_id, hit.position or 0))
        inside = [
            turn
            for turn in turns.get(hit.transcript_id, [])
            if place
            and place.first_turn is not None
            and place.first_turn <= turn.position <= (place.last_turn or 0)
        ]
        cited.append(
            Cited(
                transcript=transcripts[hit.transcript_id],
                position=hit.position,
                turns=inside,
                text=hit.text,
            )
        )
    return cited


def _any_of(rows: "QuerySet[T]", conditions: Sequence[Q]) -> "QuerySet[T]":  # type: ignore[type-var]
    if not conditions:
        return rows.none()
    either = Q()
    for condition in conditions:
        either |= condition
    return rows.filter(either)


def told_apart(principal: Principal, transcripts: Sequence[Transcript]) -> dict[int, str]:
    """Return a title for each of `transcripts`, by id: with its day, or its id, if others have the same.

    Only others that `principal` may see count, because the title must reveal nothing that is hidden.
    """
    titles = {each.title for each in transcripts}
    among = Transcript.objects.visible_to(principal).filter(title__in=titles).order_by()
    shared = {each["title"] for each in among.values("title").annotate(count=Count("pk")).filter(count__gt=1)}
    return {
        each.pk: f"{each.title} ({each.call_date or each.slug})" if each.title in shared else each.title
        for each in transcripts
    }


def snippet(text: str, query: str, length: int = SNIPPET) -> str:
    """Return about `length` characters of `text`, on one line, from where most words of `query` are."""
    text = " ".join(text[:MOST_READ].split())
    if len(text) <= length:
        return text
    found: list[tuple[int, int, set[str]]] = []
    end = 0
    for piece, sought in _pieces(text, query):
        start, end = end, end + len(piece)
        if sought:
            found.append((start, end, sought))

    def worth(place: int) -> int:
        inside = set[str]()
        for _, end, sought in islice(found, bisect_left(found, (place,)), None):
            if end > place + length:
                break
            inside |= sought
        return len(inside)

    # It is better to begin with a sentence.
    place = max((0, *(end.end() for end in _SENTENCE_ENDS.finditer(text))), key=worth)
    if found and not worth(place):
        before = max(0, found[0][0] - LEAD)
        place = text.find(" ", before, found[0][0]) + 1 or before
    cut = text[place : place + length]
    if place + length < len(text):
        # A text without spaces is cut anywhere.
        cut = cut[: max(cut.rfind(" "), 0)] if " " in cut[-LEAD:] else cut
        cut += " …"
    return f"… {cut}" if place else cut


def marked(text: str, query: str) -> list[tuple[str, bool]]:
    """Return `text` in pieces, each with whether `query` asks for it."""
    alike = groupby(_pieces(text, query), key=lambda piece: bool(piece[1]))
    return [("".join(piece for piece, _ in pieces), sought) for sought, pieces in alike]


def _pieces(text: str, query: str) -> Iterator[tuple[str, set[str]]]:
    """Yield `text` in pieces, each with the words of `query` that it is; other forms of a word count too."""
    words = asked(query[:MOST_READ])[:50]
    stems = [(word, word[: max(4, len(word) - 3)]) for word in words if word.isalpha()]
    stems = [(word, stem) for word, stem in stems if len(word) >= STEMMED]
    for piece, known in pieces(text):
        same = {word for word in words if word in known}
        yield piece, same | {word for word, stem in stems if any(each.startswith(stem) for each in known)}
