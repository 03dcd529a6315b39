"""Texts without what a reader cannot see: of files, of what people type, of what is asked and answered."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

LAST_LATIN = "\u02ff"
"""The last letter or sign of Latin scripts, which know no joiners."""
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x85\x0b\x0c]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_JOINERS = frozenset("\u200c\u200d")
_JOINING = re.compile("[\u200c\u200d\ufe00-\ufe0f]+")
"""Joiners and variation selectors."""
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2065\u3164\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]")
"""Invisible, although to Unicode letters, marks or not assigned yet; the last range are tags."""


def clean(text: str) -> str:
    r"""Return `text` with `\n` as its only line end, and without what a reader cannot see.

    Gone are control characters, bidirectional controls, tags, fillers and every other format
    character; a joiner or a variation selector stays where a script or an emoji needs it: alone,
    behind a letter or sign outside Latin (client contract 34 and 52).
    """
    if text.isascii():
        if not _CONTROLS.search(text):
            return text
    elif text.isprintable() and not _BLANK.search(text) and not _JOINING.search(text):
        return text
    text = _LINE_ENDS.sub("\n", text)
    invisible = [each for each in set(text) - _JOINERS if _is_invisible(each)]
    if invisible:
        text = text.translate(dict.fromkeys(map(ord, invisible)))
    return _JOINING.sub(_joining, text)


def _is_invisible(character: str) -> bool:
    if character in "\n\t":
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Cs") or _BLANK.match(character) is not None


def _joining(run: re.Match[str]) -> str:
    """Return what stays of a run of joiners and selectors: one of each, where it joins something."""
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
