"""The lines above the talk → the facts of the call, and the remaining lines.

Facts are in a block between rules (`---`), as front matter or in the plain way of transcript services;
or, without rules, as `Call Date: …` on separate lines before anybody speaks.
"""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePath

from mcpsite.core.texts import clean
from transcripts.days import WEEKDAY, days_in, one_day
from transcripts.formats.base import Line
from transcripts.labels import Kind, kind_of

NAMES = {
    "title": """
        title|call title|topic|titel|titre|título|titulo|titolo|件名|タイトル|题目|標題|标题|제목|название
    """,
    "call_date": """
        call date|date|date of call|date of interview|interview date|recording date|datum|gesprächsdatum|fecha
        |data|日付|日時|実施日|日期|날짜|일시|дата
    """,
    "moderator": "moderator",
    "sector": "sector|industry|branche|secteur|settore|setor|業種|行业|行業|업종|отрасль",
    "duration": "duration|length|dauer|durée|duración|durata|duração|所要時間|时长|時長|длительность",
    "participants": """
        participants|speakers|attendees|teilnehmende|teilnehmer|participantes|partecipanti|参加者|出席者|参会人
        |与会者|與會者|참석자|участники
    """,
}
"""Field → what files call it."""
FIELD = {name.strip(): each for each, names in NAMES.items() for name in names.split("|")}
SPOKEN = frozenset({"moderator", "teilnehmer"})
"""Of these who speaks may be called so as well."""
LONGEST = {"title": 300, "moderator": 300, "sector": 300, "duration": 100}
"""Characters of a field; a longer value is also among the other facts."""
OTHER_NAMES = frozenset(
    {
        *("tags", "author", "summary", "source", "company", "language", "keywords", "id", "firm", "subject"),
        *("description", "location", "time", "status", "created", "updated", "type", "version", "project"),
    }
)
"""Other labels of headers, so that a block of these is one."""
MOST_LINES = 300
"""The most lines of a header."""
MOST_ABOVE = 40
"""The most lines above the talk, without rules, that are searched for facts."""

_FACT = re.compile(r"^([^\W\d_][\w /&-]{0,40})(?:：\s*|:(?:\s+|$))(.*)$")
_ITEM = re.compile(r"^\s*[-*•]\s+(.+)$")
_TIMED = re.compile(r"\d:\d\d\W*$")
_LASTS = re.compile(r"(?:\d+h )?\d+m(?: \d+s)?$")
_RULE = re.compile(r"^-{3,}\s*$")
_ENDS = re.compile(r"^(?:-{3,}|\.{3})\s*$")
_BLOCK = re.compile(r"^[>|][+-]?\d?$")
_ABOUT_DAY = re.compile(
    r"(?:\b(?:call|interview|meeting|conversation|discussion|session)\b.{0,40})?"
    r"\b(?:conducted|held|recorded|took place|date|dated|on)\b[\s:]*(?:on\s)?(?:the\s)?$",
    re.IGNORECASE,
)
_BESIDE_DAY = re.compile(
    rf"{WEEKDAY}|T(?=\d)\d{{0,6}}Z?|\d{{1,2}}[:.h]\d{{2}}(?::\d{{2}})?Z?(?:\s?[ap]\.?m\b\.?)?"
    r"|\d+\s?(?:h|m|s|min|hours?|minutes?|seconds?)\b"
    r"|\b(?:[ap]\.?m|utc|gmt|[ecmp][sd]?t|ces?t|(?:at|kl|um)\b\.?(?:\s?\d{1,2}\b(?![:.]))?|date|den|le|uhr|г|expert|call|interview|meeting"
    r"|conference|transcript)\b\.?|[\s,.;:|•·()+–—-]+|[（）]",
    re.IGNORECASE,
)
"""What may stand beside the day in a line that says nothing else."""


@dataclass(kw_only=True, slots=True)
class Header:
    """What is known of a call before anybody speaks."""

    title: str = ""
    call_date: datetime.date | None = None
    moderator: str = ""
    sector: str = ""
    duration: str = ""
    participants: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    """Lines that fit no field."""
    notes: list[str] = field(default_factory=list)
    """What was not understood, in sentences."""


@dataclass(slots=True)
class _Fact:
    name: str
    value: str
    lines: list[Line]


def read(name: str, lines: list[Line]) -> tuple[Header, list[Line]]:
    """Return the facts in `lines` and in the name of their file, and the lines that are not header."""
    facts, rest = _block(lines)
    if not facts:
        facts, rest = _above(lines)
    header = Header(title=title_of(name))
    taken: set[str] = set()
    for fact in facts:
        known = FIELD.get(fact.name.casefold().replace("_", " "), "")
        if known and known not in taken and _take(header, known, fact):
            taken.add(known)
        else:
            header.others += [line.text.strip() for line in fact.lines if line.text.strip()]
    _read_services(header, rest)
    if header.call_date is None:
        header.call_date = _day_above(rest, header.notes) or _day_of_name(name, header.notes)
    return header, rest


def title_of(name: str) -> str:
    """Return a title from a file's name: without folder, suffix, leading date and underscores."""
    stem = clean(PurePath(name).stem)
    first = next(iter(days_in(stem[:40])), None)
    rest = stem[first.end :] if first and first.start == 0 and first.day else stem
    words = re.sub(r"[\s_]+", " ", rest).strip(" -")
    return (words or stem)[:300]


def _block(lines: list[Line]) -> tuple[list[_Fact], list[Line]]:
    """Return the facts of a header that begins with a rule, and the lines after it; or none and all lines."""
    start = next((place for place, line in enumerate(lines) if line.text.strip()), len(lines))
    if start == len(lines) or not _RULE.match(lines[start].text):
        return [], lines
    inside = lines[start + 1 : start + 1 + MOST_LINES]
    end = next((place for place, line in enumerate(inside) if _ENDS.match(line.text)), None)
    if end is not None and all(_of_header(line.text) for line in inside[:end]):
        facts, rest = _facts(inside[:end]), lines[start + 2 + end :]
    else:
        end = next(
            (place for place, line in enumerate(inside) if not _of_header(line.text, blank=False)),
            len(inside),
        )
        facts, rest = _facts(inside[:end]), lines[start + 1 + end :]
        if rest and _ENDS.match(rest[0].text):
            rest = rest[1:]
    known = any(_is_known(fact) for fact in facts)
    # Otherwise it is a rule of Markdown, and below it people may speak.
    return (facts, rest) if known else ([], lines)


def _is_known(fact: _Fact) -> bool:
    name = fact.name.casefold().replace("_", " ")
    return name in FIELD or name in OTHER_NAMES


def _of_header(text: str, *, blank: bool = True) -> bool:
    if not text.strip():
        return blank
    return bool(_FACT.match(text.rstrip()) or _ITEM.match(text)) or text[0] in " \t#"


def _facts(lines: list[Line]) -> list[_Fact]:
    facts: list[_Fact] = []
    for line in lines:
        found = _FACT.match(line.text.rstrip())
        if found:
            facts.append(_Fact(found[1].strip(), (found[2] or "").strip(), [line]))
        elif facts and not line.text.startswith("#"):
            facts[-1].lines.append(line)
        else:
            facts.append(_Fact("", line.text, [line]))
    return facts


def _above(lines: list[Line]) -> tuple[list[_Fact], list[Line]]:
    """Return the facts above the talk without rules, and the other lines."""
    facts: list[_Fact] = []
    rest: list[Line] = []
    for block in _blocks(lines[:MOST_ABOVE]):
        found = [_plain_fact(line) for line in block]
        known = [fact for fact in found if fact and fact.name.casefold() in FIELD and fact.value]
        last = max((found.index(fact) for fact in known), default=-1)
        for place, (line, fact) in enumerate(zip(block, found, strict=True)):
            # A line among facts is a fact, although people have such labels too: "Expert: Former VP".
            among = len(known) > 1 and place <= last and all(found[:last])
            if fact and (among or (fact in known and fact.name.casefold() not in SPOKEN)):
                facts.append(fact)
            elif line.text.strip() and _talks(line.text):
                rest += block[place:] + lines[block[-1].number - lines[0].number + 1 :]
                return (facts, rest) if facts else ([], lines)
            else:
                rest.append(line)
    rest += lines[MOST_ABOVE:]
    return (facts, rest) if any(line.text.strip() for line in rest) else ([], lines)


def _plain_fact(line: Line) -> _Fact | None:
    found = _FACT.match(line.text.strip().replace("**", ""))
    return _Fact(found[1].strip().replace("_", " "), (found[2] or "").strip(), [line]) if found else None


def _blocks(lines: list[Line]) -> Iterator[list[Line]]:
    """Yield runs of lines that are not blank, and the blank ones between them one by one."""
    block: list[Line] = []
    for line in lines:
        if line.text.strip():
            block.append(line)
            continue
        if block:
            yield block
        yield [line]
        block = []
    if block:
        yield block


def _talks(text: str) -> bool:
    """Return whether somebody may speak in a line: the facts end there."""
    found = re.match(r"^[^:：]{1,80}[:：](?=\s|\S)", text.strip())
    return (
        bool(found) or bool(re.match(r"^\s*[\[(]?\d{1,2}:\d{2}", text)) or bool(re.match(r"^[QA]\.\s", text))
    )


def _take(header: Header, known: str, fact: _Fact) -> bool:
    """Put a fact into its field; return whether the field holds all of it."""
    if known == "participants":
        header.participants = _people(fact)
        return bool(header.participants)
    more = [line.text.strip() for line in fact.lines[1:] if line.text.strip()]
    value = " ".join(filter(None, ["" if _BLOCK.match(fact.value) else _bare(fact.value), *more]))
    if known == "call_date":
        header.call_date = _day_of(value, fact, header.notes)
        # With a time, or with words that are not understood, the line is kept beside the day.
        return header.call_date is not None and not _beyond_day(value)
    setattr(header, known, (value if value or known != "title" else header.title)[: LONGEST[known]])
    return len(value) <= LONGEST[known]


def _bare(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1].strip()
    return text.strip("\"'")


def _people(fact: _Fact) -> list[str]:
    """Return the participants in a line, in a list in brackets, or in a list below with names and roles."""
    people: list[str] = []
    if fact.value.startswith("[") and fact.value.endswith("]"):
        people += [_bare(each) for each in fact.value[1:-1].split(",")]
    elif fact.value and not _BLOCK.match(fact.value):
        people += [_bare(each) for each in re.split(r"[;；、]", fact.value)]
    for line in fact.lines[1:]:
        item = _ITEM.match(line.text)
        text = (item[1] if item else line.text).strip()
        named = re.match(r"^(\w+):\s+(.+)$", text)
        key, value = (named[1].casefold(), _bare(named[2])) if named else ("", _bare(text))
        if item and (key == "name" or not named):
            people.append(value)
        elif item:
            people.append(text)
        elif people and key == "name":
            people[-1] = f"{value} ({people[-1].partition(':')[2].strip()})"
        elif people and value:
            people[-1] += f" ({value})" if key in ("role", "title", "label") else f", {value}"
    return [person for person in people if person]


def _day_of(value: str, fact: _Fact, notes: list[str]) -> datetime.date | None:
    where = f"Line {fact.lines[0].number}: the date “{value[:60]}”"
    found = days_in(value)
    days = {each.day for each in found}
    if len(days) == 1 and None not in days:
        if re.match(r"\s*(?:0?\d|1[0-2])\.(?:0?\d|1[0-2])\.\d{4}", value):
            notes.append(f"{where} was read with the day first.")
        return days.pop()
    if not found:
        notes.append(f"{where} was not understood; write it as 2026-03-31.")
    elif len(days) > 1:
        notes.append(f"{where} contains several days, so none was used; write one as 2026-03-31.")
    elif _is_open(found[0].text):
        notes.append(
            f"{where} may have the day first or the month first, so it was not used; write it as 2026-03-31."
        )
    else:
        notes.append(f"{where} is a day that does not exist.")
    return None


def _is_open(text: str) -> bool:
    numbers = [int(each) for each in re.findall(r"\d+", text)]
    return len(numbers) == 3 and 1 <= numbers[0] <= 12 and 1 <= numbers[1] <= 12


def _beyond_day(value: str) -> bool:
    """Return whether a date's line says more than the day: a time, a place."""
    found = days_in(value)
    outside = value[: found[0].start] + value[found[0].end :]
    return bool(re.sub(rf"{WEEKDAY}|[\s,.]+", "", outside, flags=re.IGNORECASE))


def _read_services(header: Header, rest: list[Line]) -> None:
    """Read the participants and the duration from where services put them: below SPEAKERS, below the day."""
    above = [line for line in rest[:MOST_ABOVE] if line.text.strip()]
    for line, below in pairwise(above):
        if not header.duration and _LASTS.match(below.text.strip()) and days_in(line.text):
            header.duration = below.text.strip()
            rest.remove(below)
    for line, below in pairwise(rest[:MOST_ABOVE]):
        if line.text.strip() == "SPEAKERS" and below.text.strip() and not header.participants:
            header.participants = [each.strip() for each in below.text.split(",") if each.strip()]


def _day_above(rest: list[Line], notes: list[str]) -> datetime.date | None:
    """Return the day in a line above the talk; the line itself is kept."""
    seen: dict[datetime.date | None, str] = {}
    for line in rest[:MOST_ABOVE]:
        if line.text.strip() and re.match(r"^\s*(?:[\[(]|\d{1,2}:\d{2}\s)", line.text):
            break
        found = days_in(line.text)
        if (not found and _TIMED.search(line.text)) or _names_speaker(line.text):
            break
        if len(found) != 1:
            continue
        before, after = line.text[: found[0].start], line.text[found[0].end :]
        alone = not _BESIDE_DAY.sub("", before + " " + after)
        if alone or (_ABOUT_DAY.search(before) and len(before) < 80 and len(after.strip(" .")) < 20):
            seen[found[0].day] = f"Line {line.number}: the date “{found[0].text}”"
    if len(seen) == 1:
        day, where = next(iter(seen.items()))
        if day is None:
            notes.append(f"{where} was not understood; write it as 2026-03-31.")
        return day
    if seen:
        notes.append(f"{next(iter(seen.values()))} is not the only one, so none was used.")
    return None


def _names_speaker(text: str) -> bool:
    """Return whether a line begins with the label of somebody who speaks."""
    label, colon, _ = text.strip().replace("**", "").partition(":")
    return bool(colon) and label.casefold() not in FIELD and kind_of(label.strip()) is Kind.SURE


def _day_of_name(name: str, notes: list[str]) -> datetime.date | None:
    stem = PurePath(name).stem
    found, day = days_in(stem), one_day(stem)
    if found and day is None:
        notes.append(
            f"The date “{found[0].text}” in the file's name was not understood; write it as 2026-03-31."
        )
    return day
