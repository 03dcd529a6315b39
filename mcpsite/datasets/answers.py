"""The answers of a table's tools: a page of what was found, and further information."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from mcpsite.datasets.figures import groupable
from mcpsite.datasets.published_columns import Arguments, PublishedColumn, of_kind
from mcpsite.mcp import ToolError
from mcpsite.mcp.schemas import Schema

MOST_ON_A_PAGE = 200

Things = Literal["rows", "groups"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Which of the rows or groups, in their order, are requested."""

    limit: int
    offset: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A page of rows or groups, and of how many rows it is."""

    page: list[dict[str, Any]]
    """Names to existing values."""
    has_more: bool
    """Whether another page follows."""
    total: int
    """How many rows the caller may read."""
    matched: int
    """How many of them match the filters."""
    undated: int = 0
    """How many rows a filter by day left out because they have no day."""
    counted_to: int = 0
    """Where counting stopped, else 0: so many rows then mean at least so many."""


def page_arguments(things: Things, usual: int) -> Arguments:
    """Return the arguments limit and offset."""
    most = f"How many {things} at most, from 1 to {MOST_ON_A_PAGE}."
    passed = "How many to skip, to go on where an answer was truncated."
    return [
        ("limit", int, Field(usual, description=most)),
        ("offset", int, Field(0, description=passed)),
    ]


def read_page(asked: Mapping[str, Any]) -> Page:
    """Return the page that the arguments `asked` name; raises ToolError."""
    limit, offset = asked["limit"], asked["offset"]
    if not 1 <= limit <= MOST_ON_A_PAGE:
        raise ToolError(f"limit is {limit}; it has to be from 1 to {MOST_ON_A_PAGE}.")
    if not 0 <= offset < 1 << 31:
        raise ToolError(f"offset is {offset}; it has to be 0 or more, and no more than there are rows.")
    return Page(limit=limit, offset=offset)


def rows_schema(columns: Sequence[PublishedColumn]) -> Schema:
    """Return the schema of an answer with rows."""
    row = {column.name: _value(column) for column in columns}
    return _schema("rows", {"type": "object", "properties": row}, columns)


def groups_schema(columns: Sequence[PublishedColumn]) -> Schema:
    """Return the schema of an answer with groups: their keys, `rows`, and the requested figures."""
    keys = {column.name: {"type": "string"} for column in groupable(columns)}
    group = {**keys, "rows": {"type": "integer"}}
    figures = {"additionalProperties": {"type": "number"}}
    return _schema("groups", {"type": "object", "properties": group, **figures}, columns)


def answer(things: Things, found: Found, page: Page, applied: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to a client about what was `found`; `applied` are the filters as in an answer."""
    value: dict[str, Any] = {
        things: found.page,
        "filters": {**applied, "limit": page.limit, **({"offset": page.offset} if page.offset else {})},
        "total_rows": found.total,
        "matched_rows": found.matched,
        f"{things}_returned": len(found.page),
    }
    if found.undated:
        value["undated_rows"] = found.undated
    if found.counted_to:
        value["counts"] = (
            f"{found.counted_to:,} rows means at least {found.counted_to:,}, because counting stops there."
        )
    if found.has_more:
        end = page.offset + len(found.page)
        left = found.matched - end if things == "rows" and found.matched != found.counted_to else 0
        more = f"{left} more {things} match" if left > 0 else f"More {things} match"
        less = "narrow the filters" if things == "rows" else "narrow the filters, group by less"
        value["truncated"] = f"{more}; {less}, or go on with offset={end}."
    return value


def _schema(things: Things, each: Schema, columns: Sequence[PublishedColumn]) -> Schema:
    number = {"type": "integer"}
    counts = ("total_rows", "matched_rows", f"{things}_returned")
    left_out = {**number, "description": "Rows that a filter by day left out because they have none."}
    undated = {"undated_rows": left_out} if of_kind(columns, "day") else {}
    texts = {name: {"type": "string"} for name in ("counts", "truncated")}
    return {
        "type": "object",
        "properties": {
            things: {"type": "array", "items": each},
            "filters": {"type": "object", "description": "As they were applied."},
            **dict.fromkeys(counts, number),
            **undated,
            **texts,
        },
        "required": [things, "filters", *counts],
    }


def _value(column: PublishedColumn) -> Schema:
    about = {"description": column.described} if column.meaning or column.unit else {}
    return {"type": "number" if column.kind == "number" else "string", **about}
