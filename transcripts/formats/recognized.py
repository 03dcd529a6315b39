"""JSON of speech recognizers → cues: Whisper, AssemblyAI, Deepgram, and formats like theirs."""

import json
import re
from collections.abc import Iterable, Iterator
from statistics import median
from typing import Any

from transcripts.formats.base import BadFile, Cue

TEXTS = ("text", "transcript", "content", "sentence", "display", "body")
STARTS = ("start", "start_time", "startTime", "start_timestamp", "begin", "timestamp", "offset", "time", "ts")
ENDS = ("end", "end_time", "endTime", "end_timestamp", "stop")
SPEAKERS = (
    "speaker",
    "speaker_label",
    "speakerLabel",
    "speaker_name",
    "speaker_id",
    "speakerId",
    "speakerTag",
    "name",
)
LISTS = (
    "utterances",
    "segments",
    "monologues",
    "turns",
    "audio_segments",
    "transcript",
    "paragraphs",
    "sentences",
    "transcription",
    "recognizedPhrases",
)
"""Where recognizers put the pieces, the most detailed first; an answer may have several of the same talk."""
WORDS = ("words", "items", "results")
"""Where they put single words, if there is nothing better."""
MILLISECONDS = 20
"""The least time for a word if times are milliseconds; nobody needs so long in seconds."""
TICKS = 10_000_000
"""Of Azure, in a second."""
DEEPEST = 12
LONG = 300
"""Characters of joined single words after which the next sentence begins a new cue."""

REFUSED = (
    "It is JSON, but not a transcript in a known format (it has no utterances, segments or text of a "
    "speech recognizer); save the call as text."
)
BROKEN = "It is JSON that is broken or cut off; export the call again."
_BEGINS_AS_JSON = re.compile(r'\s*(?:\[\s*)?\{\s*"[^"\n]{0,100}"\s*:')


def cues(text: str) -> list[Cue] | None:
    """Return what a recognizer's answer says, in its order; None if `text` is not JSON, or a single word.

    Raises BadFile for JSON of another kind.
    """
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        answer = _loaded(text)
    except RecursionError:
        raise BadFile(REFUSED) from None
    except ValueError:
        answer = _of_json_lines(text)
        if answer is None and _BEGINS_AS_JSON.match(text):
            raise BadFile(BROKEN) from None
        if answer is None:
            return None
    if pieces := _pieces(answer):
        return of_pieces(pieces)
    whole = _whole(answer)
    if not whole:
        raise BadFile(REFUSED)
    return [Cue(number=1, text=whole)]


def of_pieces(pieces: list[dict[str, Any]]) -> list[Cue]:
    """Return objects with a text, and a speaker and times where known, as cues."""
    scale = _scale(pieces)
    return [
        Cue(
            number=number,
            text=str(_first(piece, TEXTS)).strip(),
            start=_scaled(_first(piece, STARTS), scale),
            end=_scaled(_first(piece, ENDS), scale),
            speaker=_speaker(_first(piece, SPEAKERS)),
        )
        for number, piece in enumerate(pieces, 1)
    ]


def _loaded(text: str) -> Any:
    # Python converts no number with so many digits.
    return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < 20 else digits)


def _of_json_lines(text: str) -> list[Any] | None:
    """Return what the lines of `text` are, if each is JSON."""
    try:
        return [_loaded(line) for line in text.split("\n") if line.strip()]
    except ValueError:
        return None


def _pieces(answer: Any) -> list[dict[str, Any]]:
    """Return the objects of the best list of `answer` that have words."""
    if isinstance(answer, list):
        return _with_words(answer)
    for name in LISTS:
        if pieces := _in_order(_with_words(found) for found in _outermost(answer, name)):
            return pieces
    for name in WORDS:
        lists = _once([_words(found) for found in _outermost(answer, name)])
        if pieces := _in_order(_joined(words, _speakers_at(answer)) for words in lists):
            return pieces
    return []


def _once(lists: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """Return lists of words, of which the last may say the others again with their speakers (Google)."""
    texts = [[_word(each) for each in words] for words in lists]
    again = len(lists) > 1 and texts[-1] == [word for words in texts[:-1] for word in words]
    return lists[-1:] if again else lists


def _speakers_at(answer: Any) -> dict[str, Any]:
    """Return the speakers by the times of words, which AWS keeps apart from these."""
    items = [
        item
        for labels in _outermost(answer, "speaker_labels", dict)
        for found in _outermost(labels, "items")
        for item in found
        if isinstance(item, dict)
    ]
    return {str(item.get("start_time")): item.get("speaker_label") for item in items}


def _outermost(answer: Any, name: str, kind: type[Any] = list) -> list[Any]:
    """Return all values called `name` and of `kind` at the outermost level with any: in each channel, say."""
    found = [(depth, value) for depth, value in _named(answer, name, 0) if isinstance(value, kind)]
    outermost = min((depth for depth, _ in found), default=0)
    return [value for depth, value in found if depth == outermost]


def _in_order(lists: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return several lists of pieces as one, in the order of their times if these are known."""
    each = list(lists)
    pieces = [piece for pieces in each for piece in pieces]
    starts = [_number(_first(piece, STARTS)) for piece in pieces]
    if len(each) > 1 and None not in starts:
        pieces.sort(key=lambda piece: _number(_first(piece, STARTS)) or 0.0)
    return pieces


def _with_words(found: Any) -> list[dict[str, Any]]:
    """Return the items of a list, each with its words; an empty list if it is not a list of such."""
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        return []
    pieces = []
    for each in map(_flat, found):
        inner = each.get("sentences") or each.get("elements")
        if not _is_said(each) and isinstance(inner, list):
            # Paragraphs of sentences (Deepgram), monologues of elements (Rev AI).
            parts = [part for part in inner if isinstance(part, dict)]
            blank = " " if "sentences" in each else ""
            words = blank.join(str(_first(part, (*TEXTS, "value")) or "") for part in parts)
            times = {"start": _first_of(parts, STARTS), "end": _first_of(parts[::-1], ENDS)}
            each = {**each, "text": words, **({} if _first(each, STARTS) is not None else times)}
        if _is_said(each):
            pieces.append(each)
    # An object with a text and neither a time nor a speaker may be anything.
    timed = any(_first(each, (*STARTS, *SPEAKERS)) is not None for each in pieces)
    return pieces if timed else []


def _first_of(parts: list[dict[str, Any]], names: tuple[str, ...]) -> Any:
    return next((_first(part, names) for part in parts if _first(part, names) is not None), None)


def _flat(piece: dict[str, Any]) -> dict[str, Any]:
    """Return `piece` with what some keep further inside: the likeliest reading, pairs of times, ticks."""
    readings = piece.get("alternatives") or piece.get("nBest")
    if isinstance(readings, list) and readings and isinstance(readings[0], dict):
        piece = {**readings[0], **piece}
    pair, ticks = piece.get("timestamps"), piece.get("offsetInTicks")
    if isinstance(pair, dict):
        return {**piece, "start": pair.get("from"), "end": pair.get("to")}
    if isinstance(ticks, int | float):
        length = piece.get("durationInTicks")
        end = ticks + length if isinstance(length, int | float) else ticks
        return {**piece, "start": ticks / TICKS, "end": end / TICKS}
    return piece


def _is_said(piece: dict[str, Any]) -> bool:
    words = _first(piece, TEXTS)
    return isinstance(words, str) and bool(words.strip())


def _words(found: Any) -> list[dict[str, Any]]:
    """Return a list of single words, or nothing if it is not such a list."""
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        return []
    return [each for each in map(_flat, found) if _word(each)]


def _word(piece: dict[str, Any]) -> str:
    text = _first(piece, ("punctuated_word", "word", *TEXTS))
    return text.strip() if isinstance(text, str) else ""


def _joined(words: list[dict[str, Any]], speakers: dict[str, Any]) -> list[dict[str, Any]]:
    """Return single words joined while the same person speaks; some have their `speakers` by their times."""
    pieces: list[dict[str, Any]] = []
    for word in words:
        text, last = _word(word), pieces[-1] if pieces else None
        if last and str(word.get("type", "")).startswith("punct"):
            last["text"] += text
            continue
        start = _first(word, STARTS)
        named = _first(word, SPEAKERS)
        speaker = _speaker(speakers.get(str(start)) if named is None else named)
        long = last and len(last["text"]) > LONG and last["text"].endswith((".", "?", "!", "。"))
        if last and last["speaker"] == speaker and not long:
            last |= {"text": f"{last['text']} {text}", "end": _first(word, ENDS)}
        else:
            pieces.append({"text": text, "start": start, "end": _first(word, ENDS), "speaker": speaker})
    return pieces


def _named(value: Any, name: str, depth: int) -> Iterator[tuple[int, Any]]:
    """Yield all values called `name` anywhere in `value`, with their depth."""
    if depth > DEEPEST:
        return
    if isinstance(value, dict):
        if name in value:
            yield depth, value[name]
        for key, inner in value.items():
            # Of several readings of the same talk the first is the likeliest.
            one = inner[:1] if key in ("alternatives", "nBest") and isinstance(inner, list) else inner
            yield from _named(one, name, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner, name, depth + 1)


def _whole(answer: Any) -> str:
    """Return the text of an answer that is not divided."""
    if isinstance(answer, dict):
        text = _first(answer, ("text", "transcript"))
        if isinstance(text, str):
            return text.strip()
        return "\n".join(_outermost(answer, "transcript", str)).strip()
    return ""


def _first(piece: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((piece[name] for name in names if piece.get(name) is not None), None)


def _speaker(value: Any) -> str:
    if isinstance(value, dict):
        value = _first(value, ("name", "label", "id"))
    if isinstance(value, int) and not isinstance(value, bool):
        return f"Speaker {value}"
    return " ".join(value.split()) if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    """Return seconds, or milliseconds, from a number or from a text such as 2.5, 2.5s or 00:00:02.500."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        parts = value.strip().removesuffix("s").replace(",", ".").split(":")
        try:
            value = 0.0
            for part in parts[:4]:
                value = value * 60 + float(part)
        except ValueError:
            return None
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e9 else None


def _scale(pieces: list[dict[str, Any]]) -> float:
    """Return the factor that turns the times of `pieces` into seconds."""
    paces = []
    for piece in pieces:
        start, end = _number(_first(piece, STARTS)), _number(_first(piece, ENDS))
        if start is not None and end is not None and end > start:
            paces.append((end - start) / max(1, len(str(_first(piece, TEXTS)).split())))
    return 0.001 if paces and median(paces) >= MILLISECONDS else 1.0


def _scaled(value: Any, scale: float) -> float | None:
    number = _number(value)
    return None if number is None else number * scale
