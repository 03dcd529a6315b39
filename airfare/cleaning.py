"""Deletes what no answer needs any more, piece by piece: whoever else writes goes on in between.

Rows and counts of loads that were given up, and of those that were replaced long enough ago; then the texts
and combinations that no row has any more. A load's end does this, and a server that has nothing else to do.
"""

import time
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from airfare import combinations, edits, loads, notables, versions
from airfare.models import Edit, Load

PIECE = 5_000
"""Rows of one transaction."""
LOOK_SECONDS = 10.0
"""From one look of a server whether something is due to the next."""


def clean() -> None:
    """Delete all that is due; on SQLite let the journal shrink, too."""
    for _ in pieces():
        pass
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            # Whoever reads or writes at this moment is not waited for: the next load shortens it.
            cursor.execute("PRAGMA busy_timeout")
            (timeout,) = cursor.fetchone()
            cursor.execute("PRAGMA busy_timeout = 100")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.execute(f"PRAGMA busy_timeout = {timeout:d}")


_DONE = object()
_under_way: Iterator[None] = iter(())
_looked_at = -LOOK_SECONDS


def go_on() -> None:
    """Delete one piece of what is due: what a server does now and then."""
    global _under_way, _looked_at
    if next(_under_way, _DONE) is _DONE and time.monotonic() - _looked_at >= LOOK_SECONDS:
        _under_way, _looked_at = pieces(), time.monotonic()


def due() -> QuerySet[Load]:
    """Return the loads that can go: no call that began before can still answer of their rows."""
    answered = Q(seen_at__gt=Now() - timedelta(seconds=settings.MCP_DEADLINE_SECONDS))
    kept = Q(state=Load.State.REPLACED, seen_at__gt=Now() - timedelta(hours=settings.LOAD_UNDO_HOURS))
    over = Load.objects.filter(state__in=(Load.State.REPLACED, Load.State.ABANDONED))
    return over.exclude(kept).exclude(answered & Q(finished_at__isnull=False))


def pieces() -> Iterator[None]:
    """Delete what is due, and yield after each short transaction."""
    _give_up_silent()
    found = _given_up()
    for load in found:
        while _delete_rows(load):
            yield
        while _delete_counts(load):
            yield
    if not found:
        return
    after: int | None = 0
    while after is not None:
        after = _forget_texts(after)
        yield
    with transaction.atomic():
        versions.lock()
        if not _is_writing():
            combinations.forget_unused()
            Load.objects.filter(pk__in=[load.pk for load in found]).delete()
        edits.forget_void(Edit.objects.all())
    yield


def _given_up() -> list[Load]:
    """Return the loads that are due. None of them can be made current again from here on."""
    if not due().exists():
        return []
    with transaction.atomic():
        versions.lock()
        found = list(due())
        Load.objects.filter(pk__in=[load.pk for load in found]).update(state=Load.State.ABANDONED)
    return found


def _give_up_silent() -> None:
    silent = Load.objects.filter(state=Load.State.WRITING, seen_at__lt=Now() - loads.SILENT)
    if silent.exists():
        with transaction.atomic():
            versions.lock()
            silent.update(state=Load.State.ABANDONED)
            loads.forget_unloaded()


def _is_writing() -> bool:
    return Load.objects.filter(state=Load.State.WRITING).exists()


def _delete_rows(load: Load) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(id) FROM (SELECT id FROM airfare_farerow "
            "WHERE id BETWEEN %s AND %s AND load_id = %s ORDER BY id LIMIT %s) AS piece",
            [load.first_id, load.last_id, load.pk, PIECE],
        )
        last = cursor.fetchone()[0]
        if last is None:
            return False
        cursor.execute(
            "DELETE FROM airfare_farerow WHERE id BETWEEN %s AND %s AND load_id = %s",
            [load.first_id, last, load.pk],
        )
        # So that the next piece does not look through what is gone.
        load.first_id = last + 1
        load.save(update_fields=["first_id"])
    return True


def _delete_counts(load: Load) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM airfare_combinationcount WHERE id IN "
            "(SELECT id FROM airfare_combinationcount WHERE load_id = %s LIMIT %s)",
            [load.pk, PIECE],
        )
        return bool(cursor.rowcount)


def _forget_texts(after: int) -> int | None:
    with transaction.atomic():
        versions.lock()
        # A load that is being written may be about to use a text that no row has yet.
        return None if _is_writing() else notables.forget_unused(after, PIECE)
