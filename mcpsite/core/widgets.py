"""Form controls of the admin that django-unfold does not bring along."""

from typing import Any

from django import forms

LOOK = "block w-full max-w-2xl p-2 border border-base-200 rounded-default dark:border-base-700"


class FileInput(forms.FileInput):
    """The browser's own control: it names the files and works without JavaScript."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(attrs={"class": LOOK, **attributes})


class FilesInput(FileInput):
    """The same for several files."""

    allow_multiple_selected = True
