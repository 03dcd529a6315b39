"""A table of turns (CSV, TSV) → cues: a column of words, and of speakers or times beside it."""

import csv
import re
from io import StringIO

from transcripts.formats.base import Cue, seconds

TEXTS = frozenset({"text", "transcript", "content", "utterance", "sentence", "what was said", "words"})
SPEAKERS = frozenset({"speaker", "speaker name", "speaker_name", "name", "who", "participant"})
STARTS = frozenset(
    {"start", "start time", "start_time", "time", "timestamp", "timecode", "offset", "begin", "in"}
)
ENDS = frozenset({"end", "end time", "end_time", "stop", "out"})
_CLOCK = re.compile(r"(?:\d{1,3}:)?\d{1,4}:\d{2}(?:[.,]\d{1,6})?|\d{1,6}(?:\.\d{1,6})?")


def cues(text: str) -> list[Cue] | None:
    """Return the rows of a table of turns as cues, or None where `text` is no such table."""
    first = text.lstrip("\n").split("\n", 1)[0][:500]
    delimiter = max(",;\t|", key=first.count)
    header = [cell.strip().strip('"').casefold() for cell in first.split(delimiter)]
    words = _column(header, TEXTS)
    speaker, start, end = (_column(header, names) for names in (SPEAKERS, STARTS, ENDS))
    if words is None or (speaker is None and start is None):
        return None
    found: list[Cue] = []
    rows = csv.reader(StringIO(text.lstrip("\n"), newline=""), delimiter=delimiter)
    try:
        next(rows)
        for row in rows:
            cell = dict(enumerate(row))
            # What a row has beyond its header is said too.
            said = " ".join([cell.get(words, ""), *row[len(header) :]]).strip()
            if said:
                found.append(
                    Cue(
                        number=rows.line_num,
                        text=said,
                        start=_seconds(cell.get(start, "") if start is not None else ""),
                        end=_seconds(cell.get(end, "") if end is not None else ""),
                        speaker=cell.get(speaker, "").strip() if speaker is not None else "",
                    )
                )
    except csv.Error:
        return None
    return found or None


def _column(header: list[str], names: frozenset[str]) -> int | None:
    return next((place for place, name in enumerate(header) if name in names), None)


def _seconds(cell: str) -> float | None:
    return seconds(cell.strip()) if _CLOCK.fullmatch(cell.strip()) else None
