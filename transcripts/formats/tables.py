"""A table of turns (CSV, TSV) → cues: a column of words, and of speakers or times beside it."""

import csv
from dataclasses import replace
from io import StringIO
from typing import Any

from transcripts.formats.base import Cue
from transcripts.formats.recognized import of_pieces


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split("|"))


TEXTS = _names(
    "text|transcript|transcription|content|utterance|sentence|what was said|words|texte|texto|testo|テキスト"
    "|発言|内容|文本"
)
SPEAKERS = _names(
    "speaker|speaker name|name|who|participant|sprecher|sprecherin|intervenant|locuteur|hablante|orador"
    "|relatore|話者|発言者|发言人|说话人|說話者|화자"
)
STARTS = _names(
    "start|start time|time|timestamp|timecode|offset|begin|in|zeit|zeitstempel|beginn|heure|temps|début"
    "|tiempo|hora|inicio|tempo|inizio|時間|開始|时间|開始時間|시간"
)
ENDS = _names("end|end time|stop|out|ende|fin|fine|fim|終了|结束")


def cues(text: str) -> list[Cue] | None:
    """Return the rows of a table of turns as cues, or None if `text` is not such a table."""
    first = text.lstrip("\n").split("\n", 1)[0][:500]
    delimiter = max(",;\t|", key=first.count)
    header = [cell.strip().strip('"').casefold().replace("_", " ") for cell in first.split(delimiter)]
    words = _column(header, TEXTS)
    speaker, start, end = (_column(header, names) for names in (SPEAKERS, STARTS, ENDS))
    if words is None or (speaker is None and start is None):
        return None
    columns = {
        name: place
        for name, place in (("speaker", speaker), ("start", start), ("end", end))
        if place is not None
    }
    pieces: list[dict[str, Any]] = []
    numbers: list[int] = []
    rows = csv.reader(StringIO(text.lstrip("\n"), newline=""), delimiter=delimiter)
    try:
        next(rows)
        for row in rows:
            cell = dict(enumerate(row))
            # What a row has beyond its header was said too.
            said = " ".join([cell.get(words, ""), *row[len(header) :]]).strip()
            if said:
                numbers.append(rows.line_num)
                pieces.append(
                    {
                        "text": said,
                        **{name: cell.get(place, "").strip() for name, place in columns.items()},
                    }
                )
    except csv.Error:
        return None
    found = [replace(cue, number=number) for cue, number in zip(of_pieces(pieces), numbers, strict=True)]
    return found or None


def _column(header: list[str], names: frozenset[str]) -> int | None:
    return next((place for place, name in enumerate(header) if name in names), None)
