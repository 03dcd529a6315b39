"""What every format returns, and how it refuses."""

from dataclasses import dataclass
from typing import NamedTuple

MAX_BYTES = 8 * 1024 * 1024
"""More than any call: a day of talk is under one megabyte."""

DIGITS = {code: str(int(chr(code))) for code in range(128, 0x10000) if chr(code).isdecimal()}
"""The digits of other scripts → ASCII, for `str.translate`; places in a text stay what they are."""


class BadFile(Exception):
    """A refused file: one plain sentence that says why."""


class NoText(BadFile):
    """A file without any words of a call."""


class Line(NamedTuple):
    """A line of a text, with its number from 1."""

    number: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Cue:
    """What was said from one time to another, according to captions and recognizers."""

    number: int
    """The line of the file it begins on; in formats without lines its number, from 1."""
    text: str
    start: float | None = None
    """Seconds from the start of the call."""
    end: float | None = None
    speaker: str = ""
    """As the format names them; names within the text are not searched for here."""


def lines_of(text: str) -> list[Line]:
    """Return the lines of `text`, whose line ends are newlines."""
    return [Line(number, line) for number, line in enumerate(text.split("\n"), 1)]


def seconds(stamp: str) -> float:
    """Return a time `h:mm:ss.fff` or `mm:ss,fff` in seconds."""
    total = 0.0
    for part in stamp.replace(",", ".").split(":"):
        total = total * 60 + float(part)
    return total
