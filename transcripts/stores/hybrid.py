"""Search by words and by meaning at once: the local index, fused with a store of vectors.

Reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009) needs no scores that can be compared: each of
the two rankings gives a passage 1 / (60 + its rank there). A passage is the same in both by its transcript
and its position there.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from transcripts.stores.base import Hit, Store, Within, by_meaning, store
from transcripts.stores.local import LocalStore

K = 60
"""What keeps the first ranks from deciding alone; the authors' own value."""
DEPTH = 50
"""Passages that each of the two is asked for, at least; more an OpenAI store does not give."""


class HybridStore:
    """`transcripts.stores.base.Store` over the local index and the store that finds by meaning."""

    def __init__(self, meaning: Store | None = None) -> None:
        self._words = LocalStore()
        self._given = meaning

    async def index(self, transcript_ids: Collection[int]) -> None:
        """Bring these transcripts up to date in the store of vectors. Raises StoreUnavailable."""
        await self._meaning.index(transcript_ids)

    async def remove(self, transcript_ids: Collection[int]) -> None:
        """Take these transcripts out of the store of vectors. Raises StoreUnavailable."""
        await self._meaning.remove(transcript_ids)

    async def search(self, query: str, *, within: Within, limit: int) -> Sequence[Hit]:
        """At most `limit` passages `within`, best first. Raises StoreUnavailable if there are no vectors.

        Then the local index answers alone, as for every store.
        """
        depth = max(limit, DEPTH)
        rankings = await asyncio.gather(
            self._words.search(query, within=within, limit=depth),
            self._meaning.search(query, within=within, limit=depth),
        )
        return fused(rankings)[:limit]

    @property
    def _meaning(self) -> Store:
        return self._given or store(by_meaning())


def fused(rankings: Iterable[Sequence[Hit]]) -> list[Hit]:
    """Return the hits of all `rankings`, each passage once, by the sum of its reciprocal ranks."""
    scores: dict[tuple[int, int | None], float] = {}
    hits: dict[tuple[int, int | None], Hit] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking, 1):
            passage = (hit.transcript_id, hit.position)
            scores[passage] = scores.get(passage, 0.0) + 1 / (K + rank)
            hits.setdefault(passage, hit)
    # What is equally good stays in the order of the first ranking.
    best = sorted(hits, key=lambda passage: -scores[passage])
    return [replace(hits[passage], score=scores[passage]) for passage in best]
