"""Existing tables, as tools: `publish` in the module `published` of an installed app.

    publish(
        Sale,
        name="sales",
        using="erp",
        columns=["sold_on", "region", PublishedColumn("usd", unit="USD", meaning="net amount")],
        ordering=["-sold_on"],
    )

makes the tools `sales` (rows) and `sales_summary` (figures of groups). What is not among
`columns` can neither be seen nor asked for. docs/published-tables.md has it step by step.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections, models, router
from django.db.models import QuerySet
from django.utils.connection import ConnectionDoesNotExist
from django.utils.text import capfirst

from mcpsite.access.caller import Caller
from mcpsite.datasets import answers, figures, filters, plain_queries
from mcpsite.datasets.model_columns import Misdeclared, column_of
from mcpsite.datasets.published_columns import PublishedColumn, arguments_model
from mcpsite.mcp.registry import Registry, add_tool, registry

__all__ = ["Misdeclared", "PublishedColumn", "publish"]

LETTERS = "letter case as the database compares it"
VENDORS = ("postgresql", "sqlite")
"""Databases on which a statement can be cancelled at the deadline."""

VisibleTo = Callable[[QuerySet[Any], Caller], QuerySet[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedTable:
    """A table, and how questions about it are answered."""

    model: type[models.Model]
    name: str
    title: str
    columns: tuple[PublishedColumn, ...]
    ordering: tuple[str, ...]
    using: str | None
    visible_to: VisibleTo | None

    @property
    def permission(self) -> str:
        options = self.model._meta
        return f"{options.app_label}.view_{options.model_name}"

    @property
    def description(self) -> str:
        """What is in the table: the model's docstring or the table's comment, else its title."""
        documented = inspect.getdoc(self.model) or ""
        if documented.startswith(f"{self.model.__name__}("):
            documented = ""  # Django's own, which names every field.
        about = documented or self.model._meta.db_table_comment or self.title
        return about if about.endswith(".") else f"{about}."

    def rows(self, caller: Caller, /, **asked: Any) -> dict[str, Any]:
        """Answer the tool of the table's name."""
        meant, applied = filters.read_filters(self.columns, asked)
        page = answers.read_page(asked)
        found = plain_queries.find_rows(
            self._visible(caller), meant, page, columns=self.columns, ordering=self.ordering
        )
        return answers.answer("rows", found, page, applied)

    def summary(self, caller: Caller, /, **asked: Any) -> dict[str, Any]:
        """Answer the tool of figures."""
        meant, applied = filters.read_filters(self.columns, asked)
        page = answers.read_page(asked)
        found = plain_queries.find_groups(
            self._visible(caller),
            meant,
            page,
            group_by=figures.read_group_by(self.columns, asked.get("group_by")),
            figures=figures.read_figures(self.columns, asked.get("metrics")),
            column=self.ordering[0].removeprefix("-"),
        )
        return answers.answer("groups", found, page, applied)

    def _visible(self, caller: Caller) -> QuerySet[Any]:
        rows = self.model._default_manager.using(self.using)
        return self.visible_to(rows, caller) if self.visible_to else rows


tables: dict[str, PublishedTable] = {}
"""What this process publishes, by the name of the tool."""


def publish(
    model: type[models.Model],
    *,
    name: str,
    columns: Sequence[str | PublishedColumn],
    ordering: Sequence[str],
    title: str = "",
    using: str | None = None,
    visible_to: VisibleTo | None = None,
    readers: bool = False,
    registry: Registry = registry,
) -> None:
    """Offer the tools `name` and `name_summary` for the table of `model`.

    `columns` are fields of the model: a name alone has the kind of its field (dates are days, numbers
    numbers, CharField is a category, TextField prose), and its `help_text` is the meaning; a PublishedColumn
    says more. `ordering` is as in Django, by some of these columns; an index has to begin with its first.
    `using` is the alias of the database, by default from Django's routers. `visible_to(queryset, caller)`
    returns the rows that a caller may read. Nobody has the permission to view the model until it is granted;
    with `readers`, `migrate` grants it to the group `readers`.

    Raises ImproperlyConfigured, with the remedy, if that is impossible.
    """
    _check_database(using or router.db_for_read(model))
    published = [column_of(model, column) for column in columns]
    _check_names(model, published, ordering)
    table = PublishedTable(
        model=model,
        name=name,
        title=title or capfirst(str(model._meta.verbose_name_plural)),
        columns=tuple(published),
        ordering=tuple(ordering),
        using=using,
        visible_to=visible_to,
    )
    filtered = filters.filter_arguments(published, letters=LETTERS)
    order = ", ".join(f"{each.removeprefix('-')}{' descending' * each.startswith('-')}" for each in ordering)
    common: dict[str, Any] = {"permission": table.permission, "for_readers": readers, "registry": registry}
    add_tool(
        name=name,
        title=table.title,
        description=f"{table.description} Rows, ordered by {order}. Filters are optional and all have to "
        f"hold. For figures over many rows use {name}_summary.",
        arguments=arguments_model(name, filtered, answers.page_arguments("rows", 25)),
        result=answers.rows_schema(published),
        function=table.rows,
        page="rows",
        **common,
    )
    summary = f"{name}_summary"
    add_tool(
        name=summary,
        title=f"{table.title}: figures",
        description=f"Figures over the rows of {name}, grouped; every row that matches its filters counts.",
        arguments=arguments_model(
            summary, figures.figure_arguments(published), filtered, answers.page_arguments("groups", 50)
        ),
        result=answers.groups_schema(published),
        function=table.summary,
        page="groups",
        **common,
    )
    tables[name] = table


def _check_database(alias: str) -> None:
    """Raise Misdeclared for a database that does not exist, or whose statements cannot be cancelled."""
    try:
        vendor = connections[alias].vendor
    except ConnectionDoesNotExist:
        raise Misdeclared(
            f"There is no database {alias!r}.", f"Set DATABASE_URL_{alias.upper()} to its address."
        ) from None
    if vendor not in VENDORS:
        raise Misdeclared(
            f"The database {alias!r} is of the kind {vendor}, on which statements cannot be cancelled.",
            "Publish a copy of the table in PostgreSQL or SQLite.",
        )


def _check_names(
    model: type[models.Model], columns: Sequence[PublishedColumn], ordering: Sequence[str]
) -> None:
    """Raise Misdeclared for columns or an order that make no table."""
    names = [column.name for column in columns]
    own = {"rows", *(figure.name for figure in figures.figures(columns))}
    if clashing := [column.name for column in figures.groupable(columns) if column.name in own]:
        raise Misdeclared(
            f"{model.__name__} publishes {clashing[0]!r}, which is also the name of a figure of each group.",
            "Give that field another name; it keeps its column by db_column.",
        )
    twice = [name for name in names if names.count(name) > 1]
    if twice or not names:
        raise Misdeclared(
            f"{model.__name__} publishes {f'{twice[0]!r} twice' if twice else 'no columns'}.",
            "Name each column that may be seen, once.",
        )
    unknown = [each for each in ordering if each.removeprefix("-") not in names]
    if unknown or not ordering:
        problem = (
            f"ordered by {unknown[0]!r}, which is not published" if unknown else "published without an order"
        )
        raise Misdeclared(
            f"{model.__name__} is {problem}.", f"Let ordering name some of {', '.join(names)}.", "E102"
        )
