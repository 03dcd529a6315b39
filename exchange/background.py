"""Corrections of many rows, imported in the background by the queue of uploads once they are confirmed."""

from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.files import File
from import_export.resources import Resource

from exchange.sheets import CSV, XLSX
from uploads.forms import safe_name
from uploads.loaders import Loader, Task
from uploads.models import Upload
from uploads.queue import enqueue, start_process
from uploads.summaries import Summary


def loader(kind: str, *, title: str, permission: str, list_url: str, resource: type[Resource]) -> Loader:
    """Return the loader of corrected rows of `resource`, whose files come from a confirmed preview."""

    def run(task: Task) -> list[Summary]:
        (file,) = task.files
        read = XLSX() if task.options["workbook"] else CSV()
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


def problems_of(result: Any) -> list[str]:
    """Return why a confirmed import changed nothing, in sentences; none where it did."""
    problems = [str(error.error) for error in result.base_errors]
    if not problems and result.has_validation_errors():
        # The preview had none of them.
        problems = ["The rows have changed since the preview; nothing was imported. Look at it again."]
    return problems


def hand_over(kind: str, preview: Path, *, name: str, workbook: bool, digest: str, by: User) -> Upload:
    """Queue the confirmed file at `preview`, and start what works it off. Raises OSError."""
    with preview.open("rb") as opened:
        file: Any = File(opened, safe_name(name))
        upload = enqueue(
            kind, [file], by=by, check_only=False, options={"workbook": workbook, "digest": digest}
        )
    start_process()
    return upload
