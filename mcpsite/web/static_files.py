"""Static files, once collected: compressed, under names that change with their content.

`manage.py collectstatic` collects them, and so does `serve` on a site without DEBUG. Until then they are
served from the apps' folders, under their own names: a clone shows pages without a further step.
"""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.checks import CheckMessage, Warning  # noqa: A004
from django.core.files import locks
from django.core.management import call_command
from whitenoise.storage import CompressedManifestStaticFilesStorage


class GatheredFiles(CompressedManifestStaticFilesStorage):
    """WhiteNoise's storage, which uses files' own names as long as none was collected."""

    def stored_name(self, name: str) -> str:
        return str(super().stored_name(name)) if self.hashed_files else name


def gather() -> str:
    """Collect what is new since the last time, unless with DEBUG; return why that failed, or ""."""
    root = Path(settings.STATIC_ROOT)
    if settings.DEBUG or not is_outdated():
        return ""
    try:
        root.mkdir(parents=True, exist_ok=True)
        # Of processes that start at once one collects, and the others wait and find nothing to do.
        with (root / "gathering.lock").open("a") as lock:
            locks.lock(lock, locks.LOCK_EX)
            if is_outdated():
                call_command("collectstatic", interactive=False, verbosity=0)
    except OSError as error:
        return f"Static files could not be collected in {root} ({error.strerror})"
    return ""


def is_outdated() -> bool:
    """Return whether a file of the apps is newer than the collected ones, or nothing was collected."""
    try:
        gathered_at = (Path(settings.STATIC_ROOT) / GatheredFiles.manifest_name).stat().st_mtime
    except OSError:
        return True
    return any(
        Path(storage.path(path)).stat().st_mtime > gathered_at
        for finder in get_finders()
        for path, storage in finder.list([])
    )


def check_gathered(**_: Any) -> list[CheckMessage]:
    """Return `mcpsite.W007`: pages are slower than necessary, or look as in an older version."""
    if settings.DEBUG or not is_outdated():
        return []
    return [
        Warning(
            "Static files have changed since they were last collected, so they are neither compressed "
            "nor cached by browsers.",
            hint="Run manage.py collectstatic --noinput after each upgrade.",
            id="mcpsite.W007",
        )
    ]
