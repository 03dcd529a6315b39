"""Whether the folders that the site writes to can be written to."""

import os
import tempfile
from pathlib import Path

from django.conf import settings

from mcpsite.core import private_files

LEAST_FREE_BYTES = 1024 * 1024
"""A disk with less than this is full: the next thing to be written will not fit."""
PROBE = bytes(64 * 1024)


def unwritable() -> list[str]:
    """Return which of the site's folders cannot be written to, each by what is stored there.

    May take as long as a network file system does.
    """
    return [name for name, folder in _folders().items() if not _is_writable(folder)]


def _folders() -> dict[str, Path]:
    database = settings.DATABASES["default"]
    folders = {}
    if private_files.is_local():
        folders["upload_folder"] = Path(settings.UPLOAD_DIR)
    # On PostgreSQL nothing has to be stored there.
    if database["ENGINE"].endswith("sqlite3") or Path(settings.STATE_DIR).exists():
        folders["state_folder"] = Path(settings.STATE_DIR)
    file = Path(str(database["NAME"]))
    if database["ENGINE"].endswith("sqlite3") and file.is_file():
        folders["database_folder"] = file.parent
    return folders


def _is_writable(folder: Path) -> bool:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent  # It is made when it is needed.
    try:
        room = os.statvfs(folder)
        # A file without a name, which no crash can leave behind.
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(PROBE)
            file.flush()
    except OSError:
        return False
    return room.f_bavail * room.f_frsize >= LEAST_FREE_BYTES
