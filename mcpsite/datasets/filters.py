"""Tools' filters for the columns of a table: as arguments, and what they mean."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import Field

from mcpsite.datasets.periods import FORMS, period
from mcpsite.datasets.published_columns import Arguments, PublishedColumn, of_kind
from mcpsite.mcp import ToolError, shown

FILTERED_NUMBERS = 6
"""How many numbers, from the first, tools can filter by range."""
MOST_CHARACTERS = 500
"""The most characters of a text to search for."""


class Part(NamedTuple):
    """The column contains the text, in any case."""

    column: str
    text: str
    exact: bool = False
    """Whether the column equals the text."""


class Days(NamedTuple):
    """The column is a day from `first` up to, not including, `end`."""

    column: str
    first: datetime.date
    end: datetime.date


class Range(NamedTuple):
    """The column is a number from `least` to `most`; None is no bound."""

    column: str
    least: float | None
    most: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """What an answer is about; all filters apply."""

    parts: tuple[Part, ...] = ()
    days: tuple[Days, ...] = ()
    ranges: tuple[Range, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.parts or self.days or self.ranges)


def filter_arguments(columns: Sequence[PublishedColumn], *, letters: str) -> Arguments:
    """Return the arguments that filter `columns`; `letters` says how texts are compared."""
    arguments: Arguments = []
    for column in of_kind(columns, "day"):
        about = f"{column.meaning}: {FORMS}." if column.meaning else f"{FORMS[:1].upper()}{FORMS[1:]}."
        arguments.append((column.asked, str | None, Field(None, description=about)))
    for column in of_kind(columns, "category", "prose"):
        about = f"{column.described}, the whole of it" if column.exact else f"Part of {column.described}"
        arguments.append((column.asked, str | None, Field(None, description=f"{about}; {letters}.")))
    for column in _bounded(columns):
        for end, words in (("min", "at least"), ("max", "at most")):
            about = f"{column.described}, {words}."
            arguments.append((f"{column.name}_{end}", float | None, Field(None, description=about)))
    return arguments


def read_filters(
    columns: Sequence[PublishedColumn], asked: Mapping[str, Any]
) -> tuple[Filters, dict[str, Any]]:
    """Return the filters among the arguments `asked`, and the same for the answer; raises ToolError.

    A filter that is left out, None or blank does nothing.
    """
    applied: dict[str, Any] = {}

    def text(name: str) -> str:
        value = asked_text(name, asked.get(name))
        return str(applied.setdefault(name, value)) if value else ""

    def number(name: str) -> float | None:
        value: float | None = asked.get(name)
        return value if value is None else applied.setdefault(name, value)

    days = [
        Days(column.name, *asked_period(column.asked, value))
        for column in of_kind(columns, "day")
        if (value := text(column.asked))
    ]
    parts = [
        Part(column.name, value, column.exact)
        for column in of_kind(columns, "category", "prose")
        if (value := text(column.asked))
    ]
    ranges = [
        _range(column.name, number(f"{column.name}_min"), number(f"{column.name}_max"))
        for column in _bounded(columns)
    ]
    bounded = tuple(each for each in ranges if (each.least, each.most) != (None, None))
    return Filters(parts=tuple(parts), days=tuple(days), ranges=bounded), applied


def _bounded(columns: Sequence[PublishedColumn]) -> list[PublishedColumn]:
    """Return the numbers that tools can filter by range: the declared ones, or else the first."""
    numbers = of_kind(columns, "number")
    return [column for column in numbers if column.bounded] or numbers[:FILTERED_NUMBERS]


def asked_period(name: str, text: str) -> tuple[datetime.date, datetime.date]:
    """Return the first day of the period that `text` names, and the day after its last; raises ToolError."""
    days = period(text)
    if days is None:
        raise ToolError(
            f"{name} is {shown(text)}; write a day as 2025-10-06, a week as 2025-W41, a month as 2025-10 "
            "or a year as 2025."
        )
    return days


def asked_text(name: str, value: str | None) -> str:
    """Return the text to search for, empty for none; raises ToolError if it is too long."""
    text = (value or "").strip()
    if len(text) > MOST_CHARACTERS:
        raise ToolError(f"{name} has {len(text)} characters; search for at most {MOST_CHARACTERS}.")
    return text


def _range(name: str, least: float | None, most: float | None) -> Range:
    if least is not None and most is not None and least > most:
        raise ToolError(f"{name}_min is {least:.10g} and {name}_max is {most:.10g}; swap them.")
    return Range(name, least, most)
