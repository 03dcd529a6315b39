"""Brings an OpenAI vector store in line with this site's transcripts: `sync`.

Afterwards the store has each transcript once, with its present text. A run finds out what is there by asking,
never from what an earlier run remembered, because a run may be killed between any two steps and a POST whose
answer got lost may have been performed (the API takes no idempotency key):

- A file in storage is recognized by its name, `<slug>.<start of the sha256>.<store id>.txt`. So a file
  that was sent and not yet attached is found again, and used.
- A file in the store is recognized by its attributes `slug`, `sha256` and `site`, or by our record of
  it. So a file that was attached and not recorded is found again, and recorded.
- New versions are attached before old ones are removed. What to remove is computed at the end from
  fresh lists: everything of ours that is not the one copy kept. That removes duplicates, replaced,
  unpublished and deleted transcripts alike, and never a file that somebody else put there.

What is not published does not go to OpenAI, and is removed there when it is unpublished: publishing it again
costs sending one file, and nobody has to trust a filter with what may not be read. A file that somebody else
put there and `import_vector_store` imported stays; its attribute `published` follows the switch.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar

import openai
from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.crypto import salted_hmac
from openai.types import FileObject, VectorStore
from openai.types.vector_stores import VectorStoreFile as StoreFile

from mcpsite.core import exclusive
from mcpsite.uploads.summaries import Summary
from transcripts.models import Transcript, VectorStoreFile
from transcripts.stores.answers import NotOpenAI
from transcripts.stores.openai_client import (
    LONGEST_WAIT,
    Pace,
    api_error,
    listed,
    may_have_happened,
    open_client,
    patiently,
    retry_after,
)
from transcripts.stores.records import day_number

T = TypeVar("T")
Attributes: TypeAlias = dict[str, str | float | bool]

PURPOSE: Literal["assistants"] = "assistants"
PAGE = 100  # the API's most for stores and their files
LONGEST_VALUE = 512  # of an attribute, by the API's rules
LOCK_PATIENCE = 10.0  # seconds; the locks of a killed run may take a moment to go


SEARCHED_BY = ("site", "published", "slug", "collection", "sector", "day")
"""The attributes that a search filters by; files that somebody else put there get them too."""
MOST_ATTRIBUTES = 16  # of a file, by the API's rules
LONGEST_PAUSE = 10.0  # seconds between two questions whether a file is indexed


class SyncStopped(Exception):
    """The run cannot continue; one sentence for the person. Running again continues where it stopped."""

    def __init__(self, sentence: str, done: "SyncResult | None" = None) -> None:
        super().__init__(sentence)
        self.done = done
        """What was done before, if it is known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SyncLimits:
    """How much load a run may cause."""

    concurrency: int = 8
    """Files sent and attached at the same time."""
    uploads_per_minute: int = field(default_factory=lambda: settings.OPENAI_UPLOADS_PER_MINUTE)
    attaches_per_minute: int = field(default_factory=lambda: settings.OPENAI_ATTACHES_PER_MINUTE)
    """Per vector store."""
    file_seconds: float = 300.0
    """For a file from the start of its sending to the end of its indexing, without waits for a place."""
    call_seconds: float = 60.0
    """For one answer."""
    attempts: int = 8
    """For one call."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A file that the store does not have now, and why."""

    name: str
    reason: str


@dataclass(kw_only=True, slots=True)
class SyncResult:
    """What a run did."""

    store_id: str = ""
    added: list[str] = field(default_factory=list)
    """Slugs that the store has now and did not have before."""
    unchanged: list[str] = field(default_factory=list)
    removed: int = 0
    """Files removed: replaced, deleted here, or left over from a run that was cut short."""
    failures: list[Failure] = field(default_factory=list)
    described: int = 0
    """Files that got attributes to filter by which they did not have."""
    undescribed: int = 0
    """Files that have no room for those."""


def sync_summary(done: SyncResult) -> Summary:
    """Return what became of the vector store's files, for a person: counted, with the failures by name."""
    return Summary(
        columns=["Vector store", "Transcripts"],
        rows=[
            ["added", f"{len(done.added):,}"],
            ["unchanged", f"{len(done.unchanged):,}"],
            ["files removed", f"{done.removed:,}"],
            ["failed", f"{len(done.failures):,}"],
        ],
        notes=[*_filter_notes(done), *(f"{failure.name}: {failure.reason}" for failure in done.failures)],
        failed=bool(done.failures),
    )


def _filter_notes(done: SyncResult) -> Iterator[str]:
    if done.described:
        yield f"{done.described:,} files were missing attributes that searches filter by, and now have them."
    if done.undescribed:
        yield (
            f"{done.undescribed:,} files that were added elsewhere have too many attributes "
            f"({MOST_ATTRIBUTES} at most) to add those that searches filter by. Until they are removed, "
            "the whole store is searched and results that people may not read are filtered out here."
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreDocument:
    """A transcript as the store has to have it."""

    pk: int
    slug: str
    name: str
    """The file's name for a person, in a report."""
    sha256: str
    """Of `text`, in hexadecimal."""
    text: str
    attributes: Attributes
    recorded: str
    """The id of the file that our record knows, in whichever version, or empty."""
    recorded_sha256: str
    """Of the text in that file."""

    def filename(self, store_id: str) -> str:
        return f"{self.slug[:120]}.{self.sha256[:16]}.{store_id}.txt"

    def is_in(self, file: StoreFile) -> bool:
        """Return whether `file` of the store is this text."""
        if file.id == self.recorded:
            return self.recorded_sha256 == self.sha256
        attributes = file.attributes or {}
        # Another site may have put the same text there; its file is not ours to use.
        return (
            attributes.get("slug"),
            attributes.get("sha256"),
            attributes.get("site", settings.SITE_URL),
        ) == (
            self.slug,
            self.sha256,
            settings.SITE_URL,
        )

    def attributes_for(self, present: Attributes) -> Attributes:
        """Return the attributes that its file should have, which has those `present` now.

        A file that somebody else put there keeps all others; those that we search by are added if they fit.
        """
        if "sha256" in present:
            return self.attributes
        both = {**present, **self.searched_by}
        return both if len(both) <= MOST_ATTRIBUTES else present

    @property
    def searched_by(self) -> Attributes:
        """Those of its attributes that a search filters by."""
        return {key: value for key, value in self.attributes.items() if key in SEARCHED_BY}

    def described_by(self, attributes: Attributes) -> str:
        """Return the site for which a file with these attributes is found by them; empty if it is not."""
        return settings.SITE_URL if self.searched_by.items() <= attributes.items() else ""


def sync(
    *,
    name: str = "transcripts",
    limits: SyncLimits | None = None,
    dry_run: bool = False,
    only: Collection[int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SyncResult:
    """Send VECTOR_STORE_ID what it lacks, wait for its indexing, and remove what has to go.

    If VECTOR_STORE_ID is empty, the store called `name` is made, or the one that an earlier run of this site
    made is found. `only` names the transcripts to sync (None: all). `progress` is called with (done, all)
    after each of them. A `dry_run` changes nothing and says what would be done. Raises SyncStopped if the run
    cannot continue; a file that could not be indexed is in the summary's `failures` and does not stop the
    others.
    """
    if not settings.OPENAI_API_KEY:
        raise SyncStopped("OPENAI_API_KEY is not set; put a key of your OpenAI project into it.")
    with _exclusively():
        return async_to_sync(_sync)(
            name, limits or SyncLimits(), dry_run, only, progress or (lambda _done, _all: None)
        )


def withdraw_files(transcripts: Collection[int]) -> None:
    """Remove these transcripts, and those that are deleted here, from VECTOR_STORE_ID and from storage.

    The next `sync` removes what is missed here. Raises SyncStopped.
    """
    rows = VectorStoreFile.objects.filter(
        Q(transcript_id__in=transcripts) | Q(transcript=None), store_id=settings.VECTOR_STORE_ID
    )
    with _exclusively():
        async_to_sync(_for_each)(_retire, list(rows))


def refresh(transcripts: Collection[int]) -> set[int]:
    """Give the files of these published transcripts the attributes they should have now.

    One short call each, and none if nothing has changed. Returns the transcripts for which that is not all,
    because the store does not have their present text: those are left to `sync`. Raises SyncStopped.
    """
    store_id = settings.VECTOR_STORE_ID
    rows = {
        row.transcript_id: row
        for row in VectorStoreFile.objects.filter(
            store_id=store_id, status=VectorStoreFile.Status.COMPLETED, transcript_id__in=transcripts
        ).exclude(attributes={})
    }
    behind, rest = [], set[int]()
    for document in _documents(store_id, only=transcripts):
        row = rows.get(document.pk)
        if row is None or row.digest != document.sha256:
            rest.add(document.pk)
        elif row.attributes != (attributes := document.attributes_for(row.attributes)):
            row.attributes, row.described_for = attributes, document.described_by(attributes)
            behind.append(row)
    if behind:
        with _exclusively():
            rest |= async_to_sync(_for_each)(_write_attributes, behind)
    return rest


async def _for_each(
    work: Callable[[openai.AsyncOpenAI, VectorStoreFile, SyncLimits], Awaitable[bool]],
    rows: list[VectorStoreFile],
) -> set[int]:
    """Do `work` for each of `rows`, several at once; return the transcripts for which it returns False."""
    limits = SyncLimits()
    places, undone = asyncio.Semaphore(limits.concurrency), set[int]()

    async def one(client: openai.AsyncOpenAI, row: VectorStoreFile) -> None:
        async with places:
            if not await work(client, row, limits) and row.transcript_id:
                undone.add(row.transcript_id)

    try:
        async with open_client(timeout=limits.call_seconds, connections=limits.concurrency) as client:
            await asyncio.gather(*(one(client, row) for row in rows))
    except openai.APIError as error:
        raise SyncStopped(api_error(error)) from error
    return undone


async def _write_attributes(client: openai.AsyncOpenAI, row: VectorStoreFile, limits: SyncLimits) -> bool:
    """Give the file of `row` its attributes; return False if the store does not have it any more."""
    try:
        await patiently(
            lambda: client.vector_stores.files.update(
                row.file_id, vector_store_id=row.store_id, attributes=row.attributes
            ),
            attempts=limits.attempts,
        )
    except openai.NotFoundError:
        return False
    await row.asave(update_fields=["attributes", "described_for", "updated_at"])
    return True


async def _retire(client: openai.AsyncOpenAI, row: VectorStoreFile, limits: SyncLimits) -> bool:
    """Hide the file of `row` from searches: delete it if it is ours, else mark it as not published.

    Returns whether it was deleted.
    """
    with suppress(openai.NotFoundError):
        if row.file_id:
            file = await patiently(
                lambda: client.vector_stores.files.retrieve(row.file_id, vector_store_id=row.store_id),
                attempts=limits.attempts,
            )
            if "sha256" in (file.attributes or {}):
                await _delete(client, row.store_id, row.file_id, limits, whole=True)
                await row.adelete()
                return True
            row.attributes = file.attributes or {}
            if row.attributes.get("site") == settings.SITE_URL:
                row.attributes["published"] = False
            # A file that does not name this site is found by none of its searches.
            row.described_for = settings.SITE_URL
            await _write_attributes(client, row, limits)
            if row.transcript_id:
                return False
    await row.adelete()
    return False


async def _delete(
    client: openai.AsyncOpenAI, store_id: str, file_id: str, limits: SyncLimits, *, whole: bool
) -> None:
    """Remove a file from the store and, if it is `whole`, from storage; it is no error if it is gone."""
    if whole:
        with suppress(openai.NotFoundError):
            # This removes it from each store too.
            await patiently(lambda: client.files.delete(file_id), attempts=limits.attempts)
            return
    with suppress(openai.NotFoundError):
        await patiently(
            lambda: client.vector_stores.files.delete(file_id, vector_store_id=store_id),
            attempts=limits.attempts,
        )


async def _sync(
    name: str,
    limits: SyncLimits,
    dry_run: bool,
    only: Collection[int] | None,
    progress: Callable[[int, int], None],
) -> SyncResult:
    try:
        async with open_client(timeout=limits.call_seconds, connections=4 * limits.concurrency) as client:
            store_id = await _store_to_fill(client, name, limits, dry_run=dry_run)
            documents = await sync_to_async(_documents)(store_id)
            recorded = await sync_to_async(_store_rows)(store_id)
            run = _Run(client, store_id, limits, documents, recorded, only, progress)
            return await run.rehearse() if dry_run else await run.perform()
    except openai.APIError as error:
        raise SyncStopped(api_error(error)) from error


class _Run:
    """A run against a store."""

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        store_id: str,
        limits: SyncLimits,
        documents: list[StoreDocument],
        recorded: list[VectorStoreFile],
        only: Collection[int] | None,
        progress: Callable[[int, int], None],
    ) -> None:
        self._client, self._store_id, self._limits = client, store_id, limits
        self._progress = progress
        self._recorded = {row.file_id for row in recorded if row.file_id}
        """Ids of the store's files that our record knows, in whichever version."""
        published = {each.pk for each in documents}
        self._retired = [row for row in recorded if row.transcript_id not in published]
        self._documents = [each for each in documents if only is None or each.pk in only]
        self._left_alone = [each for each in documents if only is not None and each.pk not in only]
        self._summary = SyncResult(store_id=store_id)
        self._attached: dict[str, StoreFile] = {}
        """The store's files, by id."""
        self._by_slug: dict[str, list[StoreFile]] = {}
        self._stored: list[FileObject] = []
        """Files in storage that are named for this store."""
        self._loose_files: dict[str, str] = {}
        """Those of them that are not attached: name → id."""
        self._keep: set[str] = set()
        """Ids that the sweep leaves alone."""
        self._stop: openai.APIError | None = None
        """The error that makes it pointless to start another file."""
        self._done = 0
        self._transfers = asyncio.Semaphore(limits.concurrency)
        # Files that wait for their indexing occupy no transfer, but each of them asks again and again.
        self._in_flight = asyncio.Semaphore(4 * limits.concurrency)
        self._sends = Pace(limits.uploads_per_minute)
        self._attaches = Pace(limits.attaches_per_minute)

    async def rehearse(self) -> SyncResult:
        """Return what `perform` would do, as far as that can be known before."""
        if self._store_id:
            await self._look()
        for document in self._documents:
            copies = self._copies(document)
            self._keep.update(file.id for file in copies[:1])
            (self._summary.unchanged if copies else self._summary.added).append(document.slug)
        retired = (self._attached.get(row.file_id) for row in self._retired)
        self._keep.update(file.id for file in retired if file and not self._is_ours(file))
        whole, detached = self._unwanted()
        self._summary.removed = len(whole) + len(detached)
        return self._summary

    async def perform(self) -> SyncResult:
        try:
            await self._look()
            async with asyncio.TaskGroup() as tasks:
                for document in self._documents:
                    tasks.create_task(self._one(document))
            if self._stop:
                raise self._stop
            await self._sweep()
        except openai.APIError as error:
            raise SyncStopped(api_error(error), self._sorted()) from error
        return self._sorted()

    def _sorted(self) -> SyncResult:
        for names in (self._summary.added, self._summary.unchanged):
            names.sort()
        self._summary.failures.sort(key=lambda failure: failure.name)
        return self._summary

    async def _one(self, document: StoreDocument) -> None:
        async with self._in_flight:
            if self._stop:
                return
            try:
                await self._hold(document)
            except TimeoutError:
                seconds = self._limits.file_seconds
                await self._fail(
                    document, f"It was not done within {seconds:g} seconds; run the command again."
                )
            except openai.APIError as error:
                if _stops(error):
                    self._stop = error
                await self._fail(document, api_error(error))
            self._done += 1
            self._progress(self._done, len(self._documents))

    async def _hold(self, document: StoreDocument) -> None:
        """Ensure that the store has `document`, indexed, and that our record says so."""
        async with asyncio.timeout(self._limits.file_seconds) as limit:
            copies = self._copies(document)
            if copies:
                file = copies[0]
            else:
                await _untimed(limit, self._transfers.acquire())
                try:
                    file_id = self._loose(document) or await self._send(document, limit)
                    file = await self._attach(document, file_id, limit)
                finally:
                    self._transfers.release()
            # From here on it is the copy to keep, even if time runs out before it is indexed.
            self._keep.add(file.id)
            if file.status == "in_progress":
                file = await self._indexed(file.id)
            present = file.attributes or {}
            attributes = document.attributes_for(present)
            if file.status == "completed" and present != attributes:
                await self._again(
                    lambda: self._client.vector_stores.files.update(
                        file.id, vector_store_id=self._store_id, attributes=attributes
                    )
                )
        if file.status != "completed":
            self._keep.discard(file.id)
            reason = file.last_error.message if file.last_error else "The indexing was cancelled."
            await self._fail(document, reason)
            return
        if not await sync_to_async(_record_done)(document, self._store_id, file.id, attributes):
            self._keep.discard(file.id)
            return
        if not document.described_by(attributes):
            self._summary.undescribed += 1
        elif not document.described_by(present):
            self._summary.described += 1
        (self._summary.unchanged if copies else self._summary.added).append(document.slug)

    async def _fail(self, document: StoreDocument, reason: str) -> None:
        # The version before this one stays until there is a better one.
        self._keep.update(self._versions(document))
        self._summary.failures.append(Failure(name=document.name, reason=reason))
        await sync_to_async(_record_failure)(document, self._store_id, reason)

    def _versions(self, document: StoreDocument) -> set[str]:
        """Return the ids of the store's files that have `document` as it is or as it was."""
        usable = {
            file.id
            for file in self._by_slug.get(document.slug, [])
            if file.status in ("completed", "in_progress")
        }
        return usable | {document.recorded}

    def _copies(self, document: StoreDocument) -> list[StoreFile]:
        """Return the store's files that have this very text, the one to keep first."""
        candidates = {file.id: file for file in self._by_slug.get(document.slug, [])}
        if document.recorded in self._attached:
            candidates[document.recorded] = self._attached[document.recorded]
        copies = [
            file
            for file in candidates.values()
            if document.is_in(file) and file.status in ("completed", "in_progress")
        ]
        return sorted(copies, key=lambda file: (file.status != "completed", file.created_at, file.id))

    def _loose(self, document: StoreDocument) -> str | None:
        """Return the id of a file that an earlier run sent and did not attach."""
        return self._loose_files.get(document.filename(self._store_id))

    async def _send(self, document: StoreDocument, limit: asyncio.Timeout) -> str:
        name, lost = document.filename(self._store_id), False

        async def attempt() -> str:
            nonlocal lost
            if lost:
                found = [
                    file.id async for file in self._storage(newer_than_run=True) if file.filename == name
                ]
                if found:
                    return found[0]
            await _untimed(limit, self._sends.start())
            try:
                file = await self._client.files.create(
                    file=(name, document.text.encode(), "text/plain"), purpose=PURPOSE
                )
            except openai.APIError as error:
                lost = lost or may_have_happened(error)
                raise
            return file.id

        return await self._again(attempt)

    async def _attach(self, document: StoreDocument, file_id: str, limit: asyncio.Timeout) -> StoreFile:
        lost = False

        async def attempt() -> StoreFile:
            nonlocal lost
            if lost:
                try:
                    return await self._client.vector_stores.files.retrieve(
                        file_id, vector_store_id=self._store_id
                    )
                except openai.NotFoundError:
                    pass
            await _untimed(limit, self._attaches.start())
            try:
                return await self._client.vector_stores.files.create(
                    self._store_id, file_id=file_id, attributes=document.attributes
                )
            except openai.APIError as error:
                lost = lost or may_have_happened(error)
                raise

        return await self._again(attempt)

    async def _indexed(self, file_id: str) -> StoreFile:
        """Return the file when its indexing has ended, well or badly; ask as often as the API wishes."""
        files = self._client.vector_stores.files
        while True:
            answer = await self._again(
                lambda: files.with_raw_response.retrieve(file_id, vector_store_id=self._store_id)
            )
            file = answer.parse()
            if file.status != "in_progress":
                return file
            poll_after = answer.headers.get("openai-poll-after-ms", "")
            seconds = float(poll_after) / 1000 if poll_after.isdecimal() else 1.0
            await asyncio.sleep(min(seconds, LONGEST_PAUSE))

    async def _look(self) -> None:
        """Fetch what the store has, and what of ours the storage has; oldest first."""

        async def attached() -> list[StoreFile]:
            files = self._client.vector_stores.files.list(self._store_id, limit=PAGE, order="asc")
            return [file async for file in listed(files)]

        async def stored() -> list[FileObject]:
            return [file async for file in self._storage()]

        self._attached = {file.id: file for file in await self._again(attached)}
        self._by_slug = {}
        for file in self._attached.values():
            self._by_slug.setdefault(str((file.attributes or {}).get("slug")), []).append(file)
        self._stored = await self._again(stored)
        self._loose_files = {
            file.filename: file.id
            for file in sorted(self._stored, key=lambda file: (file.created_at, file.id), reverse=True)
            if file.id not in self._attached
        }

    async def _storage(self, *, newer_than_run: bool = False) -> AsyncIterator[FileObject]:
        """Yield our files in the project's storage, newest first; the storage may have anybody's files."""
        oldest = max((file.created_at for file in self._stored), default=0) if newer_than_run else 0
        ending = f".{self._store_id}.txt"
        async for file in listed(self._client.files.list(purpose=PURPOSE, order="desc", limit=1000)):
            if file.created_at < oldest:
                return
            if file.filename.endswith(ending):
                yield file

    def _is_ours(self, file: StoreFile) -> bool:
        """Return whether this site put `file` into the store; another site may use the same one."""
        attributes = file.attributes or {}
        return "sha256" in attributes and (
            attributes.get("site") == settings.SITE_URL or file.id in self._recorded
        )

    def _unwanted(self) -> tuple[set[str], set[str]]:
        """Return ids to delete, and ids to remove only from the store (files put there by others)."""
        for document in self._left_alone:
            self._keep.update(self._versions(document))
        ours = {file.id for file in self._attached.values() if self._is_ours(file)}
        ours |= set(self._loose_ids())
        imported = (self._recorded & self._attached.keys()) - ours
        return ours - self._keep, imported - self._keep

    def _loose_ids(self) -> Iterator[str]:
        """Yield files named for this store and not in it: left over, unless this run just attached them."""
        return (file.id for file in self._stored if file.id not in self._attached)

    async def _sweep(self) -> None:
        async def retire(row: VectorStoreFile) -> None:
            async with self._transfers:
                self._summary.removed += await _retire(self._client, row, self._limits)

        await asyncio.gather(*map(retire, self._retired))
        self._keep.update(row.file_id for row in self._retired)
        await self._look()
        whole, detached = self._unwanted()

        async def drop(file_id: str) -> None:
            async with self._transfers:
                await _delete(self._client, self._store_id, file_id, self._limits, whole=file_id in whole)

        self._summary.removed += len(whole) + len(detached)
        await asyncio.gather(*map(drop, sorted(whole | detached)))

    async def _again(self, work: Callable[[], Awaitable[T]]) -> T:
        return await patiently(work, attempts=self._limits.attempts)


def _stops(error: openai.APIError) -> bool:
    """Return whether `error` will occur for each other file as well."""
    if isinstance(error, NotOpenAI) or (retry_after(error) or 0) > LONGEST_WAIT:
        return True
    if isinstance(error, openai.APIConnectionError):
        return not isinstance(error, openai.APITimeoutError)
    return isinstance(
        error, openai.AuthenticationError | openai.PermissionDeniedError | openai.RateLimitError
    )


async def _untimed(limit: asyncio.Timeout, wait: Awaitable[T]) -> T:
    """Return what `wait` gives, without using up the time that `limit` gives."""
    loop, deadline = asyncio.get_running_loop(), limit.when()
    left = None if deadline is None else deadline - loop.time()
    limit.reschedule(None)
    try:
        return await wait
    finally:
        limit.reschedule(None if left is None else loop.time() + left)


async def _store_to_fill(client: openai.AsyncOpenAI, name: str, limits: SyncLimits, *, dry_run: bool) -> str:
    """Return the id of the store to fill; empty in a dry run that would make one."""
    store_id = settings.VECTOR_STORE_ID
    if store_id:
        try:
            store = await patiently(lambda: client.vector_stores.retrieve(store_id), attempts=limits.attempts)
        except openai.NotFoundError as error:
            raise SyncStopped(
                f"OpenAI has no vector store {store_id}; correct VECTOR_STORE_ID, or leave it empty to "
                "create a new one."
            ) from error
        if store.status == "expired":
            raise SyncStopped(
                f"The vector store {store_id} has expired; leave VECTOR_STORE_ID empty to create a new one."
            )
        return store.id
    # The mark is this installation's own, so that a run killed after the creation can continue. Its salt is
    # the module's first name: with another one, stores that were made before would not be found.
    mark = salted_hmac("transcripts.uploading.store", name).hexdigest()[:32]

    async def found() -> list[VectorStore]:
        stores = client.vector_stores.list(limit=PAGE, order="asc")
        return [
            store
            async for store in listed(stores)
            if (store.metadata or {}).get("made_for") == mark and store.status != "expired"
        ]

    async def attempt() -> str:
        known = await found()
        if not known and not dry_run:
            metadata = {"made_by": "mcpsite", "made_for": mark}
            return (await client.vector_stores.create(name=name, metadata=metadata)).id
        return max(known, key=lambda store: store.file_counts.total).id if known else ""

    async def drop(twin: VectorStore) -> None:
        await patiently(lambda: client.vector_stores.delete(twin.id), attempts=limits.attempts)

    chosen: str = await patiently(attempt, attempts=limits.attempts)
    if not dry_run:
        # Empty twins come from a creation that was performed although its answer was lost.
        for twin in await patiently(found, attempts=limits.attempts):
            if twin.id != chosen and not twin.file_counts.total:
                await drop(twin)
    return chosen


def _documents(store_id: str, only: Collection[int] | None = None) -> list[StoreDocument]:
    """Return each published transcript of this site, or those among `only`."""
    recorded = {row.transcript_id: row for row in _store_rows(store_id) if row.file_id}
    transcripts = Transcript.objects.filter(published=True).select_related("collection")
    if only is not None:
        transcripts = transcripts.filter(pk__in=only)
    documents = []
    for transcript in transcripts.iterator():
        sha256 = hashlib.sha256(transcript.text.encode()).hexdigest()
        row = recorded.get(transcript.pk)
        facts = {
            "slug": transcript.slug,
            "title": transcript.title,
            "date": transcript.call_date.isoformat() if transcript.call_date else "",
            "sector": transcript.sector,
            "collection": transcript.collection.slug,
            "sha256": sha256,
            "site": settings.SITE_URL,
        }
        attributes: Attributes = {key: value[:LONGEST_VALUE] for key, value in facts.items() if value}
        attributes["published"] = True
        if transcript.call_date:
            attributes["day"] = day_number(transcript.call_date)
        documents.append(
            StoreDocument(
                pk=transcript.pk,
                slug=transcript.slug,
                name=transcript.source_file,
                sha256=sha256,
                text=transcript.text,
                attributes=attributes,
                recorded=row.file_id if row else "",
                recorded_sha256=row.digest if row else "",
            )
        )
    return documents


def _store_rows(store_id: str) -> list[VectorStoreFile]:
    return list(VectorStoreFile.objects.filter(store_id=store_id))


def _record_done(document: StoreDocument, store_id: str, file_id: str, attributes: Attributes) -> bool:
    row = VectorStoreFile(
        transcript_id=document.pk,
        store_id=store_id,
        file_id=file_id,
        attributes=attributes,
        described_for=document.described_by(attributes),
        digest=document.sha256,
        status=VectorStoreFile.Status.COMPLETED,
    )
    fields = ["file_id", "attributes", "described_for", "digest", "status", "error", "updated_at"]
    return _record(document, row, fields)


def _record_failure(document: StoreDocument, store_id: str, reason: str) -> bool:
    """Note why; `file_id` and `digest` stay those of the earlier version, which the store still has."""
    row = VectorStoreFile(
        transcript_id=document.pk, store_id=store_id, status=VectorStoreFile.Status.FAILED, error=reason
    )
    return _record(document, row, ["status", "error", "updated_at"])


def _record(document: StoreDocument, row: VectorStoreFile, fields: list[str]) -> bool:
    """Insert `row`, or update `fields` of the one for the same transcript and store.

    Returns False if the transcript was deleted or unpublished meanwhile.
    """
    with transaction.atomic():
        # Locked, because it must not be deleted before the row is in.
        locked = Transcript.objects.select_for_update().filter(pk=document.pk, published=True)
        if not locked.exists():
            return False
        VectorStoreFile.objects.bulk_create(
            [row], update_conflicts=True, unique_fields=["transcript", "store_id"], update_fields=fields
        )
    return True


@contextmanager
def _exclusively() -> Iterator[None]:
    """Exclude a second run: two would each mistake the other's fresh files for leftovers."""
    until = time.monotonic() + LOCK_PATIENCE
    while True:
        with exclusive.alone("sync", wait=False) as free:
            if free:
                yield
                return
        if time.monotonic() > until:
            raise SyncStopped("Another sync is running; wait until it has finished.")
        time.sleep(0.2)
