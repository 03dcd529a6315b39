"""What of the airfare data has a history, and how a change of it is undone."""

from collections.abc import Collection, Sequence
from typing import Any

from django.contrib.auth.models import User

from airfare import curation
from airfare.edits import EDITABLE
from airfare.models import FareRow, SourceFile
from airfare.records import as_stored, too_long
from mcpsite.history import kinds
from mcpsite.history.kinds import CannotRevert, ValuesById


def _read(keys: Sequence[int], names: Collection[str]) -> ValuesById:
    columns = {name: "notable__text" if name == "notable_event" else name for name in names}
    found = FareRow.objects.filter(key__in=keys).values_list("key", *columns.values())
    stored = {key: dict(zip(columns, values, strict=True)) for key, *values in found}
    for values in stored.values():
        if "notable_event" in values:
            values["notable_event"] = values["notable_event"] or ""
    return stored


def _from_file(keys: Sequence[int]) -> ValuesById:
    stored = _read(keys, EDITABLE)
    for key, said in FareRow.objects.filter(key__in=stored).values_list("key", "file_values"):
        stored[key] |= said or {}
    return stored


def _write(wanted: list[tuple[int, dict[str, Any]]], by: User) -> None:
    for _, values in wanted:
        for name, value in values.items():
            if problem := too_long(name, str(as_stored(name, value))):
                raise CannotRevert(f"{problem}.")
    curation.correct(dict(wanted), by)


kinds.register_kind(
    kinds.Kind(
        model=FareRow,
        identity="key",
        fields=(*EDITABLE, "hidden"),
        read=_read,
        corrected=curation.EDITED,
        from_file=_from_file,
        write=_write,
    )
)
kinds.register_kind(kinds.Kind(model=SourceFile, fields=("groups",), write=kinds.field_writer(SourceFile)))
