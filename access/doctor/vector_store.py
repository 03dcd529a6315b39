"""The vector store: there, and in agreement with the database."""

import asyncio
from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError

from access.doctor.findings import Finding, Level
from access.doctor.visit import TIME_LIMIT

MOST_FILES = 20_000
"""Files of a vector store that are compared one by one."""


def about_vector_store() -> Iterator[Finding]:
    """Whether the store that search asks is there and holds what the database says."""
    from transcripts.stores import base  # an app above this one; only doctor looks at all of them

    if base.chosen() != "openai" or not (settings.OPENAI_API_KEY and settings.VECTOR_STORE_ID):
        return
    import openai  # takes longer than the rest of the site

    from transcripts.stores.openai_client import sentence

    try:
        expired, held, complete = asyncio.run(_vector_store())
    except (openai.APIError, TimeoutError) as error:
        level: Level = "warning" if settings.TRANSCRIPT_STORE_FALLBACK else "error"
        fallback = " Until then the local index answers." if level == "warning" else ""
        yield Finding(
            id="vector-store-unreachable",
            level=level,
            what=f"The vector store {settings.VECTOR_STORE_ID} cannot be used.{fallback}",
            change=sentence(error),
        )
        return
    if expired:
        yield Finding(
            id="vector-store-expired",
            level="warning",
            what=f"The vector store {settings.VECTOR_STORE_ID} has expired; what it held is gone.",
            change="Unset VECTOR_STORE_ID, run manage.py upload_transcripts, and set the id that it prints.",
        )
        return
    try:
        yield from _against_database(held, complete=complete)
    except DatabaseError:
        return  # Said by about_database.


async def _vector_store() -> tuple[bool, set[str], bool]:
    """Whether the store has expired, the ids of the files it holds, and whether those are all."""
    from transcripts.stores.openai_client import listed, open_client

    async with (
        asyncio.timeout(4 * TIME_LIMIT),
        open_client(timeout=TIME_LIMIT, connections=1) as client,
    ):
        store = await client.vector_stores.retrieve(settings.VECTOR_STORE_ID)
        held: set[str] = set()
        if store.status != "expired":
            async for file in listed(client.vector_stores.files.list(store.id, limit=100)):
                held.add(file.id)
                if len(held) >= MOST_FILES:
                    return False, held, False
        return store.status == "expired", held, True


def _against_database(held: set[str], *, complete: bool) -> Iterator[Finding]:
    files = apps.get_model("transcripts", "VectorStoreFile")._default_manager.filter(
        store_id=settings.VECTOR_STORE_ID
    )
    missing = withheld = undescribed = 0
    for file_id, status, attributes, published in files.exclude(file_id="").values_list(
        "file_id", "status", "attributes", "transcript__published"
    ):
        if file_id not in held:
            missing += complete and status == "completed"
        elif published:
            undescribed += not attributes
        else:
            # A file that somebody else put there, which has no `sha256`, is not ours to take out.
            withheld += not attributes or "sha256" in attributes
    waiting = (
        apps.get_model("transcripts", "Transcript")
        ._default_manager.filter(published=True)
        .exclude(pk__in=files.filter(status="completed", transcript__isnull=False).values("transcript_id"))
        .count()
    )
    if withheld:
        yield Finding(
            id="vector-store-unpublished",
            level="warning",
            what=f"{withheld} transcripts that are not published here are still in the vector store.",
            change="Run manage.py upload_transcripts, which takes them out.",
        )
    if undescribed:
        yield Finding(
            id="vector-store-undescribed",
            level="warning",
            what=f"{undescribed} files in the vector store have no attributes that search can filter by, "
            "so other files may take their places.",
            change="Run manage.py upload_transcripts, which adds them.",
        )
    if missing:
        yield Finding(
            id="vector-store-lost-files",
            level="warning",
            what=f"{missing} transcripts are recorded as uploaded, but the vector store does not hold them.",
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
        yield Finding(id="vector-store", level="ok", what="The vector store agrees with the database.")
