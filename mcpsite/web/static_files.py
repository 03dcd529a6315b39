"""Static files that leave compressed, under names that change with their content, where they were gathered.

`manage.py collectstatic` gathers them, and so does `serve` on a site without DEBUG. Until then they are
served from where the apps keep them, under their own names: no step stands between a clone and a page.
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
    """WhiteNoise's storage, which knows files by their own names as long as none was gathered."""

    def stored_name(self, name: str) -> str:
        return str(super().stored_name(name)) if self.hashed_files else name


def gather() -> str:
    """Gather what is new since the last time, unless with DEBUG; why it could not be, or empty."""
    root = Path(settings.STATIC_ROOT)
    if settings.DEBUG or not is_outdated():
        return ""
    try:
        root.mkdir(parents=True, exist_ok=True)
        # Of processes that start at once one gathers, and the others wait and find nothing to do.
        with (root / "gathering.lock").open("a") as lock:
            locks.lock(lock, locks.LOCK_EX)
            if is_outdated():
                call_command("collectstatic", interactive=False, verbosity=0)
    except OSError as error:
        return f"Static files could not be collected in {root} ({error.strerror})"
    return ""


def is_outdated() -> bool:
    """Whether a file of the apps is newer than what was gathered, or nothing was."""
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
    """`mcpsite.W007`: pages that take longer than they have to, or show what an older version looked like."""
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
