"""The models that have a history.

A data app registers its own in its `recorded.py`, which is found at start-up as `admin.py` is.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import ManyToManyField, Model

from mcpsite.history import recording
from mcpsite.history.models import Change

ValuesById = dict[int, dict[str, Any]]
"""By id the values of objects' fields, as JSON types; an object that is gone is missing."""


class CannotRevert(Exception):
    """A value cannot be set any more; one sentence for the person."""


def field_values(model: type[Model], ids: Sequence[int], names: Collection[str]) -> ValuesById:
    """Return the fields `names` of the objects `ids`.

    A related object is `{"id": …, "label": …}`; many of them are a list of these.
    """
    known = [name for name in names if _is_field(model, name)]
    found = model._default_manager.filter(pk__in=ids).only(
        "pk", *(n for n in known if not _is_many(model, n))
    )
    return {each.pk: {name: _value(each, name) for name in known} for each in found}


def _is_field(model: type[Model], name: str) -> bool:
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True


def _is_many(model: type[Model], name: str) -> bool:
    return isinstance(model._meta.get_field(name), ManyToManyField)


def _value(each: Model, name: str) -> Any:
    if _is_many(type(each), name):
        return [_reference(other) for other in getattr(each, name).order_by("pk")]
    value = getattr(each, name)
    return _reference(value) if isinstance(value, Model) else value


def _reference(other: Model) -> dict[str, Any]:
    return {"id": other.pk, "label": str(other)}


def field_writer(model: type[Model]) -> "Writer":
    """Return a writer for objects that are nothing but their fields. Raises CannotRevert."""

    def write_fields(wanted: list[tuple[int, dict[str, Any]]], by: User) -> None:
        with recording.action(Change.Action.EDIT, by=by) as action:
            for pk, values in wanted:
                changed = model._default_manager.get(pk=pk)
                before = field_values(model, [pk], values)[pk]
                assign(changed, values)
                action.add(changed, recording.differences(before, field_values(model, [pk], values)[pk]))

    return write_fields


def assign(changed: Model, values: dict[str, Any]) -> None:
    """Set the fields of `changed` to values as from `field_values`, and save it. Raises CannotRevert."""
    model = type(changed)
    many = {name: value for name, value in values.items() if _is_many(model, name)}
    single = {name: value for name, value in values.items() if name not in many}
    for name, value in single.items():
        field: Any = model._meta.get_field(name)
        if field.is_relation:
            _still_there(field.related_model, [value] if value else [])
            setattr(changed, field.attname, value["id"] if value else None)
        else:
            setattr(changed, name, field.to_python(value))
    try:
        changed.full_clean(exclude={f.name for f in model._meta.fields if f.name not in single})
    except ValidationError as error:
        raise CannotRevert(" ".join(error.messages)) from None
    changed.save()
    for name, value in many.items():
        _still_there(getattr(changed, name).model, value)
        getattr(changed, name).set([each["id"] for each in value])


def _still_there(model: type[Model], wanted: list[dict[str, Any]]) -> None:
    found = set(
        model._default_manager.filter(pk__in=[each["id"] for each in wanted]).values_list("pk", flat=True)
    )
    for each in wanted:
        if each["id"] not in found:
            raise CannotRevert(f"The {model._meta.verbose_name} “{each['label']}” no longer exists.")


def _without_files(ids: Sequence[int]) -> ValuesById:  # noqa: ARG001
    return {}


Writer = Callable[[list[tuple[int, dict[str, Any]]], User], None]
"""Sets fields of objects (by id) to new values, as the person would on their pages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """What the history knows of a model."""

    model: type[Model]
    identity: str = "pk"
    """The field whose numbers identify an object here and in the addresses of its pages."""
    fields: tuple[str, ...]
    """What is recorded when an object is saved in the admin, and can be reverted if there is a `write`."""
    write: Writer | None = None
    """None: the history can be read, and its changes are undone by hand."""
    read: Callable[[Sequence[int], Collection[str]], ValuesById] | None = None
    """None: `field_values` of this module."""
    corrected: str = ""
    """The field that lists the fields which a person wrote over a file's values."""
    from_file: Callable[[Sequence[int]], ValuesById] = _without_files
    """Returns the files' values of the fields that a person may write over."""

    def stored_values(self, ids: Sequence[int], names: Collection[str] | None = None) -> ValuesById:
        """Return the current values of `names` (all recorded fields) of objects."""
        wanted = self.fields if names is None else names
        return self.read(ids, wanted) if self.read else field_values(self.model, ids, wanted)


_kinds: dict[type[Model], Kind] = {}


def register_kind(kind: Kind) -> None:
    """Register a model that has a history."""
    _kinds[kind.model] = kind


def of(model: type[Model] | None) -> Kind | None:
    return _kinds.get(model) if model else None


def identity_of(changed: Model) -> int:
    """Return the number that identifies an object."""
    kind = of(type(changed))
    return int(getattr(changed, kind.identity if kind else "pk"))


def find(model: type[Model] | None, number: int) -> Model | None:
    """Return the object with this `number`; None if it is gone."""
    kind = of(model)
    if model is None or kind is None:
        return None
    return model._default_manager.filter(**{kind.identity: number}).first()


def every() -> list[Kind]:
    return list(_kinds.values())
