"""WebVTT and SubRip captions → cues.

Read here and not by a library, because the usual one (webvtt-py) leaves out what it cannot read.
"""

import html
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from transcripts.formats.base import Cue, Line, lines_of, seconds

_TIME = r"(?:\d{1,6}:)?\d{1,2}:\d{1,2}(?:[.,]\d{1,6})?"
_TIMING = re.compile(rf"^\s*(?P<start>{_TIME})\s*-->\s*(?P<end>{_TIME})(?:\s(?P<rest>.*))?$")
_OF_YOUTUBE = re.compile(r"^\s*(\d+:\d\d:\d\d\.\d{3}),(\d+:\d\d:\d\d\.\d{3})\s*$")
"""A timing in an .sbv file."""
_SETTING = re.compile(r"(?:vertical|line|position|size|align|region|[xy][12]):", re.IGNORECASE)
"""What may come after a timing and is not text."""
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]{1,200})>")
_TAG = re.compile(
    r"</?(?:[cibuv]|ruby|rt|lang|font)(?:[.\s][^>]{0,200})?>|<\d[\d:.]*>|\{\\an?\d\}", re.IGNORECASE
)
_ID = re.compile(r"^(?:\d+|[\w.-]*-[\w./-]*\d[\w./-]*|\S*/\d+-\d+)$")
_ASIDE = ("NOTE", "STYLE", "REGION")


def is_captions(text: str) -> bool:
    """Return whether `text` begins as captions do: by the word WEBVTT, or by a numbered or bare timing."""
    start = [line for line in text[:2000].split("\n") if line.strip()][:3]
    if start and _OF_YOUTUBE.match(start[0].strip()):
        return True
    if start and re.match(r"WEBVTT(?:\s|$)", start[0].lstrip()):
        return True
    return any(_TIMING.match(line) for line in start[:2]) and (
        bool(_TIMING.match(start[0])) or start[0].strip().isdecimal()
    )


def cues(text: str) -> tuple[list[Cue], list[Line]]:
    """Return the cues of `text`, and the lines that belong to none of them (notes, a title)."""
    found: list[Cue] = []
    others: list[Line] = []
    for block in _blocks(_single_spaced(lines_of(text))):
        place = next((place for place, line in enumerate(block) if _TIMING.match(line.text)), None)
        if place is None:
            first = block[0].text.split()[0]
            if first == "WEBVTT":
                others += [Line(block[0].number, block[0].text.strip().removeprefix("WEBVTT").strip(" -"))]
            elif first == "NOTE":
                others += [
                    Line(block[0].number, block[0].text.strip().removeprefix("NOTE").strip()),
                    *block[1:],
                ]
            elif first not in _ASIDE:
                others += block
            continue
        others += [line for line in block[:place] if not _is_mark(line.text, last=line is block[place - 1])]
        found += _of_block(block[place:])
    return found, [line for line in others if line.text.strip()]


def written(cues: Iterable[Cue]) -> str:
    """Return cues, all of which have a start, as WebVTT."""
    blocks = ["WEBVTT"]
    for cue in cues:
        voice = f"<v {html.escape(' '.join(cue.speaker.split())[:200], quote=False)}>" if cue.speaker else ""
        text = "\n".join(line.strip() for line in cue.text.split("\n") if line.strip())
        start = cue.start or 0.0
        timing = f"{_clock(start)} --> {_clock(max(start, cue.end or start))}"
        blocks.append(f"{timing}\n{voice}{html.escape(text, quote=False)}")
    return "\n\n".join(blocks) + "\n"


def _clock(seconds: float) -> str:
    milliseconds = int(seconds * 1000 + 1e-6)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


def _is_mark(text: str, *, last: bool) -> bool:
    """Return whether a line above a timing is its number or id, and not text."""
    return (last and bool(_ID.match(text.strip()))) or text.strip() == "WEBVTT"


def _single_spaced(lines: list[Line]) -> list[Line]:
    """Return lines, their timings in one notation; without blank ones if all stand apart (out of Word)."""
    lines = [line._replace(text=_OF_YOUTUBE.sub(r"\1 --> \2", line.text)) for line in lines]
    below = [after.text.strip() for line, after in pairwise(lines) if _TIMING.match(line.text)]
    return lines if any(below) else [line for line in lines if line.text.strip()]


def _blocks(lines: list[Line]) -> Iterator[list[Line]]:
    """Yield runs of lines without a blank one; a timing always begins a run, with the id above it."""
    block: list[Line] = []
    for line in lines:
        if line.text.strip():
            if block and _TIMING.match(line.text) and any(_TIMING.match(each.text) for each in block):
                above = [block.pop()] if _ID.match(block[-1].text.strip()) else []
                yield block
                block = above
            block.append(line)
        elif block and not (line.text and _TIMING.match(block[-1].text)):
            # A blank in the line below a timing is its first line (YouTube).
            yield block
            block = []
    if block:
        yield block


def _of_block(block: list[Line]) -> Iterator[Cue]:
    """Yield a cue for each voice of a block that begins with its timing."""
    timing = _TIMING.match(block[0].text)
    assert timing  # noqa: S101
    start, end = seconds(timing["start"]), seconds(timing["end"])
    beside = timing["rest"] or ""
    first = [] if all(map(_SETTING.match, beside.split())) else [beside]
    text = "\n".join([*first, *(line.text for line in block[1:])])
    voices = _VOICE.split(text)
    said = [("", voices[0]), *zip(voices[1::2], voices[2::2], strict=True)]
    for speaker, words in said:
        words = html.unescape(_TAG.sub("", words))
        words = "\n".join(line.strip() for line in words.split("\n") if line.strip())
        if words or speaker:
            yield Cue(
                number=block[0].number,
                text=words,
                start=start,
                end=end,
                speaker=html.unescape(speaker).strip(),
            )
