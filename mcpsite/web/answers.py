"""A tool's answer for people to read: lists of objects become tables, the rest becomes facts and text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from mcpsite.core.tables import Cell, Table
from mcpsite.web.schema_forms import label

PROSE = 300
"""The number of characters from which a text is something to read and no longer a fact."""


@dataclass(kw_only=True, slots=True)
class Shown:
    """An answer, sorted by how it is shown."""

    notice: str = ""
    """The tool's remark about an answer that has only a part."""
    title: Cell | None = None
    tables: list[Table] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    facts: list[tuple[str, Cell]] = field(default_factory=list)


def show(value: Mapping[str, Any]) -> Shown:
    """Return `value`, a tool's answer, for a template."""
    shown = Shown(notice=str(value.get("truncated", "")))
    rest = {name: part for name, part in value.items() if name != "truncated"}
    if isinstance(rest.get("title"), str) and _is_link(rest.get("url")):
        shown.title = Cell(rest.pop("title"), rest.pop("url"))
    for name, part in rest.items():
        if _is_table(part):
            shown.tables.append(_table(label(name), part))
        elif isinstance(part, Mapping):
            shown.facts += [
                (f"{label(name)}: {label(each).lower()}", _cell(inner)) for each, inner in part.items()
            ]
        elif isinstance(part, str) and len(part) > PROSE:
            shown.texts.append((label(name), part))
        else:
            shown.facts.append((label(name), _cell(part)))
    return shown


def _is_table(part: Any) -> bool:
    return isinstance(part, list) and bool(part) and all(isinstance(each, Mapping) for each in part)


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    # The title is then the link: nobody reads an address, and an id is only for the next call.
    cited = "title" in columns and all(_is_link(row.get("url")) for row in rows)
    if cited:
        rest = [each for each in columns if each not in ("title", "url", "id")]
        columns = ["title", *rest, *(["id"] if "id" in columns else [])]
    return Table(
        name=name,
        columns=[label(each) for each in columns],
        rows=[
            [
                Cell(str(row.get("title", "")), row["url"])
                if cited and column == "title"
                else _cell(row.get(column))
                for column in columns
            ]
            for row in rows
        ],
    )


def _cell(value: Any) -> Cell:
    if value is None:
        return Cell("")
    if isinstance(value, bool):
        return Cell("yes" if value else "no")
    if isinstance(value, int | float):
        return Cell(value)
    if isinstance(value, list) and all(isinstance(each, str | int | float | None) for each in value):
        return Cell(", ".join("–" if each is None else str(each) for each in value))
    if isinstance(value, str):
        return Cell(value, value if _is_link(value) else "")
    return Cell(json.dumps(value, ensure_ascii=False))


def _is_link(value: Any) -> bool:
    """Return whether `value` is a web address; data may contain anything, `javascript:` too."""
    try:
        return isinstance(value, str) and urlsplit(value).scheme in ("http", "https") and " " not in value
    except ValueError:
        return False
