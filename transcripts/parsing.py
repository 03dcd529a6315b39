"""A file's bytes → the facts of its header and its turns. Knows nothing of the database.

The content of a file decides its kind, not its name. Containers (Word, PDF, HTML) become text first;
captions, recognizers' JSON and tables become cues; everything else is lines (`transcripts.formats`). None of
the text is lost, whatever it looks like, and what was not understood is reported.
"""

import datetime
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mcpsite.core.texts import clean
from transcripts import header, turns
from transcripts.formats import captions, containers, pages, plain, recognized, tables
from transcripts.formats.base import MAX_BYTES, BadFile, Cue, Line, NoText, lines_of
from transcripts.turns import Said, Talk

__all__ = ["MAX_BYTES", "SUFFIXES", "BadFile", "NoText", "Parsed", "Said", "parse", "parse_text", "too_large"]

SUFFIXES = frozenset(
    {
        ".txt",
        ".text",
        ".md",
        ".markdown",
        ".vtt",
        ".srt",
        ".docx",
        ".html",
        ".htm",
        ".json",
        ".jsonl",
        ".sbv",
        ".pdf",
    }
)
"""Suffixes of the files that are loaded from a folder; a file that is named is read by its content."""
ELSE = "save the call as text, .docx, .vtt or .srt"
MOST_LINES = 200_000
MOST_TURNS = 50_000
OTHERS = {
    b"{\\rtf": f"It is RTF, which cannot be loaded; open it in a word processor and {ELSE}.",
    b"\xd0\xcf\x11\xe0": f"It is a document of an old Office version (.doc); open it and {ELSE}.",
    b"ID3": "It is a recording; load its transcript as text, .vtt or .json.",
    b"OggS": "It is a recording; load its transcript as text, .vtt or .json.",
    b"RIFF": "It is a recording; load its transcript as text, .vtt or .json.",
}
"""How files of other kinds begin, and what to do with them."""
OTHER_TEXTS = {
    re.compile(r"(?:[\w-]+: .*\n(?:[ \t].*\n)*)*MIME-Version:", re.IGNORECASE): (
        f"It is an e-mail or a page that a browser saved as one file; {ELSE}."
    ),
    re.compile(
        r"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?!html)[\w:]+[^<>]*\bxmlns", re.IGNORECASE | re.DOTALL
    ): (f"It is XML, which cannot be loaded; {ELSE}."),
    re.compile(r"\[Script Info\]"): "It is captions of another kind (.ass); save them as .vtt or .srt.",
}
"""The same for texts."""
IS_PAGE = "It is an HTML page, but not a transcript in a known format; save the call as text."


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """The content of a file."""

    title: str
    text: str
    """The whole file without invisible characters, or a container's text; lines end in a newline."""
    digest: str
    """SHA-256 of the file's bytes, in hexadecimal."""
    call_date: datetime.date | None = None
    moderator: str = ""
    sector: str = ""
    duration: str = ""
    participants: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    """The lines of the header that fit no field."""
    turns: list[Said] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What was not understood, in sentences that begin with its line."""
    labels: dict[str, int] = field(default_factory=dict)
    """How many turns each label of the file begins; `""` counts turns without one."""
    doubtful: dict[str, int] = field(default_factory=dict)
    """The same for words before a colon that were not considered a label."""


def too_large() -> BadFile:
    return BadFile(f"It is larger than {MAX_BYTES // 1024 // 1024} MB; split it.")


def parse(name: str, data: bytes, named: Mapping[str, str] | None = None) -> Parsed:
    """Return the content of the file called `name` (its path is ignored) with the bytes `data`.

    `named` are the speakers' names by the file's labels, if a curator gave some; see `turns.of_lines`.
    Raises BadFile for anything but a readable, non-empty transcript of at most MAX_BYTES.
    """
    if len(data) > MAX_BYTES:
        raise too_large()
    text, notes, must_talk = _text_of(data)
    try:
        parsed = parse_text(name, text, named, digest=hashlib.sha256(data).hexdigest(), notes=notes)
    except NoText:
        if must_talk:
            raise BadFile(IS_PAGE) from None
        raise
    if must_talk and sum(bool(turn.speaker or turn.offset is not None) for turn in parsed.turns) < 2:
        raise BadFile(IS_PAGE)
    return parsed


def parse_text(
    name: str,
    text: str,
    named: Mapping[str, str] | None = None,
    *,
    digest: str = "",
    notes: list[str] | None = None,
) -> Parsed:
    """Return the content of the file called `name` whose `Parsed.text` was `text`. Raises BadFile."""
    text = clean(text)
    if text.count("\n") > MOST_LINES:
        raise BadFile(f"It has more than {MOST_LINES:,} lines, which is more than any call; split it.")
    text, lines, cues = _laid_out(text)
    facts, rest = header.read(name, lines)
    known = {_label(each) for each in facts.participants} | set(facts.participants)
    talk = (
        Talk()
        if cues and not any(line.text.strip() for line in rest)
        else turns.of_lines(rest, known, named or {})
    )
    if cues:
        said = turns.of_cues(cues, known, named or {})
        above = [Said(text=turn.text) for turn in talk.turns]
        talk = Talk(turns=above + said.turns, notes=said.notes, labels=said.labels, doubtful=said.doubtful)
    if not talk.turns:
        raise NoText("It has no text.")
    if len(talk.turns) > MOST_TURNS:
        raise BadFile(f"It has more than {MOST_TURNS:,} turns, which is more than any call; split it.")
    return Parsed(
        title=facts.title,
        text=text,
        digest=digest,
        call_date=facts.call_date,
        moderator=facts.moderator,
        sector=facts.sector,
        duration=facts.duration,
        participants=facts.participants,
        others=facts.others,
        turns=talk.turns,
        notes=[*(notes or []), *facts.notes, *talk.notes],
        labels=talk.labels,
        doubtful=talk.doubtful,
    )


def _text_of(data: bytes) -> tuple[str, list[str], bool]:
    """Return the text of a file, remarks on it, and whether it is no transcript unless somebody speaks."""
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    for mark, refusal in OTHERS.items():
        if start.startswith(mark):
            raise BadFile(refusal)
    if start.startswith(b"%PDF-") or data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        try:
            return containers.text_of(data), [], False
        except containers.BadDocument as error:
            raise BadFile(str(error)) from None
    text, notes = plain.decoded(data)
    for form, refusal in OTHER_TEXTS.items():
        if form.match(text[:5000].lstrip()):
            raise BadFile(refusal)
    if pages.is_page(text):
        return pages.text_of(text), notes, True
    return text, notes, False


def _laid_out(text: str) -> tuple[str, list[Line], list[Cue]]:
    """Return a text, its lines, or its cues and the lines beside them. Raises BadFile.

    JSON and tables become captions, which people can read, and which mean the same when read again.
    """
    cues: list[Cue] | None = None
    if captions.is_captions(text):
        pass
    elif (answered := recognized.cues(text)) is not None:
        cues = _cleaned(answered)
    else:
        cues = tables.cues(text)
        if cues is None:
            return text, lines_of(text), []
    if cues is not None and any(cue.start is None for cue in cues):
        return text, [], cues
    if cues is not None:
        text = captions.written(cues)
    cues, lines = captions.cues(text)
    return text, lines, _cleaned(cues)


def _cleaned(cues: list[Cue]) -> list[Cue]:
    """Return cues without characters written by their number (`\\u001b`, `&#27;`) that no file may have."""
    cleaned = [replace(cue, text=clean(cue.text).strip(), speaker=clean(cue.speaker).strip()) for cue in cues]
    return [cue for cue in cleaned if cue.text or cue.speaker]


def _label(participant: str) -> str:
    """Return `Analyst` for `Senior Analyst, Summit Peak Capital (Analyst)`."""
    found = re.search(r"\(([^()]+)\)\s*$", participant)
    return found[1].strip() if found else participant
