"""One set of tools for all data sets: `query_data`, `summarize_data` and `show_data` (DATASET_TOOLS=shared).

If there are many data sets, the tools of each would fill what a client reads before the first question.
These take a data set's name, and its filters as one object; `describe_data` lists both.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from mcpsite.access.caller import Caller
from mcpsite.datasets import answers, charts
from mcpsite.datasets.declaration import data_sets
from mcpsite.datasets.declared_tools import DeclaredTools
from mcpsite.datasets.published_columns import Arguments, arguments_model
from mcpsite.mcp import ToolError, shown
from mcpsite.mcp.registry import Registry, add_tool


def register(registry: Registry) -> None:
    """Offer the tools. Raises ImproperlyConfigured."""
    every = {each.name: DeclaredTools(data_set=each) for each in data_sets() if each.options.tools}
    if not every:
        return
    permissions = list(dict.fromkeys(tools.data_set.permission for tools in every.values()))
    shared = _SharedTools(every)
    first = next(iter(every.values()))
    common: dict[str, Any] = {"permission": permissions[0], "also": permissions[1:], "registry": registry}
    named = Field(
        description="The data set, as describe_data names it.", json_schema_extra={"enum": list(every)}
    )
    about = 'Filters as describe_data names them, e.g. {"city_contains": "lisbon", "usd_min": 100}.'
    asked: Arguments = [
        ("data_set", str, named),
        ("filters", dict[str, Any] | None, Field(None, description=about)),
    ]
    texts = "Rows of one data set, in its order; describe_data lists its columns and filters."
    add_tool(
        name="query_data",
        title="Query data",
        description=texts,
        arguments=arguments_model("query_data", asked, answers.page_arguments("rows", 25)),
        result=_open(answers.rows_schema(first.shown), "rows"),
        function=shared.rows,
        page="rows",
        **common,
    )
    group_by = Field(None, description="Categories or the day; [] is one group of all rows.")
    metrics = Field(None, description="A number and _mean, _min, _max, _count, _sum or _median.")
    add_tool(
        name="summarize_data",
        title="Summarize data",
        description="Figures over the rows of one data set, grouped; every row that matches counts.",
        arguments=arguments_model(
            "summarize_data",
            asked,
            [("group_by", list[str] | None, group_by), ("metrics", list[str] | None, metrics)],
            answers.page_arguments("groups", 50),
        ),
        result=_open(answers.groups_schema(first.shown), "groups"),
        function=shared.groups,
        page="groups",
        **common,
    )
    line = Field(None, description="The category of which each value is a line.")
    add_tool(
        name="show_data",
        title="Show data",
        description="A chart of one data set over time. Where no chart can be shown the answer is a table.",
        arguments=arguments_model("show_data", asked, [("line", str | None, line)]),
        result=_open(charts.schema(()), "series"),
        function=shared.chart,
        view=charts.VIEW,
        **common,
    )


def _open(schema: dict[str, Any], things: str) -> dict[str, Any]:
    """Return `schema` for the rows of any data set."""
    return {
        **schema,
        "properties": {**schema["properties"], things: {"type": "array", "items": {"type": "object"}}},
    }


class _SharedTools:
    """Answers each tool by that of the named data set."""

    def __init__(self, every: Mapping[str, DeclaredTools]) -> None:
        self._every = every

    def rows(self, caller: Caller, /, **asked: Any) -> dict[str, Any]:
        tools = self._named(caller, asked)
        return tools.rows(caller, **self._meant(tools, asked, ("limit", "offset")))

    def groups(self, caller: Caller, /, **asked: Any) -> dict[str, Any]:
        tools = self._named(caller, asked)
        names = ("limit", "offset", "group_by", "metrics")
        meant = self._meant(tools, asked, names)
        groups = [column.name for column in tools.groupable]
        if unknown := [name for name in meant.get("group_by") or () if name not in groups]:
            raise ToolError(f"group_by holds {shown(unknown[0])}; it takes {', '.join(groups)}.")
        return tools.summary(caller, **meant)

    def chart(self, caller: Caller, /, **asked: Any) -> Any:
        tools = self._named(caller, asked)
        if not tools.can_draw:
            raise ToolError(f"{tools.data_set.name} has no days, numbers and categories that could be drawn.")
        meant = self._meant(tools, asked, ("line",))
        if meant.get("line") not in (None, *tools.lines):
            raise ToolError(f"line is {shown(meant['line'])}; it takes {', '.join(tools.lines)}.")
        return tools.chart(caller, **meant)

    def _named(self, caller: Caller, asked: Mapping[str, Any]) -> DeclaredTools:
        """Return the tools of the named data set, if the caller may read it; raises ToolError."""
        name = asked["data_set"]
        readable = [known for known, tools in self._every.items() if tools.data_set.policy.admits(caller)]
        if name not in readable:
            raise ToolError(f"data_set is {shown(name)}; it takes {', '.join(readable)}.")
        return self._every[name]

    def _meant(self, tools: DeclaredTools, asked: Mapping[str, Any], others: Sequence[str]) -> dict[str, Any]:
        """Return the arguments for the data set's own tool; raises ToolError."""
        model = _filters_of(tools)
        given = asked.get("filters") or {}
        try:
            filters = model.model_validate(given).model_dump(exclude_unset=True)
        except ValidationError as error:
            name = str(error.errors()[0]["loc"][0])
            known = ", ".join(model.model_fields)
            if name not in model.model_fields:
                raise ToolError(
                    f"filters holds {shown(name)}, and {tools.data_set.name} takes {known}."
                ) from None
            raise ToolError(f"filters holds {name} {shown(given[name])}, which is not valid.") from None
        return {**filters, **{name: asked[name] for name in others if name in asked}}


def _filters_of(tools: DeclaredTools) -> type[BaseModel]:
    return arguments_model(f"{tools.data_set.name}_filters", tools.filter_arguments)
