"""A file's bytes → the facts of its header and its turns. Knows nothing of the database.

Files are text or Markdown, UTF-8. Most have a header block opened by `---` and turns
`[mm:ss] Speaker: text`, or in another way in use; without a header, stamps or speakers the paragraphs
are the turns. Nothing of the text is lost, whatever it looks like.
"""

import datetime
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import NamedTuple

from mcpsite.core.texts import clean

MAX_BYTES = 8 * 1024 * 1024
"""More than any call: a day of talk is under one megabyte."""
PARAGRAPH_WORDS = 200
"""A longer paragraph of a file without speakers is divided at the ends of sentences."""
OPENING_CHARACTERS = 200
"""Within so many a turn's first line has a colon, of its stamp or behind the name."""
SPEAKER_WORDS = 6
"""What has more words before its colon is a sentence, not a name."""


class BadFile(Exception):
    """A file that is refused: one plain sentence that says why."""


class NoText(BadFile):
    """A file without a word of a call."""


def too_large() -> BadFile:
    return BadFile(f"It is larger than {MAX_BYTES // 1024 // 1024} MB; split it.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """One turn."""

    text: str
    speaker: str = ""
    offset: int | None = None
    """Seconds from the start of the call."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """What a file says."""

    title: str
    text: str
    """The whole file without invisible characters; lines end in a newline."""
    digest: str
    """SHA-256 of the file's bytes, in hexadecimal."""
    call_date: datetime.date | None = None
    moderator: str = ""
    sector: str = ""
    duration: str = ""
    participants: list[str] = field(default_factory=list)
    turns: list[Said] = field(default_factory=list)


def parse(name: str, data: bytes) -> Parsed:
    """What the file called `name` (its path is ignored) with content `data` says.

    Raises BadFile for what is not a readable, non-empty UTF-8 text of at most MAX_BYTES.
    """
    if len(data) > MAX_BYTES:
        raise too_large()
    if b"\x00" in data:
        raise BadFile("It holds NUL bytes, so it is not a text file; save it as UTF-8 text.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(f"It is not UTF-8 (byte {error.start}); save it as UTF-8 text.") from None
    text = clean(text)
    header, body = _split(text.split("\n"))
    facts, participants = _facts(header)
    turns = list(_turns(body, {_label(each) for each in participants}))
    if not turns:
        raise NoText("It holds no text.")
    return Parsed(
        title=title_of(name),
        text=text,
        digest=hashlib.sha256(data).hexdigest(),
        call_date=_day(facts.get("call date", "") or facts.get("date", "")) or _day(PurePath(name).name),
        moderator=facts.get("moderator", "")[:300],
        sector=facts.get("sector", "")[:300],
        duration=facts.get("duration", "")[:100],
        participants=participants,
        turns=turns,
    )


def other_facts(text: str) -> list[str]:
    """The lines of the header of `text` that no field holds."""
    header, _ = _split(text.split("\n"))
    others: list[str] = []
    known = False
    for line in header:
        fact = _FACT.match(line.rstrip())
        known = fact[1].strip().casefold() in _KNOWN if fact else known
        if not known:
            others.append(line.strip())
    return others


def title_of(name: str) -> str:
    """A title from a file's name: without folder, suffix, leading date and underscores."""
    stem = clean(PurePath(name).stem)
    words = re.sub(r"[\s_]+", " ", _LEADING_DAY.sub("", stem)).strip(" -")
    return (words or stem)[:300]


_LEADING_DAY = re.compile(r"^\d{4}-\d{2}-\d{2}(?!\d)[\s_-]*")

# Header

_KNOWN = ("call date", "date", "moderator", "sector", "duration", "participants")
_FACT = re.compile(r"^([^\W\d_][\w /&-]{0,40}):(?:\s+(.*))?$")
_ITEM = re.compile(r"^\s*[-*•]\s+(.+)$")
_RULE = re.compile(r"^-{3,}\s*$")


def _split(lines: list[str]) -> tuple[list[str], list[str]]:
    """The header's lines without its rules, and the others. No header: no lines, and all."""
    start = next((place for place, line in enumerate(lines) if line.strip()), len(lines))
    if start == len(lines) or not _RULE.match(lines[start]):
        return [], lines
    end = start + 1
    while end < len(lines) and (_FACT.match(lines[end].rstrip()) or _ITEM.match(lines[end])):
        end += 1
    header = lines[start + 1 : end]
    if not any(_FACT.match(line.rstrip()) for line in header):
        return [], lines  # A rule of Markdown, not a header.
    closed = end < len(lines) and _RULE.match(lines[end])
    return header, lines[end + 1 :] if closed else lines[end:]


def _facts(header: list[str]) -> tuple[dict[str, str], list[str]]:
    facts: dict[str, str] = {}
    participants: list[str] = []
    key = ""
    for line in header:
        fact, item = _FACT.match(line.rstrip()), _ITEM.match(line)
        if fact:
            key = fact[1].strip().casefold()
            facts.setdefault(key, (fact[2] or "").strip().strip("\"'"))
        elif item and key == "participants":
            participants.append(item[1].strip())
    if facts.get("participants"):
        participants.insert(0, facts["participants"])
    return facts, participants


def _label(participant: str) -> str:
    """`Analyst` of `Senior Analyst, Summit Peak Capital (Analyst)`."""
    found = re.search(r"\(([^()]+)\)\s*$", participant)
    return found[1].strip() if found else participant


def _day(text: str) -> datetime.date | None:
    found = re.match(r"\s*(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?!\d)", text)
    try:
        return datetime.date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


# Turns

_TIME = r"(?:(?P<hours>\d{1,3}):)?(?P<minutes>\d{1,4}):(?P<seconds>\d{2})(?:[.,]\d{1,3}|:\d{2})?"
"""A moment, with a fraction of the second or the number of a frame."""
_SPAN = rf"{_TIME}(?:\s*(?:-+>?|–|—|to)\s*[\d:.,]+)?"
_BRACKETED = re.compile(rf"^\s*\**[\[(]\s*{_SPAN}\s*[\])]\**\s*(?P<rest>.*)$")
_BARE = re.compile(rf"^\s*{_SPAN}\s+(?P<rest>\S.*)$")
_NAME = r"[^\s:*\[\]#>|?!;-][^:*\[\]#|?!;]{0,80}?"
_SPEAKER = re.compile(rf"^\s*\*{{0,2}}(?P<name>{_NAME})\s*(?::\*{{0,2}}|\*{{0,2}}:)(?:\s+|$)(?P<rest>.*)$")
_SPEAKER_AND_STAMP = re.compile(
    rf"^\s*\*{{0,2}}(?P<name>{_NAME})\s*[\[(]\s*{_SPAN}\s*[\])]\**\s*:\**(?P<rest>.*)$"
)
_SPEAKER_ABOVE = re.compile(rf"^\s*\*{{0,2}}(?P<name>{_NAME})\*{{0,2}}(?:\s{{2,}}|\t){_SPAN}(?P<rest>)\s*$")
"""A line of its own above what is said: `Ann Lee  0:12`."""


class Opening(NamedTuple):
    """What the first line of a turn may say."""

    offset: int | None
    speaker: str
    text: str
    """Behind the stamp and the name."""
    unnamed: str | None
    """What is said if the name is none; None where the line opens no turn then."""


def _opening(line: str) -> Opening | None:
    """How a turn opens that begins with `line`; None where none can."""
    if ":" not in line[:OPENING_CHARACTERS]:
        return None
    if found := _BRACKETED.match(line):
        return Opening(_seconds(found), *(_speaker(found["rest"]) or ("", found["rest"])), found["rest"])
    if (found := _BARE.match(line)) and (named := _speaker(found["rest"])):
        return Opening(_seconds(found), *named, None)
    if found := _SPEAKER_AND_STAMP.match(line) or _SPEAKER_ABOVE.match(line):
        name = _as_name(found["name"])
        return Opening(_seconds(found), name, found["rest"].strip(), None) if name else None
    named = _speaker(line)
    return Opening(None, *named, None) if named else None


def _speaker(line: str) -> tuple[str, str] | None:
    """Who speaks in `line` and what, where it can be a turn's first line."""
    found = _SPEAKER.match(line)
    name = _as_name(found["name"]) if found else ""
    return (name, found["rest"]) if found and name else None


def _as_name(text: str) -> str:
    """`text` with single spaces where it can be a name, else nothing."""
    words = text.split()
    name = " ".join(words)
    unlikely = len(words) > SPEAKER_WORDS or name[0].islower() or name.casefold() in ("http", "https")
    return "" if unlikely else name


def _names(lines: list[str], labels: set[str]) -> set[str]:
    """The names that stand for speakers in this file: the header's labels, and what recurs."""
    seen: Counter[str] = Counter()
    for opening in filter(None, map(_opening, lines)):
        if opening.speaker:
            # A short name with a time stamp needs no second proof.
            proven = opening.offset is not None and len(opening.speaker.split()) <= 3
            seen[opening.speaker] += 2 if proven else 1
    return labels | {name for name, count in seen.items() if count >= 2}


def _turns(lines: list[str], labels: set[str]) -> Iterator[Said]:
    names = _names(lines, labels)
    offset: int | None = None
    speaker = ""
    talk = False
    """Whether a turn is open that paragraphs belong to."""
    text: list[str] = []
    for line in lines:
        opening = _opening(line)
        is_named = opening is not None and opening.speaker in names
        if opening is None or (not is_named and opening.unnamed is None):
            text.append(line)
            continue
        yield from _said(text, speaker, offset, whole=talk)
        talk = True
        offset = opening.offset
        speaker = opening.speaker if is_named else ""
        text = [opening.text if is_named else opening.unnamed or ""]
    yield from _said(text, speaker, offset, whole=talk)


def _seconds(stamped: re.Match[str]) -> int:
    return int(stamped["hours"] or 0) * 3600 + int(stamped["minutes"]) * 60 + int(stamped["seconds"])


def _said(lines: list[str], speaker: str, offset: int | None, *, whole: bool) -> Iterator[Said]:
    text = "\n".join(lines).strip()
    if whole:
        # A stamp or a name without words is said too: it would be lost otherwise.
        if text or speaker or offset is not None:
            yield Said(text=text, speaker=speaker[:200], offset=offset)
        return
    for paragraph in re.split(r"\n\s*\n", text):
        for part in _parts(paragraph.strip()):
            yield Said(text=part)


def _parts(paragraph: str) -> Iterable[str]:
    """`paragraph`, or parts of it of about PARAGRAPH_WORDS that end where sentences do."""
    if not paragraph:
        return []
    if len(paragraph.split()) <= PARAGRAPH_WORDS:
        return [paragraph]
    parts: list[str] = []
    open_part: list[str] = []
    words = 0
    for sentence in re.split(r"(?<=[.!?。！？])\s+|\n", paragraph):
        count = len(sentence.split())
        if open_part and words + count > PARAGRAPH_WORDS:
            parts.append(" ".join(open_part))
            open_part, words = [], 0
        open_part.append(sentence)
        words += count
    return [*parts, " ".join(open_part)]
