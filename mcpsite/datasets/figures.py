"""What a summary may be asked for: the columns to group rows by, and the figures of each group."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from django.db.models import Avg, Count, Max, Min, Sum
from pydantic import Field

from mcpsite.datasets.medians import Median
from mcpsite.datasets.published_columns import Arguments, PublishedColumn, of_kind
from mcpsite.mcp import ToolError, shown

STATISTICS: dict[str, Any] = {
    "mean": Avg,
    "min": Min,
    "max": Max,
    "count": Count,
    "sum": Sum,
    "median": Median,
}
"""Statistics of a number over the rows of a group; rows without the number are ignored."""
DECIMALS = 4
"""Places that a figure is rounded to."""
USUAL_NUMBERS = 4
"""How many numbers, from the first, have their means in an answer if no figures are requested."""
MOST_FIGURES = 60


class Figure(NamedTuple):
    """A statistic of a number, for each group."""

    column: str
    statistic: str

    @property
    def name(self) -> str:
        return f"{self.column}_{self.statistic}"


def figure_arguments(columns: Sequence[PublishedColumn], usual: Sequence[str] = ()) -> Arguments:
    """Return the arguments of a summary of `columns`: group_by and metrics.

    `usual` are the figures if none are requested, by default means.
    """
    arguments: Arguments = []
    if groups := _groups(columns):
        first = groups[0]
        about = f"Each combination found is a group; [] is one of all rows. Unless given, {first}."
        name = Annotated[str, Field(json_schema_extra={"enum": groups})]
        arguments.append(("group_by", list[name] | None, Field(None, description=about)))
    if numbers := _numbers(columns):
        statistics = ", ".join(f"_{each}" for each in STATISTICS)
        about = (
            f"Figures of each group: a number and one of {statistics}, e.g. {numbers[0]}_mean. "
            f"Numbers: {', '.join(numbers)}. Unless given, {', '.join(usual) or 'means'}."
        )
        arguments.append(("metrics", list[str] | None, Field(None, description=about)))
    return arguments


def read_group_by(columns: Sequence[PublishedColumn], asked: list[str] | None) -> list[str]:
    """Return the columns to group by: the requested ones, by default the first possible one."""
    return _groups(columns)[:1] if asked is None else list(dict.fromkeys(asked))


def read_figures(
    columns: Sequence[PublishedColumn], asked: list[str] | None, usual: Sequence[str] = ()
) -> list[Figure]:
    """Return the requested figures, else `usual`, else means of the first numbers; raises ToolError."""
    numbers, known = _numbers(columns), {each.name: each for each in figures(columns)}
    usual = usual or [f"{name}_mean" for name in numbers[:USUAL_NUMBERS]]
    names = list(dict.fromkeys(usual if asked is None else asked))
    for name in names:
        if name not in known:
            raise ToolError(
                f"metrics holds {shown(name)}; write one of {', '.join(numbers)} followed by one of "
                f"{', '.join(f'_{each}' for each in STATISTICS)}."
            )
    if len(names) > MOST_FIGURES:
        raise ToolError(f"metrics holds {len(names)} figures; ask for at most {MOST_FIGURES}.")
    return [known[name] for name in names]


def groupable(columns: Sequence[PublishedColumn]) -> list[PublishedColumn]:
    """Return the columns that rows can be grouped by: categories, then days."""
    return [*of_kind(columns, "category"), *of_kind(columns, "day")]


def figures(columns: Sequence[PublishedColumn]) -> list[Figure]:
    """Return every figure that can be requested."""
    return [Figure(name, statistic) for name in _numbers(columns) for statistic in STATISTICS]


def _groups(columns: Sequence[PublishedColumn]) -> list[str]:
    return [column.name for column in groupable(columns)]


def _numbers(columns: Sequence[PublishedColumn]) -> list[str]:
    return [column.name for column in of_kind(columns, "number")]
