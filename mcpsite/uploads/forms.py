"""The form for files, and the faults that can be seen before they are loaded."""

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.text import get_text_list
from unfold.widgets import UnfoldBooleanWidget

from mcpsite.core.widgets import FilesInput

if TYPE_CHECKING:
    File = UploadedFile[Any]
else:
    File = UploadedFile

MOST_FILES = 500
LONGEST_NAME = 150
LOOKED_AT = 64 * 1024
"""Bytes of each file that are checked while the person waits."""

_SIGNATURES = {
    b"PK\x03\x04": "is a zip archive or an Excel workbook; save it as CSV (UTF-8) and upload that",
    b"\xd0\xcf\x11\xe0": "is an old Excel or Word file; save it as CSV or plain text (UTF-8) and upload that",
    b"%PDF": "is a PDF; save its text as a .txt file and upload that",
    b"\x1f\x8b": "is compressed; unpack it and upload what is inside",
}


class FilesField(forms.FileField):
    """Several files, each checked."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, widget=FilesInput(), **kwargs)

    def clean(self, data: Any, initial: Any = None) -> list[File]:
        one = super().clean
        return [one(each, initial) for each in data] if data else [one(data, initial)]


class UploadForm(forms.Form):
    """Files, and whether they are only to be checked. A loader's own form adds what else it needs."""

    suffixes: ClassVar[frozenset[str]]
    """Suffixes of the files that can be loaded, in lower case."""
    text_only: ClassVar[bool] = True
    """Whether anything but UTF-8 text is refused here; otherwise the loader judges it."""
    explanation: ClassVar[str] = ""
    """What happens to the files, in a few sentences above the form."""

    chosen = FilesField(label="Files")
    check_only = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanWidget(),
        label="Check only",
        help_text="Read the files and show what would be done, without saving anything.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["chosen"]
        chosen.widget.attrs["accept"] = ",".join(sorted(self.suffixes))
        suffixes = get_text_list(sorted(self.suffixes), "or")
        utf8 = "UTF-8, " if self.text_only else ""
        chosen.help_text = f"{suffixes}, {utf8}at most {settings.UPLOAD_MAX_MB} MB together."

    def clean_chosen(self) -> list[File]:
        files: list[File] = self.cleaned_data["chosen"]
        problems: list[str] = []
        if len(files) > MOST_FILES:
            problems.append(f"You chose {len(files)} files; upload at most {MOST_FILES} at once.")
        if sum(file.size or 0 for file in files) > settings.UPLOAD_MAX_MB * 1_000_000:
            problems.append(
                f"The files are larger than {settings.UPLOAD_MAX_MB} MB together; upload fewer at once, "
                "or ask an operator to load them from the command line."
            )
        seen: set[str] = set()
        for file in files[:MOST_FILES]:
            name = file.name = safe_name(file.name or "")
            problem = self._problem(file, name)
            if not problem and name in seen:
                problem = "was chosen twice; rename one of them"
            seen.add(name)
            if problem:
                problems.append(f"{name}: {problem}.")
        if problems:
            raise forms.ValidationError(problems)
        return files

    def _problem(self, file: File, name: str) -> str:
        if Path(name).suffix.lower() not in self.suffixes:
            return f"is not one of {', '.join(sorted(self.suffixes))}"
        if not self.text_only:
            return ""
        file.seek(0)
        start = file.read(LOOKED_AT)
        file.seek(0)
        for signature, problem in _SIGNATURES.items():
            if start.startswith(signature):
                return problem
        if b"\0" in start:
            return "contains NUL bytes, so it is not UTF-8 text; save it as UTF-8 and upload it again"
        return ""

    def options(self) -> dict[str, Any]:
        """Return what is passed to the loader, as JSON values."""
        return {}


def safe_name(name: str) -> str:
    """Return `name` as a file may be called: no folders, nothing invisible, not hidden, not endless."""
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    name = "".join(each if each.isprintable() else "_" for each in name).strip(" .")
    stem, dot, suffix = name.rpartition(".")
    return f"{_cut(stem, LONGEST_NAME)}{dot}{_cut(suffix, 10)}" or "unnamed"


def _cut(text: str, most: int) -> str:
    """Return the start of `text`, in at most so many bytes, which is how folders limit names."""
    return text.encode(errors="replace")[:most].decode(errors="ignore")
