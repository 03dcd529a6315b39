"""Files that people sent: stored where UPLOAD_STORAGE says, visible to every process, served at no address.

A file's name is a folder and a name in it. If a file cannot be stored or read, that is an OSError, or an
error of the database if it is there.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages
from django.db import DatabaseError

from mcpsite.core.storages import PrivateFolder


def storage() -> Storage:
    """Return the storage of the files."""
    return storages["private"]


def keep(folder: str, files: Sequence["File[Any]"]) -> None:
    """Store `files`, whose names are safe and new in this folder; all of them or none."""
    kept: list[str] = []
    try:
        for file in files:
            kept.append(str(file.name))
            storage().save(f"{folder}/{file.name}", file)
    except BaseException:
        with suppress(OSError, DatabaseError):
            for name in kept:
                remove(folder, name)
        raise


def opened(folder: str, name: str) -> IO[bytes]:
    """Open a file to read; raises FileNotFoundError if it is gone."""
    file: Any = storage().open(f"{folder}/{name}", "rb")
    return file  # type: ignore[no-any-return]


def exists(folder: str, name: str) -> bool:
    return storage().exists(f"{folder}/{name}")


def remove(folder: str, name: str) -> None:
    storage().delete(f"{folder}/{name}")


@contextmanager
def on_disk(folder: str, names: Sequence[str]) -> Iterator[list[Path]]:
    """Yield the paths of files of `folder` during the block, copied for it unless they are on this disk.

    Raises FileNotFoundError if one is gone.
    """
    if is_local():
        paths = [Path(storage().path(f"{folder}/{name}")) for name in names]
        if missing := next((path for path in paths if not path.is_file()), None):
            raise FileNotFoundError(missing.name)
        yield paths
        return
    with tempfile.TemporaryDirectory(prefix="upload-") as copies:
        paths = [Path(copies) / name for name in names]
        for path in paths:
            with opened(folder, path.name) as source, path.open("wb") as copy:
                shutil.copyfileobj(source, copy, 1024 * 1024)
        yield paths


def is_local() -> bool:
    """Return whether the files are in a folder of this machine (or one that looks like it)."""
    return isinstance(storage(), PrivateFolder)


def folders() -> list[str]:
    """Return all folders."""
    try:
        return list(storage().listdir("")[0])
    except FileNotFoundError:
        return []


def files_in(folder: str) -> list[str]:
    try:
        return list(storage().listdir(folder)[1])
    except FileNotFoundError:
        return []


def written_at(folder: str, name: str) -> datetime:
    """Return when a file was written; raises FileNotFoundError if it is gone."""
    return storage().get_modified_time(f"{folder}/{name}")


def forget(folder: str) -> None:
    """Delete `folder` and its files; what cannot be deleted is left for the next time."""
    if is_local():
        shutil.rmtree(storage().path(folder), ignore_errors=True)
        return
    for name in files_in(folder):
        remove(folder, name)


def beside() -> Path:
    """Return the local folder for notes between processes of one machine; make it if it is missing."""
    folder = Path(settings.UPLOAD_DIR)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
