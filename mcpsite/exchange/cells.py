"""Values as they are in the cells of a spreadsheet, and back.

A text that a spreadsheet would run as a formula gets an apostrophe in front; on the way back it is removed
again. A text that looks as if it had got one gets one more, so that every text comes back as it was.
The same applies inside a text wherever a program that splits cells at semicolons, tabs or line ends would
see a cell begin.
"""

import json
import re
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

LONGEST = 32_767
"""The most characters in a cell of an Excel file."""

_BEGINS = r"(?:\A(?=[ ']*[\t\r\n])|(?:\A|(?<=[;\t\r\n]))(?=[ ']*[=+\-@＝＋－＠]))"
"""Where a cell, or what may be taken for one, begins like a formula. Excel also accepts full-width signs."""
_FORMULA = re.compile(_BEGINS)
_ESCAPED = re.compile(_BEGINS + "'")
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


def cell_value(value: Any) -> Any:
    """Return `value` as text, number, boolean or None."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 1e15 else value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "; ".join(value)
    if isinstance(value, list | dict):
        return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def escape_formula(value: Any) -> Any:
    """Return a plain value that is safe to open in a spreadsheet: what others wrote is never run."""
    return _FORMULA.sub("'", value) if isinstance(value, str) else value


def unescape_formula(text: str) -> str:
    return _ESCAPED.sub("", text)


def for_excel(value: Any) -> Any:
    """Return an escaped value as an Excel file can hold it."""
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", value)[:LONGEST] if isinstance(value, str) else value
