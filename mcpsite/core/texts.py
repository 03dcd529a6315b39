"""Texts without invisible characters: of files, of what people type, of what is asked and answered."""

import re
from collections.abc import Mapping
from typing import Any

LAST_LATIN = "\u02ff"
"""The last letter or sign of Latin scripts, which use no joiners."""
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x85\x0b\x0c]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_JOINERS = "\u200c\u200d"
_SELECTORS = "\ufe00-\ufe0f"
_INVISIBLE = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4"
    r"\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb"
)
"""Controls, format characters, surrogates, and what Unicode calls letters or marks or has not assigned."""
_INVISIBLE_BEYOND = (
    r"\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""The same from the further planes; the last range are tags."""
_INVISIBLES = re.compile(f"[{_INVISIBLE}{_INVISIBLE_BEYOND}]")
_JOINING = re.compile(f"[{_JOINERS}{_SELECTORS}]+")
# Ranges of the further planes are compared one by one, so the whole last one is one range here.
_DOUBTFUL = re.compile(rf"[{_INVISIBLE}{_JOINERS}{_SELECTORS}\u2028\u2029\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    r"""Return `text` with `\n` as its only line end, and without invisible characters.

    Control characters, bidirectional controls, tags, fillers and every other format character are removed;
    a joiner or a variation selector stays if a script or an emoji needs it: alone, after a letter or sign
    outside Latin (client-contract 34 and 52).
    """
    ascii_ = text.isascii()
    if not (_CONTROLS if ascii_ else _DOUBTFUL).search(text):
        return text
    text = _LINE_ENDS.sub("\n", text)
    if ascii_:
        return _CONTROLS.sub("", text)
    return _JOINING.sub(_joining, _INVISIBLES.sub("", text))


def _joining(run: re.Match[str]) -> str:
    """Return what stays of a run of joiners and selectors: one of each, if it joins something."""
    behind = run.string[run.start() - 1 : run.start()] if run.start() else ""
    if behind <= LAST_LATIN:
        return ""
    selector = next((each for each in run[0] if each not in _JOINERS), "")
    joins = run[0][-1] in _JOINERS and run.string[run.end() : run.end() + 1] > LAST_LATIN
    return selector + (run[0][-1] if joins else "")


def clean_texts(value: Any) -> Any:
    """Return a JSON value with every text in it, and every name, as `clean` returns it."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean_texts(name): clean_texts(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [clean_texts(part) for part in value]
    return value
