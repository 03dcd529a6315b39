"""System checks of the tables that are published."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model, OrderBy, UniqueConstraint

from mcpsite.core.contributions import modules
from mcpsite.datasets.publishing import Misdeclared, tables
from mcpsite.mcp.registry import NameTaken, discover


def check_published(**_: Any) -> list[CheckMessage]:
    """Return datasets.E101, E102, E103 and W101; tools are checked only if a table is published."""
    try:
        if not modules("published"):
            return []
        discover()
    except Misdeclared as error:
        return [Error(error.sentence, hint=error.remedy, id=error.id)]
    except NameTaken as error:
        hint = "Give publish() another name: it makes the tools NAME and NAME_summary."
        return [Error(str(error), hint=hint, id="datasets.E103")]
    except ImproperlyConfigured as error:
        return [Error(str(error), id="datasets.E101")]
    return [
        Warning(
            f"{table.name} is ordered by {table.ordering[0]!r}, but no index of {table.model.__name__} "
            "begins with it, so each page may have to read the whole table.",
            hint="Create such an index in the database, and declare it in the model's Meta: indexes = "
            f"[models.Index(fields=[{table.ordering[0]!r}], name=…)].",
            obj=table.model,
            id="datasets.W101",
        )
        for table in tables.values()
        if table.ordering[0].removeprefix("-") not in _indexed(table.model)
    ]


def _indexed(model: type[Model]) -> set[str]:
    """Return the fields of `model` with which an index begins."""
    columns: list[Any] = list(model._meta.concrete_fields)
    fields: set[str] = {column.name for column in columns if column.db_index or column.unique}
    fields.add(model._meta.pk_fields[0].name)
    return fields | {str(first).removeprefix("-") for first in _first_of_indexes(model)}


def _first_of_indexes(model: type[Model]) -> Iterator[Any]:
    for index in model._meta.indexes:
        if index.condition is None:
            yield from index.fields[:1]
            for expression in index.expressions[:1]:
                column = expression.expression if isinstance(expression, OrderBy) else expression
                yield getattr(column, "name", "")
    for constraint in model._meta.constraints:
        if isinstance(constraint, UniqueConstraint) and constraint.condition is None:
            yield from constraint.fields[:1]
    for together in model._meta.unique_together:
        yield together[0]
