"""Rows as a spreadsheet, and a curator's corrections in it.

Rows are found by their key in the column `id`, which outlives every load. A cell with the same meaning as in
an export of the row's present value changes nothing, however a spreadsheet has rewritten it. Each exported
row carries its version, so a value that somebody else changed since is a conflict and is never set back.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from import_export.resources import ModelResource
from import_export.results import Error, InvalidRow, Result

from mcpsite.core.texts import clean
from mcpsite.datasets import curation, keys, versions
from mcpsite.datasets.dates import iso_day
from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.edits import BATCH
from mcpsite.datasets.kinds import NO_DAY
from mcpsite.datasets.models import Row
from mcpsite.datasets.numbers import plain_number
from mcpsite.exchange.cells import cell_value, escape_formula, for_excel, unescape_formula
from mcpsite.exchange.exporting import Derived, columns
from mcpsite.exchange.sheets import Sheet
from mcpsite.exchange.workbook import spelled
from mcpsite.history.models import Change

ID = "id"
VERSION = "version"
# In the languages of spreadsheet programs.
_TRUE = frozenset({"TRUE", "1", "YES", "WAHR", "VRAI", "VERDADERO", "VERDADEIRO", "VERO", "WAAR"})
_FALSE = frozenset({"FALSE", "0", "NO", "FALSCH", "FAUX", "FALSO", "ONWAAR"})
_ERROR = re.compile(r"#(N/A|DIV/0!|REF!|NAME\?|VALUE!|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA)|#{3,}")
"""What a spreadsheet program writes if it has no value to show."""
_GERMAN = re.compile(r"-?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?")
"""A number with a decimal comma, and perhaps points between the thousands."""
SHOWN_DIGITS = 9
"""Digits that a spreadsheet program shows of any number; it may round away others."""


def kind_of(data_set: DataSet) -> str:
    """Return the kind of the uploads that import many corrections."""
    return f"{data_set.name}-corrections"


def paths_of(data_set: DataSet) -> dict[str, str]:
    """Return the columns of an export, with the path to each from a row."""
    return {
        **{name: data_set.path(name) for name in data_set.editable},
        "hidden": "hidden",
        "vanished": "vanished",
        "source_file": "load__name",
        "position": "position",
    }


def changeable(data_set: DataSet) -> tuple[str, ...]:
    """Return the columns that an import may change."""
    return (*data_set.editable, "hidden")


def version_of(values: Sequence[Any]) -> str:
    """Return what identifies these values of a row's changeable columns."""
    said = json.dumps(["" if value in (None, NO_DAY) else value for value in values], default=str)
    # A letter first, because a spreadsheet program might read it as a number.
    return f"v{hashlib.sha256(said.encode()).hexdigest()[:11]}"


@cache
def row_columns(data_set: DataSet) -> type[ModelResource]:
    """Return the columns of an export of a data set's rows."""
    paths = paths_of(data_set)
    days = {
        name: Derived(name, [name], lambda values: "" if values[0] == NO_DAY else str(values[0]))
        for name in data_set.days
        if name in paths
    }
    told = [paths[name] for name in changeable(data_set)]
    return columns(
        data_set.model,
        first={ID: Derived(ID, ["key"], lambda values: keys.written(*values)), **days},
        derived={VERSION: Derived(VERSION, told, version_of)},
        **{name: path for name, path in paths.items() if name not in days},
    )


class Corrected(Result):  # type: ignore[misc]
    """What an import changes."""

    def __init__(self, data_set: DataSet) -> None:
        super().__init__()
        self.words_of = data_set.words_of
        self.changes: dict[int, tuple[str, dict[str, tuple[Any, Any]]]] = {}
        """By row key: what the row is called, and each changed field before and after."""
        self.left_alone: list[str] = []
        """Columns of the file that no import changes."""
        self.has_versions = True
        """Whether the file says from which version of each row it started."""

    @property
    def digest(self) -> str:
        """Identifies these changes."""
        said = [[number, fields] for number, (_, fields) in self.changes.items()]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    @property
    def fields_changed(self) -> int:
        return sum(len(fields) for _, fields in self.changes.values())


class _Corrections:
    """Imports corrected rows through `mcpsite.datasets.curation`: all of them or none."""

    data_set: ClassVar[DataSet]

    def import_data(
        self,
        dataset: Any,
        dry_run: bool = False,
        raise_errors: bool = False,  # noqa: ARG002 (django-import-export's signature)
        *,
        user: User | None = None,
        file_name: str = "",
        digest: str = "",
        progress: Callable[[int, int], None] = lambda _done, _total: None,
        **_: Any,
    ) -> Corrected:
        """Return what `dataset` changes; do it without `dry_run`, if `digest` still matches the changes."""
        data_set, names = self.data_set, list(dataset.headers)
        result = Corrected(data_set)
        result.total_rows = len(dataset)
        if problem := _header_problem(data_set, names):
            result.append_base_error(Error(problem))
            return result
        result.left_alone = [name for name in names if name not in (*changeable(data_set), ID, VERSION)]
        result.has_versions = VERSION in names
        if dry_run:
            _compare(data_set, dataset, names, result)
            return result
        with transaction.atomic():
            # Nothing else changes the rows from here on.
            versions.lock(data_set)
            _compare(data_set, dataset, names, result)
            if result.digest != digest:
                result.append_base_error(
                    Error(
                        "The rows have changed since the preview, so nothing was imported. Check the "
                        "new preview."
                    )
                )
            if not result.has_errors() and not result.has_validation_errors():
                corrections = {
                    key: {name: after for name, (_, after) in fields.items()}
                    for key, (_, fields) in result.changes.items()
                }
                reason = f"Import of {file_name}"
                curation.correct(
                    data_set, corrections, user, action=Change.Action.IMPORT, reason=reason, progress=progress
                )
        return result


@cache
def corrections_of(data_set: DataSet) -> type[ModelResource]:
    """Return the importer of corrected rows of a data set."""
    return type("Corrections", (_Corrections, row_columns(data_set)), {"data_set": data_set})


def _header_problem(data_set: DataSet, names: list[str]) -> str:
    if ID not in names:
        return "The file has no column “id”; export the list and correct that file."
    every = (ID, *paths_of(data_set), VERSION)
    if unknown := [name for name in names if name not in every]:
        return f"The column {unknown[0][:60]!r} is not known; a file may have: {', '.join(every)}."
    return ""


def _compare(data_set: DataSet, sheet: Sheet, names: list[str], result: Corrected) -> None:
    """Put into `result` what differs from the present rows, and what is wrong."""
    numbered: Iterator[tuple[int, Any]] = zip(sheet.numbers, sheet, strict=True)
    read = _german if _has_decimal_commas(data_set, sheet, names) else _plain
    seen: set[int] = set()
    while batch := list(islice(numbered, BATCH)):
        rows = [(number, dict(zip(names, cells, strict=True))) for number, cells in batch]
        named = {key for _, cells in rows if (key := keys.read(cells[ID])) is not None}
        found = data_set.model.objects.filter(key__in=named).select_related("load", *data_set.proses)
        stored = {row.key: row for row in found}
        for number, cells in rows:
            try:
                row = _row(cells[ID], stored, seen)
                changed = _changed(data_set, row, cells, read)
                if changed:
                    _demand_version(data_set, row, cells, changed)
            except ValidationError as error:
                result.invalid_rows.append(InvalidRow(number, error, list(cells.values())))
                continue
            if changed:
                result.changes[row.key] = (str(row), changed)


def _has_decimal_commas(data_set: DataSet, sheet: Sheet, names: list[str]) -> bool:
    """Return whether the file comes from a spreadsheet program that writes 1.234,5 for 1234.5."""
    places = [place for place, name in enumerate(names) if name in data_set.numbers]
    return sheet.semicolons and any("," in cells[place] for cells in sheet for place in places)


def _demand_version(
    data_set: DataSet, row: Row, cells: dict[str, str], changed: dict[str, tuple[Any, Any]]
) -> None:
    """Raise ValidationError if the row has changed since it was exported."""
    now = [_value_of(data_set, row, name) for name in changeable(data_set)]
    if VERSION not in cells or cells[VERSION] == version_of(now):
        return
    conflicts = "; ".join(
        f"{data_set.words_of(name)} is {_short(before)} now and {_short(after)} in the file"
        for name, (before, after) in changed.items()
    )
    raise ValidationError(
        f"somebody has changed this row since it was exported ({conflicts}): export the row again, or "
        "remove it from the file."
    )


def _short(value: Any) -> str:
    return "empty" if value in (None, "") else repr(value)[:80]


def _row(text: str, stored: dict[int, Row], seen: set[int]) -> Row:
    key = keys.read(text)
    if key is None:
        raise ValidationError(
            f"id is {text[:40]!r}, which is not the id of a row; new rows have to be loaded from a file."
            if text
            else "id is empty; an import corrects existing rows, and new rows have to be loaded from a file."
        )
    row = stored.get(key)
    if row is None:
        raise ValidationError(
            f"there is no row with the id {text}, because its file no longer contains it; export the list "
            "again."
        )
    if key in seen:
        raise ValidationError(f"the id {text} is already used in an earlier row.")
    seen.add(key)
    return row


def _value_of(data_set: DataSet, row: Row, name: str) -> Any:
    return row.hidden if name == "hidden" else data_set.value_of(row, name)


def _changed(
    data_set: DataSet, row: Row, cells: dict[str, str], read: Callable[[str], str]
) -> dict[str, tuple[Any, Any]]:
    """Return each changed column before and after; raises ValidationError with all that is wrong."""
    changed: dict[str, tuple[Any, Any]] = {}
    problems: list[str] = []
    for name in changeable(data_set):
        if name not in cells:
            continue
        before, text = _value_of(data_set, row, name), cells[name]
        written = escape_formula(cell_value(before))
        if text in (spelled(written), spelled(for_excel(written))):
            continue
        try:
            after = _value(data_set, name, text, read)
        except ValueError as error:
            problems.append(str(error))
            continue
        if after != before and not _is_shown_as(data_set, name, before, text, after):
            changed[name] = (before, after)
    if problems:
        raise ValidationError(problems)
    return changed


def _is_day(data_set: DataSet, name: str) -> bool:
    return name in data_set.days or name in data_set.given


def _is_shown_as(data_set: DataSet, name: str, before: Any, text: str, after: Any) -> bool:
    """Return whether a spreadsheet program may write `before`, a long number or a day, as `text`."""
    if isinstance(before, float) and isinstance(after, float):
        digits = sum(map(str.isdigit, text.lower().partition("e")[0].lstrip("-0.,")))
        return digits >= SHOWN_DIGITS and float(f"{before:.{digits}g}") == after
    return _is_day(data_set, name) and iso_day(text) is not None and iso_day(text) == iso_day(before)


def _value(data_set: DataSet, name: str, text: str, read: Callable[[str], str]) -> Any:
    """Return the meaning of a cell; raises ValueError with a sentence."""
    words = data_set.words_of(name)
    if _ERROR.fullmatch(text):
        raise ValueError(
            f"{words} is {text[:40]!r}, which a spreadsheet program writes for a value that it cannot show."
        )
    if name in data_set.numbers:
        number = data_set.as_stored(name, plain_number(read(text)))
        if text and number is None:
            expected = data_set.expected(name)
            raise ValueError(f"{words} is {text[:40]!r}, which is not {expected}{_hint(text)}.")
        return number
    if name == "hidden":
        if text.upper() not in _TRUE | _FALSE:
            raise ValueError(f"hidden is {text[:40]!r}; it can be TRUE or FALSE.")
        return text.upper() in _TRUE
    if _is_day(data_set, name) and text and iso_day(text) is None:
        raise ValueError(f"{words} is {text[:40]!r}, which is not a day; write it as 2026-07-01.")
    if name in data_set.days:
        return data_set.as_stored(name, text)
    text = clean(unescape_formula(text))
    if problem := data_set.too_long(name, text):
        raise ValueError(f"{problem}.")
    return text


def _plain(text: str) -> str:
    return text


def _german(text: str) -> str:
    """Return a number with a decimal comma as one with a point; empty for any other text."""
    return text.replace(".", "").replace(",", ".") if _GERMAN.fullmatch(text) else ""


def _hint(text: str) -> str:
    if "%" in text:
        return "; write it without the sign, in a cell that is not formatted as a percentage"
    return ", with a point for the decimals" if "," in text else ""
