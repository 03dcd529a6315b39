"""Search in an OpenAI vector store.

The store finds, the database decides: only files that our record knows are looked at, and what is
shown is the passage as the database holds it now. So an unpublished or corrected transcript is out of
the answers at once, whatever the store still holds, and a store may hold other people's files.
"""

import asyncio
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from weakref import WeakKeyDictionary

import openai
from django.conf import settings
from openai.types import VectorStoreSearchResponse
from openai.types.shared_params import ComparisonFilter

from mcpsite.mcp import in_database
from transcripts.models import Passage, Transcript, VectorStoreFile
from transcripts.stores.base import Hit, StoreUnavailable
from transcripts.stores.openai_client import open_client, sentence
from transcripts.uploading import UploadStopped, sync, withdraw

MOST_RESULTS = 50  # of one search, by the API's rules
MOST_NAMED = 100  # transcripts that a filter names one by one
ENOUGH = 10  # passages that make a second question needless
INSIDE = 0.8  # of a passage's words in a result: it is part of it, though their ends may differ
LONGEST_QUERY = 4096  # characters; what lies beyond adds nothing to an embedding


class OpenAIStore:
    """`transcripts.stores.base.Store` on VECTOR_STORE_ID."""

    def __init__(self) -> None:
        # A client belongs to the event loop that opened its connections.
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = WeakKeyDictionary()

    async def index(self, transcript_ids: Collection[int]) -> None:
        """Upload these transcripts where they are missing or changed. Raises StoreUnavailable."""
        try:
            summary = await in_database(partial(sync, only=frozenset(transcript_ids)))
        except UploadStopped as error:
            raise StoreUnavailable(str(error)) from error
        if summary.failures:
            first = summary.failures[0]
            raise StoreUnavailable(f"{first.name} could not be indexed: {first.reason}")

    async def remove(self, transcript_ids: Collection[int]) -> None:
        """Delete the files of these transcripts. Raises StoreUnavailable."""
        try:
            await in_database(withdraw, frozenset(transcript_ids))
        except UploadStopped as error:
            raise StoreUnavailable(str(error)) from error

    async def search(self, query: str, *, among: Collection[int] | None, limit: int) -> Sequence[Hit]:
        """At most `limit` passages of the transcripts `among`, best first. Raises StoreUnavailable."""
        query = query.replace("\0", " ").strip()[:LONGEST_QUERY]
        if not query or limit < 1 or (among is not None and not among):
            return []
        results = await self._ask(query, None)
        hits, dropped = await in_database(_hits, query, results, among, limit)
        if dropped and len(hits) < min(limit, ENOUGH):
            # Files that are not served took the places: ask once more, past them.
            condition = await in_database(_past, results, among)
            results += await self._ask(query, condition)
            hits, _ = await in_database(_hits, query, results, among, limit)
        return hits

    async def close(self) -> None:
        """Close this event loop's connections."""
        line = self._lines.pop(asyncio.get_running_loop(), None)
        if line is not None:
            await line.client.close()

    async def _ask(self, query: str, condition: ComparisonFilter | None) -> list[VectorStoreSearchResponse]:
        if not settings.VECTOR_STORE_ID:
            raise StoreUnavailable("VECTOR_STORE_ID is not set; run manage.py upload_transcripts to get one.")
        line = self._line()

        async def ask() -> list[VectorStoreSearchResponse]:
            page = await line.client.vector_stores.search(
                settings.VECTOR_STORE_ID,
                query=query,
                filters=condition if condition is not None else openai.omit,
                max_num_results=MOST_RESULTS,
            )
            return page.data

        try:
            async with asyncio.timeout(settings.OPENAI_TIMEOUT_SECONDS), line.places:
                try:
                    return await ask()
                except openai.APITimeoutError:
                    raise
                except openai.APIConnectionError:
                    # A connection kept open may have been cut meanwhile; one more try tells.
                    return await ask()
        except (openai.APIError, TimeoutError) as error:
            raise StoreUnavailable(sentence(error)) from error

    def _line(self) -> "_Line":
        loop = asyncio.get_running_loop()
        if loop not in self._lines:
            at_once = settings.OPENAI_CONCURRENCY
            client = open_client(timeout=settings.OPENAI_TIMEOUT_SECONDS, connections=at_once)
            self._lines[loop] = _Line(client, asyncio.Semaphore(at_once))
        return self._lines[loop]


@dataclass(frozen=True, slots=True)
class _Line:
    client: openai.AsyncOpenAI
    places: asyncio.Semaphore


def _served(results: Sequence[VectorStoreSearchResponse], among: Collection[int] | None) -> dict[str, int]:
    """Which of the results' files our record knows, of the transcripts `among`: file id → transcript."""
    rows = VectorStoreFile.objects.filter(
        store_id=settings.VECTOR_STORE_ID, file_id__in={result.file_id for result in results}
    )
    wanted = None if among is None else frozenset(among)
    return {
        file_id: transcript
        for file_id, transcript in rows.values_list("file_id", "transcript_id")
        if wanted is None or transcript in wanted
    }


def _past(results: Sequence[VectorStoreSearchResponse], among: Collection[int] | None) -> ComparisonFilter:
    """A filter that leads past the results that are not served.

    It names the transcripts wanted where they are few, else those that took their places.
    """
    if among is not None and len(among) <= MOST_NAMED:
        slugs = Transcript.objects.filter(pk__in=among).values_list("slug", flat=True)
        return {"type": "in", "key": "slug", "value": sorted(slugs)}
    served = _served(results, among)
    taken = {
        str((result.attributes or {}).get("slug", "")) for result in results if result.file_id not in served
    }
    return {"type": "nin", "key": "slug", "value": sorted(taken)}


def _hits(
    query: str, results: Sequence[VectorStoreSearchResponse], among: Collection[int] | None, limit: int
) -> tuple[list[Hit], bool]:
    """The passages of the transcripts `among` that `results` speak of, each once, best first.

    A result is a chunk of some 600 words; of the passages in it the one with most of the query's words
    is shown. Also says whether there were results of other files.
    """
    served = _served(results, among)
    asked = _words(query)
    passages: dict[int, list[tuple[int, str, frozenset[str]]]] = {}
    hits: dict[tuple[int, int], Hit] = {}
    for result in sorted(results, key=lambda result: -result.score):
        if len(hits) >= limit:
            break
        if result.file_id not in served:
            continue
        pk = served[result.file_id]
        if pk not in passages:
            passages[pk] = _passages(pk)
        chunk = _words(" ".join(part.text for part in result.content))
        inside = [each for each in passages[pk] if _share(each[2], chunk) >= INSIDE] or passages[pk]
        if inside:
            position, text, _ = max(inside, key=lambda each: (_share(asked, each[2]), _share(each[2], chunk)))
            hits.setdefault(
                (pk, position), Hit(transcript_id=pk, text=text, score=result.score, position=position)
            )
    return list(hits.values()), any(result.file_id not in served for result in results)


def _passages(transcript: int) -> list[tuple[int, str, frozenset[str]]]:
    """Position, text and words of each passage of what was said."""
    rows = Passage.objects.filter(transcript_id=transcript, first_turn__isnull=False)
    return [(position, text, _words(text)) for position, text in rows.values_list("position", "text")]


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


def _share(part: frozenset[str], whole: frozenset[str]) -> float:
    """How much of `part` is in `whole`, from 0 to 1."""
    return len(part & whole) / len(part) if part else 0.0
