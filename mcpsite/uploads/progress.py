"""How far an upload is, reported beside the database.

A load is one transaction, so on SQLite nothing else can be written while it runs, and on PostgreSQL
nobody would see it. A small file beside the uploaded ones can be read by every process of the site;
that it is renewed all the time shows that the loading process is alive.
"""

import json
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

INTERVAL_SECONDS = 0.5
STALE_SECONDS = 15.0
"""A process that has not been heard of for so long is taken for dead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """What is known of a load that runs."""

    done: int = 0
    total: int = 0
    age: float = 0.0
    """Seconds since its process was heard of."""

    @property
    def percent(self) -> int:
        """At most 99: what is left is the end of the transaction."""
        return min(99, self.done * 100 // self.total) if self.total else 0

    @property
    def stale(self) -> bool:
        return self.age > STALE_SECONDS


def _file(folder: Path) -> Path:
    return folder.with_suffix(".progress")


def reported(folder: Path) -> Progress | None:
    """Return what was reported of the files in `folder`; None before their process has begun."""
    try:
        with _file(folder).open() as file:
            done, total = json.load(file)
            age = time.time() - os.fstat(file.fileno()).st_mtime
    except (FileNotFoundError, ValueError):
        return None
    return Progress(done=done, total=total, age=max(0.0, age))


def remove(folder: Path) -> None:
    _file(folder).unlink(missing_ok=True)


class ProgressReporter:
    """Reports the progress of the files in `folder` while its block runs, from a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
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
        """`done` of `total` is done; costs nothing."""
        self._now = (done, total)

    def _run(self) -> None:
        while not self._over.wait(INTERVAL_SECONDS):
            self._write()

    def _write(self) -> None:
        fresh = self._folder.with_suffix(".progress-new")
        fresh.write_text(json.dumps(self._now))
        fresh.replace(_file(self._folder))
