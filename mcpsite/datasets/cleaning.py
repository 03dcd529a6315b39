"""Deletes what no answer needs any more, piece by piece, so that other writers can go on in between.

First rows and counts of loads that were given up, and of those that were replaced long enough ago; then texts
and combinations without rows. This happens at a load's end, and in a server that has nothing else to do.
"""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

import time
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from mcpsite.datasets import combinations, edits, loads, texts, versions
from mcpsite.datasets.declaration import DataSet, data_sets
from mcpsite.datasets.models import Edit, Load
from mcpsite.datasets.rebuilding import rebuild_indexes

PIECE = 5_000
"""Rows of one transaction."""
LOOK_SECONDS = 10.0
"""How often a server looks for something to delete."""


def clean() -> None:
    """Delete all that is due; on SQLite shrink the journal, too."""
    for _ in pieces():
        pass
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            # Current readers and writers are not waited for: the next load shortens it.
            cursor.execute("PRAGMA busy_timeout")
            (timeout,) = cursor.fetchone()
            cursor.execute("PRAGMA busy_timeout = 100")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.execute(f"PRAGMA busy_timeout = {timeout:d}")


_DONE = object()
_under_way: Iterator[None] = iter(())
_looked_at = -LOOK_SECONDS


def go_on() -> None:
    """Delete one piece of what is due, as a server does now and then."""
    global _under_way, _looked_at
    if next(_under_way, _DONE) is _DONE and time.monotonic() - _looked_at >= LOOK_SECONDS:
        _under_way, _looked_at = pieces(), time.monotonic()


def due(data_set: DataSet) -> QuerySet[Load]:
    """Return the loads that can go, because no earlier call can still answer from their rows."""
    answered = Q(seen_at__gt=Now() - timedelta(seconds=settings.MCP_DEADLINE_SECONDS))
    kept = Q(state=Load.State.REPLACED, seen_at__gt=Now() - timedelta(hours=settings.LOAD_UNDO_HOURS))
    states = (Load.State.REPLACED, Load.State.ABANDONED)
    over = Load.objects.filter(data_set=data_set.label, state__in=states)
    return over.exclude(kept).exclude(answered & Q(finished_at__isnull=False))


def pieces() -> Iterator[None]:
    """Delete what is due, and yield after each short transaction."""
    for data_set in data_sets():
        yield from _pieces(data_set)


def _pieces(data_set: DataSet) -> Iterator[None]:
    _give_up_silent(data_set)
    found = _given_up(data_set)
    for load in found:
        while _delete_rows(data_set, load):
            yield
        while _delete_counts(load):
            yield
    if not found:
        return
    after: int | None = 0
    while after is not None:
        after = _forget_texts(data_set, after)
        yield
    with transaction.atomic():
        versions.lock(data_set)
        if not _is_writing(data_set):
            combinations.forget_unused(data_set)
            Load.objects.filter(pk__in=[load.pk for load in found]).delete()
        edits.forget_void(data_set, Edit.objects.of(data_set.model))
    yield
    if not _is_writing(data_set):
        yield from rebuild_indexes(data_set, sum(load.rows for load in found))


def _given_up(data_set: DataSet) -> list[Load]:
    """Return the loads that are due. None of them can be made current again from here on."""
    if not due(data_set).exists():
        return []
    with transaction.atomic():
        versions.lock(data_set)
        found = list(due(data_set))
        Load.objects.filter(pk__in=[load.pk for load in found]).update(state=Load.State.ABANDONED)
    return found


def _writing(data_set: DataSet) -> QuerySet[Load]:
    return Load.objects.filter(data_set=data_set.label, state=Load.State.WRITING)


def _give_up_silent(data_set: DataSet) -> None:
    silent = _writing(data_set).filter(seen_at__lt=Now() - loads.SILENT)
    if silent.exists():
        with transaction.atomic():
            versions.lock(data_set)
            silent.update(state=Load.State.ABANDONED)
            loads.forget_unloaded(data_set.label)


def _is_writing(data_set: DataSet) -> bool:
    return _writing(data_set).exists()


def _delete_rows(data_set: DataSet, load: Load) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"SELECT max(id) FROM (SELECT id FROM {data_set.sql} "
            "WHERE id BETWEEN %s AND %s AND load_id = %s ORDER BY id LIMIT %s) AS piece",
            [load.first_id, load.last_id, load.pk, PIECE],
        )
        last = cursor.fetchone()[0]
        if last is None:
            return False
        cursor.execute(
            f"DELETE FROM {data_set.sql} WHERE id BETWEEN %s AND %s AND load_id = %s",
            [load.first_id, last, load.pk],
        )
        # The next piece need not look through what is gone.
        load.first_id = last + 1
        load.save(update_fields=["first_id"])
    return True


def _delete_counts(load: Load) -> bool:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM datasets_combinationcount WHERE id IN "
            "(SELECT id FROM datasets_combinationcount WHERE load_id = %s LIMIT %s)",
            [load.pk, PIECE],
        )
        return bool(cursor.rowcount)


def _forget_texts(data_set: DataSet, after: int) -> int | None:
    with transaction.atomic():
        versions.lock(data_set)
        # A load that is being written may be about to use a text without rows.
        return None if _is_writing(data_set) else texts.forget_unused(data_set, after, PIECE)
