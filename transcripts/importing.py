"""Importing a vector store that somebody else filled into the ORM, to be curated and served."""

import asyncio
import datetime
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

import openai
from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.db import transaction
from openai.types.vector_stores import VectorStoreFile as StoreFile

from mcpsite.history import recording
from mcpsite.history.models import Change
from transcripts.loading import Source, save
from transcripts.models import Collection, Transcript, VectorStoreFile
from transcripts.parsing import MAX_BYTES, BadFile, Parsed, parse
from transcripts.stores.openai_client import api_error, listed, open_client, patiently
from transcripts.syncing import SyncStopped

CONCURRENCY = 8
CALL_SECONDS = 60.0
ATTEMPTS = 8


@dataclass(kw_only=True, slots=True)
class ImportReport:
    """What an import did, by the files' names."""

    added: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    """Files whose text was already a transcript."""
    known: int = 0
    """Files that had been recorded before."""
    refused: dict[str, str] = field(default_factory=dict)
    """Name → why."""


class ImportStopped(SyncStopped):
    """The import cannot continue; `report` says what was done before."""

    def __init__(self, sentence: str, report: ImportReport) -> None:
        super().__init__(sentence)
        self.report = report


def import_store(
    store_id: str,
    *,
    collection: Collection | None = None,
    published: bool = True,
    dry_run: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> ImportReport:
    """Make a transcript of each file in the store `store_id`; nothing in the store is changed.

    The text is what the store parsed. Title, date and sector come from the file's attributes if they have
    them, else from the text and the file's name. Raises SyncStopped if the store cannot be read
    (ImportStopped after it was asked); a file that cannot be read is in the report's `refused`.
    """
    if not settings.OPENAI_API_KEY:
        raise SyncStopped("OPENAI_API_KEY is not set; put a key of the store's project into it.")
    with recording.action(Change.Action.LOAD, source="import_vector_store"):
        return async_to_sync(_import)(store_id, collection, published, dry_run, progress)


async def _import(
    store_id: str,
    collection: Collection | None,
    published: bool,
    dry_run: bool,
    progress: Callable[[int, int], None],
) -> ImportReport:
    report, places = ImportReport(), asyncio.Semaphore(CONCURRENCY)
    recorded = await sync_to_async(_known_file_ids)(store_id)
    try:
        async with open_client(timeout=CALL_SECONDS, connections=CONCURRENCY) as client:

            async def files() -> list[StoreFile]:
                files = client.vector_stores.files.list(store_id, limit=100, order="asc")
                return [file async for file in listed(files)]

            async def one(file: StoreFile) -> None:
                async with places:
                    name = await _file_name(client, file)
                    if file.status != "completed":
                        why = (
                            file.last_error.message if file.last_error else f"Its indexing is {file.status}."
                        )
                        report.refused[name] = why
                    else:
                        text = await _parsed_text(client, store_id, file.id)
                        try:
                            parsed = _with_attributes(parse(name, text.encode()), file)
                        except BadFile as error:
                            report.refused[name] = str(error)
                        else:
                            added = await sync_to_async(_keep)(
                                store_id, file, name, parsed, collection, published, dry_run
                            )
                            (report.added if added else report.linked).append(name)
                    done = len(report.added) + len(report.linked) + len(report.refused)
                    progress(done, len(every) - report.known)

            every = await patiently(files, attempts=ATTEMPTS)
            report.known = sum(file.id in recorded for file in every)
            async with asyncio.TaskGroup() as tasks:
                for file in every:
                    if file.id not in recorded:
                        tasks.create_task(one(file))
    except openai.NotFoundError as error:
        raise SyncStopped(f"OpenAI has no vector store {store_id}; correct its id.") from error
    except openai.APIError as error:
        raise ImportStopped(api_error(error), report) from error
    except ExceptionGroup as group:
        failed, _ = group.split(openai.APIError)
        if failed is None:
            raise
        raise ImportStopped(api_error(_first_error(failed)), report) from group
    report.added.sort()
    report.linked.sort()
    return report


def _first_error(group: BaseExceptionGroup[openai.APIError]) -> openai.APIError:
    error = group.exceptions[0]
    return _first_error(error) if isinstance(error, BaseExceptionGroup) else error


async def _file_name(client: openai.AsyncOpenAI, file: StoreFile) -> str:
    """Return the file's name: by its own site's id, else its name in storage, else its id."""
    slug = (file.attributes or {}).get("slug")
    if slug:
        return f"{slug}.txt"
    try:
        stored = await patiently(lambda: client.files.retrieve(file.id), attempts=ATTEMPTS)
    except openai.NotFoundError:
        return f"{file.id}.txt"
    return PurePath(stored.filename.replace("\\", "/")).name or f"{file.id}.txt"


async def _parsed_text(client: openai.AsyncOpenAI, store_id: str, file_id: str) -> str:
    """Return the parsed text, from all of its pages (the SDK reads only the first one)."""
    parts: list[str] = []
    size, pages = 0, {""}
    query: dict[str, object] = {}
    while True:
        page = await patiently(
            lambda query=query: client.vector_stores.files.content(  # type: ignore[misc]
                file_id, vector_store_id=store_id, extra_query=query
            ),
            attempts=ATTEMPTS,
        )
        parts += [part.text or "" for part in page.data]
        size += sum(len(part.text or "") for part in page.data)
        following = str((page.model_extra or {}).get("next_page") or "")
        # A text of more than MAX_BYTES is refused as it is.
        if following in pages or size > MAX_BYTES:
            return "".join(parts)
        pages.add(following)
        query = {"page": following}


def _with_attributes(parsed: Parsed, file: StoreFile) -> Parsed:
    attributes = {
        key: str(value) for key, value in (file.attributes or {}).items() if value not in ("", None)
    }
    try:
        day = datetime.date.fromisoformat(attributes.get("date", ""))
    except ValueError:
        day = None
    return replace(
        parsed,
        title=attributes.get("title", parsed.title)[:300],
        call_date=parsed.call_date or day,
        sector=parsed.sector or attributes.get("sector", "")[:300],
    )


def _known_file_ids(store_id: str) -> set[str]:
    return set(VectorStoreFile.objects.filter(store_id=store_id).values_list("file_id", flat=True))


@transaction.atomic
def _keep(
    store_id: str,
    file: StoreFile,
    name: str,
    parsed: Parsed,
    collection: Collection | None,
    published: bool,
    dry_run: bool,
) -> bool:
    """Store `parsed` with a record of its file; return False if a transcript without a file has this text."""
    same = Transcript.objects.filter(text=parsed.text).exclude(store_files__store_id=store_id).first()
    if dry_run:
        return same is None
    if same is None:
        # The store's id is used as the folder: it separates its files from those of other places.
        name = f"{store_id}/{name}"
        if Transcript.objects.filter(source_file=name).exists():
            # Files of a store may share a name; transcripts may not.
            path = PurePath(name)
            name = str(path.with_name(f"{path.stem}-{file.id}{path.suffix}"))
        source = Source(name=name, folder=Path(f"/openai/{store_id}"), path=Path(name))
        save(source, parsed, collection)
        transcript = Transcript.objects.get(source_file=source.name)
        if not published:
            Transcript.objects.filter(pk=transcript.pk).update(published=False)
    else:
        transcript = same
    VectorStoreFile.objects.update_or_create(
        transcript=transcript,
        store_id=store_id,
        defaults={
            "file_id": file.id,
            "digest": hashlib.sha256(transcript.text.encode()).hexdigest(),
            "status": VectorStoreFile.Status.COMPLETED,
            "error": "",
        },
    )
    return same is None
