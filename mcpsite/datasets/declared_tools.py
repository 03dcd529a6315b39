"""The tools of data sets, made from their declarations: rows, figures of groups, and lines over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Annotated, Any

from django.db.models import Q
from pydantic import Field

from mcpsite.access.caller import Caller
from mcpsite.datasets import answers, charts, figures, filters, queries
from mcpsite.datasets.charts import Chart
from mcpsite.datasets.declaration import DataSet, data_sets
from mcpsite.datasets.declared_columns import LETTERS, filtered_columns, shown_columns
from mcpsite.datasets.published_columns import Arguments, PublishedColumn, arguments_model, of_kind
from mcpsite.datasets.summaries import summary
from mcpsite.datasets.trends import Drawing, trends
from mcpsite.mcp import Answer
from mcpsite.mcp.registry import Registry, add_tool, registry

USUAL_ROWS, USUAL_GROUPS = 25, 50
MOST_DRAWN = 3
"""The most numbers with a plot in a chart."""


@dataclass(frozen=True, kw_only=True)
class DeclaredTools:
    """The tools of one data set."""

    data_set: DataSet

    @cached_property
    def shown(self) -> list[PublishedColumn]:
        return shown_columns(self.data_set)

    @cached_property
    def filtered(self) -> list[PublishedColumn]:
        return filtered_columns(self.data_set)

    @cached_property
    def filter_arguments(self) -> Arguments:
        return filters.filter_arguments(self.filtered, letters=LETTERS)

    # Answers

    def rows(self, caller: Caller, /, **asked: Any) -> dict[str, Any]:
        """Answer the tool of the data set's name."""
        meant, applied = filters.read_filters(self.filtered, asked)
        page = answers.read_page(asked)
        found = queries.page(self.data_set, meant, caller, limit=page.limit, offset=page.offset)
        return answers.answer(
            "rows",
            answers.Found(
                page=found.rows,
                has_more=bool(found.rows) and page.offset + len(found.rows) < found.matched,
                total=found.total,
                matched=found.matched,
                undated=found.undated,
            ),
            page,
            applied,
        )

    def summary(self, caller: Caller, /, **asked: Any) -> dict[str, Any]:
        """Answer the tool of figures."""
        meant, applied = filters.read_filters(self.filtered, asked)
        page = answers.read_page(asked)
        found = summary(
            self.data_set,
            meant,
            caller,
            group_by=figures.read_group_by(self.shown, asked.get("group_by")),
            figures=figures.read_figures(self.shown, asked.get("metrics"), self.data_set.options.metrics),
            limit=page.limit,
            offset=page.offset,
        )
        return answers.answer(
            "groups",
            answers.Found(
                page=found.groups,
                has_more=bool(found.groups) and page.offset + len(found.groups) < found.group_count,
                total=found.total,
                matched=found.matched,
                undated=found.undated,
            ),
            page,
            applied,
        )

    def chart(self, caller: Caller, /, **asked: Any) -> Answer:
        """Answer the tool that draws."""
        meant, applied = filters.read_filters(self.filtered, asked)
        drawing = self.drawing(asked.get("line") or self.lines[0])
        found = trends(self.data_set, meant, caller, drawing)
        chart = Chart(
            tool=self.chart_name, title=self.data_set.title, data_set=self.data_set, drawing=drawing
        )
        return chart.answer(found, applied)

    @property
    def chart_name(self) -> str:
        return f"show_{self.data_set.name}"

    @property
    def can_draw(self) -> bool:
        """Whether there are days, numbers and categories."""
        return bool(self.data_set.day and self.drawn and self.lines)

    @cached_property
    def groupable(self) -> list[PublishedColumn]:
        """The columns that rows can be grouped by."""
        return figures.groupable(self.shown)

    @cached_property
    def lines(self) -> list[str]:
        """The categories whose values can be lines."""
        return list(self.data_set.filtered)

    @cached_property
    def drawn(self) -> list[PublishedColumn]:
        """The numbers that are drawn."""
        return of_kind(self.shown, "number")[:MOST_DRAWN]

    def drawing(self, line: str) -> Drawing:
        names = [column.name for column in self.drawn]
        return Drawing(line=line, figures=tuple((name, Q(**{f"{name}__isnull": False})) for name in names))

    # Registration

    def register(self, registry: Registry) -> None:
        """Offer the tools. Raises ImproperlyConfigured."""
        data_set = self.data_set
        name, figures_name = data_set.name, f"{data_set.name}_summary"
        add = partial(add_tool, permission=data_set.permission, registry=registry)
        add(
            name=name,
            title=data_set.title,
            description=f"{data_set.description} Rows, ordered by {_order(data_set)}. Filters are optional "
            f"and all have to hold. For figures over many rows use {figures_name}.",
            arguments=arguments_model(
                name, self.filter_arguments, answers.page_arguments("rows", USUAL_ROWS)
            ),
            result=answers.rows_schema([*self.shown, SOURCE]),
            function=self.rows,
            page="rows",
        )
        add(
            name=figures_name,
            title=f"{data_set.title}: figures",
            description=f"Figures over the rows of {name}, grouped; every row that matches counts.",
            arguments=arguments_model(
                figures_name,
                figures.figure_arguments(self.shown, data_set.options.metrics),
                self.filter_arguments,
                answers.page_arguments("groups", USUAL_GROUPS),
            ),
            result=answers.groups_schema(self.shown),
            function=self.summary,
            page="groups",
        )
        if self.can_draw:
            add(
                name=self.chart_name,
                title=f"Show {data_set.title.lower()}",
                description=f"A chart of the rows of {name} over time: means of "
                f"{_listed(self.drawn)}, a line for each {self.lines[0].replace('_', ' ')} or another "
                "category. Takes the filters of "
                f"{name}. Where no chart can be shown the answer is a table.",
                arguments=arguments_model(self.chart_name, self._line_argument(), self.filter_arguments),
                result=charts.schema(column.name for column in self.drawn),
                function=self.chart,
                view=charts.VIEW,
            )

    def _line_argument(self) -> Arguments:
        about = f"The category of which each value is a line. Unless given, {self.lines[0]}."
        named = Annotated[str, Field(json_schema_extra={"enum": list[Any](self.lines)})]
        return [("line", named | None, Field(None, description=about))]


SOURCE = PublishedColumn("source_file", "text", meaning="the file that the row is from")


def _order(data_set: DataSet) -> str:
    given = {day: text for text, day in data_set.given.items()}
    names = [each.removeprefix("-") for each in data_set.ordering]
    words = [
        f"{given.get(name, name)}{' descending' * each.startswith('-')}"
        for name, each in zip(names, data_set.ordering, strict=True)
        if data_set.columns[name].shown or name in given
    ]
    return ", ".join(words)


def _listed(columns: Sequence[PublishedColumn]) -> str:
    return ", ".join(column.name for column in columns)


def register_all(registry: Registry = registry) -> None:
    """Offer the tools of every data set whose app brings none of its own."""
    for data_set in data_sets():
        if data_set.options.tools:
            DeclaredTools(data_set=data_set).register(registry)
