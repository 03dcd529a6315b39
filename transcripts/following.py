"""Keeps the store in line with what people change: publishing, unpublishing, moving, correcting, deleting.

Each such change is in the history (`mcpsite.history.recording`), so that is where they are noticed; loads
notify the store themselves. The store is brought up to date in the background, because nobody should wait
for it: search asks the database last, so its answers are right meanwhile too.
"""

import logging
import threading
import time
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib.contenttypes.models import ContentType
from django.db import connections, transaction
from django.db.models import Model, QuerySet

from mcpsite.history.models import Change, ChangedObject
from transcripts.models import Collection, Transcript
from transcripts.stores.base import StoreUnavailable, chosen, store

logger = logging.getLogger(__name__)

LOADS = (Change.Action.LOAD, Change.Action.PRUNE)
PAUSES = (0.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Seconds before each attempt; after the last one `upload_transcripts` has to do it, and `doctor` says so."""


def notice(instance: Change, *, created: bool, **_: Any) -> None:
    """Have the store follow `instance` after its transaction is committed."""
    if not created or instance.action in LOADS or chosen() == "local":
        return
    if instance.content_type.model_class() in (Transcript, Collection):
        transaction.on_commit(partial(follower.ask, instance.pk))


def update_store(changes: set[int]) -> None:
    """Bring the store in line with these changes. Raises StoreUnavailable."""
    ids = set(_changed(changes, Transcript).values_list("object_id", flat=True))
    collections = _changed(changes, Collection).values("object_id")
    ids |= set(Transcript.objects.filter(collection__in=collections).values_list("pk", flat=True))
    published = set(Transcript.objects.filter(pk__in=ids, published=True).values_list("pk", flat=True))
    there = store(chosen())

    async def both() -> None:
        if ids - published:
            await there.remove(ids - published)
        if published:
            await there.index(published)

    async_to_sync(both)()


def _changed(changes: set[int], model: type[Model]) -> QuerySet[ChangedObject]:
    kind = ContentType.objects.get_for_model(model)
    return ChangedObject.objects.filter(change__in=changes, change__content_type=kind)


class Follower:
    """At most one thread of this process, which brings the store up to date."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes: set[int] = set()
        self._thread: threading.Thread | None = None

    def ask(self, change: int) -> None:
        """Have the store follow `change`. Does not wait."""
        with self._lock:
            self._changes.add(change)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="store-follower", daemon=True)
                self._thread.start()

    def wait(self, seconds: float) -> None:
        """Wait until all requested work is done, at most `seconds`."""
        if thread := self._thread:
            thread.join(seconds)

    def _run(self) -> None:
        while changes := self._drain():
            try:
                self._attempts(changes)
            except Exception:
                # Nobody waits for the thread, so what it raises would go unseen.
                logger.exception("The store of transcripts could not be brought up to date.")
            finally:
                connections.close_all()

    def _drain(self) -> set[int]:
        with self._lock:
            changes, self._changes = self._changes, set()
            if not changes:
                self._thread = None
            return changes

    def _attempts(self, changes: set[int]) -> None:
        for pause in PAUSES:
            time.sleep(pause)
            with self._lock:
                changes |= self._changes
                self._changes = set()
            try:
                update_store(changes)
            except StoreUnavailable as error:
                logger.warning("The store of transcripts is behind the database: %s", error)
            else:
                return
            finally:
                connections.close_all()


follower = Follower()
