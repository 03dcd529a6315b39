"""How inputs of forms are written: as by Django's templates, but most of them without a template.

A list that is edited in place has a dozen inputs a row, half of them hidden, and a template for each would
take longer than everything else of the page.
"""

from collections.abc import Mapping
from html import escape
from typing import Any

from django.forms.renderers import DjangoTemplates
from django.http import HttpRequest
from django.utils.safestring import SafeString

PLAIN = frozenset(f"django/forms/widgets/{name}.html" for name in ("checkbox", "hidden", "number", "text"))
"""Django's templates that hold an input and nothing else; the renderer finds no app's in their place."""


class QuickInputs(DjangoTemplates):
    """Django's own renderer, except for plain inputs: the setting FORM_RENDERER."""

    def render(self, template_name: str, context: dict[str, Any], request: HttpRequest | None = None) -> str:
        if template_name in PLAIN:
            return _input(context["widget"])
        return super().render(template_name, context, request)


def _input(widget: Mapping[str, Any]) -> str:
    """Return what `django/forms/widgets/input.html` makes of `widget`."""
    value = "" if widget["value"] is None else f' value="{_text(widget["value"])}"'
    attributes = "".join(
        f" {_text(name)}" if value is True else f' {_text(name)}="{_text(value)}"'
        for name, value in widget["attrs"].items()
        if value is not False
    )
    return f'<input type="{_text(widget["type"])}" name="{_text(widget["name"])}"{value}{attributes}>'


def _text(value: object) -> str:
    return value if isinstance(value, SafeString) else escape(str(value))
