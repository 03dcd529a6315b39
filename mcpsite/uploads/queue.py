"""The queue of uploads: what is added to it, who processes it, and what is deleted.

A separate process (`manage.py process_uploads`) does the work: in a thread of the server it would hold the
interpreter's lock against the tool calls. The request that queues an upload starts it if none runs. Claims
are made in the database, so any number of processes can try.
"""

import logging
import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import close_old_connections
from django.utils import timezone

from mcpsite.core import exclusive, private_files
from mcpsite.uploads import progress
from mcpsite.uploads.forms import File
from mcpsite.uploads.loaders import Loader, Task
from mcpsite.uploads.models import Upload
from mcpsite.uploads.summaries import Summary

logger = logging.getLogger(__name__)

LOCK = "uploads"
TIDY_SECONDS = 3600
"""How often a watching process looks for old files: listing a bucket is a request that costs money."""
MOST_ATTEMPTS = 3
_started: list[subprocess.Popen[bytes]] = []
"""Processes that this one started, until they are known to have ended."""


# Adding


def enqueue(
    kind: str, files: Sequence[File], *, by: User, check_only: bool, options: dict[str, Any]
) -> Upload:
    """Store `files`, whose names are safe, and queue them. Raises OSError if they cannot be stored."""
    upload = Upload(
        kind=kind,
        files=[file.name for file in files],
        size=sum(file.size or 0 for file in files),
        options=options,
        check_only=check_only,
        uploaded_by=by,
        username=by.get_username(),
    )
    private_files.keep(upload.folder, files)
    try:
        upload.save()
    except BaseException:
        private_files.forget(upload.folder)
        raise
    return upload


# Processing


def waiting() -> Iterator[Upload]:
    """Yield the uploads that can be claimed: queued ones, and those whose process has died."""
    unfinished = Upload.objects.filter(state__in=(Upload.State.QUEUED, Upload.State.RUNNING))
    for upload in unfinished.order_by("id"):
        if upload.state == Upload.State.QUEUED:
            yield upload
        else:
            report = progress.reported(upload)
            if report.stale if report else _long_ago(upload):
                yield upload


def _long_ago(upload: Upload) -> bool:
    seconds = timedelta(seconds=progress.STALE_SECONDS)
    return upload.started_at is None or timezone.now() - upload.started_at > seconds


def start_process() -> bool:
    """Start a process for waiting uploads, unless one is at work; return whether one was started."""
    _started[:] = [process for process in _started if process.poll() is None]
    if not settings.UPLOAD_AUTOSTART or next(waiting(), None) is None:
        return False
    with exclusive.alone(LOCK, wait=False) as free:
        if not free:
            return False
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "process_uploads"]
    # In a separate session, so that a restart of the server does not end it. Its output goes to our log.
    _started.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True))  # noqa: S603
    return True


def work_off(*, watch: float | None = None) -> None:
    """Load waiting uploads, one after the other; with `watch` look again after so many seconds, for ever.

    One process works at a time, on whichever host: another one ends at once, or with `watch` waits.
    """
    tidied_at = -math.inf
    while True:
        untidy = time.monotonic() - tidied_at > TIDY_SECONDS
        if untidy or next(waiting(), None) is not None:
            with exclusive.alone(LOCK, wait=False) as free:
                if free:
                    while (upload := next(waiting(), None)) is not None:
                        if claim(upload):
                            load_upload(upload)
                    if untidy:
                        forget_old()
                        tidied_at = time.monotonic()
        if watch is None:
            return
        time.sleep(watch)
        close_old_connections()


def claim(upload: Upload) -> bool:
    """Claim `upload` as it was read; return False if another process was first."""
    worker = f"{socket.gethostname()[:60]}:{os.getpid()}:{time.time_ns()}"
    progress.remove(upload)
    claimed = Upload.objects.filter(pk=upload.pk, state=upload.state, worker=upload.worker).update(
        state=Upload.State.RUNNING, worker=worker, started_at=timezone.now(), attempts=upload.attempts + 1
    )
    if claimed:
        upload.refresh_from_db()
    return bool(claimed)


def load_upload(upload: Upload) -> None:
    """Load a claimed upload, and record the result unless another process has claimed it since."""
    summaries: list[Summary] = []
    error = ""
    loader = upload.loader
    if loader is None:
        error = "This site can no longer load files of this kind; ask an operator."
    elif upload.attempts > MOST_ATTEMPTS:
        error = (
            f"The loading process was stopped {MOST_ATTEMPTS} times before it finished; upload the file "
            "in parts, or ask an operator to check how much memory the process may use."
        )
    else:
        summaries, error = _loaded(upload, loader)
    Upload.objects.filter(pk=upload.pk, worker=upload.worker).update(
        state=Upload.State.FAILED if error else Upload.State.DONE,
        finished_at=timezone.now(),
        summaries=[summary.as_json() for summary in summaries],
        error=error,
    )
    progress.remove(upload)


def _loaded(upload: Upload, loader: Loader) -> tuple[list[Summary], str]:
    """Return the loader's summary of the files, and why they could not be loaded, if that is so."""
    try:
        with progress.ProgressReporter(upload) as reporter, ExitStack() as stack:
            try:
                paths = stack.enter_context(private_files.on_disk(upload.folder, upload.files))
            except FileNotFoundError:
                return [], "The uploaded files no longer exist; upload them again."
            task = Task(
                files=paths,
                by=upload.username,
                check_only=upload.check_only,
                options=upload.options,
                progress=reporter.report,
            )
            return loader.run(task), ""
    except Exception:
        logger.exception("Upload %s could not be loaded.", upload.pk)
        return [], "Loading failed because of a server error. Ask an operator to check the site's log."


# Deleting


def forget_old() -> None:
    """Delete files that were loaded UPLOAD_KEEP_DAYS ago, and those that belong to no upload."""
    now = timezone.now()
    old = now - timedelta(days=settings.UPLOAD_KEEP_DAYS)
    needed = set(Upload.objects.exclude(finished_at__lt=old).values_list("folder", flat=True))
    known_old = set(Upload.objects.filter(finished_at__lt=old).values_list("folder", flat=True))
    for folder in private_files.folders():
        # A new one without an upload is being written.
        if folder not in needed and (folder in known_old or _is_a_day_old(folder, now)):
            private_files.forget(folder)


def _is_a_day_old(folder: str, now: datetime) -> bool:
    written = [private_files.written_at(folder, name) for name in private_files.files_in(folder)]
    return now - max(written, default=now) > timedelta(days=1)
