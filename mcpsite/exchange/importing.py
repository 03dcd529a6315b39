"""Corrected spreadsheets for a list: a preview of what changes, then the change."""

import uuid
from contextlib import suppress
from datetime import timedelta
from itertools import chain
from typing import Any

from django import forms
from django.contrib import messages
from django.core.files.base import ContentFile
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from import_export import admin as base
from import_export.forms import ConfirmImportForm
from import_export.tmp_storages import BaseStorage
from unfold.contrib.import_export.forms import ImportForm

from mcpsite.core import private_files
from mcpsite.core.modeladmin import ModelAdmin
from mcpsite.core.widgets import FileInput
from mcpsite.exchange.sheets import MOST_BYTES, MOST_ROWS, BadSheet, ImportedCSV, ImportedXLSX

MOST_SHOWN = 100
"""The most changes in a preview, and the most problems."""
WORKBOOK = "1"
"""The number of XLSX among the formats of an import, as in a form."""
PATIENCE_SECONDS = 3600
"""The most seconds from a preview to its confirmation."""
PREVIEWS = "previews"


class PrivateStorage(BaseStorage):  # type: ignore[misc]
    """A private file between its preview and its confirmation; an unconfirmed one is deleted after a day."""

    def save(self, data: bytes) -> None:
        yesterday = timezone.now() - timedelta(days=1)
        for name in private_files.files_in(PREVIEWS):
            with suppress(FileNotFoundError):  # Confirmed meanwhile.
                if private_files.written_at(PREVIEWS, name) < yesterday:
                    private_files.remove(PREVIEWS, name)
        self.name = uuid.uuid4().hex
        private_files.keep(PREVIEWS, [ContentFile(data, self.name)])

    def read(self) -> bytes:
        with private_files.opened(PREVIEWS, self.name) as file:
            return file.read()

    def remove(self) -> None:
        private_files.remove(PREVIEWS, self.name)


def problems_of(result: Any) -> list[str]:
    """Return why a confirmed import changed nothing, in sentences; an empty list if it did."""
    problems = [str(error.error) for error in result.base_errors]
    if not problems and result.has_validation_errors():
        # The preview had none of them.
        problems = [
            "The rows have changed since the preview, so nothing was imported. Check the new preview."
        ]
    return problems


class CorrectionsForm(ImportForm):  # type: ignore[misc]
    """The form for the file."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["import_file"]
        field.label = "Corrected file"
        field.widget = FileInput(accept=".csv,.xlsx")
        field.help_text = (
            f"CSV (UTF-8) or Excel (.xlsx), at most {MOST_BYTES // 1_000_000} MB and {MOST_ROWS:,} rows."
        )
        # The file's name says it.
        self.fields["format"].required = False
        self.fields["format"].widget = forms.HiddenInput()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if file := cleaned.get("import_file"):
            suffix = str(file.name).rpartition(".")[2].lower()
            if suffix not in ("csv", "xlsx"):
                self.add_error("import_file", "The file has to end in .csv or .xlsx.")
            elif file.size > MOST_BYTES:
                self.add_error(
                    "import_file", f"The file is larger than {MOST_BYTES // 1_000_000} MB; split it."
                )
            cleaned["format"] = WORKBOOK if suffix == "xlsx" else "0"
        return cleaned


class ConfirmForm(ConfirmImportForm):  # type: ignore[misc]
    """What was previewed, by whom: nobody confirms somebody else's file."""

    digest = forms.CharField(widget=forms.HiddenInput)
    rows = forms.IntegerField(widget=forms.HiddenInput)
    """The number of rows that the preview changes."""

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._signer = TimestampSigner(salt=f"import:{user.pk}")

    def sign(self, name: str) -> str:
        return self._signer.sign(name)

    def clean_import_file_name(self) -> str:
        try:
            return self._signer.unsign(self.cleaned_data["import_file_name"], max_age=PATIENCE_SECONDS)
        except BadSignature:
            raise forms.ValidationError("The preview has expired; choose the file again.") from None


class ImportMixin(base.ImportMixin, ModelAdmin[Any]):  # type: ignore[misc]
    """A ModelAdmin whose rows can be corrected by a file, by everybody who may change them.

    `import_resource_classes` has one resource, whose `import_data` sets `changes`, `digest`,
    `left_alone` and `has_versions` in its result.
    """

    import_export_change_list_template = "exchange/change_list.html"
    import_template_name = "exchange/import.html"
    import_form_class = CorrectionsForm
    confirm_form_class = ConfirmForm
    tmp_storage_class = PrivateStorage
    skip_admin_log = True  # The history says more.
    import_resource_classes: Any = ()

    def get_import_formats(self) -> list[Any]:
        return [ImportedCSV, ImportedXLSX]

    def get_import_resource_classes(self, request: HttpRequest) -> Any:  # noqa: ARG002 (the library's signature)
        return self.import_resource_classes

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    def add_data_read_fail_error_to_form(self, form: forms.Form, e: Exception) -> None:
        if not isinstance(e, BadSheet):
            raise e
        form.add_error("import_file", str(e))

    def get_confirm_form_kwargs(self, request: HttpRequest, import_form: Any = None) -> dict[str, Any]:
        return {**super().get_confirm_form_kwargs(request, import_form), "user": request.user}

    def get_import_data_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        form = kwargs.get("form")
        return {"digest": form.cleaned_data.get("digest", "")} if form else {}

    def import_action(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        response: Any = super().import_action(request, **kwargs)
        context = response.context_data
        context["title"] = f"Import corrected {self.opts.verbose_name_plural}"
        context["list_url"] = self._list_url()
        if result := context.get("result"):
            _add_preview(context, result)
            if confirm := context.get("confirm_form"):
                confirm.initial["digest"] = result.digest
                confirm.initial["rows"] = len(result.changes)
                confirm.initial["import_file_name"] = confirm.sign(confirm.initial["import_file_name"])
        return response  # type: ignore[no-any-return]

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST" and self.has_import_permission(request):
            form = self.create_confirm_form(request)
            if not form.is_valid() or not private_files.exists(
                PREVIEWS, form.cleaned_data["import_file_name"]
            ):
                messages.error(request, "The preview has expired; choose the file again.")
                return redirect(self.import_url())
            return self.import_confirmed(request, form.cleaned_data)
        response: HttpResponseBase = super().process_import(request, **kwargs)
        return response

    def import_confirmed(self, request: HttpRequest, confirmed: dict[str, Any]) -> HttpResponseBase:  # noqa: ARG002
        """Import the file of a preview, which `confirmed` names, while the person waits."""
        response: HttpResponseBase = super().process_import(request)
        return response

    def process_result(self, result: Any, request: HttpRequest) -> HttpResponse:
        if problems := problems_of(result):
            for problem in problems:
                messages.error(request, problem)
            return redirect(self.import_url())
        rows, fields = len(result.changes), result.fields_changed
        messages.success(request, f"Imported {fields:,} changed values in {rows:,} rows.")
        return redirect(self._list_url())

    def _list_url(self) -> str:
        return reverse("admin:{}_{}_changelist".format(*self.get_model_info()))

    def import_url(self) -> str:
        """Return the address of the form for the file."""
        return reverse("admin:{}_{}_import".format(*self.get_model_info()))


def _add_preview(context: dict[str, Any], result: Any) -> None:
    """Add to a page's context what it shows of `result`."""
    context["problems"] = [
        f"Row {row.number}: {sentence}"
        for row in result.invalid_rows[:MOST_SHOWN]
        for sentence in chain(row.non_field_specific_errors, chain(*row.field_specific_errors.values()))
    ]
    context["problem_rows"] = len(result.invalid_rows)
    context["changes"] = [
        (label, capfirst(result.words_of(name)), _display(before), _display(after))
        for label, fields in list(result.changes.values())[:MOST_SHOWN]
        for name, (before, after) in fields.items()
    ][:MOST_SHOWN]
    context["changed_rows"] = len(result.changes)
    context["changed_fields"] = result.fields_changed
    context["table"] = {
        "headers": ["Row", "Field", "Now", "After import"],
        "rows": context["changes"],
    }


def _display(value: Any) -> str:
    if value is None or value == "":
        return "(empty)"
    text = f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)
    return text if len(text) <= 200 else f"{text[:199]}…"
