"""A Django form from a tool's JSON schema, and the tool's arguments from the filled-in form.

The form only asks: the tool itself checks what an argument may be, as for every other client.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from django import forms
from django.http import QueryDict

from mcpsite.mcp import ToolError, arguments

Schema = Mapping[str, Any]

EMPTY: tuple[Any, ...] = (None, "", [], {})


class Lines(forms.CharField):
    """A list, one item a line, each of which has to suit `item`."""

    widget = forms.Textarea(attrs={"rows": 3})

    def __init__(self, item: forms.Field, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.item = item

    def clean(self, value: Any) -> Any:
        text: str = super().clean(value)
        return [self.item.clean(line.strip()) for line in text.splitlines() if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value


class ToolForm(forms.Form):
    """The arguments of one tool."""

    required_css_class = "required"

    def __init__(self, schema: Schema, data: QueryDict | None = None) -> None:
        """Make the fields of `schema`, an object's JSON schema, as in `Tool.input_schema`."""
        super().__init__(data)
        self._schema = schema
        self._properties = schema.get("properties", {})
        for name, part in self._properties.items():
            field = self.fields[name] = _field(part, required=name in schema.get("required", ()))
            field.label = label(name)
            field.help_text = part.get("description", "")
            field.initial = part.get("default")
        self._defaults = {
            name: field.initial for name, field in self.fields.items() if field.initial not in EMPTY
        }

    def read(self, sent: QueryDict) -> QueryDict:
        """Return what was sent, as the fields show it; an address may contain values as clients send them.

        A list, for example, may be JSON. A value that the tool would refuse is left to its field.
        """
        read = sent.copy()
        for name, field in self.fields.items():
            if texts := sent.getlist(name):
                with suppress(ToolError):
                    one = len(texts) == 1
                    value = arguments.read(texts[0] if one else texts, self._properties[name], name)
                    lines = _texts(value)
                    read.setlist(name, ["\n".join(lines)] if isinstance(field, Lines) else lines)
        return read

    def filled(self, sent: QueryDict) -> "ToolForm":
        """Return the form as it was sent, with the defaults of arguments that were left out."""
        data = sent.copy()
        for name, default in self._defaults.items():
            if not any(value.strip() for value in data.getlist(name)):
                data.setlist(name, _texts(default))
        return ToolForm(self._schema, data)

    def shortest(self, sent: QueryDict) -> list[tuple[str, str]]:
        """Return what was sent, in the order of the form, without values that change nothing."""
        return [
            (name, value)
            for name in self.fields
            if sorted(sent.getlist(name)) != sorted(_texts(self._defaults.get(name)))
            for value in sent.getlist(name)
            if value.strip()
        ]

    @property
    def arguments(self) -> dict[str, Any]:
        """What the tool is called with, without empty fields. Only of a valid form."""
        return {
            name: value
            for name, value in self.cleaned_data.items()
            if value not in EMPTY and value != self._defaults.get(name)
        }

    def blame(self, sentence: str) -> bool:
        """Show a tool's error at the field whose name it begins with; return whether there is one."""
        start = sentence.removeprefix("The argument ").lstrip("'\"")
        for name in self.fields:
            if start.startswith(name) and not start[len(name) : len(name) + 1].isidentifier():
                self.add_error(name, sentence)
                return True
        return False


WORDS = {"usd": "(USD)", "pct": "(%)", "yoy": "year on year", "avg": "average", "id": "ID", "url": "link"}


def label(name: str) -> str:
    """Return the name of a field or of a column, for people."""
    first, *others = name.split("_")
    # A unit is in brackets after its quantity; alone it is a word itself.
    words = [first.upper() if WORDS.get(first, "").startswith("(") else WORDS.get(first, first)]
    text = " ".join([*words, *(WORDS.get(word, word) for word in others)])
    return text[:1].upper() + text[1:]


def _field(schema: Schema, *, required: bool) -> forms.Field:
    kind = schema.get("type")
    if "enum" in schema:
        return _choice(schema["enum"], schema, required=required)
    if kind == "array":
        items = schema.get("items", {})
        if "enum" in items:
            return forms.MultipleChoiceField(
                choices=[(each, label(str(each))) for each in items["enum"]],
                widget=forms.CheckboxSelectMultiple,
                required=required,
            )
        if items.get("type") in ("string", "integer", "number"):
            return Lines(_field(items, required=True), required=required)
    if kind == "boolean":
        return forms.TypedChoiceField(
            choices=[*_nothing(schema, required=required), ("true", "Yes"), ("false", "No")],
            coerce=lambda value: value == "true",
            empty_value=None,
            required=required,
        )
    if kind in ("integer", "number"):
        field = forms.IntegerField if kind == "integer" else forms.FloatField
        return field(
            min_value=schema.get("minimum"),
            max_value=schema.get("maximum"),
            required=required,
            # A field of type=number would not show an unreadable value again.
            widget=forms.TextInput(
                attrs={"inputmode": "numeric" if kind == "integer" else "decimal", "autocomplete": "off"}
            ),
        )
    if kind == "string":
        return _text(schema, required=required)
    return forms.JSONField(required=required, widget=forms.Textarea(attrs={"rows": 4}))


def _text(schema: Schema, *, required: bool) -> forms.Field:
    if schema.get("format") == "date":
        return _Day(required=required)
    return forms.CharField(
        required=required,
        min_length=schema.get("minLength"),
        max_length=schema.get("maxLength"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


class _Day(forms.DateField):
    """A day, which is passed to the tool in JSON's form."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})

    def clean(self, value: Any) -> Any:
        day = super().clean(value)
        return day.isoformat() if day else None


def _choice(values: Iterable[Any], schema: Schema, *, required: bool) -> forms.Field:
    of_text = {str(value): value for value in values}
    return forms.TypedChoiceField(
        choices=[*_nothing(schema, required=required), *((text, label(text)) for text in of_text)],
        coerce=lambda text: of_text[text],
        empty_value=None,
        required=required,
    )


def _nothing(schema: Schema, *, required: bool) -> list[tuple[str, str]]:
    """Return the empty choice, if leaving out an argument differs from each of its values."""
    return [] if required or schema.get("default") is not None else [("", "Any")]


def _texts(default: Any) -> list[str]:
    """Return a default as a browser sends it."""
    if default in EMPTY:
        return []
    if isinstance(default, bool | dict):
        return [json.dumps(default)]
    return [str(each) for each in default] if isinstance(default, list) else [str(default)]
