"""How an app offers a tool: `@tool` on a plain function in its `tools.py`, or `add_tool` from data.

This module knows nothing of the protocol library: a tool is a name, a description, a schema for its
arguments, a schema for its result, and a function. Everything that every tool needs (permission, deadline,
database connections, size of the answer) happens in `mcpsite.mcp.pipeline`, once.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict, TypeAdapter, create_model

from mcpsite.access import scopes
from mcpsite.access.caller import Caller
from mcpsite.core.contributions import modules
from mcpsite.mcp import schemas
from mcpsite.mcp.schemas import Schema
from mcpsite.mcp.views import View

Function = TypeVar("Function", bound=Callable[..., Any])

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
"""What every client accepts as the name of a tool."""


class ToolError(Exception):
    """A failure that the caller can mend: one plain sentence for the person, shown as it is."""


class NameTaken(ImproperlyConfigured):
    """Two tools have one name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A tool's result with additions that must not change the result's own shape."""

    value: Any
    """The object that the tool's return annotation describes (a TypedDict's dict)."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """Added to the result's `_meta`; keys are prefixed by the caller, e.g. `mcpsite/fallback`."""
    text: str = ""
    """The text for a model and a client without views; empty: the value itself, as JSON."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A registered tool."""

    name: str
    title: str
    description: str
    """The description for the model; of a function its docstring."""
    permission: str
    """The Django permission that a caller needs, `app_label.codename`."""
    also: tuple[str, ...]
    """Other permissions, any of which is enough instead."""
    for_readers: bool
    """Whether `migrate` gives the permission to the group `readers`."""
    scope: str
    """Scopes that the token needs, separated by spaces; empty for none. TOOL_SCOPES may name others."""
    function: Callable[..., Any]
    is_async: bool
    takes_caller: bool
    """Whether the function's first parameter is `caller: Caller`."""
    arguments: type[BaseModel]
    """Checks what a client sends; unknown names are refused."""
    gathered: Mapping[str, tuple[type, tuple[str, ...]]]
    """Parameters of the function that are a dataclass: the class, and the arguments that are its fields."""
    input_schema: Schema
    output_schema: Schema
    read_only: bool
    page: str
    """The list in the result that is cut if it would be too long; empty for none."""
    meta: Mapping[str, Any]
    """The tool's own `_meta` in `tools/list`."""
    view: View | None
    """The page that shows the answer in a chat."""

    def admits(self, caller: Caller) -> bool:
        """Return whether `caller` has the permission to use it."""
        return any(map(caller.has_perm, (self.permission, *self.also)))

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that a call needs."""
        return scopes.needed(self.name, self.scope)


class Registry:
    """The tools of this process, in the order in which the installed apps offer them."""

    def __init__(self) -> None:
        self._tools: dict[str, Tool] = {}

    def add(self, tool: Tool) -> None:
        """Register `tool`; raises ImproperlyConfigured if its name is taken or a schema is not plain."""
        if tool.name in self._tools:
            raise NameTaken(f"Two tools are called {tool.name!r}; rename one of them.")
        for name, part in tool.input_schema["properties"].items():
            schemas.require_plain(part, f"Parameter {name!r} of tool {tool.name!r}")
        schemas.require_plain(tool.output_schema, f"The result of tool {tool.name!r}")
        self._tools[tool.name] = tool

    def get(self, name: str) -> Tool | None:
        return self._tools.get(name)

    def all(self) -> list[Tool]:
        return list(self._tools.values())

    def arrange(self, modules: Sequence[str]) -> None:
        """Put the tools of `modules` first, in the order of the modules."""
        places = {name: place for place, name in enumerate(modules)}
        tools = sorted(
            self._tools.items(), key=lambda item: places.get(item[1].function.__module__, len(places))
        )
        self._tools = dict(tools)


registry = Registry()


def tool(
    *,
    permission: str,
    title: str,
    scope: str = "",
    read_only: bool = True,
    page: str = "",
    meta: Mapping[str, Any] | None = None,
    view: View | None = None,
    registry: Registry = registry,
) -> Callable[[Function], Function]:
    """Offer the decorated function as the tool of its name.

    The function is synchronous (it runs with a database connection, in a thread) or `async` (it runs
    on the event loop and reaches the database through `mcpsite.mcp.in_database`). A first parameter
    `caller: Caller` is filled in and not part of the schema. Every other parameter is keyword-able,
    annotated, and described with `Annotated[..., Field(description=...)]`; one whose type is a dataclass
    is replaced by its fields as arguments. The return annotation is a TypedDict (of `typing_extensions`):
    the result's schema is made from it, and what the tool returns is not validated again. A `ToolError`
    tells the caller what to change. A `view` is the page that clients with the extension MCP Apps show for
    the answer; other clients show the answer's text. `page` names the list in the result that ends early if
    the answer would be too long for its reader: `truncated` then says so, and from which `offset` to go on if
    the tool has such an argument. Long texts are cut in every tool's answer.

    `permission` is checked at each call; `scope` names the scopes that the token needs as well.

    Raises ImproperlyConfigured if the function does not fit.
    """

    def register(function: Function) -> Function:
        name = function.__name__
        hints = get_type_hints(function, include_extras=True)
        description = inspect.getdoc(function) or ""
        returns = hints.pop("return", None)
        if not description or returns is None:
            raise ImproperlyConfigured(f"Tool {name!r} needs a docstring and a return annotation.")
        arguments, gathered = _arguments(function, hints)
        add_tool(
            name=name,
            title=title,
            description=description,
            permission=permission,
            arguments=arguments,
            result=TypeAdapter(returns).json_schema(mode="serialization"),
            function=function,
            gathered=gathered,
            scope=scope,
            read_only=read_only,
            page=page,
            meta=meta,
            view=view,
            registry=registry,
        )
        return function

    return register


def add_tool(
    *,
    name: str,
    title: str,
    description: str,
    permission: str,
    also: Sequence[str] = (),
    arguments: type[BaseModel],
    result: Schema,
    function: Callable[..., Any],
    gathered: Mapping[str, tuple[type, tuple[str, ...]]] | None = None,
    for_readers: bool = True,
    scope: str = "",
    read_only: bool = True,
    page: str = "",
    meta: Mapping[str, Any] | None = None,
    view: View | None = None,
    registry: Registry = registry,
) -> None:
    """Offer a tool that is made from data: the arguments replace what `@tool` reads off a function.

    `function` is called with the fields of `arguments` by name, after a first parameter `caller: Caller` if
    it has one. `result` is the JSON schema of the object that `function` returns. Without `for_readers`
    nobody has the permission until it is granted. `also` are permissions any of which is enough instead, for
    a tool that itself checks what its caller may read. The rest is as for `@tool`.

    Raises ImproperlyConfigured if the tool could not be called or a model could not use it.
    """
    if not _NAME.fullmatch(name):
        raise ImproperlyConfigured(
            f"A tool cannot be called {name!r}; use up to 64 letters, digits, _ and -, such as hotel_rates."
        )
    if not (title and description) or not all(permission.partition(".")):
        raise ImproperlyConfigured(
            f"Tool {name!r} needs a title, a description and a permission such as 'airfare.view_farerow'."
        )
    for argument, info in arguments.model_fields.items():
        if not info.description:
            raise ImproperlyConfigured(f"Parameter {argument!r} of tool {name!r} has no description.")
    registry.add(
        Tool(
            name=name,
            title=title,
            description=description,
            permission=permission,
            also=tuple(also),
            for_readers=for_readers,
            scope=scopes.valid_scopes(f"Tool {name!r}", scope),
            function=function,
            is_async=inspect.iscoroutinefunction(function),
            takes_caller=_takes_caller(function),
            arguments=arguments,
            gathered=gathered or {},
            input_schema=schemas.of_arguments(arguments.model_json_schema()),
            output_schema=_output_schema(name, result, page),
            read_only=read_only,
            page=page,
            meta=dict(meta or {}),
            view=view,
        )
    )


def discover() -> Registry:
    """Import `tools.py` of every installed app and return the registered tools in the order of the apps.

    If something imported one of them earlier, the order is still the same.
    """
    registry.arrange([module.__name__ for module in modules("tools")])
    return registry


def _takes_caller(function: Callable[..., Any]) -> bool:
    first = next(iter(inspect.signature(function).parameters), None)
    return first is not None and get_type_hints(function).get(first) is Caller


def _arguments(
    function: Callable[..., Any], hints: Mapping[str, Any]
) -> tuple[type[BaseModel], dict[str, tuple[type, tuple[str, ...]]]]:
    """Return `Tool.arguments` and `gathered` of a function; raises ImproperlyConfigured."""
    name = function.__name__
    parameters = list(inspect.signature(function).parameters.values())
    arguments: dict[str, Any] = {}
    gathered: dict[str, tuple[type, tuple[str, ...]]] = {}
    for parameter in parameters[1:] if _takes_caller(function) else parameters:
        hint = hints.get(parameter.name)
        if hint is None:
            raise ImproperlyConfigured(f"Parameter {parameter.name!r} of tool {name!r} has no annotation.")
        if isinstance(hint, type) and is_dataclass(hint):
            inner = _fields(hint)
            gathered[parameter.name] = (hint, tuple(inner))
            arguments |= inner
        else:
            required = parameter.default is inspect.Parameter.empty
            arguments[parameter.name] = (hint, ... if required else parameter.default)
    return create_model(f"{name}_arguments", __config__=ConfigDict(extra="forbid"), **arguments), gathered


def _output_schema(name: str, result: Schema, page: str) -> Schema:
    schema = schemas.of_result(result)
    if schema.get("type") != "object":
        raise ImproperlyConfigured(f"Tool {name!r} has to return an object: annotate it with a TypedDict.")
    results = schema.get("properties", {})
    if page and (results.get(page, {}).get("type") != "array" or "truncated" not in results):
        raise ImproperlyConfigured(
            f"The result of tool {name!r} needs a list {page!r} and a text 'truncated'."
        )
    return schema


def _fields(kind: type) -> dict[str, tuple[Any, Any]]:
    """Return the fields of a dataclass: name → annotation, and default or `...`."""
    hints = get_type_hints(kind, include_extras=True)
    return {
        part.name: (hints[part.name], ... if part.default is MISSING else part.default)
        for part in fields(kind)
    }
