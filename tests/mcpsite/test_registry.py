"""Registration of tools: what an app may offer, and what is refused at start-up."""

from dataclasses import dataclass
from typing import Annotated, Any, NotRequired

import pytest
from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from mcpsite.access.caller import Caller
from mcpsite.mcp.arguments import checked
from mcpsite.mcp.registry import Registry, add_tool, tool


class Greeting(TypedDict):
    text: str
    note: NotRequired[str]


@pytest.fixture
def registry() -> Registry:
    return Registry()


def test_a_function_becomes_a_tool_with_plain_schemas(registry: Registry) -> None:
    @tool(permission="auth.view_user", title="Greet", registry=registry)
    def greet(
        caller: Caller, name: Annotated[str, Field(description="Whom to greet", max_length=9)]
    ) -> Greeting:
        """Say hello."""
        return {"text": f"{name} from {caller.username}"}

    registered = registry.get("greet")
    assert registered is not None
    assert registered.description == "Say hello."
    assert registered.input_schema == {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 9, "description": "Whom to greet"}},
        "required": ["name"],
        "additionalProperties": False,
    }
    assert registered.output_schema["type"] == "object"
    assert registered.output_schema["required"] == ["text"]


@dataclass(frozen=True, kw_only=True)
class Manner:
    loudness: Annotated[int, Field(description="How loud")]
    language: Annotated[str, Field(description="In which language")] = "en"


def test_a_parameter_that_is_a_dataclass_stands_for_its_fields(registry: Registry) -> None:
    @tool(permission="auth.view_user", title="Greet", registry=registry)
    def greet(manner: Manner, name: Annotated[str, Field(description="Whom to greet")] = "you") -> Greeting:
        """Say hello."""
        return {"text": f"{name} {manner.language} {manner.loudness}"}

    registered = registry.get("greet")
    assert registered is not None
    assert list(registered.input_schema["properties"]) == ["loudness", "language", "name"]
    assert registered.input_schema["required"] == ["loudness"]
    assert registered.function(**checked(registered, {"loudness": 3})) == {"text": "you en 3"}


def test_two_tools_of_one_name_are_refused(registry: Registry) -> None:
    def offer() -> None:
        @tool(permission="auth.view_user", title="Twice", registry=registry)
        def twice() -> Greeting:
            """Say it."""
            return {"text": ""}

    offer()
    with pytest.raises(ImproperlyConfigured, match="Two tools are called 'twice'"):
        offer()


def _no_docstring(name: Annotated[str, Field(description="x")]) -> Greeting:
    return {"text": name}


def _no_return(name: Annotated[str, Field(description="x")]):  # type: ignore[no-untyped-def]
    """Say it."""


def _no_description(name: str) -> Greeting:
    """Say it."""
    return {"text": name}


def _bare_list() -> list[int]:
    """Say it."""
    return []


@pytest.mark.parametrize("function", [_no_docstring, _no_return, _no_description, _bare_list])
def test_a_function_that_a_model_could_not_use_is_refused(registry: Registry, function: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"needs a docstring|no description|return an object"):
        tool(permission="auth.view_user", title="Bad", registry=registry)(function)


def test_tools_stand_in_the_order_of_their_modules_whatever_was_imported_first(registry: Registry) -> None:
    for module in ("probe", "later.tools", "sooner.tools"):

        def offered() -> Greeting:
            """Say hello."""
            return {"text": "Hello"}

        offered.__module__, offered.__name__ = module, module.partition(".")[0]
        tool(permission="auth.view_user", title="Greet", registry=registry)(offered)
    registry.arrange(["sooner.tools", "later.tools"])
    assert [each.name for each in registry.all()] == ["sooner", "later", "probe"]


# Tools made from data


class CityArguments(BaseModel):
    model_config = ConfigDict(extra="forbid")
    city: str = Field("", description="City")


GREETING = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


def offer(registry: Registry, **changed: Any) -> None:
    def greet(caller: Caller, **asked: Any) -> dict[str, str]:
        return {"text": f"{caller.username} {asked}"}

    tool: dict[str, Any] = {
        "name": "greet",
        "title": "Greet",
        "description": "Say hello.",
        "permission": "auth.view_user",
        "arguments": CityArguments,
        "result": GREETING,
        "function": greet,
    }
    add_tool(**tool | changed, registry=registry)


def test_a_tool_is_made_from_data(registry: Registry) -> None:
    offer(registry)
    registered = registry.get("greet")
    assert registered is not None
    assert registered.takes_caller
    assert registered.input_schema == {
        "type": "object",
        "properties": {"city": {"type": "string", "default": "", "description": "City"}},
        "additionalProperties": False,
    }
    assert registered.output_schema == GREETING
    assert checked(registered, {"city": "Lisbon"}) == {"city": "Lisbon"}


class Undescribed(BaseModel):
    city: str = ""


class Nested(BaseModel):
    cities: "list[Nested]" = Field([], description="Cities in cities")


@pytest.mark.parametrize(
    ("changed", "remedy"),
    [
        ({"name": "hotel rates"}, "cannot be called 'hotel rates'; use up to 64 letters"),
        ({"description": ""}, "needs a title, a description and a permission"),
        ({"permission": "view_user"}, r"a permission such as 'airfare\.view_farerow'"),
        ({"arguments": Undescribed}, "Parameter 'city' of tool 'greet' has no description"),
        ({"arguments": Nested}, "Parameter 'cities' of tool 'greet' has a schema with a reference"),
        ({"result": {"type": "array"}}, "has to return an object"),
        ({"result": {"type": "object", "properties": {"a": {"$ref": "#/x"}}}}, "with a reference"),
        ({"page": "rows"}, "needs a list 'rows' and a text"),
    ],
)
def test_data_that_makes_no_tool_is_refused_with_the_remedy(
    registry: Registry, changed: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=remedy):
        offer(registry, **changed)


def test_a_tool_made_from_data_takes_no_name_that_is_taken(registry: Registry) -> None:
    offer(registry)
    with pytest.raises(ImproperlyConfigured, match="Two tools are called 'greet'"):
        offer(registry)
