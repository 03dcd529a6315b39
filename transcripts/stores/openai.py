"""Search in an OpenAI vector store.

The store finds, the database decides: only files that our record knows count, and the shown passage is the
database's own. So an unpublished or corrected transcript disappears from the answers at once, whatever the
store still has. The store searches only files that may be served to the person who asks: other people's
files, or calls that may not be read, take nobody's place, and the number of answers reveals nothing of them.
"""

import asyncio
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar
from weakref import WeakKeyDictionary

import openai
from django.conf import settings
from django.db import connections
from openai.types import VectorStoreSearchResponse
from openai.types.shared_params import ComparisonFilter

from mcpsite.mcp import in_database
from transcripts.models import Passage, Transcript, VectorStoreFile
from transcripts.stores.base import Hit, StoreUnavailable, Within
from transcripts.stores.openai_client import api_error, open_client, retry_after, sendable
from transcripts.stores.records import day_number
from transcripts.syncing import SyncResult, SyncStopped, refresh, sync, withdraw_files

T = TypeVar("T")

MOST_RESULTS = 50  # of one search, by the API's rules
ENOUGH = 10  # passages that make a second question needless
INSIDE = 0.8  # of a passage's words in a result: it is part of it, though their ends may differ
LONGEST_QUERY = 4096  # characters; what lies beyond adds nothing to an embedding


class OpenAIStore:
    """`transcripts.stores.base.Store` on VECTOR_STORE_ID."""

    def __init__(self) -> None:
        # A client belongs to the event loop that opened its connections.
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = WeakKeyDictionary()

    async def index(self, transcript_ids: Collection[int]) -> None:
        """Send these transcripts where they are missing or changed. Raises StoreUnavailable."""
        summary = await _apart(_index, frozenset(transcript_ids))
        if summary.failures:
            first = summary.failures[0]
            raise StoreUnavailable(f"{first.name} could not be indexed: {first.reason}")

    async def remove(self, transcript_ids: Collection[int]) -> None:
        """Delete the files of these transcripts. Raises StoreUnavailable."""
        await _apart(withdraw_files, frozenset(transcript_ids))

    async def search(self, query: str, *, within: Within, limit: int) -> Sequence[Hit]:
        """Return up to `limit` passages of the transcripts `within`, best first. Raises StoreUnavailable."""
        query = sendable(query)[:LONGEST_QUERY]
        if not query or limit < 1:
            return []
        _there()
        conditions = await in_database(_conditions, within)
        try:
            async with asyncio.timeout(settings.OPENAI_TIMEOUT_SECONDS):
                results = await self._ask(query, conditions)
                hits, dropped = await in_database(_hits, query, results, within, limit)
                if dropped and len(hits) < min(limit, ENOUGH):
                    # Files that are not served took places: ask once more, without them.
                    results += await self._ask(query, [*conditions, _one_of("slug", dropped, "nin")])
                    hits, _ = await in_database(_hits, query, results, within, limit)
        except (openai.APIError, TimeoutError) as error:
            raise StoreUnavailable(api_error(error), retry_after=retry_after(error) or 0) from error
        return hits

    async def close(self) -> None:
        """Close this event loop's connections."""
        line = self._lines.pop(asyncio.get_running_loop(), None)
        if line is not None:
            await line.client.close()

    async def _ask(self, query: str, conditions: list[ComparisonFilter]) -> list[VectorStoreSearchResponse]:
        line = self._line()

        async def ask() -> list[VectorStoreSearchResponse]:
            page = await line.client.vector_stores.search(
                settings.VECTOR_STORE_ID,
                query=query,
                filters={"type": "and", "filters": conditions} if conditions else openai.omit,
                max_num_results=MOST_RESULTS,
            )
            return page.data

        async with line.places:
            try:
                return await ask()
            except openai.APITimeoutError:
                raise
            except (openai.APIConnectionError, openai.InternalServerError) as error:
                if retry_after(error):
                    raise
                # An idle connection may have been cut meanwhile; one more attempt shows it.
                return await ask()

    def _line(self) -> "_Line":
        loop = asyncio.get_running_loop()
        if loop not in self._lines:
            at_once = settings.OPENAI_CONCURRENCY
            client = open_client(timeout=settings.OPENAI_TIMEOUT_SECONDS, connections=at_once)
            self._lines[loop] = _Line(client, asyncio.Semaphore(at_once))
        return self._lines[loop]


def _there() -> None:
    if not settings.VECTOR_STORE_ID:
        raise StoreUnavailable("VECTOR_STORE_ID is not set; run manage.py upload_transcripts to get one.")


async def _apart(work: Callable[[frozenset[int]], T], transcripts: frozenset[int]) -> T:
    """Do `work` in a separate thread: it may take minutes, and no call has to wait for it.

    Raises StoreUnavailable.
    """

    _there()

    def run() -> T:
        try:
            return work(transcripts)
        finally:
            connections.close_all()

    try:
        return await asyncio.to_thread(run)
    except SyncStopped as error:
        raise StoreUnavailable(str(error)) from error


def _index(transcripts: frozenset[int]) -> SyncResult:
    rest = refresh(transcripts)
    return sync(only=rest) if rest else SyncResult()


@dataclass(frozen=True, slots=True)
class _Line:
    client: openai.AsyncOpenAI
    places: asyncio.Semaphore


def _conditions(within: Within) -> list[ComparisonFilter]:
    """Return the store's filter that finds the files of the transcripts `within`, and no others.

    It is empty if a file of ours does not have all the attributes yet, because it is older than these, or
    somebody else put it there: then the whole store is searched, until the next sync, and what may not be
    shown is left out here.
    """
    rows = VectorStoreFile.objects.filter(store_id=settings.VECTOR_STORE_ID).exclude(file_id="")
    sites = set(rows.values_list("described_for", flat=True).distinct())
    if not sites or "" in sites:
        return []
    conditions = [_one_of("site", sites), ComparisonFilter(type="eq", key="published", value=True)]
    if within.collections is not None:
        conditions.append(_one_of("collection", within.collections))
    if within.sectors is not None:
        conditions.append(_one_of("sector", within.sectors))
    if within.since:
        conditions.append(ComparisonFilter(type="gte", key="day", value=day_number(within.since)))
    if within.until:
        conditions.append(ComparisonFilter(type="lte", key="day", value=day_number(within.until)))
    if within.without:
        slugs = Transcript.objects.filter(pk__in=within.without).values_list("slug", flat=True)
        conditions.append(_one_of("slug", slugs, "nin"))
    return conditions


def _one_of(
    key: str, values: Iterable[str | float | bool], kind: Literal["in", "nin"] = "in"
) -> ComparisonFilter:
    return {"type": kind, "key": key, "value": sorted(set(values), key=str)}


def _served(results: Sequence[VectorStoreSearchResponse], within: Within) -> dict[str, int]:
    """Return the transcripts `within` of the results' files in our record: file id → transcript."""
    rows = VectorStoreFile.objects.filter(
        store_id=settings.VECTOR_STORE_ID,
        file_id__in={result.file_id for result in results},
        transcript__in=Transcript.objects.within(within).order_by(),
    )
    return {file_id: pk for file_id, pk in rows.values_list("file_id", "transcript_id") if pk is not None}


def _hits(
    query: str, results: Sequence[VectorStoreSearchResponse], within: Within, limit: int
) -> tuple[list[Hit], set[str]]:
    """Return the passages of the transcripts `within` that are in `results`, each once, best first.

    A result is a chunk of some 600 words; of its passages the one with most of the query's words is shown.
    Also returns the slugs of the files that were dropped, because they are none of these.
    """
    served = _served(results, within)
    asked = _word_set(query)
    passages: dict[int, list[tuple[int, str, frozenset[str]]]] = {}
    hits: dict[tuple[int, int], Hit] = {}
    for result in sorted(results, key=lambda result: -result.score):
        if len(hits) >= limit:
            break
        if result.file_id not in served:
            continue
        pk = served[result.file_id]
        if pk not in passages:
            passages[pk] = _stored_passages(pk)
        chunk = _word_set(" ".join(part.text for part in result.content))
        inside = [each for each in passages[pk] if _overlap(each[2], chunk) >= INSIDE] or passages[pk]
        if inside:
            position, text, _ = max(
                inside, key=lambda each: (_overlap(asked, each[2]), _overlap(each[2], chunk))
            )
            hits.setdefault(
                (pk, position), Hit(transcript_id=pk, text=text, score=result.score, position=position)
            )
    dropped = (result.attributes or {} for result in results if result.file_id not in served)
    return list(hits.values()), {str(each["slug"]) for each in dropped if "slug" in each}


def _stored_passages(transcript: int) -> list[tuple[int, str, frozenset[str]]]:
    """Return position, text and words of each passage of what was said."""
    rows = Passage.objects.filter(transcript_id=transcript, first_turn__isnull=False)
    return [(position, text, _word_set(text)) for position, text in rows.values_list("position", "text")]


def _word_set(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


def _overlap(part: frozenset[str], whole: frozenset[str]) -> float:
    """Return how much of `part` is in `whole`, from 0 to 1."""
    return len(part & whole) / len(part) if part else 0.0
