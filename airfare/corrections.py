"""Fare rows as a spreadsheet, and what a curator corrected in it.

Rows are found by their id. A cell that reads as the export would write the row's value of now changes
nothing, whatever became of it on its way through a spreadsheet.
"""

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from import_export.results import Error, InvalidRow, Result

from airfare import curation, versions
from airfare.curation import BATCH, EDITABLE
from airfare.models import FareRow
from airfare.notables import is_storable
from airfare.records import NUMBERS, number_of
from exchange.cells import escaped, for_excel, plain, unescaped
from exchange.exporting import columns
from exchange.sheets import spelled

PATHS = {
    "id": "id",
    **{name: name for name in EDITABLE if name != "notable_event"},
    "notable_event": "notable__text",
    "hidden": "hidden",
    "vanished": "vanished",
    "source_file": "source_file__name",
    "position": "position",
}
"""Each column, and where its value is found from a fare row."""
CHANGEABLE = (*EDITABLE, "hidden")
_HIDDEN = {"TRUE": True, "1": True, "YES": True, "FALSE": False, "0": False, "NO": False}

FareRowColumns = columns(FareRow, **PATHS)


class Corrected(Result):  # type: ignore[misc]
    """What an import changes."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: dict[int, tuple[str, dict[str, tuple[Any, Any]]]] = {}
        """By row id: what the row is called, and each changed field before and after."""
        self.left_alone: list[str] = []
        """Columns of the file that no import changes."""

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
        **_: Any,
    ) -> Corrected:
        """What `dataset` changes; without `dry_run` it is done, if `digest` still stands for the same."""
        result = Corrected()
        result.total_rows = len(dataset)
        names = list(dataset.headers)
        if problem := _header_problem(names):
            result.append_base_error(Error(problem))
            return result
        result.left_alone = [name for name in names if name not in CHANGEABLE and name != "id"]
        if dry_run:
            _compare(dataset, names, result)
            return result
        with transaction.atomic():
            # Nothing else changes the rows from here on.
            versions.bump()
            _compare(dataset, names, result)
            if result.digest != digest:
                result.append_base_error(
                    Error("The rows have changed since the preview; nothing was imported. Look at it again.")
                )
            if not result.has_errors() and not result.has_validation_errors():
                corrections = {
                    number: {name: after for name, (_, after) in fields.items()}
                    for number, (_, fields) in result.changes.items()
                }
                curation.correct(corrections, user, action="import", reason=f"Import of {file_name}")
        return result


def _header_problem(names: list[str]) -> str:
    if "id" not in names:
        return "The file has no column “id”; export the list here and correct that file."
    unknown = [name for name in names if name not in PATHS]
    if unknown:
        known = ", ".join(PATHS)
        return f"There is no column {unknown[0][:60]!r} here; a file may have: {known}."
    return ""


def _compare(dataset: Any, names: list[str], result: Corrected) -> None:
    """Put into `result` what differs from the rows there are, and what is wrong."""
    numbered: Iterator[tuple[int, Any]] = iter(enumerate(dataset, start=2))
    seen: set[int] = set()
    while batch := list(islice(numbered, BATCH)):
        rows = [(number, dict(zip(names, cells, strict=True))) for number, cells in batch if any(cells)]
        ids = {int(cells["id"]) for _, cells in rows if _is_id(cells["id"])}
        stored = FareRow.objects.select_related("notable", "source_file").in_bulk(ids)
        for number, cells in rows:
            try:
                row = _row(cells["id"], stored, seen)
                changed = _changed(row, cells)
            except ValidationError as error:
                result.invalid_rows.append(InvalidRow(number, error, list(cells.values())))
                continue
            if changed:
                result.changes[row.pk] = (str(row), changed)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


def _row(text: str, stored: dict[int, FareRow], seen: set[int]) -> FareRow:
    if not _is_id(text):
        raise ValidationError(
            f"id is {text[:40]!r}, which is no number of a row; rows are added by loading a file."
            if text
            else "id is empty; an import corrects rows that are here, and rows are added by loading a file."
        )
    row = stored.get(int(text))
    if row is None:
        raise ValidationError(
            f"there is no row with the id {text}: its file was loaded again since; export the list anew."
        )
    if row.pk in seen:
        raise ValidationError(f"the id {text} stands in an earlier row too.")
    seen.add(row.pk)
    return row


def _changed(row: FareRow, cells: dict[str, str]) -> dict[str, tuple[Any, Any]]:
    """Each changed field before and after; raises ValidationError with all that is wrong."""
    changed: dict[str, tuple[Any, Any]] = {}
    problems: list[str] = []
    for name in CHANGEABLE:
        if name not in cells:
            continue
        before, text = getattr(row, name), cells[name]
        written = escaped(plain(before))
        if text in (spelled(written), spelled(for_excel(written))):
            continue
        try:
            after = _value(name, text)
        except ValueError as error:
            problems.append(str(error))
            continue
        if after != before:
            changed[name] = (before, after)
    if problems:
        raise ValidationError(problems)
    return changed


def _value(name: str, text: str) -> Any:
    """What a cell means; raises ValueError with a sentence."""
    if name in NUMBERS:
        number = number_of(text)
        if text and number is None:
            hint = ", with a point for the decimals" if "," in text else ""
            raise ValueError(f"{name} is {text[:40]!r}, which is not a number{hint}.")
        return number
    if name == "hidden":
        if text.upper() not in _HIDDEN:
            raise ValueError(f"hidden is {text[:40]!r}; it can be TRUE or FALSE.")
        return _HIDDEN[text.upper()]
    if not is_storable(text):
        raise ValueError(f"{name} has a character that cannot be stored.")
    return unescaped(text)
