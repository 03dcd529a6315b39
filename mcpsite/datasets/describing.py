"""`describe_data`: which data sets a caller may read, and what is in them."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db.models import Max
from pydantic import Field

from mcpsite.access.caller import Caller
from mcpsite.datasets import snapshots
from mcpsite.datasets.declaration import DataSet, data_sets
from mcpsite.datasets.declared_columns import shown_columns
from mcpsite.datasets.declared_tools import DeclaredTools
from mcpsite.datasets.kinds import NO_DAY
from mcpsite.datasets.published_columns import PublishedColumn, arguments_model
from mcpsite.datasets.publishing import PublishedTable, tables
from mcpsite.mcp import ToolError, shown
from mcpsite.mcp.registry import Registry, add_tool, registry
from mcpsite.mcp.schemas import Schema

NAME = "describe_data"
ADVICE = f"Call {NAME} first."
MOST_COLUMNS = 120
"""Of all data sets together; if there are more, those of a data set are listed when it is named."""
MOST_FILES = 5


def describe(caller: Caller, *, data_set: str | None = None) -> dict[str, Any]:
    """Answer `describe_data`. Raises ToolError for a name that the caller may not read."""
    declared = [each for each in data_sets() if each.policy.admits(caller)]
    published = [each for each in tables.values() if caller.has_perm(each.permission)]
    if data_set:
        declared = [each for each in declared if each.name == data_set]
        published = [each for each in published if each.name == data_set]
        if not (declared or published):
            raise ToolError(f"There is no data set {shown(data_set)}; call {NAME} without a name.")
    columns = [*(shown_columns(each) for each in declared), *(each.columns for each in published)]
    whole = bool(data_set) or sum(map(len, columns)) <= MOST_COLUMNS
    described = [_declared(each, caller) for each in declared] + [_published(each) for each in published]
    for each, named in zip(described, columns, strict=True):
        each["columns"] = [_column(column, whole=whole) for column in named]
    answer: dict[str, Any] = {"data_sets": described}
    if not whole:
        answer["more"] = f"Call {NAME} with data_set for what the columns of one mean."
    return answer


def _declared(data_set: DataSet, caller: Caller) -> dict[str, Any]:
    snapshot = snapshots.current(data_set, caller)
    described: dict[str, Any] = {
        "name": data_set.name,
        "title": data_set.title,
        "description": data_set.description,
        "tools": _tools_of(data_set.permission),
        "rows": snapshot.total,
    }
    if data_set.day and snapshot.total:
        days = [day for day in (_first_day(snapshot), snapshot.days[1]) if day > NO_DAY.toordinal()]
        if days:
            described["first_day"], described["last_day"] = (_iso(day) for day in (days[0], days[-1]))
    if names := snapshot.files:
        loaded = data_set.files.filter(current__in=list(snapshot.file_names)).aggregate(at=Max("loaded_at"))
        described["last_loaded"] = loaded["at"].date().isoformat() if loaded["at"] else ""
        described["files"] = names[-MOST_FILES:]
        described["file_count"] = len(names)
    if settings.DATASET_TOOLS == "shared" and data_set.options.tools:
        described["filters"] = [name for name, *_ in DeclaredTools(data_set=data_set).filter_arguments]
    if data_set.options.examples:
        described["examples"] = list(data_set.options.examples)
    return described


def _published(table: PublishedTable) -> dict[str, Any]:
    return {
        "name": table.name,
        "title": table.title,
        "description": table.description,
        "tools": _tools_of(table.permission),
    }


def _tools_of(permission: str) -> list[str]:
    return [
        tool.name
        for tool in registry.all()
        if tool.name != NAME and permission in (tool.permission, *tool.also)
    ]


def _first_day(snapshot: snapshots.Snapshot) -> int:
    undated = NO_DAY.toordinal()
    return min((day for day in snapshot.first if undated < day < snapshots.NEVER), default=undated)


def _iso(day: int) -> str:
    return NO_DAY.fromordinal(day).isoformat()


def _column(column: PublishedColumn, *, whole: bool) -> str:
    if not whole:
        return column.name
    kind = f"{column.kind}, {column.unit}" if column.unit else str(column.kind)
    return f"{column.name} ({kind}): {column.meaning}" if column.meaning else f"{column.name} ({kind})"


def _schema() -> Schema:
    text, number = {"type": "string"}, {"type": "integer"}
    texts = {"type": "array", "items": text}
    one = {
        "name": text,
        "title": text,
        "description": text,
        "tools": {**texts, "description": "That answer from it."},
        "rows": number,
        "first_day": text,
        "last_day": text,
        "last_loaded": text,
        "files": {**texts, "description": "The last of them by name."},
        "file_count": number,
        "columns": {**texts, "description": "Name, kind, unit and meaning."},
        "filters": {**texts, "description": "That query_data takes."},
        "examples": {**texts, "description": "Questions that it answers."},
    }
    each = {"type": "object", "properties": one, "required": ["name", "description", "tools", "columns"]}
    properties = {"data_sets": {"type": "array", "items": each}, "more": text}
    return {"type": "object", "properties": properties, "required": ["data_sets"]}


def register(registry: Registry = registry) -> None:
    """Offer `describe_data` to everybody who may read a data set, if there are any."""
    permissions: Sequence[str] = list(
        dict.fromkeys(
            [
                *(each.permission for each in data_sets()),
                *(each.permission for each in tables.values()),
            ]
        )
    )
    if not permissions:
        return
    about = "The name of one data set; unless given, all are described."
    add_tool(
        name=NAME,
        title="Describe the data",
        description="The data sets that can be asked: what each holds, its columns with kind, unit and "
        "meaning, its first and last day, the files it was loaded from, example questions, and the "
        "tools that answer from it. Call it before the first question.",
        permission=permissions[0],
        also=permissions[1:],
        for_readers=False,
        arguments=arguments_model(NAME, [("data_set", str | None, Field(None, description=about))]),
        result=_schema(),
        function=describe,
        registry=registry,
    )
