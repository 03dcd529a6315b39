"""Conditions for which Django has no lookup, written once for both databases."""

from collections.abc import Iterable
from typing import Any

from django.db import connection
from django.db.models import BooleanField, Expression, F, Func, QuerySet, Subquery


class Among(Func):
    """Whether a field has one of many numbers, given as one parameter (see `array_of`).

    With `outside`, whether it has none of them. Without `indexed` no index on the field is used, whatever the
    database's planner prefers.
    """

    output_field = BooleanField()

    def __init__(
        self, field: str, numbers: Expression, *, outside: bool = False, indexed: bool = True
    ) -> None:
        super().__init__(F(field), numbers)
        self._outside = outside
        self._left = "" if indexed else " + 0"

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> Any:
        joiner = f"{self._left} {'NOT ' if self._outside else ''}IN (SELECT value FROM json_each("  # noqa: S608
        return self.as_sql(compiler, connection, template="(%(expressions)s)))", arg_joiner=joiner)

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> Any:
        # A cast, because an array of small integers is searched for each row. What is outside is hashed,
        # which `<> ALL` is not.
        if self._outside:
            joiner, template = " NOT IN (SELECT unnest(", "(%(expressions)s::bigint[])))"
        else:
            joiner, template = " = ANY(", "(%(expressions)s::bigint[]))"
        return self.as_sql(compiler, connection, template=template, arg_joiner=f"{self._left}{joiner}")


class MostlyAmong(Among):
    """The same, for numbers that about every second row has, whatever the database's statistics say.

    Those know nothing yet of a load that has just become the current one. No index is used.
    """

    def __init__(self, field: str, numbers: Expression) -> None:
        super().__init__(field, numbers, indexed=False)

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> Any:
        template = "((%(expressions)s::bigint[]))) IS FALSE)"
        return self.as_sql(compiler, connection, template=template, arg_joiner=" NOT IN (SELECT unnest(")


class AmongSelected(Among):
    """Whether a field has one of many numbers that a statement selects.

    They are selected first, once: PostgreSQL would otherwise look up each row's number among them.
    """

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> Any:
        return self.as_sql(compiler, connection, template="(%(expressions)s)", arg_joiner=f"{self._left} IN ")

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> Any:
        joiner = f"{self._left} IN (SELECT unnest(ARRAY"
        return self.as_sql(compiler, connection, template="(%(expressions)s)))", arg_joiner=joiner)


class Blank(Expression):
    """A parameter that is filled in when the statement runs; a `Statement` has such parameters."""

    def __init__(self, name: str) -> None:
        super().__init__(output_field=BooleanField())  # Without meaning: the parameter stays as it is.
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:  # noqa: ARG002 (Django's signature)
        return "%s", [self]


class Cut(Subquery):
    """What a queryset selects, from an offset on and up to a limit, both of them parameters."""

    template = "(%(subquery)s LIMIT %%s OFFSET %%s)"

    def __init__(self, rows: QuerySet[Any, Any], limit: "Blank", offset: "Blank") -> None:
        super().__init__(rows)
        self._cut = (limit, offset)

    def as_sql(self, *arguments: Any, **options: Any) -> Any:
        sql, parameters = super().as_sql(*arguments, **options)
        return sql, [*parameters, *self._cut]


def array_of(numbers: Iterable[int]) -> str:
    """Return `numbers` as one parameter of a statement."""
    inside = ",".join(map(str, numbers))
    return f"[{inside}]" if connection.vendor == "sqlite" else f"{{{inside}}}"


class CurrentLoads(Expression):
    """The loads that files of a data set point at, as a parameter of `Among`."""

    def __init__(self, data_set: str) -> None:
        super().__init__(output_field=BooleanField())  # Without meaning, as for `Blank`.
        self._data_set = data_set

    def as_sql(self, compiler: Any, connection: Any) -> Any:  # noqa: ARG002 (Django's signature)
        # One value, found before the first row is read, whatever the planner prefers.
        function = "json_group_array" if connection.vendor == "sqlite" else "array_agg"
        loads = (
            f"SELECT {function}(current_id) FROM datasets_sourcefile "  # noqa: S608 (nothing but the function)
            "WHERE data_set = %s AND current_id IS NOT NULL"
        )
        return f"({loads})", [self._data_set]
