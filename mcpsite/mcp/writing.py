"""What a tool returned, as it is sent: strict JSON, visible text, and no more than a reader accepts.

Claude cuts an answer at about 150,000 characters and Claude Code at 25,000 tokens (client-contract 50). So a
single text that is too long is cut and says so, and a page that is too long ends early and says where to
continue. This is done here for every tool; `@tool(page=...)` names the list that is a page.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

from django.conf import settings
from pydantic_core import to_json

from mcpsite.core.texts import clean, clean_texts
from mcpsite.mcp.registry import ToolError

_TOKEN = re.compile(r"[A-Za-z]{1,7}|[0-9]{1,3}|[^\sA-Za-z0-9]+")
"""About one token of ASCII: (a part of) a word, up to three digits, a run of signs."""
_ESCAPED_CONTROL = re.compile(r"\\(?:[bfr]|u00[01])")
MOST_OF_AN_ANSWER = 0.95
"""How full an answer is after cutting; parts are measured one by one, so their sum is not exact."""
MOST_OF_A_ROW = 0.5
"""The part of an answer that one row may take; its longest texts are cut to make it fit."""
MOST_OF_A_LIST = 0.2
"""The part that any other list of texts may take, such as the names of files."""
_ROOM_TO_SAY_SO = "word " * 40
SHORTEST = 200
"""The fewest characters that are left of a text."""


def written(value: Any, *, page: str = "", offset: int | None = None) -> tuple[Any, str]:
    """Return `value`, a tool's result, as it is sent, and the same as JSON. Raises ToolError.

    `page` is the list in it that may end early, at least one item long, and `offset` the place where that
    list began if the tool can continue from another place; then `truncated` says where.
    """
    value, text = _cleaned(value)
    if _may_be_long(text) and share(text) > 1:
        value = _fitted(value, page, offset)
        text = _json(value)
        if share(text) > 1:
            raise ToolError(
                f"The answer would have {len(text):,} characters, which is too long; narrow the question."
            )
    return value, text


def share(text: str) -> float:
    """Return which part of the longest answer `text` is, in bytes or in tokens; more than 1 is too long."""
    plain = text.encode("ascii", "ignore").decode()
    # A character of another script is about a token.
    tokens = len(_TOKEN.findall(plain)) + len(text) - len(plain)
    return max(_size(text) / settings.MCP_MAX_RESULT_BYTES, tokens / settings.MCP_MAX_RESULT_TOKENS)


def _may_be_long(text: str) -> bool:
    # A token of JSON has two bytes or more, so most answers need no count, which takes a millisecond.
    return _size(text) > min(settings.MCP_MAX_RESULT_BYTES, 2 * settings.MCP_MAX_RESULT_TOKENS)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def shortened(text: str, most: int) -> str:
    """Return `text`, or its first `most` characters with a mark that says how many there are."""
    if len(text) <= most:
        return text
    return f"{text[:most].rstrip()} … [cut here: {most:,} of {len(text):,} characters]"


def _json(value: Any) -> str:
    """Return strict JSON. Raises ToolError for a number that JSON cannot express."""
    text = to_json(value)
    if b"NaN" in text or b"Infinity" in text:
        json.loads(text, parse_constant=_refuse)  # These may be words in a text.
    return text.decode()


def _refuse(number: str) -> NoReturn:
    raise ToolError(
        f"The answer contains a number that is not finite ({number}) and cannot be sent; leave that "
        "figure out, or tell the operator of this server."
    )


def _cleaned(value: Any) -> tuple[Any, str]:
    text = _json(value)
    # JSON escapes every control character but one.
    is_clean = "\x7f" not in text if text.isascii() else clean(text) == text
    if not is_clean or ("\\" in text and _ESCAPED_CONTROL.search(text)):
        value = clean_texts(value)
        text = _json(value)
    return value, text


def _fitted(value: Mapping[str, Any], page: str, offset: int | None) -> dict[str, Any]:
    """Return `value` with less in it: first shorter lists of texts, then the page, then every text."""
    fitted: dict[str, Any] = {
        name: _first(part) if name != page and _is_texts(part) else part for name, part in value.items()
    }
    rows = fitted.get(page)
    if not rows:
        return dict(_cut(fitted, MOST_OF_AN_ANSWER))
    room = MOST_OF_AN_ANSWER - share(_json({**fitted, page: [], "truncated": _ROOM_TO_SAY_SO}))
    most = room * MOST_OF_A_ROW
    fitting: list[Any] = []
    was_cut = False
    for row in rows:
        cut = row if share(_json(row)) <= most else _cut(row, most)
        room -= share(_json(cut))
        if room < 0 and fitting:
            break
        was_cut |= cut is not row
        fitting.append(cut)
    fitted[page] = fitting
    if f"{page}_returned" in fitted:
        fitted[f"{page}_returned"] = len(fitting)
    note = "Texts that are too long are cut and marked. " if was_cut else ""
    if len(fitting) < len(rows):
        way = "narrow the filters" if offset is None else f"go on with offset={offset + len(fitting)}"
        note += (
            f"The answer stops after {len(fitting)} of {len(rows)} {page}, because more would be too "
            f"long; {way}."
        )
    else:
        note += fitted.get("truncated", "")
    if note:
        fitted["truncated"] = note.strip()
    return fitted


def _is_texts(part: Any) -> bool:
    return isinstance(part, list) and all(isinstance(each, str) for each in part)


def _first(texts: list[str]) -> list[str]:
    """Return as many of `texts` as an answer may have, and how many more there are."""
    room = MOST_OF_A_LIST
    for number, text in enumerate(texts):
        room -= share(_json(text) + ",")
        if room < 0:
            return [*texts[:number], f"… and {len(texts) - number:,} more"]
    return texts


def _cut(value: Any, most: float) -> Any:
    """Return `value` with its longest texts cut as far as necessary for `value` to be `most` of an answer."""
    longest = settings.MCP_MAX_RESULT_BYTES
    cut = value
    while share(_json(cut)) > most and longest > SHORTEST:
        longest //= 2
        cut = _map_texts(value, partial(shortened, most=longest))
    return cut


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _map_texts(part, change) for name, part in value.items()}
    if isinstance(value, Sequence):
        return [_map_texts(part, change) for part in value]
    return value
