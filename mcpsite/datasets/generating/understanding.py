"""What the columns of surveyed files mean: kinds, names, identity and order of a data set."""

import keyword
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from mcpsite.datasets.columns import Column
from mcpsite.datasets.columns import Kind as CellKind
from mcpsite.datasets.declared_checks import ENGINE
from mcpsite.datasets.generating.surveying import Survey, Surveyed
from mcpsite.datasets.headings import Headings
from mcpsite.datasets.kinds import LONGEST_CATEGORY, LONGEST_IN_ORDER
from mcpsite.datasets.models import Row
from mcpsite.datasets.refusals import RefusedFile
from mcpsite.datasets.units import unit_called

Kind = Literal["Category", "Day", "Number", "Prose", "Text"]

MOSTLY = 0.95
"""The share of a column's cells that have to be of a kind."""
FEW = 12
MOST_CATEGORY = 2_000
"""The most distinct values of a category."""
MOST_COMBINATIONS = 20_000
"""The most combinations of all categories."""
LONG = 80
"""The mean number of characters from which a text is prose."""
LONGEST_NAME = 40
COUNTS = "numbers the rows"
_ARGUMENTS = frozenset({"limit", "offset", "group_by", "metrics", "line", "data_set"})
_OF_DAYS = re.compile(r"date|day|week|month|quarter|period|datum|tag|fecha|jour|time|stamp|night|as of")
_OF_CODES = re.compile(
    r"(^|[^a-z])(id|code|zip|postcode|postal|plz|phone|sku|ean|isbn|iban|no|nr|key)([^a-z]|$)"
)
_OF_PERIODS = re.compile(r"(^|[^a-z])(week|month|quarter|period|kw|monat|quartal)([^a-z]|$)")
"""Numbers below such a heading are not amounts."""
_OF_YEARS = re.compile(r"(^|[^a-z])(year|jahr|año|année|fy)([^a-z]|$)")
_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_SIGN = re.compile(r"[%$€£¥₹]")


@dataclass(frozen=True, kw_only=True)
class Understood:
    """A column as it will be declared."""

    name: str
    heading: str
    kind: Kind
    why: str
    unit: str = ""
    given: str = ""
    """For a day: the text beside it that keeps its time."""
    longest: int = 0
    """For a category or text: characters, if they are more than usual."""
    examples: tuple[str, ...] = ()
    title: str = ""
    """Its title for people, if its name is not readable."""

    @property
    def column(self) -> Column:
        """The column as a file is read for it."""
        kind: CellKind = (
            "day" if self.kind == "Day" else "number" if self.kind == "Number" else "prose"
        )  # Other texts differ in how they are used, not in how they are read.
        return Column(name=self.name, names=(self.name, self.heading), kind=kind, unit=self.unit)

    @property
    def also(self) -> str:
        """Its name in files, if its name does not say so."""
        column = Column(
            name=self.name, names=(self.name,), kind="number" if self.unit else "text", unit=self.unit
        )
        return "" if Headings([column]).meaning(self.heading) else self.heading


@dataclass(frozen=True, kw_only=True)
class Design:
    """A data set as it will be declared."""

    columns: list[Understood]
    ordering: list[str]
    identity: list[str] | None
    """None if it is all categories and days, as usual."""
    left_out: list[tuple[str, str]]
    """Headings that are not columns, and why."""
    notes: list[str] = field(default_factory=list)


def understand(survey: Survey) -> Design:
    """Return what `survey` found as a data set. Raises RefusedFile if there is none."""
    left_out = [(each.heading, "is empty") for each in survey.columns if not each.filled]
    columns = [each for each in survey.columns if each.filled]
    if not survey.rows or not columns:
        raise RefusedFile("has no rows")
    kinds = {each.heading: _kind(each) for each in columns}
    _limit_categories(columns, kinds)
    understood = _named(columns, kinds)
    understood = _with_an_order(understood, columns)
    ordering = _ordering(understood, columns)
    identity, notes = _identity(understood, columns)
    return Design(columns=understood, ordering=ordering, identity=identity, left_out=left_out, notes=notes)


# Kinds


def _kind(column: Surveyed) -> tuple[Kind, str]:
    """Return the kind of a column, and the reason."""
    folded, filled = column.heading.casefold(), column.filled
    worded = column.words_of_days >= MOSTLY * filled
    if (
        column.days >= MOSTLY * filled
        and (worded or _OF_DAYS.search(folded))
        and not _OF_YEARS.search(folded)
    ):
        return "Day", "dates with times" if column.times else "dates"
    is_code = bool(column.codes) or _OF_CODES.search(folded) or _OF_PERIODS.search(folded)
    if _counts_rows(column) and not _unit(column):
        return "Text", COUNTS
    numbers = column.numbers >= MOSTLY * filled
    if numbers and len(column.units) > 1:
        return "Text", f"amounts in {' and '.join(sorted(column.units))}"
    if numbers and not is_code and not _OF_YEARS.search(folded):
        return "Number", "numbers"
    if _is_category(column):
        return "Category", f"{column.distinct:,} different values"
    if numbers:
        return "Text", "numbers used as codes or names"
    if column.longest > LONGEST_CATEGORY or column.characters > LONG * column.distinct:
        return "Prose", "long texts"
    return "Prose", "nearly every row has a different value"


def _counts_rows(column: Surveyed) -> bool:
    """Return whether a column has the numbers from one on, each once."""
    if column.filled < 3 or column.has_many or column.distinct != column.filled:
        return False
    first = int(next(iter(column.values))) if next(iter(column.values)).isdigit() else -1
    wanted = set(map(str, range(first, first + column.distinct)))
    return first in (0, 1) and column.values.keys() == wanted


def _is_category(column: Surveyed) -> bool:
    # In a few rows most values may differ and still be names of a few things.
    share = 0.7 if column.distinct <= FEW else 0.5
    few = min(MOST_CATEGORY, share * column.filled)
    return column.distinct <= few and column.longest <= LONGEST_CATEGORY


def _limit_categories(columns: Sequence[Surveyed], kinds: dict[str, tuple[Kind, str]]) -> None:
    """Make prose of the categories that would make the combinations too many."""
    chosen = sorted((each for each in columns if kinds[each.heading][0] == "Category"), key=_distinct)
    combined: list[int] | None = None
    for column in chosen:
        pairs = column.of_rows if combined is None else map(hash, zip(combined, column.of_rows, strict=True))
        now = list(pairs)
        if combined is not None and len(set(now)) > MOST_COMBINATIONS:
            kinds[column.heading] = "Prose", "too many combinations with the other categories"
        else:
            combined = now


def _distinct(column: Surveyed) -> int:
    return column.distinct


# Names


def _named(columns: Sequence[Surveyed], kinds: dict[str, tuple[Kind, str]]) -> list[Understood]:
    taken: set[str] = set()
    understood: list[Understood] = []
    days = sum(kinds[each.heading][0] == "Day" for each in columns)
    for place, column in enumerate(columns, start=1):
        kind, why = kinds[column.heading]
        called = _identifier(column.heading)
        name = _free(called or f"column_{place}", taken)
        given = ""
        if kind == "Day" and column.times:
            # The time is in a text with the column's own name, beside a day for filters.
            given, name = name, _free("day" if days == 1 else f"{name}_day", {*taken, name})
            taken.add(given)
        taken.add(name)
        unit = _unit(column) if kind == "Number" else ""
        longest = column.longest if kind in ("Category", "Text") and column.longest > LONGEST_CATEGORY else 0
        examples = tuple(column.examples)
        understood.append(
            Understood(
                name=name,
                heading=column.heading,
                kind=kind,
                why=why,
                unit=unit,
                given=given,
                longest=longest,
                examples=examples,
                title="" if called else column.heading,
            )
        )
    return understood


def _identifier(heading: str) -> str:
    """Return a heading as a name in Python, without its unit in brackets; empty if that is impossible."""
    text = _BRACKETS.sub(" ", heading)
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    for sign, word in (("ß", "ss"), ("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ø", "o"), ("%", " pct ")):
        text = text.replace(sign, word).replace(sign.upper(), word)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")[:LONGEST_NAME].strip("_")
    return f"c_{name}" if name[:1].isdigit() else name


def _free(name: str, taken: Iterable[str]) -> str:
    """Return `name`, changed if it means something else."""
    used = set(taken)
    if name in ENGINE | _ARGUMENTS or keyword.iskeyword(name) or hasattr(Row, name) or name == "self":
        name = f"{name}_value"
    numbered, count = name, 1
    while numbered in used:
        count += 1
        numbered = f"{name}_{count}"
    return numbered


def _unit(column: Surveyed) -> str:
    """Return the unit of a number, from the heading's brackets or signs, or from the cells."""
    for said in _BRACKETS.findall(column.heading):
        text = str(said).strip()
        if text and len(text) <= 12 and not any(map(str.isdigit, text)):
            return unit_called(text) or text
    if sign := _SIGN.search(column.heading):
        return unit_called(sign[0])
    last = re.split(r"[^A-Za-z]+", column.heading)[-1]
    if len(last) >= 3 and (called := unit_called(last)) and called != "days":
        return called
    return next(iter(column.units)) if len(column.units) == 1 else ""


# Order and identity


def _of(columns: Sequence[Understood], *kinds: Kind) -> list[Understood]:
    return [each for each in columns if each.kind in kinds]


def _with_an_order(understood: list[Understood], columns: Sequence[Surveyed]) -> list[Understood]:
    """Return `understood` with at least one column by which rows can be sorted."""
    if _of(understood, "Day", "Category", "Text"):
        return understood
    longest = {each.heading: each.longest for each in columns}
    short = [each for each in understood if longest[each.heading] <= LONGEST_IN_ORDER]
    if not short:
        raise RefusedFile(
            "has only long texts, but rows need a column to sort by; add a column of dates, names or codes"
        )
    chosen = min(short, key=lambda each: (each.kind == "Number", longest[each.heading]))
    text = replace(chosen, kind="Text", why="short texts, by which rows are sorted", unit="")
    return [text if each is chosen else each for each in understood]


def _ordering(understood: Sequence[Understood], columns: Sequence[Surveyed]) -> list[str]:
    distinct = {each.heading: each.distinct for each in columns}
    days = _of(understood, "Day")[:1]
    first = [f"-{day.name}" for day in days]
    if days and days[0].given:
        first.append(f"-{days[0].given}")
    categories = sorted(_of(understood, "Category"), key=lambda each: -distinct[each.heading])
    texts = _of(understood, "Text")
    return (first + [each.name for each in (*categories, *texts)])[:3]


def _identity(
    understood: Sequence[Understood], columns: Sequence[Surveyed]
) -> tuple[list[str] | None, list[str]]:
    """Return the columns that identify a row; None for all categories and days, as usual."""
    by_heading = {each.heading: each for each in columns}
    rows = len(columns[0].of_rows)

    def tells(chosen: Sequence[Understood]) -> bool:
        return len(set(zip(*(by_heading[each.heading].of_rows for each in chosen), strict=True))) == rows

    alone = [each for each in understood if each.kind != "Number" and not each.given and tells([each])]
    named = [each for each in alone if each.why == COUNTS or _OF_CODES.search(each.heading.casefold())]
    if named:
        return [named[0].name], []
    usual = _of(understood, "Day", "Category")
    if usual and tells(usual):
        return None, []
    chosen = list(usual)
    for each in (*_of(understood, "Text"), *_of(understood, "Prose"), *_of(understood, "Number")):
        chosen.append(each)
        if tells(chosen):
            return [one.given or one.name for one in chosen], []
    return (
        [one.given or one.name for one in chosen],
        ["some rows are the same in every column; their order tells them apart"],
    )
