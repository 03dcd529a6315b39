"""What of data sets has a history, and how to undo a change of it."""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from django.contrib.auth.models import User

from mcpsite.datasets import curation
from mcpsite.datasets.declaration import DataSet, data_sets
from mcpsite.datasets.models import SourceFile
from mcpsite.history import kinds
from mcpsite.history.kinds import CannotRevert, ValuesById


def _read(data_set: DataSet, keys: Sequence[int], names: Collection[str]) -> ValuesById:
    known = [name for name in names if name in data_set.columns]
    rows = data_set.model.objects.filter(key__in=keys).select_related(*data_set.proses)
    return {
        row.key: {
            **{name: data_set.value_of(row, name) for name in known},
            **({"hidden": row.hidden} if "hidden" in names else {}),
        }
        for row in rows
    }


def _from_file(data_set: DataSet, keys: Sequence[int]) -> ValuesById:
    stored = _read(data_set, keys, data_set.editable)
    said = data_set.model.objects.filter(key__in=stored).values_list("key", "file_values")
    for key, values in said:
        stored[key] |= {name: value for name, value in (values or {}).items() if name in data_set.columns}
    return stored


def _write(data_set: DataSet, wanted: list[tuple[int, dict[str, Any]]], by: User) -> None:
    for _, values in wanted:
        for name, value in values.items():
            if problem := data_set.too_long(name, str(data_set.as_stored(name, value))):
                raise CannotRevert(f"{problem}.")
    curation.correct(data_set, dict(wanted), by)


for each in data_sets():
    kinds.register_kind(
        kinds.Kind(
            model=each.model,
            identity="key",
            fields=(*each.editable, "hidden"),
            read=partial(_read, each),
            corrected=curation.EDITED,
            from_file=partial(_from_file, each),
            write=partial(_write, each),
        )
    )
kinds.register_kind(kinds.Kind(model=SourceFile, fields=("groups",), write=kinds.field_writer(SourceFile)))
