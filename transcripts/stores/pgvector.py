"""Search by meaning in PostgreSQL with pgvector (0.8 or later), with vectors of an embeddings endpoint.

EMBEDDINGS_MODEL at OPENAI_BASE_URL makes the vectors; that may be any server that answers `/embeddings` as
OpenAI does. They are in a table of PGVECTOR_URL that is made when it is needed, one for each model, with the
attributes that limit searches. A connection is opened for each piece of work, which costs little compared
with an embedding.
"""

import hashlib
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any

import openai
import psycopg
from django.conf import settings
from psycopg import AsyncConnection, sql

from mcpsite.mcp import in_database
from transcripts.models import Passage
from transcripts.stores.base import Hit, StoreUnavailable, Within
from transcripts.stores.openai_client import api_error, open_client, patiently, retry_after, sendable
from transcripts.stores.records import Record, day_number, records

AT_ONCE = 64
"""Texts in one request for vectors."""
ATTEMPTS = 6
"""Attempts to get the vectors of texts to index; those of a search are requested once."""
CONNECT_SECONDS = 5
LONGEST_TEXT = 8_000
"""Characters that are embedded; endpoints refuse more than some 8,000 tokens."""
MOST_INDEXED = 2_000
"""Dimensions; pgvector makes no index of longer vectors, which are then compared one by one."""
TRANSCRIPTS_AT_ONCE = 20


NEAREST = """
    SELECT transcript, position, 1 - (vector <=> %s::vector) FROM {table}
    WHERE {where} ORDER BY vector <=> %s::vector LIMIT %s
"""


class PgvectorStore:
    """`transcripts.stores.base.Store` on PGVECTOR_URL."""

    async def index(self, transcript_ids: Collection[int]) -> None:
        """Store the vectors of these transcripts that are missing or changed. Raises StoreUnavailable."""
        ids = sorted(transcript_ids)
        async with _connection() as connection:
            for start in range(0, len(ids), TRANSCRIPTS_AT_ONCE):
                some = ids[start : start + TRANSCRIPTS_AT_ONCE]
                await _store(connection, some, await in_database(records, some))

    async def remove(self, transcript_ids: Collection[int]) -> None:
        """Remove the vectors of these transcripts. Raises StoreUnavailable."""
        async with _connection() as connection:
            if await _exists(connection):
                await connection.execute(
                    _statement("DELETE FROM {table} WHERE transcript = ANY(%s)"), [list(transcript_ids)]
                )

    async def search(self, query: str, *, within: Within, limit: int) -> Sequence[Hit]:
        """Return up to `limit` passages `within`, nearest in meaning first. Raises StoreUnavailable."""
        query = sendable(query)[:LONGEST_TEXT]
        if not query or limit < 1:
            return []
        (vector,) = await _vectors([query], attempts=1)
        where, values = _conditions(within)
        async with _connection() as connection:
            if not await _exists(connection):
                raise StoreUnavailable(
                    "Nothing is indexed with this model; run manage.py upload_transcripts."
                )
            async with connection.transaction():
                # More of the index is read in place of what a filter removes.
                await connection.execute("SET LOCAL hnsw.iterative_scan = strict_order")
                found = await connection.execute(_statement(NEAREST, where), [vector, *values, vector, limit])
                rows = await found.fetchall()
        return await in_database(_hits, rows)


def _hits(rows: Sequence[tuple[Any, ...]]) -> list[Hit]:
    """Return the passages of `rows` as they are in the database now."""
    passages = Passage.objects.filter(transcript__in={transcript for transcript, _, _ in rows})
    texts = {
        (transcript, position): text
        for transcript, position, text in passages.values_list("transcript", "position", "text")
    }
    return [
        Hit(transcript_id=transcript, position=position, text=texts[transcript, position], score=score)
        # The index compares shortened numbers, so nearly equal ones may come in another order.
        for transcript, position, score in sorted(rows, key=lambda row: -row[2])
        if (transcript, position) in texts
    ]


def _conditions(within: Within) -> tuple[str, list[Any]]:
    where, values = ["true"], list[Any]()
    if within.collections is not None:
        where.append("collection = ANY(%s)")
        values.append(sorted(within.collections))
    if within.sectors is not None:
        where.append("sector = ANY(%s)")
        values.append(sorted(within.sectors))
    if within.since or within.until:
        where.append("day >= %s")
        values.append(day_number(within.since) if within.since else 1)
    if within.until:
        where.append("day <= %s")
        values.append(day_number(within.until))
    if within.without:
        where.append("transcript <> ALL(%s)")
        values.append(sorted(within.without))
    return " AND ".join(where), values


async def _store(
    connection: "AsyncConnection[tuple[Any, ...]]", ids: Collection[int], wanted: Sequence[Record]
) -> None:
    """Bring the rows of the transcripts `ids` in line with the records `wanted`."""
    digests = {record.id: hashlib.sha256(record.text.encode()).hexdigest() for record in wanted}
    known: dict[str, str] = {}
    if await _exists(connection):
        rows = await connection.execute(
            _statement("SELECT id, digest FROM {table} WHERE transcript = ANY(%s)"), [list(ids)]
        )
        known = dict(await rows.fetchall())
    changed = [record for record in wanted if known.get(record.id) != digests[record.id]]
    for start in range(0, len(changed), AT_ONCE):
        some = changed[start : start + AT_ONCE]
        vectors = await _vectors([record.text[:LONGEST_TEXT] for record in some], attempts=ATTEMPTS)
        await _make_table(connection, vectors[0].count(",") + 1)
        async with connection.transaction(), connection.cursor() as cursor:
            await cursor.executemany(
                _statement(
                    "INSERT INTO {table} (id, digest, vector, transcript, position, collection, sector, day) "
                    "VALUES (%s, %s, %s::vector, %s, %s, %s, %s, %s) "
                    "ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, vector = excluded.vector"
                ),
                [
                    (record.id, digests[record.id], vector, *_columns(record))
                    for record, vector in zip(some, vectors, strict=True)
                ],
            )
    if not await _exists(connection):
        return
    async with connection.transaction(), connection.cursor() as cursor:
        await cursor.execute(
            _statement("DELETE FROM {table} WHERE transcript = ANY(%s) AND id <> ALL(%s)"),
            [list(ids), list(digests)],
        )
        # Attributes may have changed even if the text has not.
        await cursor.executemany(
            _statement(
                "UPDATE {table} SET transcript = %s, position = %s, collection = %s, sector = %s, day = %s "
                "WHERE id = %s"
            ),
            [(*_columns(record), record.id) for record in wanted],
        )


def _columns(record: Record) -> tuple[str | int, ...]:
    names = ("transcript", "position", "collection", "sector", "day")
    return tuple(record.attributes[name] for name in names)


async def _make_table(connection: "AsyncConnection[tuple[Any, ...]]", dimensions: int) -> None:
    if await _exists(connection):
        return
    async with connection.transaction():
        await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        await connection.execute(
            _statement(
                "CREATE TABLE IF NOT EXISTS {table} (id text PRIMARY KEY, digest text NOT NULL, "
                "transcript bigint NOT NULL, position integer NOT NULL, collection text NOT NULL, "
                f"sector text NOT NULL, day integer NOT NULL, vector vector({int(dimensions)}) NOT NULL)"
            )
        )
        await connection.execute(_statement("CREATE INDEX IF NOT EXISTS {by} ON {table} (transcript)"))
        if dimensions <= MOST_INDEXED:
            await connection.execute(
                _statement(
                    "CREATE INDEX IF NOT EXISTS {near} ON {table} USING hnsw (vector vector_cosine_ops)"
                )
            )


async def _exists(connection: "AsyncConnection[tuple[Any, ...]]") -> bool:
    found = await connection.execute("SELECT to_regclass(%s) IS NOT NULL", [_table()])
    row = await found.fetchone()
    return row is not None and bool(row[0])


def _table() -> str:
    """Return the name of the table of vectors: those of two models cannot be compared."""
    model = hashlib.sha256(settings.EMBEDDINGS_MODEL.encode()).hexdigest()[:12]
    return f"transcripts_vectors_{model}"


def _statement(text: str, where: str = "") -> sql.Composed:
    """Return `text` with the names of the table and its indexes (`by`, `near`), and with a condition."""
    names = {
        "table": sql.Identifier(_table()),
        "by": sql.Identifier(f"{_table()}_by"),
        "near": sql.Identifier(f"{_table()}_near"),
        "where": sql.SQL(where),
    }
    return sql.SQL(text).format(**names)


@asynccontextmanager
async def _connection() -> "AsyncIterator[AsyncConnection[tuple[Any, ...]]]":
    """Yield a connection to PGVECTOR_URL. Its faults are raised as StoreUnavailable."""
    if not settings.PGVECTOR_URL:
        raise StoreUnavailable("PGVECTOR_URL is not set; name a PostgreSQL database that has pgvector.")
    milliseconds = int(settings.OPENAI_TIMEOUT_SECONDS * 1000)
    try:
        async with await AsyncConnection.connect(
            settings.PGVECTOR_URL,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            options=f"-c statement_timeout={milliseconds}",
        ) as connection:
            yield connection
    except psycopg.errors.UndefinedObject as error:
        raise StoreUnavailable("The database of PGVECTOR_URL has no pgvector 0.8 or later.") from error
    except psycopg.errors.DataException as error:
        raise StoreUnavailable(
            "EMBEDDINGS_MODEL returns vectors of a different length from before; use another model name "
            f"or drop the table {_table()}."
        ) from error
    except psycopg.Error as error:
        # Its text may contain an address or what was asked.
        raise StoreUnavailable(
            f"The database of PGVECTOR_URL could not be used ({type(error).__name__})."
        ) from error


async def _vectors(texts: Sequence[str], *, attempts: int) -> list[str]:
    """Return the vectors of `texts` in pgvector's notation. Raises StoreUnavailable."""
    try:
        async with open_client(timeout=settings.OPENAI_TIMEOUT_SECONDS, connections=1) as client:
            answer = await patiently(
                lambda: client.embeddings.create(
                    model=settings.EMBEDDINGS_MODEL, input=list(texts), encoding_format="float"
                ),
                attempts=attempts,
            )
    except openai.APIError as error:
        raise StoreUnavailable(api_error(error), retry_after=retry_after(error) or 0) from error
    in_order = sorted(answer.data, key=lambda each: each.index)
    if len(in_order) != len(texts):
        raise StoreUnavailable(
            "OPENAI_BASE_URL returned fewer vectors than texts; check which server answers there."
        )
    return ["[" + ",".join(map(repr, each.embedding)) + "]" for each in in_order]
