"""How far an upload is, reported twice a second while it is loaded, which also shows that its process lives.

On PostgreSQL it is written into the upload's row, over a separate connection, because nobody sees what a load
writes in a transaction. On SQLite nothing else can be written while a load writes; but all processes are on
one machine, and read a small file.
"""

import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.utils import timezone

from mcpsite.core import private_files
from mcpsite.uploads.models import Upload

INTERVAL_SECONDS = 0.5
STALE_SECONDS = 15.0
"""A process that has not been heard of for so long is considered dead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What is known of a running load."""

    done: int = 0
    total: int = 0
    age: float = 0.0
    """Seconds since its process was last heard of."""

    @property
    def percent(self) -> int:
        """At most 99: the rest is the end of the transaction."""
        return min(99, self.done * 100 // self.total) if self.total else 0

    @property
    def stale(self) -> bool:
        return self.age > STALE_SECONDS


def _file(upload: Upload) -> Path | None:
    return private_files.beside() / f"{upload.folder}.progress" if connection.vendor == "sqlite" else None


def reported(upload: Upload) -> Progress | None:
    """Return what was reported of `upload`; None before its process has begun."""
    if (path := _file(upload)) is None:
        row = Upload.objects.filter(pk=upload.pk, heard_at__isnull=False).first()
        if row is None or row.heard_at is None:
            return None
        age = (timezone.now() - row.heard_at).total_seconds()
        return Progress(done=row.done, total=row.total, age=max(0.0, age))
    try:
        with path.open() as file:
            done, total = json.load(file)
            age = time.time() - os.fstat(file.fileno()).st_mtime
    except (FileNotFoundError, ValueError):
        return None
    return Progress(done=done, total=total, age=max(0.0, age))


def remove(upload: Upload) -> None:
    """Remove what was reported."""
    if path := _file(upload):
        path.unlink(missing_ok=True)
    else:
        Upload.objects.filter(pk=upload.pk).update(heard_at=None, done=0, total=0)


class ProgressReporter:
    """Reports the progress of `upload` while its block runs, from a separate thread."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._now = (0, 0)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upload-progress", daemon=True)

    def __enter__(self) -> "ProgressReporter":
        self._write()
        self._thread.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def report(self, done: int, total: int) -> None:
        """Note that `done` of `total` is done; costs nothing."""
        self._now = (done, total)

    def _run(self) -> None:
        try:
            while not self._over.wait(INTERVAL_SECONDS):
                # While the database is away nothing is reported, and the load itself will say why it stopped.
                with suppress(DatabaseError, InterfaceError):
                    close_old_connections()
                    self._write()
        finally:
            connection.close()

    def _write(self) -> None:
        done, total = self._now
        if path := _file(self._upload):
            fresh = path.with_suffix(".progress-new")
            fresh.write_text(json.dumps([done, total]))
            fresh.replace(path)
        else:
            mine = Upload.objects.filter(pk=self._upload.pk, worker=self._upload.worker)
            mine.update(heard_at=timezone.now(), done=done, total=total)
