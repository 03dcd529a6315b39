"""Conditions that Django has no lookup for, said once for both databases."""

import json
from collections.abc import Collection
from typing import Any

from django.db import connection
from django.db.models import BooleanField, F, Func, Q, Value

FEW = 100
"""Values that are a parameter each, so that the database's planner knows how many there are."""


def among(field: str, values: Collection[Any]) -> Q:
    """Whether a field has one of `values`, which may be more than a statement may have parameters."""
    return Q(**{f"{field}__in": values}) if len(values) <= FEW else Q(_Among(field, values))


class _Among(Func):
    """The same with one parameter."""

    output_field = BooleanField()

    def __init__(self, field: str, values: Collection[Any]) -> None:
        super().__init__(F(field), Value(array_of(values)))

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="%(expressions)s))", arg_joiner=" IN (SELECT value FROM json_each("
        )

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> Any:
        return self.as_sql(compiler, connection, template="%(expressions)s)", arg_joiner=" = ANY(")


def array_of(values: Collection[Any]) -> Any:
    """`values` as one parameter of a statement."""
    return json.dumps(list(values)) if connection.vendor == "sqlite" else list(values)
