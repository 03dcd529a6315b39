"""Fare rows as a spreadsheet, and what a curator corrected in it.

Rows are found by their key, which the column `id` holds: it outlives every load. A cell that reads as the
export would write the row's value of now changes nothing, whatever became of it on its way through a
spreadsheet. Each exported row carries its version, so that what somebody else changed since is a conflict
and is never set back.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from import_export.results import Error, InvalidRow, Result

from airfare import curation, keys, versions
from airfare.edits import BATCH, EDITABLE
from airfare.models import FareRow
from airfare.records import NUMBERS, day_of, expected, number_of, too_long
from mcpsite.core.texts import clean
from mcpsite.exchange.cells import cell_value, escape_formula, for_excel, unescape_formula
from mcpsite.exchange.exporting import Derived, columns
from mcpsite.exchange.sheets import Sheet
from mcpsite.exchange.workbook import spelled
from mcpsite.history.models import Change

PATHS = {
    **{name: name for name in EDITABLE if name != "notable_event"},
    "notable_event": "notable__text",
    "hidden": "hidden",
    "vanished": "vanished",
    "source_file": "load__name",
    "position": "position",
}
"""Each column, and where its value is found from a fare row."""
ID = "id"
CHANGEABLE = (*EDITABLE, "hidden")
KIND = "airfare-corrections"
"""Of the uploads by which many corrections are imported."""
VERSION = "version"
# As spreadsheet programs write them in their own languages.
_TRUE = frozenset({"TRUE", "1", "YES", "WAHR", "VRAI", "VERDADERO", "VERDADEIRO", "VERO", "WAAR"})
_FALSE = frozenset({"FALSE", "0", "NO", "FALSCH", "FAUX", "FALSO", "ONWAAR"})
_ERROR = re.compile(r"#(N/A|DIV/0!|REF!|NAME\?|VALUE!|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA)|#{3,}")
"""What a spreadsheet program writes where it has no value to show."""
_GERMAN = re.compile(r"-?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?")
"""A number with a comma for the decimals, and perhaps points between the thousands."""
SHOWN_DIGITS = 9
"""Digits that a spreadsheet program shows of any number; further ones it may round away."""


def version_of(values: Sequence[Any]) -> str:
    """Return what tells a row with these values of CHANGEABLE from one with others."""
    said = json.dumps(["" if value is None else value for value in values])
    # A letter first, or a spreadsheet program might take it for a number.
    return f"v{hashlib.sha256(said.encode()).hexdigest()[:11]}"


FareRowColumns = columns(
    FareRow,
    first={ID: Derived(ID, ["key"], lambda values: keys.written(*values))},
    derived={VERSION: Derived(VERSION, [PATHS[name] for name in CHANGEABLE], version_of)},
    **PATHS,
)


class Corrected(Result):  # type: ignore[misc]
    """What an import changes."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: dict[int, tuple[str, dict[str, tuple[Any, Any]]]] = {}
        """By row key: what the row is called, and each changed field before and after."""
        self.left_alone: list[str] = []
        """Columns of the file that no import changes."""
        self.has_versions = True
        """Whether the file tells from which version of each row it started."""

    @property
    def digest(self) -> str:
        """Tells these changes from any others."""
        said = [[number, fields] for number, (_, fields) in self.changes.items()]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()

    @property
    def fields_changed(self) -> int:
        return sum(len(fields) for _, fields in self.changes.values())


class Corrections(FareRowColumns):  # type: ignore[misc,valid-type]
    """Imports corrected rows through `airfare.curation`: all of them or none."""

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
        """What `dataset` changes; without `dry_run` it is done, if `digest` still stands for the same."""
        result = Corrected()
        result.total_rows = len(dataset)
        names = list(dataset.headers)
        if problem := _header_problem(names):
            result.append_base_error(Error(problem))
            return result
        result.left_alone = [name for name in names if name not in (*CHANGEABLE, ID, VERSION)]
        result.has_versions = VERSION in names
        if dry_run:
            _compare(dataset, names, result)
            return result
        with transaction.atomic():
            # Nothing else changes the rows from here on.
            versions.lock()
            _compare(dataset, names, result)
            if result.digest != digest:
                result.append_base_error(
                    Error("The rows have changed since the preview; nothing was imported. Look at it again.")
                )
            if not result.has_errors() and not result.has_validation_errors():
                corrections = {
                    key: {name: after for name, (_, after) in fields.items()}
                    for key, (_, fields) in result.changes.items()
                }
                reason = f"Import of {file_name}"
                curation.correct(
                    corrections, user, action=Change.Action.IMPORT, reason=reason, progress=progress
                )
        return result


def _header_problem(names: list[str]) -> str:
    if ID not in names:
        return "The file has no column “id”; export the list here and correct that file."
    unknown = [name for name in names if name not in (ID, *PATHS, VERSION)]
    if unknown:
        known = ", ".join((ID, *PATHS, VERSION))
        return f"There is no column {unknown[0][:60]!r} here; a file may have: {known}."
    return ""


def _compare(sheet: Sheet, names: list[str], result: Corrected) -> None:
    """Put into `result` what differs from the rows there are, and what is wrong."""
    numbered: Iterator[tuple[int, Any]] = zip(sheet.numbers, sheet, strict=True)
    read = _german if _has_decimal_commas(sheet, names) else _plain
    seen: set[int] = set()
    while batch := list(islice(numbered, BATCH)):
        rows = [(number, dict(zip(names, cells, strict=True))) for number, cells in batch]
        named = {key for _, cells in rows if (key := keys.read(cells[ID])) is not None}
        found = FareRow.objects.filter(key__in=named).select_related("notable", "load")
        stored = {row.key: row for row in found}
        for number, cells in rows:
            try:
                row = _row(cells[ID], stored, seen)
                changed = _changed(row, cells, read)
                if changed:
                    _demand_version(row, cells, changed)
            except ValidationError as error:
                result.invalid_rows.append(InvalidRow(number, error, list(cells.values())))
                continue
            if changed:
                result.changes[row.key] = (str(row), changed)


def _has_decimal_commas(sheet: Sheet, names: list[str]) -> bool:
    """Whether the file comes from a spreadsheet program that writes 1.234,5 for what is 1234.5."""
    places = [place for place, name in enumerate(names) if name in NUMBERS]
    return sheet.semicolons and any("," in cells[place] for cells in sheet for place in places)


def _demand_version(row: FareRow, cells: dict[str, str], changed: dict[str, tuple[Any, Any]]) -> None:
    """Raise ValidationError if the row is not what it was when it was exported."""
    if VERSION not in cells or cells[VERSION] == version_of([getattr(row, name) for name in CHANGEABLE]):
        return
    conflicts = "; ".join(
        f"{name} is {_short(before)} here and {_short(after)} in the file"
        for name, (before, after) in changed.items()
    )
    raise ValidationError(
        f"somebody has changed this row since it was exported ({conflicts}): export it anew, or take it out "
        "of the file."
    )


def _short(value: Any) -> str:
    return "empty" if value in (None, "") else repr(value)[:80]


def _row(text: str, stored: dict[int, FareRow], seen: set[int]) -> FareRow:
    key = keys.read(text)
    if key is None:
        raise ValidationError(
            f"id is {text[:40]!r}, which names no row; rows are added by loading a file."
            if text
            else "id is empty; an import corrects rows that are here, and rows are added by loading a file."
        )
    row = stored.get(key)
    if row is None:
        raise ValidationError(
            f"there is no row with the id {text}: its file holds it no longer; export the list anew."
        )
    if key in seen:
        raise ValidationError(f"the id {text} stands in an earlier row too.")
    seen.add(key)
    return row


def _changed(row: FareRow, cells: dict[str, str], read: Callable[[str], str]) -> dict[str, tuple[Any, Any]]:
    """Each changed field before and after; raises ValidationError with all that is wrong."""
    changed: dict[str, tuple[Any, Any]] = {}
    problems: list[str] = []
    for name in CHANGEABLE:
        if name not in cells:
            continue
        before, text = getattr(row, name), cells[name]
        written = escape_formula(cell_value(before))
        if text in (spelled(written), spelled(for_excel(written))):
            continue
        try:
            after = _value(name, text, read)
        except ValueError as error:
            problems.append(str(error))
            continue
        if after != before and not _is_shown_as(name, before, text, after):
            changed[name] = (before, after)
    if problems:
        raise ValidationError(problems)
    return changed


def _is_shown_as(name: str, before: Any, text: str, after: Any) -> bool:
    """Whether a spreadsheet program may have made `text` of `before`: of a long number, or of a day."""
    if isinstance(before, float) and isinstance(after, float):
        digits = sum(map(str.isdigit, text.lower().partition("e")[0].lstrip("-0.,")))
        return digits >= SHOWN_DIGITS and float(f"{before:.{digits}g}") == after
    return name == "snapshot_date" and day_of(text) is not None and day_of(text) == day_of(before)


def _value(name: str, text: str, read: Callable[[str], str]) -> Any:
    """What a cell means; raises ValueError with a sentence."""
    if _ERROR.fullmatch(text):
        raise ValueError(f"{name} is {text[:40]!r}, a spreadsheet program's word for a value it cannot show.")
    if name in NUMBERS:
        number = number_of(name, read(text))
        if text and number is None:
            raise ValueError(f"{name} is {text[:40]!r}, which is not {expected(name)}{_hint(text)}.")
        return number
    if name == "hidden":
        if text.upper() not in _TRUE | _FALSE:
            raise ValueError(f"hidden is {text[:40]!r}; it can be TRUE or FALSE.")
        return text.upper() in _TRUE
    if name == "snapshot_date" and text and day_of(text) is None:
        raise ValueError(f"snapshot_date is {text[:40]!r}, which is no day; write it as 2026-07-01.")
    text = clean(unescape_formula(text))
    if problem := too_long(name, text):
        raise ValueError(f"{problem}.")
    return text


def _plain(text: str) -> str:
    return text


def _german(text: str) -> str:
    """Return a number with a decimal comma as one with a point; nothing for any other text."""
    return text.replace(".", "").replace(",", ".") if _GERMAN.fullmatch(text) else ""


def _hint(text: str) -> str:
    if "%" in text:
        return "; write it without the sign, in a cell that is not formatted as a percentage"
    return ", with a point for the decimals" if "," in text else ""
