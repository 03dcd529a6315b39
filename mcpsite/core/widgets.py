"""Form controls of the admin that django-unfold does not have."""

from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString

LOOK = "block w-full max-w-2xl p-2 border border-base-200 rounded-default dark:border-base-700"


class FileInput(forms.FileInput):
    """The browser's own control: it names the files and works without JavaScript."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(attrs={"class": LOOK, **attributes})

    def render(self, *args: Any, **kwargs: Any) -> SafeString:
        # Unfold's script writes the file's name into the first text field of what is three levels above:
        # without one here, that would be one that people fill in.
        control = super().render(*args, **kwargs)
        return format_html('<div><div><div>{}</div></div><input type="text" hidden disabled></div>', control)


class FilesInput(FileInput):
    """The same for several files."""

    allow_multiple_selected = True
