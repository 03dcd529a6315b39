"""Lines, or the cues of captions and recognizers, → turns: who said what, when.

The most important rule: never put words into another's mouth. A certain label begins a turn; a possible one
ends the turn before it, has no speaker, and is reported.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import groupby, pairwise
from typing import NamedTuple

from transcripts.days import days_in
from transcripts.formats.base import DIGITS, Cue, Line
from transcripts.labels import BOILERPLATE, Kind, has_role, is_topical, kind_of
from transcripts.stores.words import UNSPACED

PARAGRAPH_WORDS = 200
"""A longer paragraph of a file without speakers is divided at the ends of sentences."""
OPENING_CHARACTERS = 300
"""Characters of a line in which its stamp and label are searched for."""
SAME_BREATH = 2.0
"""The most seconds between two captions of one turn."""
MOST_SPEAKER = 200
MOST_NOTES = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """A turn."""

    text: str
    speaker: str = ""
    offset: int | None = None
    """Seconds from the start of the call."""


@dataclass(kw_only=True, slots=True)
class Talk:
    """All turns of a call, and what of it was not understood."""

    turns: list[Said] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What was not understood, in sentences."""
    labels: dict[str, int] = field(default_factory=dict)
    """How many turns each label of the file begins, before a curator names its speaker; `""` for no label."""
    doubtful: dict[str, int] = field(default_factory=dict)
    """The same for what may be a label and was not considered one."""


# What a line may begin with

_FOLD = str.maketrans("：﹕（）［］【】｜＜＞－–—−\u00a0\u3000", "::()[][]|<>----  ") | DIGITS
"""One character for each, so that places in a folded line are places in the line."""
_UNITS = r"(?i:\d{1,3}h\s?[0-5]?\dm(?:\s?[0-5]?\ds)?|\d{1,4}m\s?[0-5]?\ds)"
_TIME = rf"(?:(?:\d{{1,3}}:)?\d{{1,4}}:[0-5]\d(?:[.,]\d{{1,6}}|:\d{{2}})?|{_UNITS})"
_SPAN = rf"(?P<time>{_TIME})(?:\s?(?i:[ap]\.?m)\b\.?)?(?:\s*(?:-+>?|to)\s*{_TIME})?"
_STAMP = rf"[\[(<{{]\s*{_SPAN}\s*[\])>}}]"
_WORDED = r"(?P<words>(?:\d+ hours? ?)?(?:\d+ minutes? ?)?\d+ seconds?)(?:\s?[\d:]+)?"
"""A time in words, as a meeting's page gives it to screen readers, and the clock's that it stands for."""
_OUT = r":\[\]<>|?!*#{}\"“”;"
_LABEL = rf"(?P<label>[^\s{_OUT}-](?:[^{_OUT}]{{0,158}}?[^\s{_OUT}])?)"
"""It does not end in a blank, so each run of blanks is tried once."""
_BOLD = r"(?:\*{1,3}|_{1,3})?"
_BEFORE = rf"(?:>{{1,2}}\s?)?(?:#{{1,6}}\s)?(?:[-•]\s(?=\*\*))?{_BOLD}\s?"
_COLON = rf"{_BOLD}\s*:{_BOLD}"

_STAMP_FIRST = re.compile(rf"{_BEFORE}{_STAMP}{_BOLD}[\s:|-]*")
_BARE_FIRST = re.compile(rf"{_BEFORE}@?{_SPAN}(?:\s*[|-]+)?(?:\s+|$)")
_BRACKETED = re.compile(
    rf"{_BEFORE}\[(?P<label>[^\[\]\d:][^\[\]:]{{0,79}})\]\s*(?:[\[(]?\s*{_SPAN}\s*[\])]?)?\s*(?P<colon>:)?\s*"
)
_STAMP_BEHIND = re.compile(rf"{_BEFORE}{_LABEL}{_BOLD}\s*{_STAMP}{_BOLD}\s*(?P<colon>:)?{_BOLD}\s*")
_STAMP_IN = re.compile(rf"{_BEFORE}{_LABEL}{_COLON}\s*{_STAMP}\s*")
_ABOVE = re.compile(
    rf"{_BEFORE}{_LABEL}{_BOLD}(?P<gap>\s*[-|,•]\s*|\sat\s|\s{{2,}}|\t|\s)(?:{_SPAN}|{_WORDED})\s*$"
)
_LABELLED = re.compile(rf"{_BEFORE}{_LABEL}{_COLON}(?P<blank>\s+|$|)")
_UNREAD = re.compile(rf"{_BEFORE}[\[(]\s*[\d:.,'hms\s>-]*\d[\d:.,'hms\s>-]*[\])]\s*")
_LETTER = re.compile(rf"{_BEFORE}(?P<label>[QA])(?:\d{{1,3}})?\s*[.)]\s+")
_DASHED = re.compile(
    rf"{_BEFORE}(?:{_LABEL}(?:\s+(?:-{{1,2}}|>)\s+|\t\s*)|[\[<](?P<inside>[^\[\]<>:]{{1,80}})[\]>]\s*)(?=\S)"
)
_CELL = re.compile(r"(?P<label>[^\t|:]{1,160}?)\s*[\t|]\s*(?=\S)")
"""A label in a column of its own, behind a time."""
_TIME_ALONE = re.compile(rf"(?:[\[(<]?\s?{_SPAN}\s?[\])>]?|{_WORDED})$")


class Opening(NamedTuple):
    """What a line may begin with."""

    label: str
    """Empty if a stamp is alone."""
    offset: int | None
    rest: str
    """After the stamp and the label."""
    unnamed: str
    """What is said if the label is none."""
    form: str
    """How it is written: stamped, above (on a separate line), label, unread, letter."""


def _opening(text: str) -> Opening | None:
    """Return what the line `text` may begin with."""
    text = text.strip()
    head = text[:OPENING_CHARACTERS].translate(_FOLD)
    if found := _STAMP_FIRST.match(head):
        return _behind_stamp(text, head, found, bare=False)
    if (found := _BRACKETED.match(head)) and (found["time"] or found["colon"]):
        return _made(text, found, "stamped" if found["time"] else "label")
    if (found := _BARE_FIRST.match(head)) and (opening := _behind_stamp(text, head, found, bare=True)):
        return opening
    if found := _STAMP_IN.match(head):
        return _made(text, found, "stamped")
    if found := _STAMP_BEHIND.match(head):
        rest = text[found.end() :]
        form = "stamped" if found["colon"] else "above" if not rest.strip() else "beside"
        return _made(text, found, form)
    if (found := _ABOVE.match(head)) and not days_in(found["label"]):
        gap = text[found.start("gap") : found.end("gap")]
        apart = gap in ("\t", "\u3000") or (len(gap) > 1 and gap.strip() != "at")
        form = "above" if apart or found["words"] else "close"
        return _made(text, found, form)
    if (found := _LABELLED.match(head)) and _divides(text, head, found):
        return _made(text, found, "label")
    if found := _LETTER.match(head):
        return _made(text, found, "letter")
    if found := _UNREAD.match(head):
        behind = _LABELLED.match(head[found.end() :])
        if behind and kind_of(_tidy(behind["label"])) is not Kind.NOT:
            place = found.end() + behind.end()
            return Opening(
                _tidy(behind["label"]), None, f"{text[: found.end()]}{text[place:]}", text, "unread"
            )
    return None


def _behind_stamp(text: str, head: str, stamp: re.Match[str], *, bare: bool) -> Opening | None:
    """Return what comes after a stamp: a label and a colon, a label alone, or only words."""
    offset, rest = _offset(stamp), text[stamp.end() :]
    behind = head[stamp.end() :]
    found = _LABELLED.match(behind)
    # A time without brackets may begin a sentence with a colon.
    named = found and not (bare and kind_of(_tidy(found["label"])) is Kind.NOT)
    if found and named and _divides(rest, behind, found):
        return Opening(_tidy(found["label"]), offset, rest[found.end() :], rest, "stamped")
    if (found := _CELL.match(behind)) and kind_of(_tidy(found["label"])) is not Kind.NOT:
        return Opening(_tidy(found["label"]), offset, rest[found.end() :], rest, "stamped")
    if found := re.match(rf"{_BOLD}{_LABEL}{_BOLD}\s*$", behind):
        label = _tidy(found["label"])
        if kind_of(label) is not Kind.NOT and len(rest) < OPENING_CHARACTERS:
            return Opening(label, offset, "", rest, "under")
    if bare and rest.strip():
        return Opening("", offset, rest, rest, "bare")
    return Opening("", offset, rest, rest, "stamped")


def _made(text: str, found: re.Match[str], form: str) -> Opening:
    label = found["label"] or found["inside"]
    return Opening(_tidy(label), _offset(found), text[found.end() :], text, form)


def _tidy(label: str) -> str:
    return " ".join(re.sub(r"\*+|__+", "", label).strip(" _").split())


def _divides(text: str, head: str, found: re.Match[str]) -> bool:
    """Return whether a colon separates a label from words: followed by a blank, or a full-width one."""
    behind = head[found.end() : found.end() + 1]
    if found["blank"] or not behind:
        return True
    colon = text[: found.end()].rstrip("*_")[-1:]
    wide = colon != ":" or not found["label"].isascii()
    return wide or (behind.isalpha() and kind_of(_tidy(found["label"])) is Kind.SURE)


def _offset(found: re.Match[str]) -> int | None:
    groups = found.groupdict()
    if groups.get("words"):
        numbers = re.findall(r"(\d+) (hour|minute|second)", groups["words"])
        return sum(int(number) * {"hour": 3600, "minute": 60, "second": 1}[unit] for number, unit in numbers)
    if not groups.get("time"):
        return None
    if units := re.findall(r"(\d+)([hms])", groups["time"].lower()):
        return sum(int(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in units)
    parts = [int(part) for part in re.split(r"[.,]", groups["time"])[0].split(":")]
    # Four numbers end in a frame.
    hours, minutes, secs = [0, *parts][-3:] if len(parts) < 4 else parts[:3]
    return hours * 3600 + minutes * 60 + secs


_NAME_BEFORE = re.compile(r"(?:>{1,2}\s*|-\s+)?(?P<label>[^:：\n]{1,80}?)(?:\s*：|\s*:\s)\s*(?=\S)")
_NAME_ABOVE = re.compile(r"(?P<label>[^:：\n]{1,80})\n(?=\S)")
"""How the captions of meetings name who speaks: before a colon, or on a line of its own."""


# Who speaks in this file


class Speakers:
    """Decides for each label of a file whether it begins a turn at its place."""

    def __init__(
        self,
        lines: Sequence[Line],
        openings: Sequence[Opening | None],
        known: set[str],
        named: Mapping[str, str],
    ) -> None:
        self._named, self._lines, self._openings = named, lines, openings
        self._known = {_key(each) for each in known} | {
            _key(each) for each, name in named.items() if each and name
        }
        self._refused = {_key(each) for each, name in named.items() if each and not name}
        spoken = [(place, each) for place, each in enumerate(openings) if each and each.label]
        starts = {place for place, _ in spoken if place == 0 or not lines[place - 1].text.strip()}
        self._starts = starts
        stamped = [
            (place, each)
            for place, each in spoken
            if each.form not in ("label", "letter", "close", "dash", "under")
        ]
        self._stamped = {_key(each.label) for _, each in stamped if kind_of(each.label) is not Kind.NOT}
        labels = [(place, each) for place, each in spoken if each.form == "label"]
        sure = [(place, each) for place, each in labels if self._is_sure(each.label)]
        self._at_start = {_key(each.label) for place, each in labels if place in starts}
        self._counts = Counter(_key(each.label) for _, each in spoken)
        self._has_stamps = len(stamped) >= 2 and len(stamped) >= len(sure) / 2
        # Lines above the first stamp are about people, and are not said by them.
        self._first_stamp = stamped[0][0] if self._has_stamps else 0
        self._has_sure = bool(sure) or bool(stamped)
        at_start = sum(place in starts for place, _ in sure or labels)
        self._spaced = at_start >= 2 and at_start >= 0.8 * len(sure or labels)
        self._letters = {each.label for _, each in spoken if each.form == "letter"} >= {"Q", "A"}
        maybe = [each for place, each in labels if kind_of(each.label) is Kind.MAYBE]
        self._written = {_key(each.label): each.label for each in maybe}
        beside = pairwise([_key(each.label) if each in maybe else "" for _, each in spoken])
        self._together = {key for pair in beside if all(pair) for key in pair}
        if not any(self._counts[key] > 1 for key in self._together):
            self._together = set()
        blocks = sum(
            bool(line.text.strip()) and (place == 0 or not lines[place - 1].text.strip() or not self._spaced)
            for place, line in enumerate(lines)
        )
        self._mostly = (
            len(maybe) >= 2 and len({each.label for each in maybe}) > 1 and len(maybe) >= 0.6 * blocks
        )

    def _is_sure(self, label: str) -> bool:
        return _key(label) in self._known or _key(label) in self._stamped or kind_of(label) is Kind.SURE

    def verdict(self, place: int, opening: Opening) -> Kind:
        """Return whether the label of `opening`, in the line at `place`, begins a turn."""
        label, key = opening.label, _key(opening.label)
        if key in self._refused or (opening.form == "label" and place < self._first_stamp):
            return Kind.NOT
        if key in self._known:
            return Kind.SURE
        kind = kind_of(label)
        if opening.form == "letter":
            return Kind.SURE if self._letters else Kind.NOT
        if opening.form == "under":
            # A short answer looks the same, but has no words below it.
            often = kind is Kind.SURE or (kind is Kind.MAYBE and self._counts[key] > 1)
            return Kind.SURE if often and self._has_words_below(place, label) else Kind.NOT
        if opening.form in ("stamped", "unread"):
            return kind if kind is not Kind.MAYBE else Kind.SURE
        if opening.form in ("above", "beside"):
            if opening.form == "beside" and kind is not Kind.SURE and key not in self._stamped:
                return Kind.NOT
            return Kind.SURE if kind is not Kind.NOT else self._loose(label)
        if opening.form == "close":
            often = kind is Kind.MAYBE and self._counts[key] > 1
            return Kind.SURE if kind is Kind.SURE or often else Kind.NOT
        if kind is Kind.MAYBE and self._counts[key] == 1 and opening.rest.lstrip()[:1].islower():
            # Who speaks begins a sentence; "Margin: better" is a point.
            return Kind.MAYBE if self._has_sure else Kind.NOT
        return self._of_label(place, key, kind)

    def _has_words_below(self, place: int, label: str) -> bool:
        """Return whether words stand in the next line, or below a blank one if it is certain who speaks."""
        apart = has_role(label) or self._counts[_key(label)] > 1
        for line, opening in zip(
            self._lines[place + 1 : place + 2 + apart],
            self._openings[place + 1 : place + 2 + apart],
            strict=True,
        ):
            if line.text.strip():
                return opening is None
        return False

    def _loose(self, label: str) -> Kind:
        """Return the kind of a label on its own line that is not like a name: perhaps an account's."""
        words = label.split()
        return Kind.MAYBE if len(words) <= 4 and not re.search(r"[.!?,]$", label) else Kind.NOT

    def _of_label(self, place: int, key: str, kind: Kind) -> Kind:
        if kind is Kind.NOT:
            return Kind.NOT
        if key in self._stamped:
            return Kind.SURE
        starts = place in self._starts
        if self._has_stamps:
            # A label without a stamp among stamped ones is a point in what is said, unless a paragraph
            # begins.
            if kind is Kind.MAYBE and key in self._together and not starts:
                return Kind.NOT
            return Kind.SURE if kind is Kind.SURE and (starts or len(key.split()) == 1) else Kind.MAYBE
        if kind is Kind.SURE:
            alone = self._spaced and not starts and key not in self._at_start and self._counts[key] < 2
            return Kind.MAYBE if alone else Kind.SURE
        if not self._has_sure:
            return Kind.SURE if self._mostly or self._counts[key] > 1 else Kind.NOT
        if key.islower() and key == self._written.get(key):
            return Kind.MAYBE
        if self._spaced and (self._counts[key] > 1 or not is_topical(key)):
            return Kind.SURE if starts or key in self._at_start else Kind.MAYBE
        # Points of a list are adjacent; a person who speaks again and again is between others.
        return Kind.SURE if self._counts[key] > 1 and key not in self._together else Kind.MAYBE

    def shown(self, label: str) -> str:
        """Return the speaker whom `label` stands for, as a curator or else the file names them."""
        return (self._named.get(label) or label)[:MOST_SPEAKER]


def _key(label: str) -> str:
    return label.casefold()


# Lines


def of_lines(lines: Sequence[Line], known: set[str], named: Mapping[str, str]) -> Talk:
    """Return the turns in `lines`.

    `known` are labels from the header; `named` are a curator's names by label: a label among them is one,
    with an empty name it is none, and the name of the empty label applies to turns without a label.
    """
    openings = [_opening(line.text) if line.text.strip() else None for line in lines]
    _join_stamps(lines, openings, known)
    if not any(each and (each.label or each.form == "stamped") for each in openings):
        openings = _bare(lines, openings)
    elif _mostly_bare(openings):
        openings = [
            each._replace(form="stamped") if each and each.form == "bare" else each for each in openings
        ]
    speakers = Speakers(lines, openings, known, named)
    if not any(
        each and each.label and speakers.verdict(place, each) is Kind.SURE
        for place, each in enumerate(openings)
    ):
        openings = _dashed(lines, openings)
        openings = _headed(lines, openings, known)
        told = {each.label for each in openings if each and each.form in ("dash", "heading")}
        speakers = Speakers(lines, openings, known | told, named)
    talk = _Walk(lines, openings, speakers).talk(named)
    by_return = [
        line
        for line, each in zip(lines, openings, strict=True)
        if each and each.form == "heading" and not has_role(each.label) and each.label not in known
    ]
    if by_return:
        first = f"Line {by_return[0].number}: “{_short(by_return[0].text)}”"
        talk.notes.insert(
            0, f"{first} is alone on its line and appears again, so it was taken for a speaker."
        )
    return talk


def _join_stamps(lines: Sequence[Line], openings: list[Opening | None], known: set[str]) -> None:
    """Join a stamp on its own line with the label on the line above or below it."""
    filled = [place for place, line in enumerate(lines) if line.text.strip()]
    for before, place, after in zip([-1, *filled], filled, [*filled[1:], -1], strict=False):
        text = lines[place].text.strip()
        found = _TIME_ALONE.match(text.translate(_FOLD)) if len(text) < 80 else None
        if not found:
            continue
        offset = _offset(found)
        below = openings[after] if after >= 0 else None
        above = lines[before].text.strip() if before >= 0 and place - before == 1 else ""
        openings[place] = Opening("", offset, "", lines[place].text, "stamped")
        if below and below.label and below.offset is None and below.form == "label":
            openings[after] = below._replace(offset=offset, form="stamped")
            openings[place] = Opening("", None, "", "", "skipped")
        elif above and not openings[before] and (kind_of(above) is Kind.SURE or above in known):
            openings[before] = Opening(_tidy(above), offset, "", lines[before].text, "above")
            openings[place] = Opening("", None, "", "", "skipped")
        elif (
            after >= 0
            and after - place == 1
            and not below
            and kind_of(lines[after].text.strip()) is Kind.SURE
        ):
            openings[after] = Opening(_tidy(lines[after].text), offset, "", lines[after].text, "above")
            openings[place] = Opening("", None, "", "", "skipped")


def _mostly_bare(openings: Sequence[Opening | None]) -> bool:
    """Return whether most lines begin with a bare time, in order: then it is a stamp."""
    times = [each.offset for each in openings if each and each.form == "bare" and each.offset is not None]
    return len(times) >= 3 and times == sorted(times)


def _bare(lines: Sequence[Line], openings: list[Opening | None]) -> list[Opening | None]:
    filled = sum(bool(line.text.strip()) for line in lines)
    bare = sum(each is not None and each.form == "bare" for each in openings)
    if not _mostly_bare(openings) or bare < 0.3 * filled:
        return openings
    return [each._replace(form="stamped") if each and each.form == "bare" else each for each in openings]


def _dashed(lines: Sequence[Line], openings: list[Opening | None]) -> list[Opening | None]:
    """Return the openings by a dash or a tab, if this file names its speakers so."""
    found: list[Opening | None] = []
    for line, opening in zip(lines, openings, strict=True):
        match = (
            _DASHED.match(line.text.strip()[:OPENING_CHARACTERS].translate(_FOLD))
            if not (opening and opening.label)
            else None
        )
        dashed = _made(line.text.strip(), match, "dash") if match else None
        found.append(dashed if dashed and kind_of(dashed.label) is not Kind.NOT else None)
    dashes = [each for each in found if each]
    labels = Counter(each.label for each in dashes)
    filled = sum(bool(line.text.strip()) for line in lines)
    if len(labels) < 2 or max(labels.values()) < 2 or len(dashes) < 0.4 * filled:
        return openings
    return [dash or opening for dash, opening in zip(found, openings, strict=True)]


def _headed(lines: Sequence[Line], openings: list[Opening | None], known: set[str]) -> list[Opening | None]:
    """Return the openings by names alone on a line, in a file that is made of them.

    A heading may look like a name. So it is a name if its role is given, or if it recurs after somebody else.
    """
    headings = {
        place: label
        for place, line in enumerate(lines)
        if _is_alone(lines, place) and kind_of(label := _tidy(line.text.strip().lstrip("#"))) is Kind.SURE
    }
    order = [label for label, _ in groupby(headings.values())]
    # Of a list of people each line is like a name.
    listed = {
        label for place, label in headings.items() if kind_of(lines[place + 1].text.strip()) is Kind.SURE
    }
    told = {label for label in order if has_role(label)} - listed
    speak = {label for label in order if label in known or label in told or order.count(label) > 1}
    if len(speak) < 2 or any(each and each.label for each in openings):
        return openings
    return [
        Opening(headings[place], None, "", line.text, "heading") if headings.get(place) in speak else opening
        for place, (line, opening) in enumerate(zip(lines, openings, strict=True))
    ]


def _is_alone(lines: Sequence[Line], place: int) -> bool:
    """Return whether a line begins a paragraph, says nothing, and has words below it."""
    text = lines[place].text.strip()
    if not text or len(text) > 120 or re.search(r"[.!?…:;,\"”)]$", text):
        return False
    return (not place or not lines[place - 1].text.strip()) and place + 1 < len(lines)


class _Walk:
    """Goes through the lines of a file once, and closes a turn wherever another begins."""

    def __init__(self, lines: Sequence[Line], openings: Sequence[Opening | None], speakers: Speakers) -> None:
        self._lines, self._openings, self._speakers = lines, openings, speakers
        self._talk = Talk()
        self._text: list[str] = []
        self._label = ""
        self._offset: int | None = None
        self._began: int | None = None
        """The line on which the turn began; None before anybody speaks, and after words that nobody says."""
        self._doubts: list[Line] = []
        self._unnamed: list[int] = []
        self._unread: list[Line] = []
        self._refused_labels: dict[str, int] = {}

    def talk(self, named: Mapping[str, str]) -> Talk:
        for place, (line, opening) in enumerate(zip(self._lines, self._openings, strict=True)):
            self._line(place, line, opening)
        self._close()
        talk = self._talk
        talk.doubtful.update(self._refused_labels)
        if talk.labels:
            self._tell()
        elif named.get(""):
            talk.turns = [replace(turn, speaker=named[""][:MOST_SPEAKER]) for turn in talk.turns]
        talk.labels[""] = (
            sum(not turn.speaker for turn in talk.turns) if not named.get("") else len(talk.turns)
        )
        return talk

    def _line(self, place: int, line: Line, opening: Opening | None) -> None:
        if opening and opening.form == "skipped":
            return
        if opening and opening.label:
            verdict = self._speakers.verdict(place, opening)
            if verdict is Kind.SURE:
                if opening.form == "unread":
                    self._unread.append(line)
                self._open(line, opening.label, opening.offset, opening.rest, above=opening.form == "above")
                return
            if verdict is Kind.MAYBE or (
                opening.offset is not None and opening.form in ("stamped", "under", "above")
            ):
                if opening.form == "label" or verdict is Kind.MAYBE:
                    self._doubts.append(line)
                    self._refused_labels[opening.label] = self._refused_labels.get(opening.label, 0) + 1
                self._open(
                    line, "", opening.offset, opening.unnamed if opening.form != "above" else line.text
                )
                return
            if opening.form == "label":
                self._refused_labels[opening.label] = self._refused_labels.get(opening.label, 0) + 1
                if not BOILERPLATE.match(line.text[:OPENING_CHARACTERS]):
                    self._go_on(line.text)
                    return
        elif opening and opening.form == "stamped":
            self._open(line, "", opening.offset, opening.rest)
            return
        if BOILERPLATE.match(line.text[:OPENING_CHARACTERS]) and self._began is not None:
            self._close()
            self._began, self._text = None, [line.text]
        elif self._talk_has_begun() and self._is_heading(place, line):
            label = _tidy(line.text.strip().lstrip("#").strip())
            if _key(label) in {_key(each) for each in self._talk.labels} | {_key(self._label)}:
                self._open(line, label, None, "")
            else:
                self._doubts.append(line)
                self._refused_labels[label] = self._refused_labels.get(label, 0) + 1
                self._open(line, "", None, line.text)
        else:
            self._text.append(line.text)

    def _go_on(self, text: str) -> None:
        """Add a line that a reader might mistake for a new turn: to the end of the words, not below them."""
        said = "\n".join(self._text).rstrip()
        self._text = [joined(said, text)] if said and self._began is not None else [*self._text, text]

    def _talk_has_begun(self) -> bool:
        return bool(self._label or self._talk.labels)

    def _is_heading(self, place: int, line: Line) -> bool:
        """Return whether a line is alone and like a name: somebody else may begin below it."""
        text = line.text.strip()
        if not _is_alone(self._lines, place) or ((opening := self._openings[place]) and opening.label):
            return False
        plain = text.lstrip("#").strip()
        return text.startswith("#") or (
            not text[:1].isdigit() and kind_of(plain) is Kind.SURE and not plain.isdigit()
        )

    def _open(self, line: Line, label: str, offset: int | None, rest: str, *, above: bool = False) -> None:
        same = (label, offset) == (self._label, self._offset)
        repeated = above and same and offset is not None
        if repeated and not "".join(self._text).strip():
            # The name occurs twice above one turn.
            self._text = []
        self._close(repeated=repeated)
        self._label, self._offset, self._text, self._began = label, offset, [rest], line.number

    def _close(self, *, repeated: bool = False) -> None:
        text = "\n".join(self._text).strip()
        if self._began is None:
            # Nobody's words: above the talk, between or below it.
            for paragraph in re.split(r"\n\s*\n", text):
                self._talk.turns += [Said(text=part) for part in _parts(paragraph.strip())]
        elif text or (not repeated and (self._label or self._offset is not None)):
            # A stamp or a name without words is kept as words too: it would be lost otherwise.
            speaker = self._speakers.shown(self._label) if self._label else ""
            self._talk.turns.append(Said(text=text, speaker=speaker, offset=self._offset))
            if self._label:
                self._talk.labels[self._label] = self._talk.labels.get(self._label, 0) + 1
            elif self._offset is not None and self._began not in {line.number for line in self._doubts}:
                self._unnamed.append(self._began)
        self._text, self._label, self._offset, self._began = [], "", None, None

    def _tell(self) -> None:
        notes = [
            f"Line {line.number}: “{_short(line.text)}” may begin a new turn, so it has no speaker."
            for line in self._doubts
        ]
        notes += [
            f"Line {line.number}: the time in “{_short(line.text)}” was not understood."
            for line in self._unread
        ]
        if self._unnamed:
            some = ", ".join(map(str, self._unnamed[:MOST_NOTES]))
            more = f" and {len(self._unnamed) - MOST_NOTES:,} more" if len(self._unnamed) > MOST_NOTES else ""
            notes.append(f"Turns with a time and no speaker: line {some}{more}.")
        self._talk.notes += bounded(notes)


def bounded(notes: list[str]) -> list[str]:
    """Return the first of `notes`, and how many more there are."""
    more = len(notes) - MOST_NOTES
    return [*notes[:MOST_NOTES], f"And {more:,} more like these."] if more > 0 else notes


def joined(before: str, text: str) -> str:
    """Return two pieces of a person's words as one, with a blank between them if their script has blanks."""
    before, text = before.rstrip(), text.lstrip()
    unspaced = before and text and UNSPACED.match(before[-1]) and UNSPACED.match(text[0])
    return f"{before}{'' if unspaced else ' '}{text}".strip()


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:59]}…"


def _parts(paragraph: str) -> Iterable[str]:
    """Yield `paragraph`, or parts of it of about PARAGRAPH_WORDS that end with sentences."""
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


# Cues


def of_cues(cues: Sequence[Cue], known: set[str], named: Mapping[str, str]) -> Talk:
    """Return the turns of captions or of a recognizer; `known` and `named` as for `of_lines`."""
    cues = _prefixed(cues, _NAME_ABOVE, named)
    cues = _prefixed([part for cue in cues for part in _each_label(cue)], _NAME_BEFORE, named)
    lines = [Line(cue.number, "" if cue.speaker else cue.text) for cue in cues]
    # Blank lines between them: each cue begins a paragraph.
    spaced = [each for line in lines for each in (line, Line(line.number, ""))]
    openings = [_opening(line.text) if line.text else None for line in spaced]
    speakers = Speakers(spaced, openings, known, named)
    talk, told = Talk(), list[str]()
    said: list[tuple[str, Cue, str]] = []
    for place, cue in enumerate(cues):
        opening = openings[2 * place]
        label, text = cue.speaker, cue.text
        if not label and opening and opening.label and opening.form in ("label", "letter"):
            verdict = speakers.verdict(2 * place, opening)
            if verdict is Kind.SURE:
                label = opening.label
                text = opening.rest
            elif verdict is Kind.MAYBE:
                told.append(f"Line {cue.number}: “{_short(cue.text)}” may begin with a speaker; it has none.")
                talk.doubtful[opening.label] = talk.doubtful.get(opening.label, 0) + 1
        said.append((label, cue, text))
    carried = _carried([label for label, _, _ in said])
    unnamed: list[int] = []
    ends: list[float | None] = []
    for label, cue, text in carried_over(said, carry=carried):
        speaker = speakers.shown(label) if label and named.get(label, label) else ""
        offset = int(cue.start) if cue.start is not None else None
        talk.labels[label] = talk.labels.get(label, 0) + 1
        if not label:
            unnamed.append(cue.number)
        last = talk.turns[-1] if talk.turns else None
        if last and _goes_on(last, speaker, cue, ends[-1]):
            talk.turns[-1] = replace(last, text=joined(last.text, text))
            ends[-1] = cue.end
        else:
            talk.turns.append(Said(text=text, speaker=speaker, offset=offset))
            ends.append(cue.end)
    if len(talk.labels) > 1 and unnamed:
        some = ", ".join(map(str, unnamed[:MOST_NOTES]))
        more = f" and {len(unnamed) - MOST_NOTES:,} more" if len(unnamed) > MOST_NOTES else ""
        told.append(f"Turns with a time and no speaker: line {some}{more}.")
    elif set(talk.labels) == {""} and named.get(""):
        talk.turns = [replace(turn, speaker=named[""][:MOST_SPEAKER]) for turn in talk.turns]
    talk.notes += bounded(told)
    return talk


def _prefixed(cues: Sequence[Cue], form: re.Pattern[str], named: Mapping[str, str]) -> Sequence[Cue]:
    """Return cues with their speakers if each begins with a name: an account of a meeting has any name."""
    found = [form.match(cue.text) for cue in cues]
    labels = [_tidy(each["label"]) for each in found if each]
    kinds = [kind_of(label) for label in labels]
    certain = Kind.SURE in kinds if form is _NAME_BEFORE else set(kinds) == {Kind.SURE}
    if len(labels) < max(2, len(cues)) or not certain or any(cue.speaker for cue in cues):
        return cues
    if any(kind is Kind.NOT and is_topical(label) for kind, label in zip(kinds, labels, strict=True)):
        return cues
    return [
        # Of a label that is nobody's the words stay where they are.
        replace(cue, speaker=label, text=cue.text[each.end() :]) if named.get(label, label) else cue
        for cue, label, each in zip(cues, labels, found, strict=True)
        if each
    ]


def _each_label(cue: Cue) -> Iterator[Cue]:
    """Yield a cue in parts, each beginning with a possible label: two people may share a caption."""
    if cue.speaker or "\n" not in cue.text:
        yield replace(cue, text=reduce(joined, re.sub(r"^-\s+", "", cue.text).split("\n")))
        return
    part = ""
    for line in cue.text.split("\n"):
        line = re.sub(r"^-\s+", "", line)
        opening = _opening(line)
        if part and opening and opening.label and kind_of(opening.label) is not Kind.NOT:
            yield replace(cue, text=part)
            part = ""
        part = joined(part, line)
    yield replace(cue, text=part)


def _carried(labels: list[str]) -> bool:
    """Return whether names occur only if the speaker changes, so that each counts until the next."""
    named = [label for label in labels if label]
    return len(named) > 1 and all(first != second for first, second in pairwise(named))


def carried_over(said: Sequence[tuple[str, Cue, str]], *, carry: bool) -> Iterator[tuple[str, Cue, str]]:
    """Yield cues with the label that continues from the one before, if its sentence does."""
    last = ""
    before = ""
    for label, cue, text in said:
        if not label and carry and before and not re.search(r"[.!?。！？…\"”]\s*$", before):
            label = last
        last, before = label, text if label else ""
        yield label, cue, text


def _goes_on(last: Said, speaker: str, cue: Cue, end: float | None) -> bool:
    """Return whether a cue belongs to the turn before it: the same person, in one breath."""
    if last.speaker != speaker or end is None or cue.start is None or cue.start - end > SAME_BREATH:
        return False
    long = len(last.text.split()) >= PARAGRAPH_WORDS // 2
    return not long and (bool(speaker) or not re.search(r"[.!?。！？…]\s*$", last.text))
