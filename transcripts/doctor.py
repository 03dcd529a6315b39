"""What `doctor` checks of transcripts: whether there are any, and whether the vector store agrees."""

import asyncio
from collections.abc import Iterator

from django.conf import settings
from django.db import DatabaseError

from mcpsite.core.findings import Finding, Level
from transcripts.models import Transcript, VectorStoreFile
from transcripts.stores import base

TIME_LIMIT = 15.0
"""Seconds for one answer of the vector store."""
MOST_FILES = 20_000
"""Files of a vector store that are compared one by one."""


def about_data() -> Iterator[Finding]:
    """Yield whether there is something to search."""
    if count := Transcript.objects.filter(published=True).count():
        yield Finding(id="transcripts", level="ok", what=f"The database holds {count:,} transcripts.")
    else:
        yield Finding(
            id="transcripts-empty",
            level="warning",
            what="There are no published transcripts, so search finds nothing.",
            change="Run manage.py upload_transcripts, or publish some in the admin.",
        )


def searchable() -> str:
    """Return the title of a transcript, which `search` has to find; empty if there is none."""
    transcript = Transcript.objects.filter(published=True).first()
    return str(transcript) if transcript else ""


def about_services() -> Iterator[Finding]:
    """Yield whether the store that search asks is there and has what the database says."""
    if base.indexed() != "openai" or not (settings.OPENAI_API_KEY and settings.VECTOR_STORE_ID):
        return
    import openai  # takes longer than the rest of the site

    from transcripts.stores.openai_client import api_error

    try:
        expired, stored_ids, complete = asyncio.run(_read_vector_store())
    except (openai.APIError, TimeoutError) as error:
        level: Level = "warning" if settings.TRANSCRIPT_STORE_FALLBACK else "error"
        fallback = " Until it can, the local index answers." if level == "warning" else ""
        yield Finding(
            id="vector-store-unreachable",
            level=level,
            what=f"The vector store {settings.VECTOR_STORE_ID} cannot be used.{fallback}",
            change=api_error(error),
        )
        return
    if expired:
        yield Finding(
            id="vector-store-expired",
            level="warning",
            what=f"The vector store {settings.VECTOR_STORE_ID} has expired, and its files have been deleted.",
            change="Unset VECTOR_STORE_ID, run manage.py upload_transcripts, and set the id that it prints.",
        )
        return
    try:
        yield from _against_database(stored_ids, complete=complete)
    except DatabaseError:
        return  # about_database reports that.


async def _read_vector_store() -> tuple[bool, set[str], bool]:
    """Return whether the store has expired, the ids of its files, and whether those are all."""
    from transcripts.stores.openai_client import listed, open_client

    async with (
        asyncio.timeout(4 * TIME_LIMIT),
        open_client(timeout=TIME_LIMIT, connections=1) as client,
    ):
        store = await client.vector_stores.retrieve(settings.VECTOR_STORE_ID)
        stored_ids: set[str] = set()
        if store.status != "expired":
            async for file in listed(client.vector_stores.files.list(store.id, limit=100)):
                stored_ids.add(file.id)
                if len(stored_ids) >= MOST_FILES:
                    return False, stored_ids, False
        return store.status == "expired", stored_ids, True


def _against_database(stored_ids: set[str], *, complete: bool) -> Iterator[Finding]:
    files = VectorStoreFile.objects.filter(store_id=settings.VECTOR_STORE_ID)
    missing = withheld = undescribed = 0
    for file_id, status, attributes, described_for, published in files.exclude(file_id="").values_list(
        "file_id", "status", "attributes", "described_for", "transcript__published"
    ):
        if file_id not in stored_ids:
            missing += complete and status == "completed"
        elif published:
            undescribed += not described_for
        else:
            # A file that somebody else put there, without a `sha256`, is not ours to delete.
            withheld += not attributes or "sha256" in attributes
    waiting = (
        Transcript.objects.filter(published=True)
        .exclude(pk__in=files.filter(status="completed", transcript__isnull=False).values("transcript_id"))
        .count()
    )
    if withheld:
        yield Finding(
            id="vector-store-unpublished",
            level="warning",
            what=f"{withheld} transcripts that are not published here are still in the vector store.",
            change="Run manage.py upload_transcripts, which removes them.",
        )
    if undescribed:
        yield Finding(
            id="vector-store-undescribed",
            level="warning",
            what=f"{undescribed} files in the vector store have no attributes that search can filter by, "
            "so other files may crowd them out of the results.",
            change="Run manage.py upload_transcripts, which adds the attributes.",
        )
    if missing:
        yield Finding(
            id="vector-store-lost-files",
            level="warning",
            what=f"{missing} transcripts are recorded as synced, but the vector store does not hold them.",
            change="Run manage.py upload_transcripts.",
        )
    if waiting:
        yield Finding(
            id="vector-store-behind",
            level="warning",
            what=f"{waiting} published transcripts are not in the vector store, so search misses them.",
            change="Run manage.py upload_transcripts.",
        )
    if not (withheld or undescribed or missing or waiting):
        yield Finding(id="vector-store", level="ok", what="The vector store and the database match.")
