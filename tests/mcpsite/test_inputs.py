"""Inputs that are written without a template are those of Django's templates."""

from typing import Any

import pytest
from django import forms
from django.forms.renderers import DjangoTemplates
from django.test import Client
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe

from airfare.models import FareRow
from mcpsite.web.inputs import PLAIN, QuickInputs
from tests.airfare.conftest import Load, fare, folder, load_folder, table

__all__ = ["folder", "load_folder"]

NASTY = "\"><script>alert('x')</script>&amp;"
ATTRIBUTES: dict[str, Any] = {
    "class": "after:content-['check\\_small'] \"a\" & <b>",
    "required": True,
    "disabled": False,
    "step": "any",
    "rows": 2,
    "width": 0.5,
    "data-none": None,
    "data-pair": (1, "<"),
    "title": mark_safe("already &amp; safe"),
    "aria-label": lazystr("Average fare <USD>"),
    "data-<": "a name",
}


def both(widget: forms.Widget, value: Any) -> tuple[str, str]:
    """What our renderer makes of it, and what Django's does."""
    ours, theirs = QuickInputs(), DjangoTemplates()
    return (
        widget.render(NASTY, value, {"id": "id_1"}, renderer=ours),
        widget.render(NASTY, value, {"id": "id_1"}, renderer=theirs),
    )


@pytest.mark.parametrize("value", [None, "", 0, 685.0, True, False, NASTY, mark_safe("&amp;"), lazystr("<")])
@pytest.mark.parametrize("kind", [forms.CheckboxInput, forms.HiddenInput, forms.NumberInput, forms.TextInput])
@pytest.mark.parametrize("attributes", [{}, ATTRIBUTES])
def test_an_input_is_that_of_djangos_template(
    kind: type[forms.Widget], value: Any, attributes: dict[str, Any]
) -> None:
    ours, theirs = both(kind(attributes), value)
    assert ours == theirs


def test_other_widgets_are_left_to_djangos_templates() -> None:
    ours, theirs = both(forms.Select(choices=[("a", NASTY)]), "a")
    assert ours == theirs
    assert forms.Select.template_name not in PLAIN


@pytest.mark.django_db
def test_a_list_renders_as_many_templates_of_forms_with_many_rows_as_with_one(
    admin_client: Client, load_folder: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[str] = []
    render = DjangoTemplates.render

    def counted(renderer: DjangoTemplates, name: str, *others: Any) -> str:
        rendered.append(name)
        return render(renderer, name, *others)

    monkeypatch.setattr(DjangoTemplates, "render", counted)

    def numbers(rows: int) -> int:
        load_folder({"a.csv": table(*(fare(fare=number) for number in range(1, rows + 1)))})
        assert FareRow.objects.count() == rows
        rendered.clear()
        assert admin_client.get("/admin/airfare/farerow/").status_code == 200
        return len(rendered)

    assert numbers(1) == numbers(30)
