"""The fields of a model as published columns: their kinds, and which are refused."""

from dataclasses import replace
from difflib import get_close_matches
from typing import Any, get_args

from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.db import models

from mcpsite.datasets.published_columns import Kind, PublishedColumn

_TEXTS = (models.CharField, models.TextField, models.GenericIPAddressField)
_NUMBERS = (models.IntegerField, models.FloatField, models.DecimalField)
_SHOWN = (models.BooleanField, models.DateField, models.DurationField, models.TimeField, models.UUIDField)

_FITTING: dict[Kind, tuple[type, ...]] = {
    "category": (*_TEXTS, models.IntegerField, models.UUIDField),
    "day": (models.DateField,),
    "number": _NUMBERS,
    "prose": _TEXTS,
    "text": (*_TEXTS, *_NUMBERS, *_SHOWN),
}


class Misdeclared(ImproperlyConfigured):
    """A table cannot be published as declared; `id` is that of the system check that reports it."""

    def __init__(self, sentence: str, remedy: str, number: str = "E101") -> None:
        super().__init__(f"{sentence} {remedy}")
        self.sentence, self.remedy, self.id = sentence, remedy, f"datasets.{number}"


def plain_field(model: type[models.Model], name: str) -> "models.Field[Any, Any]":
    """Return the field `name`, or what a generated one generates; raises FieldDoesNotExist."""
    field: Any = model._meta.get_field(name)
    plain: models.Field[Any, Any] = getattr(field, "output_field", field)
    return plain


def column_of(model: type[models.Model], column: str | PublishedColumn) -> PublishedColumn:
    """Return a column of `model` with its kind and its meaning; raises Misdeclared."""
    asked = PublishedColumn(column) if isinstance(column, str) else column
    field = _field(model, asked.name)
    kind = asked.kind or _usual_kind(field)
    if kind is None or not isinstance(field, _FITTING.get(kind, ())):
        _refuse(model, asked, field)
    return replace(asked, kind=kind, meaning=asked.meaning or str(field.help_text or field.db_comment or ""))


def _field(model: type[models.Model], name: str) -> "models.Field[Any, Any]":
    first = name.partition("__")[0]
    try:
        relation = model._meta.get_field(first).is_relation
        if not relation and first == name:
            return plain_field(model, name)
    except FieldDoesNotExist:
        relation = False
    if relation:
        raise Misdeclared(
            f"{model.__name__} cannot publish {name!r}, because it is a relation, and relations are not "
            "followed.",
            "Publish a database view that contains the related values, or declare the key as a plain "
            f"field: {first} = models.IntegerField(db_column=…).",
        )
    names = [field.name for field in model._meta.concrete_fields if not field.is_relation]
    near = get_close_matches(name, names, n=1)
    raise Misdeclared(
        f"{model.__name__} has no column {name!r}{f' (did you mean {near[0]!r}?)' if near else ''}.",
        f"Use fields of the model: {', '.join(names)}.",
    )


def _usual_kind(field: "models.Field[Any, Any]") -> Kind | None:
    """Return the kind of a field without further declaration; None for one that no answer can hold."""
    if isinstance(field, models.AutoField | models.BigAutoField | models.SmallAutoField):
        return "text"
    usual: dict[Kind, Any] = {
        "day": models.DateField,
        "number": _NUMBERS,
        "prose": models.TextField,
        "category": _TEXTS,
        "text": _SHOWN,
    }
    return next((kind for kind, classes in usual.items() if isinstance(field, classes)), None)


def _refuse(model: type[models.Model], column: PublishedColumn, field: "models.Field[Any, Any]") -> None:
    fitting = [kind for kind in get_args(Kind) if isinstance(field, _FITTING[kind])]
    raise Misdeclared(
        f"{model.__name__}.{column.name} is a {type(field).__name__}, which cannot be published"
        f"{f' as {column.kind!r}' if column.kind else ''}.",
        f"It can be {' or '.join(fitting)}."
        if fitting
        else "Leave it out, or publish a view that has it as text.",
    )
