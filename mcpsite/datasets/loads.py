"""The life of a load: claimed, written, switched to, replaced or given up.

Nothing of a load is in an answer before its file points at it. Claiming and switching are short transactions
under the lock of the data set (`versions`); what takes long is outside of them.
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
"""A load that was not written to for so long is one whose process has died."""
WAIT_SECONDS = 0.2


class Lost(Exception):
    """A load that cannot be made the current one, with the reason: what its file does or is."""


# Claiming and giving up


def data_set_of_file(file: SourceFile | Load) -> DataSet:
    """Return the data set that a file is of. Raises Lost where its app is not installed any more."""
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

    A new file is for `groups` alone, where there are any; who may read it can be changed from then on.

    One load of a file is written at a time: another one is waited for until it is over or silent, or given up
    at once if `take_over`.
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
    """Tell that `load` is being written, at the start of each transaction that does. Raises Lost.

    Nobody else writes to it, or gives it up, before that transaction ends.
    """
    mine = Load.objects.filter(pk=load.pk, state=load.state)
    if not mine.update(seen_at=Now()):
        raise Lost("was deleted or loaded by another process while it was being loaded")


@contextmanager
def given_up_on_failure(load: Load) -> Iterator[None]:
    """Give `load` up where the block fails, and forget its file where nothing else is known of that."""
    try:
        yield
    except BaseException:
        try:
            with transaction.atomic():
                versions.lock(data_set_of_file(load))
                Load.objects.filter(pk=load.pk, state=Load.State.WRITING).update(state=Load.State.ABANDONED)
                forget_unloaded(load.data_set)
        except DatabaseError:
            # It is silent from now on, which comes to the same.
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
    """Let a file, which was as `before`, point at `load`, with what curators did meanwhile; returns it.

    In a transaction, after `versions.bump`. With `kept` the load before can be made current again. Rows that
    vanished with it are recorded. Raises Lost.
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
    """Take the rows of `file` out of the answers, but for the curated ones, which vanish from it.

    Its record stays as `state`, if it is to be kept or rows stay. Returns how many rows vanished. A load of
    the file that is being written is given up.
    """
    data_set = data_set_of_file(file)
    load = claim(
        data_set,
        file.name,
        folder=file.folder,
        format_=file.format,
        digest="",  # Should the file come back as it was, its rows have to be loaded again.
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
    """Return the load that the current one of `file` replaced, as long as it is kept."""
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
        # The load that is undone does not know the edits that were just made again.
        Load.objects.filter(file=file, state=Load.State.REPLACED).update(serial=F("serial") - 1)
        names = ("rows", "digest", "state")
        changed = {name: (getattr(file, name), getattr(restored, name)) for name in names}
        recorder.add(restored, {name: pair for name, pair in changed.items() if pair[0] != pair[1]})
    return load


def _edit_again(file: SourceFile) -> None:
    """Edit the fields again of which the file came to say the same with the load that is undone."""
    edits = list(Edit.objects.filter(file=file, met_in=file.current_id))
    serial = touch([file.pk])[file.pk]
    for edit in edits:
        edit.values, edit.met, edit.met_in, edit.serial = {**edit.met, **edit.values}, {}, None, serial
    Edit.objects.bulk_update(edits, ["values", "met", "met_in", "serial"], batch_size=500)
