"""The stores that come along do what every store has to."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from operator import ge, le
from types import ModuleType
from typing import Any, ClassVar

import pytest
from pytest_django import Settings

from tests.docs.documents import blocks_of
from tests.loopback_openai import LoopbackOpenAI
from tests.store_contract import StoreContract, make_call
from tests.transcripts.openai_fixtures import server
from transcripts.stores.base import Hit, Store, StoreUnavailable, Within
from transcripts.stores.hybrid import HybridStore, K, fused
from transcripts.stores.local import LocalStore
from transcripts.stores.openai import OpenAIStore
from transcripts.syncing import sync

__all__ = ["server"]


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return LocalStore()


class ClosingOpenAIStore(OpenAIStore):
    """Each test's loop ends with its search."""

    async def search(self, query: str, *, within: Within, limit: int) -> "list[Hit]":
        try:
            return list(await super().search(query, within=within, limit=limit))
        finally:
            await self.close()


class TestOpenAIStore(StoreContract):
    @pytest.fixture
    def store(self, server: LoopbackOpenAI, settings: Settings) -> Store:
        assert not server.stores
        settings.VECTOR_STORE_ID = sync().store_id
        return ClosingOpenAIStore()


class TestHybridStore(StoreContract):
    """The local index with an OpenAI store; `test_pgvector` has it with pgvector."""

    @pytest.fixture
    def store(self, server: LoopbackOpenAI, settings: Settings) -> Store:
        assert not server.stores
        settings.VECTOR_STORE_ID = sync().store_id
        return HybridStore(ClosingOpenAIStore())

    def test_a_passage_that_both_find_is_found_once(self, store: Store) -> None:
        call = make_call("fares", "Kerosene hedging protects fares.", "Rooms sell out.")
        self.index(store, call)
        hits = self.hits(store, "kerosene hedging protects fares")
        assert [hit.position for hit in hits].count(hits[0].position) == 1
        assert hits[0].score == 2 / (K + 1)

    def test_without_vectors_it_is_said_to_be_unavailable(self, store: Store, server: LoopbackOpenAI) -> None:
        self.index(store, make_call("fares", "Kerosene hedging."))
        server.fail("POST", r"/vector_stores/\w+/search", times=9, status=500)
        with pytest.raises(StoreUnavailable):
            self.found(store, "kerosene")

    def test_both_are_asked_at_once(self) -> None:
        waiting = asyncio.Barrier(2)

        class Waiting(LocalStore):
            async def search(self, query: str, *, within: Within, limit: int) -> "Sequence[Hit]":  # noqa: ARG002
                async with asyncio.timeout(5), waiting:
                    return []

        both = HybridStore(Waiting())
        both._words = Waiting()
        assert self.hits(both, "kerosene") == []


def test_ranks_count_and_scores_do_not() -> None:
    def hits(*positions: int, score: float) -> list[Hit]:
        return [Hit(transcript_id=1, position=each, text=str(each), score=score) for each in positions]

    found = fused([hits(1, 2, 3, score=900.0), hits(3, 4, score=0.1)])
    assert [hit.position for hit in found] == [3, 1, 2, 4]
    assert found[0].score == 1 / (K + 3) + 1 / (K + 1)


class AcmeError(Exception):
    """What the client of README's search engine raises."""


@dataclass
class Kept:
    text: str
    attributes: dict[str, Any]
    score: float = 0.0


class Index:
    """README's search engine: it ranks by the words in common, and filters as MongoDB does."""

    failing: ClassVar[bool] = False

    def __init__(self, name: str) -> None:
        assert name == "passages"
        self.kept: dict[str, Kept] = {}

    async def add(self, key: str, text: str, attributes: dict[str, Any]) -> None:
        self.kept[key] = Kept(text, attributes)

    async def delete(self, filter: dict[str, Any]) -> None:  # noqa: A002
        self.kept = {key: each for key, each in self.kept.items() if not self._fits(each, filter)}

    async def query(self, query: str, *, filter: dict[str, Any], top_k: int) -> list[Kept]:  # noqa: A002
        if self.failing:
            raise AcmeError
        asked = set(query.lower().split())
        for each in self.kept.values():
            each.score = sum(word.strip(".,") in asked for word in each.text.lower().split())
        found = [each for each in self.kept.values() if each.score and self._fits(each, filter)]
        return sorted(found, key=lambda each: -each.score)[:top_k]

    @staticmethod
    def _fits(each: Kept, conditions: dict[str, Any]) -> bool:
        signs = {"$in": lambda a, b: a in b, "$nin": lambda a, b: a not in b, "$gte": ge, "$lte": le}
        return all(
            signs[sign](each.attributes[name], value)
            for name, condition in conditions.items()
            for sign, value in condition.items()
        )


def of_readme() -> Any:
    """The class in README, as it stands there."""
    (code,) = blocks_of("README.md", "Another store for transcripts")
    names: dict[str, Any] = {}
    exec(code, names)
    return names["AcmeStore"]()


class TestStoreOfReadme(StoreContract):
    @pytest.fixture
    def store(self, monkeypatch: pytest.MonkeyPatch) -> Store:
        client = ModuleType("acme_search")
        client.Index, client.AcmeError = Index, AcmeError  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "acme_search", client)
        store: Store = of_readme()
        return store

    def test_an_engine_that_does_not_answer_is_said_to_be_unavailable(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Index, "failing", True)
        with pytest.raises(StoreUnavailable):
            self.found(store, "kerosene")
