"""The queue of uploads: what is put into it, who works it off, and what is forgotten.

A process of its own (`manage.py process_uploads`) does the work: in a thread of the server it would
hold the interpreter's lock against the tool calls. The request that queues an upload starts it where
none runs. Claims are made in the database, so any number of processes can try.
"""

import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files import locks
from django.db import close_old_connections
from django.utils import timezone

from mcpsite.core.private_files import private_folder
from mcpsite.uploads import progress
from mcpsite.uploads.forms import File
from mcpsite.uploads.loaders import Task
from mcpsite.uploads.models import Upload
from mcpsite.uploads.summaries import Summary

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 3
_started: list[subprocess.Popen[bytes]] = []
"""Processes that this one started, kept until they are known to have ended."""


# What is put into it


def enqueue(
    kind: str, files: Sequence[File], *, by: User, check_only: bool, options: dict[str, Any]
) -> Upload:
    """Keep `files`, whose names are safe, and queue them. Raises OSError where they cannot be kept."""
    upload = Upload(
        kind=kind,
        files=[file.name for file in files],
        size=sum(file.size or 0 for file in files),
        options=options,
        check_only=check_only,
        uploaded_by=by,
        username=by.get_username(),
    )
    private_folder()
    upload.path.mkdir(mode=0o700)
    try:
        for file in files:
            with (upload.path / str(file.name)).open("xb") as stored:
                for chunk in file.chunks():
                    stored.write(chunk)
        upload.save()
    except BaseException:
        shutil.rmtree(upload.path, ignore_errors=True)
        raise
    return upload


# Who works it off


def waiting() -> Iterator[Upload]:
    """Uploads that are for whoever claims them first: queued ones, and those whose process has died."""
    unfinished = Upload.objects.filter(state__in=(Upload.State.QUEUED, Upload.State.RUNNING))
    for upload in unfinished.order_by("id"):
        if upload.state == Upload.State.QUEUED:
            yield upload
        else:
            report = progress.reported(upload.path)
            if report.stale if report else _long_ago(upload):
                yield upload


def _long_ago(upload: Upload) -> bool:
    seconds = timedelta(seconds=progress.STALE_SECONDS)
    return upload.started_at is None or timezone.now() - upload.started_at > seconds


def start_process() -> bool:
    """Start a process for what waits, unless one is at work; whether one was started."""
    _started[:] = [process for process in _started if process.poll() is None]
    if not settings.UPLOAD_AUTOSTART or next(waiting(), None) is None:
        return False
    with _single_process(wait=False) as alone:
        if not alone:
            return False
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "process_uploads"]
    # In a session of its own, so that a restart of the server does not end it. Its words go to our log.
    _started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True))  # noqa: S603
    return True


def work_off(*, watch: float | None = None) -> None:
    """Load what waits, one upload after the other; with `watch` look again after so many seconds, for ever.

    One process works at a time: another one leaves at once, or with `watch` stands by.
    """
    with _single_process(wait=watch is not None) as alone:
        if not alone:
            return
        while True:
            while (upload := next(waiting(), None)) is not None:
                if claim(upload):
                    load_upload(upload)
            forget_old()
            if watch is None:
                return
            time.sleep(watch)
            close_old_connections()


@contextmanager
def _single_process(*, wait: bool) -> Iterator[bool]:
    """Whether this process is the only one here; the lock of one that dies is gone with it."""
    with (private_folder() / "process.lock").open("a") as file:
        got = locks.lock(file, locks.LOCK_EX if wait else locks.LOCK_EX | locks.LOCK_NB)
        try:
            yield got
        finally:
            if got:
                locks.unlock(file)


def claim(upload: Upload) -> bool:
    """Take `upload` as it was read; False where another process was first."""
    worker = f"{socket.gethostname()[:60]}:{os.getpid()}:{time.time_ns()}"
    progress.remove(upload.path)
    claimed = Upload.objects.filter(pk=upload.pk, state=upload.state, worker=upload.worker).update(
        state=Upload.State.RUNNING, worker=worker, started_at=timezone.now(), attempts=upload.attempts + 1
    )
    if claimed:
        upload.refresh_from_db()
    return bool(claimed)


def load_upload(upload: Upload) -> None:
    """Load a claimed upload, and write down what came of it unless it was claimed by another since."""
    summaries: list[Summary] = []
    error = ""
    loader = upload.loader
    if loader is None:
        error = "There is no loader for these files any more; ask an operator."
    elif upload.attempts > MOST_ATTEMPTS:
        error = (
            f"The loading process was ended {MOST_ATTEMPTS} times before it was through; upload the file in "
            "parts, or ask an operator to look at the memory that the process may take."
        )
    elif any(not (upload.path / name).is_file() for name in upload.files):
        error = "The files are no longer there; upload them again."
    else:
        try:
            with progress.ProgressReporter(upload.path) as reporter:
                summaries = loader.run(
                    Task(
                        files=[upload.path / name for name in upload.files],
                        by=upload.username,
                        check_only=upload.check_only,
                        options=upload.options,
                        progress=reporter.report,
                    )
                )
        except Exception:
            logger.exception("Upload %s could not be loaded.", upload.pk)
            error = "The load stopped at a fault of this site, and its log says which; ask an operator."
    Upload.objects.filter(pk=upload.pk, worker=upload.worker).update(
        state=Upload.State.FAILED if error else Upload.State.DONE,
        finished_at=timezone.now(),
        summaries=[summary.as_json() for summary in summaries],
        error=error,
    )
    progress.remove(upload.path)


# What is forgotten


def forget_old() -> None:
    """Delete files that were loaded UPLOAD_KEEP_DAYS ago, and those that no upload knows."""
    now = timezone.now()
    old = now - timedelta(days=settings.UPLOAD_KEEP_DAYS)
    needed = set(Upload.objects.exclude(finished_at__lt=old).values_list("folder", flat=True))
    # One that is not known yet is being written.
    yesterday = (now - timedelta(days=1)).timestamp()
    known_old = set(Upload.objects.filter(finished_at__lt=old).values_list("folder", flat=True))
    for path in private_folder().iterdir():
        unneeded = path.is_dir() and path.name not in needed
        if unneeded and (path.name in known_old or path.stat().st_mtime < yesterday):
            shutil.rmtree(path, ignore_errors=True)
