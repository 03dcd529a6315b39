"""The schemas that clients are told: plain enough for each of them, and true."""

from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired

import jsonschema
import pytest
from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from mcpsite.mcp.registry import Registry, Tool, discover, tool

TOOLS = discover().all()


class Cabin(Enum):
    FIRST = "first"
    ECONOMY = "economy"


class Leg(TypedDict):
    """One flight."""

    origin: str
    cabin: NotRequired[Cabin]


class Trip(BaseModel):
    legs: list[Leg]
    name: str | None = None


class Said(TypedDict):
    said: str


class Found(TypedDict):
    """What was found."""

    best: Leg
    others: list[Leg]
    price: Annotated[float | None, Field(description="In US dollars")]
    key: str | int
    kind: Literal["trip"]


class Branch(TypedDict):
    name: str
    branches: "list[Branch]"


def registered(function: Any) -> Tool:
    registry = Registry()
    tool(permission="auth.view_user", title="Probe", registry=registry)(function)
    (only,) = registry.all()
    return only


def told(hint: Any, *default: Any) -> dict[str, Any]:
    """The schema of one argument of this type."""

    def probe(value: Any) -> Said:
        """Say it."""
        return {"said": str(value)}

    probe.__annotations__["value"] = Annotated[hint, Field(description="x")]
    probe.__defaults__ = default
    schema: dict[str, Any] = registered(probe).input_schema["properties"]["value"]
    assert schema.pop("description") == "x"
    return schema


def keywords(schema: Any) -> set[str]:
    """Every keyword and name in a schema."""
    if isinstance(schema, list):
        return set().union(*map(keywords, schema))
    return set(schema).union(*map(keywords, schema.values())) if isinstance(schema, dict) else set()


@pytest.mark.parametrize("each", TOOLS, ids=lambda tool: tool.name)
def test_a_tools_schemas_hold_no_reference_no_alternative_and_no_list_of_types(each: Tool) -> None:
    for schema in (each.input_schema, each.output_schema):
        assert not keywords(schema) & {"$ref", "$defs", "anyOf", "oneOf", "allOf", "const"}
        assert '"type": [' not in str(schema).replace("'", '"')


@pytest.mark.parametrize(
    ("hint", "default", "schema"),
    [
        (str | None, None, {"type": "string"}),
        (Literal["a"], "a", {"type": "string", "enum": ["a"], "default": "a"}),
        (Literal["a", None], None, {"type": "string", "enum": ["a"]}),
        (list[int] | None, None, {"type": "array", "items": {"type": "integer"}}),
        (str | list[str], "a", {"type": "array", "items": {"type": "string"}, "default": ["a"]}),
        (Cabin, ..., {"type": "string", "enum": ["first", "economy"]}),
        (Annotated[int, Field(gt=0, lt=9)], 1, {"type": "integer", "minimum": 1, "maximum": 8, "default": 1}),
        (Annotated[float, Field(gt=0)], 1.5, {"type": "number", "default": 1.5}),
        (date | None, None, {"type": "string", "format": "date"}),
    ],
)
def test_an_argument_is_told_by_one_type(hint: Any, default: Any, schema: dict[str, Any]) -> None:
    assert told(hint, *(() if default is ... else (default,))) == schema


def test_types_within_types_stand_where_they_are_used() -> None:
    leg = {
        "type": "object",
        "description": "One flight.",
        "properties": {
            "origin": {"type": "string"},
            "cabin": {"type": "string", "enum": ["first", "economy"]},
        },
        "required": ["origin"],
        "additionalProperties": False,
    }
    assert told(Trip) == {
        "type": "object",
        "properties": {"legs": {"type": "array", "items": leg}, "name": {"type": "string"}},
        "required": ["legs"],
        "additionalProperties": False,
    }


def find() -> Found:
    """Find it."""
    raise NotImplementedError


def test_what_may_be_of_several_kinds_or_null_in_a_result_is_said_in_words() -> None:
    schema = registered(find).output_schema
    assert schema["properties"]["price"] == {"description": "In US dollars (number or null)"}
    assert schema["properties"]["key"] == {"description": "string or integer"}
    assert not keywords(schema) & {"$ref", "$defs", "anyOf", "null", "const"}
    answer: dict[str, Any] = {
        "best": {"origin": "JFK"},
        "others": [],
        "price": None,
        "key": 7,
        "kind": "trip",
    }
    jsonschema.validate(answer, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(answer | {"best": {}}, schema)


def grow() -> Branch:
    """Grow it."""
    raise NotImplementedError


def plant(root: Annotated[Branch, Field(description="x")]) -> Said:
    """Plant it."""
    raise NotImplementedError


def bend(
    value: Annotated[str, Field(description="x", json_schema_extra={"type": ["string", "null"]})],
) -> Said:
    """Bend it."""
    raise NotImplementedError


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (grow, r"The result of tool 'grow' has a schema with a reference .*Branch.* end the nesting"),
        (plant, r"Parameter 'root' of tool 'plant' has a schema with a reference .*Branch.* end the nesting"),
        (bend, r"Parameter 'value' of tool 'bend' has a schema with a list of types .* use one type"),
    ],
)
def test_a_tool_whose_schema_cannot_be_plain_is_refused_with_the_remedy(function: Any, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence):
        registered(function)


@dataclass(frozen=True, kw_only=True)
class Odd:
    enum: Annotated[str | None, Field(description="x")] = None
    title: Annotated[str, Field(description="x")] = ""


def test_a_property_may_be_called_as_a_keyword_is() -> None:
    class Keywords(TypedDict):
        definitions: list[str]

    def name(odd: Odd) -> Keywords:
        """Name it."""
        raise NotImplementedError

    name.__annotations__["return"] = Keywords
    found = registered(name)
    assert list(found.input_schema["properties"]) == ["enum", "title"]
    assert list(found.output_schema["properties"]) == ["definitions"]
