"""A call as a page shows it: a part of its turns, the cited ones, what was searched for in it, who speaks.

A link cites turns by their place and by a digest of their words. Loads change files and so move passages:
a link shows what it cites, wherever that is now, or a sentence that it is gone.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from django.db.models import Max, Min
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from transcripts import searching
from transcripts.models import Transcript, Turn
from transcripts.passages import WORDS, count_words, digest, digests
from transcripts.stores import local

PER_PAGE = 200
"""Turns on a page, which has about 200 KB."""
COLOURS = 6
"""Colours of speakers; the seventh speaker gets the first one's."""


class Span(NamedTuple):
    """Consecutive turns by their positions, the last one included."""

    first: int
    last: int


class Gone(Exception):
    """What a link cites is no longer in the call; `near` is what is in its place."""

    def __init__(self, near: Span | None = None) -> None:
        super().__init__()
        self.near = near


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """What the address of a call's page asks for; everything else is empty."""

    passage: str = ""
    turn: str = ""
    """An anchor."""
    digest: str = ""
    """Digest of the cited words."""
    query: str = ""
    page: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A turn on the page."""

    turn: Turn
    said: SafeString
    colour: int
    """The number of its speaker's colour; 0 if there is no speaker."""

    @property
    def href(self) -> str:
        return f"?at={self.turn.anchor}&v={digest([self.turn.text])}#{self.turn.anchor}"


class Reading:
    """The page of `transcript` that `link` leads to."""

    def __init__(self, transcript: Transcript, link: Link) -> None:
        self.transcript = transcript
        self.query = link.query
        self.total = transcript.turns.aggregate(last=Max("position"))["last"] or 0
        self.gone = False
        self.cited: Span | None = None
        near = None
        try:
            near = self.cited = _cited(transcript, link)
        except Gone as gone:
            self.gone = True
            near = gone.near
        self.pages = max(1, ceil(self.total / PER_PAGE))
        self.number = _number(link.page) or (ceil(near.first / PER_PAGE) if near else 1)
        self.number = min(max(1, self.number), self.pages)

    @property
    def span(self) -> Span:
        """The turns of the page, with those of a cited passage that begins on it and ends on the next."""
        first, last = (self.number - 1) * PER_PAGE + 1, min(self.number * PER_PAGE, self.total)
        ends = self.cited.last if self.cited and first <= self.cited.first <= last else last
        return Span(first, max(last, ends))

    @property
    def before(self) -> int:
        return self.number - 1

    @property
    def after(self) -> int:
        return self.number + 1

    @property
    def times(self) -> str:
        """From when to when the page goes, if the file says."""
        stamps = [each.turn.stamp for each in self.turns if each.turn.stamp]
        return f"{stamps[0]} to {stamps[-1]}" if stamps else ""

    @cached_property
    def turns(self) -> list[Shown]:
        found = {position for hit in self.hits for position in range(hit.span.first, hit.span.last + 1)}
        turns = self.transcript.turns.filter(position__range=self.span)
        return [
            Shown(
                turn=turn,
                said=_said(turn.text, self.query if turn.position in found else ""),
                colour=self._colours.get(turn.speaker, 0),
            )
            for turn in turns
        ]

    @property
    def parts(self) -> Iterable[tuple[bool, list[Shown]]]:
        """The turns before the cited ones, the cited ones, those after; each with whether it is cited."""
        first, last = self.cited or (self.total + 1, self.total)
        yield False, [each for each in self.turns if each.turn.position < first]
        yield True, [each for each in self.turns if first <= each.turn.position <= last]
        yield False, [each for each in self.turns if each.turn.position > last]

    @property
    def cited_address(self) -> str:
        """The cited passage as a link cites it; empty if it is not a passage."""
        first, last = self.cited or (0, 0)
        position = self.transcript.passages.filter(first_turn=first, last_turn=last).values_list("position")
        turns = [each.turn for each in self.turns if first <= each.turn.position <= last]
        if not turns or not (found := position.first()):
            return ""
        page, words = self.transcript.get_absolute_url(), digest(turn.text for turn in turns)
        return f"{page}?p={found[0]}&v={words}#{turns[0].anchor}"

    @cached_property
    def hits(self) -> "list[Hit]":
        """The passages that `query` finds in this call, in the order of the call."""
        if not self.query:
            return []
        this = Transcript.objects.filter(pk=self.transcript.pk)
        found = local.search_database(self.query, transcripts=this, limit=searching.MOST_HITS)
        passages = self.transcript.passages.filter(
            position__in=[hit.position for hit in found], first_turn__isnull=False
        ).values_list("position", "first_turn", "last_turn")
        return [Hit(position, Span(first or 0, last or 0)) for position, first, last in passages]

    @property
    def hit(self) -> int:
        """The number of the cited hit, from 1; 0 if none is."""
        return next((n for n, hit in enumerate(self.hits, 1) if hit.span == self.cited), 0)

    @property
    def previous_hit(self) -> "Hit | None":
        place = (self.cited or self.span).first
        return next((hit for hit in reversed(self.hits) if hit.span.first < place), None)

    @property
    def next_hit(self) -> "Hit | None":
        place = self.cited.first + 1 if self.cited else self.span.first
        return next((hit for hit in self.hits if hit.span.first >= place), None)

    @cached_property
    def _colours(self) -> dict[str, int]:
        """The colour of each speaker, in the order in which they first speak."""
        speakers = self.transcript.turns.exclude(speaker="").order_by().values("speaker")
        first = speakers.annotate(first=Min("position")).order_by("first").values_list("speaker", flat=True)
        return {speaker: place % COLOURS + 1 for place, speaker in enumerate(first)}


class Hit(NamedTuple):
    """A passage that was found in the call."""

    position: int
    span: Span


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else 0


def _cited(transcript: Transcript, link: Link) -> Span | None:
    """Return the turns that `link` cites, wherever they are now. Raises Gone."""
    if link.passage:
        return _cited_passage(transcript, _number(link.passage), link.digest)
    if link.turn:
        turn = transcript.turns.filter(anchor=link.turn).first()
        here = Span(turn.position, turn.position) if turn else None
        if turn and (not link.digest or digest([turn.text]) == link.digest):
            return here
        return _moved(transcript, link.digest, here, alone=True)
    return None


def _cited_passage(transcript: Transcript, number: int, wanted: str) -> Span | None:
    passage = transcript.passages.filter(position=number).only("first_turn", "last_turn").first()
    if passage and passage.first_turn is None:
        # The facts are shown above every page.
        return None
    here = Span(passage.first_turn or 0, passage.last_turn or 0) if passage else None
    if here:
        texts = transcript.turns.filter(position__range=here).values_list("text", flat=True)
        if not wanted or digest(texts) == wanted:
            return here
    return _moved(transcript, wanted, here)


def _moved(transcript: Transcript, wanted: str, near: Span | None, *, alone: bool = False) -> Span:
    """Return the turns whose words have the digest `wanted`. Raises Gone unless they are in one place.

    These are any that can be a passage, or with `alone` any single turn: words that are added earlier or a
    longer name move the bounds of all later passages.
    """
    texts = list(transcript.turns.values_list("text", flat=True)) if wanted else []
    words = [WORDS if alone else count_words(text) for text in texts]
    found: list[Span] = []
    for place in range(len(texts)):
        end, sum_of_words = place + 1, words[place]
        while end < len(texts) and sum_of_words + words[end] <= WORDS:
            sum_of_words += words[end]
            end += 1
        run = digests(texts[place:end])
        found += [Span(place + 1, last) for last, each in enumerate(run, place + 1) if each == wanted]
    if len(found) != 1:
        raise Gone(near)
    return found[0]


def _said(text: str, query: str) -> SafeString:
    """Return `text` as HTML, with the words of `query` marked."""
    if not query:
        return format_html("{}", text)
    return format_html_join(
        "",
        "{}{}{}",
        (
            (SafeString("<mark>") if sought else "", piece, SafeString("</mark>") if sought else "")
            for piece, sought in searching.marked(text, query)
        ),
    )
