"""System checks of data sets' declarations: each mistake with its remedy."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from mcpsite.datasets.combinations import MANY
from mcpsite.datasets.declaration import DataSet, data_sets
from mcpsite.datasets.declared_tools import DeclaredTools
from mcpsite.datasets.figures import figures
from mcpsite.datasets.kinds import Category, Day, Text
from mcpsite.datasets.models import Combination, Row
from mcpsite.mcp.registry import Registry, Tool, discover

ENGINE = frozenset(field.name for field in Row._meta.get_fields()) | {"id", "version", "source_file", "rows"}
"""Names that mean something else in tables, exports and answers."""
MOST_TOKENS = 1_500
"""Tokens of one tool's schema; a client reads all schemas before the first question."""
MOST_OF_LIST = 6_000
CHARACTERS = 4
"""Characters of a token, on average."""


def check_declared(**_: Any) -> list[CheckMessage]:
    """Return datasets.E001 to E006 and W001."""
    found = [problem for data_set in data_sets() for problem in _problems(data_set)]
    names = Counter(data_set.name for data_set in data_sets())
    return [
        *found,
        *(
            Error(
                f"{names[each.name]} data sets are called {each.name!r}.",
                hint="Set another name in a class Dataset inside the model.",
                obj=each.model,
                id="datasets.E006",
            )
            for each in data_sets()
            if names[each.name] > 1
        ),
    ]


def check_combinations(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Return datasets.W002: there are too many combinations of categories for memory."""
    tables = connection.introspection.table_names
    if not databases or "default" not in databases or Combination._meta.db_table not in tables():
        return []  # Before the first `migrate` there is nothing to check.
    return [
        Warning(
            f"{each.name} has {number:,} combinations of {', '.join(each.categories)}, which each worker "
            "keeps in memory.",
            hint="Declare columns with very many values as Prose or Text, and load the files again.",
            obj=each.model,
            id="datasets.W002",
        )
        for each in data_sets()
        if (number := Combination.objects.filter(data_set=each.label).count()) > MANY
    ]


def check_tool_list(**_: Any) -> list[CheckMessage]:
    """Return datasets.W003: a list of tools that leaves a model little room for the question."""
    tokens = sum(_tokens(tool) for tool in discover().all())
    if tokens <= MOST_OF_LIST:
        return []
    return [
        Warning(
            f"The list of tools takes about {tokens:,} tokens before the first question.",
            hint="Set DATASET_TOOLS=shared, which gives all data sets one common set of tools.",
            id="datasets.W003",
        )
    ]


def _tokens(tool: Tool) -> int:
    told = [tool.name, tool.title, tool.description, tool.input_schema, tool.output_schema]
    return len(json.dumps(told)) // CHARACTERS


def _problems(data_set: DataSet) -> Iterator[CheckMessage]:
    errors = [
        *_names(data_set),
        *_kinds(data_set),
        *_ordering(data_set),
        *_options(data_set),
    ]
    for sentence, hint, number in errors:
        yield Error(
            f"{data_set.model.__name__} {sentence}", hint=hint, obj=data_set.model, id=f"datasets.{number}"
        )
    if not errors:
        yield from _tools(data_set)


Problem = tuple[str, str, str]
"""What is wrong, what to do, and the number of the check."""


def _names(data_set: DataSet) -> Iterator[Problem]:
    for name in data_set.columns:
        if name in ENGINE:
            hint = f"Rename it, and list the names that files use: {name}_of_file = …(also=({name!r},))."
            yield f"has a column {name!r}, a name that is reserved in every data set.", hint, "E001"
    of_figures = {figure.name for figure in figures(DeclaredTools(data_set=data_set).shown)}
    for name in of_figures.intersection(data_set.columns):
        yield (
            f"has a column {name!r}, which is also the name of a figure of its groups.",
            "Rename it.",
            "E001",
        )


def _kinds(data_set: DataSet) -> Iterator[Problem]:
    own = {field.name for field in Row._meta.get_fields()} | {"id"}
    for field in data_set.model._meta.get_fields():
        if field.name not in own and field.name not in data_set.columns:
            yield (
                f"has a field {field.name!r} of the kind {type(field).__name__}, which cannot be loaded "
                "from a file.",
                "Declare it as Category, Day, Number, Prose or Text of mcpsite.datasets.models.",
                "E005",
            )


def _ordering(data_set: DataSet) -> Iterator[Problem]:
    hint = 'Let Meta.ordering begin with the day, descending, and name categories or texts: ["-day", "city"].'
    names = [each.removeprefix("-") for each in data_set.ordering]
    if not names:
        yield "has no ordering, which answers and the index of its rows need.", hint, "E002"
        return
    for name in names:
        if not isinstance(data_set.columns.get(name), Category | Text | Day):
            what = "a number or prose" if name in data_set.columns else "no column"
            yield f"is ordered by {name!r}, which is {what}.", hint, "E002"
            return
    if data_set.day and data_set.ordering[0] != f"-{data_set.day}":
        yield f"has days, but is not ordered by {data_set.day}, latest first.", hint, "E002"


def _options(data_set: DataSet) -> Iterator[Problem]:
    for name in data_set.unknown_options:
        known = ", ".join(data_set.options.__dataclass_fields__)
        yield f"has an unknown option {name!r}.", f"The options are {known}.", "E003"
    options = data_set.options
    columns = {"identity": options.identity, "label": options.label, "filters": options.filters}
    known_figures = {figure.name for figure in figures(DeclaredTools(data_set=data_set).shown)}
    for option, names in columns.items():
        for name in names:
            kinds = data_set.numbers if option == "filters" else tuple(data_set.columns)
            if name not in kinds:
                remedy = f"Name some of {', '.join(kinds)}."
                yield f"names {name!r} in Dataset.{option}, which is not a column for that.", remedy, "E003"
    for name in options.metrics:
        if name not in known_figures:
            remedy = "Write a number and _mean, _min, _max, _count, _sum or _median."
            yield f"names {name!r} in Dataset.metrics, which is not a figure.", remedy, "E003"
    for text in data_set.given:
        if not isinstance(data_set.columns.get(text), Text):
            yield (
                f"has a day that is given as {text!r}, which is not a Text.",
                f"Declare {text} = Text().",
                "E003",
            )


def _tools(data_set: DataSet) -> Iterator[CheckMessage]:
    if not data_set.options.tools:
        return
    made = Registry()
    try:
        DeclaredTools(data_set=data_set).register(made)
    except ImproperlyConfigured as error:
        hint = "Give that column another name; list the names that files use in also=(…)."
        yield Error(str(error), hint=hint, obj=data_set.model, id="datasets.E004")
    for tool in made.all():
        tokens = _tokens(tool)
        if tokens > MOST_TOKENS:
            yield Warning(
                f"The tool {tool.name} takes about {tokens:,} tokens before the first question.",
                hint="List in Dataset.filters only the numbers that people filter by, declare columns "
                "that nobody filters by as Text, or set DATASET_TOOLS=shared.",
                obj=data_set.model,
                id="datasets.W001",
            )
