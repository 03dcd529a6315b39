"""Two people with the same form open: the second to save does not undo what the first saved."""

from typing import Any, cast

from django import forms
from django.contrib.contenttypes.models import ContentType
from django.http import QueryDict

from mcpsite.core.modeladmin import ModelForm
from mcpsite.history import kinds
from mcpsite.history.models import Change


class KeepsOthersChanges(ModelForm[Any]):
    """A form whose fields carry what the person was shown, by Django's `show_hidden_initial`.

    A field that they did not touch keeps its current value. One that both they and somebody else changed is
    refused once, with their value still in the form; saving again overwrites the other's.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            # A list of related objects has no hidden input if it is empty.
            many = isinstance(field, forms.ModelMultipleChoiceField)
            field.show_hidden_initial = not many and (
                not self.is_bound or self.add_initial_prefix(name) in self.data
            )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        if self.instance.pk is None:  # New, or gone meanwhile: there is nothing to compare with.
            return cleaned
        for name, field in self.fields.items():
            if not field.show_hidden_initial or name not in cleaned:
                continue
            stored, shown = self[name].initial, _lines(self.data[self.add_initial_prefix(name)])
            if not field.has_changed(stored, shown):
                continue
            if name not in self.changed_data:
                cleaned[name] = getattr(self.instance, name)
            elif field.has_changed(stored, _lines(self[name].data)):
                self._refuse(name, stored)
        return cleaned

    def _refuse(self, name: str, stored: Any) -> None:
        value = "nothing" if stored in (None, "") else f"“{getattr(self.instance, name)}”"
        self.add_error(
            name,
            f"{self._last_author()} changed this to {value} while you were editing. Your value is still "
            "here; save again to overwrite theirs.",
        )
        data = cast(QueryDict, self.data).copy()
        data[self.add_initial_prefix(name)] = "" if stored is None else str(stored)
        self.data = data

    def _last_author(self) -> str:
        kind = ContentType.objects.get_for_model(self.instance)
        number = kinds.identity_of(self.instance)
        last = Change.objects.filter(content_type=kind, changed__object_id=number).first()
        return last.author if last else "Somebody"


def _lines(value: Any) -> Any:
    """Return a text with newlines as they are stored; browsers send others."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value
