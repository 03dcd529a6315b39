"""Forms from the schemas of tools."""

from typing import Any

import pytest
from django import forms
from django.http import QueryDict

from mcpsite.mcp import schemas
from mcpsite.mcp.registry import Tool, discover
from mcpsite.web.schema_forms import ToolForm

TOOLS = discover().all()

SCHEMA = schemas.of_arguments(
    {
        "type": "object",
        "required": ["word"],
        "$defs": {"Cabin": {"enum": ["economy", "first"], "type": "string"}},
        "properties": {
            "word": {"type": "string", "description": "A word.", "maxLength": 5},
            "count": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
            "share": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "day": {"type": "string", "format": "date"},
            "loud": {"type": "boolean", "default": True},
            "maybe": {"type": "boolean"},
            "cabin": {"$ref": "#/$defs/Cabin"},
            "cabins": {"type": "array", "items": {"$ref": "#/$defs/Cabin"}},
            "either": {
                "anyOf": [
                    {"enum": ["a", "b"], "type": "string"},
                    {"type": "array", "items": {"enum": ["a", "b"], "type": "string"}},
                ],
                "default": "a",
            },
            "numbers": {"type": "array", "items": {"type": "integer"}},
            "anything": {"type": "object"},
        },
    }
)


def filled(query: str) -> ToolForm:
    form = ToolForm(SCHEMA)
    return form.filled(form.read(QueryDict(query)))


def arguments(query: str) -> dict[str, Any]:
    form = filled(query)
    assert form.is_valid(), form.errors
    return form.arguments


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_each_tool_has_a_field_for_each_argument_with_its_description_and_default(tool: Tool) -> None:
    form = ToolForm(tool.input_schema)
    properties = tool.input_schema["properties"]
    assert list(form.fields) == list(properties)
    for name, schema in properties.items():
        field = form.fields[name]
        assert field.help_text == schema["description"]
        assert field.required is (name in tool.input_schema.get("required", ()))
        assert field.initial == schema.get("default")


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_what_a_form_gives_suits_the_tool(tool: Tool) -> None:
    required = "&".join(f"{name}=premium" for name in tool.input_schema.get("required", ()))
    form = ToolForm(tool.input_schema).filled(QueryDict(required))
    assert form.is_valid(), form.errors
    tool.arguments.model_validate(form.arguments)


@pytest.mark.parametrize(
    ("query", "given"),
    [
        ("count=7", {"count": 7}),
        ("count=3", {}),
        ("count=", {}),
        ("share=0", {"share": 0.0}),
        ("day=2026-03-31", {"day": "2026-03-31"}),
        ("loud=false", {"loud": False}),
        ("maybe=false", {"maybe": False}),
        ("cabin=first", {"cabin": "first"}),
        ("cabins=first&cabins=economy", {"cabins": ["first", "economy"]}),
        ("either=b", {"either": ["b"]}),
        ("numbers=1%0A2%0A", {"numbers": [1, 2]}),
        ("anything=%7B%22a%22%3A1%7D", {"anything": {"a": 1}}),
        ("count=7.0", {"count": 7}),
        ("count=null", {}),
        ('cabins=["first","economy"]', {"cabins": ["first", "economy"]}),
        ("cabins=first,economy", {"cabins": ["first", "economy"]}),
        ("numbers=[1,2]", {"numbers": [1, 2]}),
        ("numbers=1&numbers=2", {"numbers": [1, 2]}),
        ("loud=FALSE", {"loud": False}),
    ],
)
def test_an_argument_has_the_type_of_its_schema(query: str, given: dict[str, Any]) -> None:
    assert arguments(f"word=hello&{query}") == {"word": "hello", **given}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "word"),
        ("word=longer", "word"),
        ("word=a&count=10", "count"),
        ("word=a&count=many", "count"),
        ("word=a&day=2026-02-30", "day"),
        ("word=a&cabin=cargo", "cabin"),
        ("word=a&numbers=1%0Atwo", "numbers"),
        ("word=a&anything=%7B", "anything"),
    ],
)
def test_what_does_not_fit_is_told_at_its_field(query: str, field: str) -> None:
    form = filled(query)
    assert not form.is_valid()
    assert list(form.errors) == [field]


def test_fields_look_like_what_they_ask_for() -> None:
    fields = ToolForm(SCHEMA).fields
    assert isinstance(fields["cabins"].widget, forms.CheckboxSelectMultiple)
    assert isinstance(fields["cabin"].widget, forms.Select)
    assert 'type="date"' in str(ToolForm(SCHEMA)["day"])
    assert 'inputmode="numeric"' in str(ToolForm(SCHEMA)["count"])


def test_an_address_holds_what_says_something_and_nothing_else() -> None:
    sent = QueryDict("count=3&share=&word=a&either=a&cabins=first&cabins=economy&utm=1")
    pairs = [("word", "a"), ("cabins", "first"), ("cabins", "economy")]
    assert ToolForm(SCHEMA).shortest(sent) == pairs


@pytest.mark.parametrize(
    ("sentence", "field"),
    [
        ("count is 300; it has to be from 1 to 200.", "count"),
        ("The argument 'word' does not fit: too long.", "word"),
        ("counting is hard.", None),
        ("There is no such thing.", None),
    ],
)
def test_a_tools_error_stands_at_the_field_that_it_is_about(sentence: str, field: str | None) -> None:
    form = filled("word=a")
    assert form.is_valid()
    assert form.blame(sentence) is (field is not None)
    assert list(form.errors) == ([field] if field else [])
