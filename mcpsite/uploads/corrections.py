"""Corrections of many rows, imported in the background by the queue of uploads after confirmation."""

import logging
from typing import Any, ClassVar, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.files import File
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from import_export.resources import Resource

from mcpsite.core import private_files
from mcpsite.exchange import importing
from mcpsite.exchange.importing import PREVIEWS, WORKBOOK, problems_of
from mcpsite.exchange.sheets import ImportedCSV, ImportedXLSX
from mcpsite.uploads.forms import safe_name
from mcpsite.uploads.loaders import Loader, Task
from mcpsite.uploads.models import Upload
from mcpsite.uploads.queue import enqueue, start_process
from mcpsite.uploads.summaries import Summary

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 2_000
"""Changed rows that are imported while the person waits; more are imported in the background."""


def loader(kind: str, *, title: str, permission: str, list_url: str, resource: type[Resource]) -> Loader:
    """Return the loader of corrected rows of `resource`, whose files come from a confirmed preview."""

    def run(task: Task) -> list[Summary]:
        (file,) = task.files
        read = ImportedXLSX() if task.options["workbook"] else ImportedCSV()
        result: Any = resource().import_data(
            read.create_dataset(file.read_bytes()),
            user=User.objects.filter(username=task.by).first(),
            file_name=file.name,
            digest=task.options["digest"],
            progress=task.progress,
        )
        problems = problems_of(result)
        counts = ["0", "0"] if problems else [f"{len(result.changes):,}", f"{result.fields_changed:,}"]
        return [
            Summary(
                columns=["File", "Rows changed", "Values changed"],
                rows=[[file.name, *counts]],
                notes=problems,
                failed=bool(problems),
            )
        ]

    return Loader(kind=kind, title=title, permission=permission, form=None, run=run, list_url=list_url)


class QueuedImportMixin(importing.ImportMixin):
    """A ModelAdmin whose rows can be corrected by a file, in the background if that changes many."""

    import_kind: ClassVar[str]
    """The loader (`loader`) that imports corrections of many rows."""

    def import_confirmed(self, request: HttpRequest, confirmed: dict[str, Any]) -> HttpResponseBase:
        if confirmed["rows"] <= MOST_AT_ONCE:
            return super().import_confirmed(request, confirmed)
        try:
            upload = self._enqueue(request, confirmed)
        except OSError:
            logger.exception("Confirmed corrections could not be kept (UPLOAD_STORAGE).")
            messages.error(request, "The file could not be stored; ask an operator to check the site's log.")
            return redirect(self.import_url())
        start_process()
        return redirect("admin:uploads_upload_change", upload.pk)

    def _enqueue(self, request: HttpRequest, confirmed: dict[str, Any]) -> Upload:
        with private_files.opened(PREVIEWS, confirmed["import_file_name"]) as opened:
            file: Any = File(opened, safe_name(confirmed["original_file_name"]))
            return enqueue(
                self.import_kind,
                [file],
                by=cast(User, request.user),
                check_only=False,
                options={"workbook": confirmed["format"] == WORKBOOK, "digest": confirmed["digest"]},
            )
