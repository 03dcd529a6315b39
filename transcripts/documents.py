"""A transcript as a text for reading it whole: turns with their stamps, in parts if it is long."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mcpsite.access.policies import Principal
from mcpsite.mcp import share
from transcripts.models import Transcript, Turn, VectorStoreFile

MOST_CHARACTERS = 100_000
"""Characters of one part."""
MOST_OF_AN_ANSWER = 0.85
"""The share of the longest answer that a part may have; the rest is for the facts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of a transcript's text; most have only one."""

    transcript: Transcript
    number: int
    """From 1."""
    of: int
    text: str

    @property
    def id(self) -> str:
        return name_of(self.transcript, self.number)

    @property
    def next_id(self) -> str:
        """The id of the part after this one; empty for the last."""
        return name_of(self.transcript, self.number + 1) if self.number < self.of else ""


def name_of(transcript: Transcript, number: int) -> str:
    """Return the name of a part: `slug`, `slug#2`, `slug#3` …"""
    return transcript.slug if number == 1 else f"{transcript.slug}#{number}"


def part(principal: Principal, name: str) -> Part | None:
    """Return the part called `name` of a transcript that `principal` may see; None if there is none.

    `name` is a transcript's slug or the id of its file in the vector store, from the second part on followed
    by `#` and the part's number.
    """
    document, _, digits = name.strip().partition("#")
    if "\0" in document or (digits and not (digits.isascii() and digits.isdigit() and len(digits) < 7)):
        return None
    number = int(digits) if digits else 1
    visible = Transcript.objects.visible_to(principal).select_related("collection")
    transcript = visible.filter(slug=document).first()
    if transcript is None and document:
        of_file = VectorStoreFile.objects.filter(file_id=document).values("transcript")
        transcript = visible.filter(pk__in=of_file).first()
    if transcript is None:
        return None
    texts = list(_parts(transcript_lines(transcript)))
    if not 1 <= number <= len(texts):
        return None
    return Part(transcript=transcript, number=number, of=len(texts), text=texts[number - 1])


def facts(transcript: Transcript) -> dict[str, str]:
    """Return what is known of the call beside its title, without empty values."""
    known = {
        "date": transcript.call_date.isoformat() if transcript.call_date else "",
        "sector": transcript.sector,
        "moderator": transcript.moderator,
        "participants": "; ".join(transcript.participants),
        "duration": transcript.duration,
        "collection": transcript.collection.name,
    }
    return {name: value for name, value in known.items() if value}


def turn_line(turn: Turn) -> str:
    """Return `[00:12] Speaker: text`, as far as the turn has these."""
    stamp = f"[{turn.stamp}] " if turn.stamp else ""
    return f"{stamp}{turn.speaker}: {turn.text}" if turn.speaker else f"{stamp}{turn.text}"


def transcript_lines(transcript: Transcript) -> Iterator[str]:
    """Yield the transcript's text in pieces: header lines that no field holds, then the turns."""
    if transcript.other_facts:
        yield "\n".join(transcript.other_facts)
    for turn in transcript.turns.all():
        yield turn_line(turn)


def _parts(pieces: Iterable[str]) -> Iterator[str]:
    """Yield the pieces joined to texts that may be sent; a turn is cut only if it alone is too long."""
    text, size = "", 0.0
    empty = True
    for piece in _cut(pieces):
        more = _share(f"{piece}\n\n")
        if text and (len(text) + len(piece) + 2 > MOST_CHARACTERS or size + more > MOST_OF_AN_ANSWER):
            yield text
            text, size = "", 0.0
        text = f"{text}\n\n{piece}" if text else piece
        size += more
        empty = False
    if text or empty:
        yield text


def _cut(pieces: Iterable[str]) -> Iterator[str]:
    for piece in pieces:
        rest = piece
        while len(rest) > MOST_CHARACTERS or _share(rest) > MOST_OF_AN_ANSWER:
            most = min(MOST_CHARACTERS, len(rest) - 1)
            while _share(rest[:most]) > MOST_OF_AN_ANSWER:
                most = most * 3 // 4
            end = rest.rfind(" ", most // 2, most)
            end = end if end > 0 else most
            yield rest[:end]
            rest = rest[end:].lstrip(" ")
        yield rest


def _share(text: str) -> float:
    """Return which part of the longest answer `text` is, written as JSON."""
    return share(json.dumps(text, ensure_ascii=False))
