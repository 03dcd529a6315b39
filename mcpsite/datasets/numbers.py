"""Numbers as people and programs write them."""

import re
from functools import cache

from mcpsite.datasets.columns import DecimalMark
from mcpsite.datasets.refusals import Open
from mcpsite.datasets.units import spellings

LONGEST = 60
"""Characters of a number; no program writes more."""
_BLANKS = " \u00a0\u202f\u2009'’"
"""Separators of groups of three digits, beside points and commas."""
_PLAIN = re.compile(r"(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.IGNORECASE)
_WITH_SIGN = re.compile(rf"[+-]?{_PLAIN.pattern}", re.IGNORECASE)
_COMMA = re.compile(r"(\d*,\d+)(e[+-]?\d{1,3})?", re.IGNORECASE)
_OPEN = re.compile(r"[1-9]\d{0,2}([.,])\d{3}")
_BY_COMMAS = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?|\d{1,2}(,\d{2})+,\d{3}(\.\d*)?")
_BY_POINTS = re.compile(r"\d{1,3}(\.\d{3})+(,\d*)?")
_BY_BLANKS = re.compile(rf"\d{{1,3}}([{_BLANKS}]\d{{3}})+([.,]\d*)?")
_SIGN = re.compile(r"[-+−–]")
_BRACKETS = re.compile(r"\((.*)\)(.*)", re.DOTALL)


def number_of(text: str, *, unit: str = "", decimal: DecimalMark | None = None) -> float | None:
    """Return the number that `text` means, which may be infinite; None for anything else.

    It may have `unit`, and no other. `decimal` is the decimal mark, if a point or a comma could also separate
    thousands. Raises Open if it could and `decimal` says nothing.
    """
    parts = _parts(text, unit)
    if parts is None:
        return None
    negative, digits = parts
    plain = _with_point(digits, decimal)
    if plain is None:
        return None
    return -float(plain) if negative else float(plain)


def plain_number(text: str) -> float | None:
    """Return the number that `text` means in programs' notation, with at most a point; None for others."""
    return float(text) if len(text) <= LONGEST and _WITH_SIGN.fullmatch(text) else None


def decimal_shown(text: str, *, unit: str = "") -> DecimalMark | None:
    """Return which decimal mark `text` shows; None if it shows none."""
    parts = _parts(text, unit)
    if parts is None or _OPEN.fullmatch(parts[1]):
        return None
    digits = parts[1]
    if _BY_COMMAS.fullmatch(digits):
        return "."
    if _BY_POINTS.fullmatch(digits) or (_COMMA.fullmatch(digits)):
        return ","
    if _PLAIN.fullmatch(digits):
        return "." if "." in digits else None
    marks = [mark for mark in ".," if mark in digits]
    return marks[0] if marks else None  # type: ignore[return-value]


def mark_of(text: str, *, unit: str = "") -> DecimalMark | None:
    """Return the mark in an ambiguous number; None for any other text."""
    parts = _parts(text, unit)
    match = _OPEN.fullmatch(parts[1]) if parts else None
    return match[1] if match else None  # type: ignore[return-value]


def _with_point(digits: str, decimal: DecimalMark | None) -> str | None:
    """Return `digits` as Python writes a number, or None if they are not a number."""
    if match := _OPEN.fullmatch(digits):
        if decimal is None:
            raise Open
        return digits.replace(",", ".") if match[1] == decimal else digits.replace(match[1], "")
    if _PLAIN.fullmatch(digits):
        return None if decimal == "," and "." in digits else digits
    if _COMMA.fullmatch(digits):
        return None if decimal == "." else digits.replace(",", ".")
    if _BY_COMMAS.fullmatch(digits):
        return digits.replace(",", "")
    if _BY_POINTS.fullmatch(digits):
        return digits.replace(".", "").replace(",", ".")
    if _BY_BLANKS.fullmatch(digits):
        return re.sub(f"[{_BLANKS}]", "", digits).replace(",", ".")
    return None


def _parts(text: str, unit: str) -> tuple[bool, str] | None:
    """Return whether `text` is negative, and its digits with their separators."""
    text = text.strip()
    if len(text) > LONGEST:
        return None
    if text.isascii() and text.isdigit():
        return False, text
    negative = False
    # An accountant's minus; the unit may be on either side of it.
    if "(" in text:
        bare = _bare(text, unit)
        if not (match := _BRACKETS.fullmatch(bare)) or match[2] or _SIGN.search(match[1]):
            return None
        negative, text = True, match[1]
    text = _bare(text, unit)
    if text[:1] and _SIGN.match(text):
        if negative:
            return None
        negative, text = text[0] != "+", _bare(text[1:], unit)
    elif text[-1:] in ("-", "−"):
        # As some accounting programs write it.
        negative, text = True, text[:-1]
    return negative, text


def _bare(text: str, unit: str) -> str:
    """Return `text` without `unit` before or after it."""
    if not unit:
        return text
    before, behind = _around(unit)
    text = before.sub("", text, count=1)
    return behind.sub("", text, count=1)


@cache
def _around(unit: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    written = "|".join(map(re.escape, sorted(spellings(unit), key=len, reverse=True)))
    return (
        re.compile(rf"^(?:{written})\s*(?=[-+−–(\d.,])", re.IGNORECASE),
        re.compile(rf"(?<=[\d.,)])\s*(?:{written})$", re.IGNORECASE),
    )
