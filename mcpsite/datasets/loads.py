"""The life of a load: claimed, written, switched to, replaced or given up.

No row of a load is in an answer before its file points at it. Claiming and switching are short transactions
under the lock of the data set (`versions`); all that takes long is outside of them.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta

from django.contrib.auth.models import Group
from django.db import DatabaseError, transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now
from django.utils import timezone

from mcpsite.datasets import versions
from mcpsite.datasets.columns import Said
from mcpsite.datasets.declaration import DataSet, data_set_named
from mcpsite.datasets.edits import Overlay, chunks, touch
from mcpsite.datasets.models import Edit, Load, SourceFile
from mcpsite.history.recording import Recorder

logger = logging.getLogger(__name__)

SILENT = timedelta(minutes=1)
"""The process of a load that was not written to for so long has died."""
WAIT_SECONDS = 0.2


class Lost(Exception):
    """A load that cannot become the current one, with the reason: what its file does or is."""


# Claiming and giving up


def data_set_of_file(file: SourceFile | Load) -> DataSet:
    """Return the data set of a file. Raises Lost if its app is no longer installed."""
    data_set = data_set_named(file.data_set)
    if data_set is None:
        raise Lost(f"belongs to {file.data_set}, which is no longer installed")
    return data_set


def claim(
    data_set: DataSet,
    name: str,
    *,
    folder: str,
    format_: str,
    digest: str,
    loaded_by: str,
    wanted: Callable[[SourceFile | None], bool] = lambda _: True,
    take_over: bool = False,
    groups: Collection[Group] = (),
) -> Load | None:
    """Return a new load of the file `name`; None if that is not `wanted` any more.

    Only `groups` may read a new file, if there are any; who may read it can be changed from then on.

    One load of a file is written at a time: wait for another one until it is over or silent, or give it up at
    once with `take_over`.
    """
    while True:
        with transaction.atomic():
            versions.lock(data_set)
            file = SourceFile.objects.filter(data_set=data_set.label, name=name).first()
            if not wanted(file):
                return None
            others = Load.objects.filter(file=file, state=Load.State.WRITING)
            if take_over or not others.filter(seen_at__gte=Now() - SILENT).exists():
                others.update(state=Load.State.ABANDONED)
                now = timezone.now()
                if file is None:
                    file = SourceFile.objects.create(
                        data_set=data_set.label,
                        name=name,
                        folder=folder,
                        format=format_,
                        loaded_at=now,
                        loaded_by=loaded_by,
                        state=SourceFile.State.LOADING,
                    )
                if groups and file.state == SourceFile.State.LOADING:
                    file.groups.set(groups)
                return Load.objects.create(
                    data_set=data_set.label,
                    file=file,
                    name=name,
                    folder=folder,
                    digest=digest,
                    loaded_by=loaded_by,
                    serial=file.serial,
                    started_at=now,
                    seen_at=Now(),
                )
        time.sleep(WAIT_SECONDS)


def alive(load: Load) -> None:
    """Record that `load` is being written, at the start of each transaction that does so. Raises Lost.

    Nobody else writes to it, or gives it up, before that transaction ends.
    """
    mine = Load.objects.filter(pk=load.pk, state=load.state)
    if not mine.update(seen_at=Now()):
        raise Lost("was deleted or loaded by another process while it was being loaded")


@contextmanager
def given_up_on_failure(load: Load) -> Iterator[None]:
    """Give `load` up if the block fails, and forget its file if nothing else is known of it."""
    try:
        yield
    except BaseException:
        try:
            with transaction.atomic():
                versions.lock(data_set_of_file(load))
                Load.objects.filter(pk=load.pk, state=Load.State.WRITING).update(state=Load.State.ABANDONED)
                forget_unloaded(load.data_set)
        except DatabaseError:
            # It is silent from now on, which has the same effect.
            logger.exception("A load of %a could not be given up", load.name)
        raise


def forget_unloaded(data_set: str) -> None:
    """Delete the records of files of a data set whose first load was given up. Under `versions.lock`."""
    writing = Load.objects.filter(file=OuterRef("pk"), state=Load.State.WRITING)
    loading = SourceFile.objects.filter(data_set=data_set, state=SourceFile.State.LOADING)
    loading.exclude(Exists(writing)).delete()


# Becoming the current one


def switch(
    data_set: DataSet,
    load: Load,
    before: SourceFile,
    overlay: Overlay,
    recorder: Recorder,
    *,
    state: SourceFile.State = SourceFile.State.LOADED,
    kept: bool = True,
    undone_digest: str = "",
    said: Said | None = None,
) -> SourceFile:
    """Point a file, which was as `before`, at `load`, with curators' changes meanwhile; return it.

    In a transaction, after `versions.bump`. With `kept` the previous load can be made current again. Rows
    that vanished with it are recorded. Raises Lost.
    """
    file = SourceFile.objects.filter(pk=before.pk).first()
    mine = Load.objects.filter(pk=load.pk, state=load.state)
    if file is None or file.current_id != before.current_id or not mine.update(seen_at=Now()):
        raise Lost("was deleted or loaded by another process while it was being loaded")
    overlay.finish()
    replaced = Load.objects.filter(file=file, state=Load.State.REPLACED)
    replaced.exclude(pk=load.pk).update(state=Load.State.ABANDONED)
    Load.objects.filter(current_of=file).update(
        state=Load.State.REPLACED if kept else Load.State.ABANDONED, serial=file.serial, seen_at=Now()
    )
    load.state = Load.State.CURRENT
    load.finished_at = load.finished_at or timezone.now()
    load.save(update_fields=["state", "finished_at", "rows", "unreadable", "findings"])
    file.current, file.state, file.undone_digest = load, state, undone_digest
    for name in ("folder", "digest", "rows", "unreadable", "loaded_by"):
        setattr(file, name, getattr(load, name))
    file.loaded_at = load.finished_at
    if said is not None:
        file.said = {name: value for name, value in asdict(said).items() if value}
    file.save()
    for chunk in chunks(overlay.vanished):
        rows = data_set.model.all_loads.filter(load=load, key__in=chunk, vanished=True)
        label = data_set.label_expression
        recorder.add_all(rows, {"vanished": (False, True)}, label, identity="key")
    return file


def empty(file: SourceFile, recorder: Recorder, *, state: SourceFile.State, keep: bool) -> int:
    """Remove the rows of `file` from the answers, except the curated ones, which are marked as vanished.

    Its record stays as `state`, if it is to be kept or rows stay. Returns how many rows vanished. A load of
    the file that is being written is given up.
    """
    data_set = data_set_of_file(file)
    load = claim(
        data_set,
        file.name,
        folder=file.folder,
        format_=file.format,
        digest="",  # If the file comes back unchanged, its rows have to be loaded again.
        loaded_by=file.loaded_by,
        take_over=True,
    )
    if load is None:
        raise Lost("no longer exists")
    load.finished_at = file.loaded_at
    overlay = Overlay(data_set, load, file, alive)
    overlay.bring()
    overlay.catch_up()
    with transaction.atomic():
        versions.bump(data_set)
        emptied = switch(data_set, load, file, overlay, recorder, state=state, kept=False)
        if not data_set.model.all_loads.filter(load=load, pk__range=(load.first_id, load.last_id)).exists():
            Load.objects.filter(pk=load.pk).update(state=Load.State.ABANDONED)
            emptied.current = None
            emptied.save(update_fields=["current"])
            if not keep:
                recorder.add(file, {"rows": (file.rows, None)})
                emptied.delete()
                return 0
        recorder.add(file, {"rows": (file.rows, None), "state": (file.state, state)})
    return len(overlay.vanished)


def undoable(file: SourceFile) -> Load | None:
    """Return the load that the current one of `file` replaced, while it is kept."""
    return Load.objects.filter(file=file, state=Load.State.REPLACED).order_by("-seen_at").first()


def undo(file: SourceFile, recorder: Recorder) -> Load:
    """Make the load current again that was replaced last, and return it. Raises Lost."""
    data_set = data_set_of_file(file)
    load = undoable(file)
    if load is None:
        raise Lost("has no load that can be undone, because it replaced none or was too long ago")
    writing = Load.objects.filter(file=file, state=Load.State.WRITING, seen_at__gte=Now() - SILENT)
    if writing.exists():
        raise Lost("is being loaded; undo the load when it has finished")
    overlay = Overlay(data_set, load, file, alive)
    overlay.bring()
    overlay.catch_up()
    with transaction.atomic():
        versions.bump(data_set)
        _edit_again(file)
        restored = switch(data_set, load, file, overlay, recorder, undone_digest=file.digest)
        # The undone load does not know the edits that were just made again.
        Load.objects.filter(file=file, state=Load.State.REPLACED).update(serial=F("serial") - 1)
        names = ("rows", "digest", "state")
        changed = {name: (getattr(file, name), getattr(restored, name)) for name in names}
        recorder.add(restored, {name: pair for name, pair in changed.items() if pair[0] != pair[1]})
    return load


def _edit_again(file: SourceFile) -> None:
    """Edit again the fields whose value became the same in the file with the undone load."""
    edits = list(Edit.objects.filter(file=file, met_in=file.current_id))
    serial = touch([file.pk])[file.pk]
    for edit in edits:
        edit.values, edit.met, edit.met_in, edit.serial = {**edit.met, **edit.values}, {}, None, serial
    Edit.objects.bulk_update(edits, ["values", "met", "met_in", "serial"], batch_size=500)
