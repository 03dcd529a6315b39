"""What every store of transcripts has to do: run it against a class of your own.

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, db): ...  # an empty one

A store that indexes in its own time overrides `settle`.
"""

import asyncio
import datetime
from collections.abc import Awaitable, Callable, Collection, Sequence

import pytest
from django.utils.text import slugify

from mcpsite.mcp.database import close_database_threads
from transcripts.loading import rewrite
from transcripts.models import Collection as Shelf
from transcripts.models import Transcript
from transcripts.parsing import Said
from transcripts.stores.base import Hit, Store, Within

EVERYTHING = Within()


def make_call(slug: str, *said: str, collection: str = "default", **facts: object) -> Transcript:
    """Store a published call, each of whose turns is a passage of its own."""
    shelf, _ = Shelf.objects.get_or_create(slug=collection, defaults={"name": collection.title()})
    call = Transcript.objects.create(
        slug=slugify(slug),
        title=slug.title(),
        source_file=f"{slug}.txt",
        digest="",
        text="\n\n".join(f"Expert: {each}" for each in said),
        collection=shelf,
        **facts,
    )
    rewrite(call, [Said(text=f"{each} {'um ' * 130}", speaker="Expert") for each in said])
    return call


class StoreContract:
    """Each test gets an empty `store`; calls are in the database before they are indexed."""

    pytestmark = pytest.mark.django_db(transaction=True)

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError("give the store that is tested")

    def run(self, work: Callable[[], Awaitable[object]]) -> object:
        """Run `work` on an event loop of its own."""

        async def run() -> object:
            return await work()

        try:
            return asyncio.run(run())
        finally:
            close_database_threads()

    def settle(self) -> None:
        """Wait until what was indexed is found."""

    def index(self, store: Store, *calls: Transcript) -> None:
        self.run(lambda: store.index([call.pk for call in calls]))
        self.settle()

    def hits(
        self, store: Store, query: str, *, within: Within = EVERYTHING, limit: int = 10
    ) -> Sequence[Hit]:
        found = self.run(lambda: store.search(query, within=within, limit=limit))
        assert isinstance(found, Sequence)
        return found

    def found(
        self, store: Store, query: str, *, within: Within = EVERYTHING, limit: int = 10
    ) -> Collection[str]:
        """The calls of the passages that are found."""
        slugs = dict(Transcript.objects.values_list("pk", "slug"))
        return {slugs[hit.transcript_id] for hit in self.hits(store, query, within=within, limit=limit)}

    def test_what_was_indexed_is_found_best_first(self, store: Store) -> None:
        fares = make_call("fares", "Kerosene hedging protects fares.")
        self.index(store, fares, make_call("rooms", "Rooms sell out in spring."))
        hits = self.hits(store, "kerosene hedging")
        assert hits[0].transcript_id == fares.pk
        assert "Kerosene hedging" in hits[0].text
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)

    def test_a_position_that_is_told_is_that_of_the_passage(self, store: Store) -> None:
        call = make_call("fares", "Nothing of note was said.", "Kerosene hedging protects fares.")
        self.index(store, call)
        hit = self.hits(store, "kerosene hedging")[0]
        assert hit.position is None or hit.text == call.passages.get(position=hit.position).text

    def test_indexing_again_doubles_nothing(self, store: Store) -> None:
        call = make_call("fares", "Kerosene hedging protects fares.")
        self.index(store, call)
        self.index(store, call)
        texts = [hit.text for hit in self.hits(store, "kerosene hedging")]
        assert len(texts) == len(set(texts))

    def test_what_changed_is_found_as_it_is_now(self, store: Store) -> None:
        call = make_call("fares", "Kerosene hedging protects fares.")
        self.index(store, call)
        call.text = "Expert: Ports charge more."
        call.save()
        rewrite(call, [Said(text="Ports charge more.", speaker="Expert")])
        self.index(store, call)
        assert any("Ports" in hit.text for hit in self.hits(store, "ports charge"))
        assert not any("Kerosene" in hit.text for hit in self.hits(store, "kerosene"))

    def test_what_was_removed_is_not_found(self, store: Store) -> None:
        call = make_call("fares", "Kerosene hedging protects fares.")
        self.index(store, call)
        call.published = False
        call.save()
        self.run(lambda: store.remove([call.pk]))
        self.settle()
        assert not self.found(store, "kerosene hedging")

    def test_removing_what_was_never_there_is_no_error(self, store: Store) -> None:
        self.run(lambda: store.remove([10**9]))

    @pytest.mark.parametrize(
        "within",
        [
            Within(collections=frozenset({"board", "others"})),
            Within(sectors=frozenset({"Lodging"})),
            Within(since=datetime.date(2026, 3, 1)),
            Within(since=datetime.date(2026, 3, 18), until=datetime.date(2026, 3, 18)),
            Within(collections=frozenset({"board"}), sectors=frozenset({"Lodging", "Energy"})),
        ],
        ids=["collection", "sector", "since", "a day", "two at once"],
    )
    def test_what_is_outside_takes_no_place(self, store: Store, within: Within) -> None:
        day = datetime.date(2026, 2, 11)
        others = [
            make_call(f"fares-{n}", "Kerosene hedging.", sector="Airlines", call_date=day) for n in range(3)
        ]
        wanted = make_call(
            "rooms",
            "Kerosene is mentioned here.",
            collection="board",
            sector="Lodging",
            call_date=datetime.date(2026, 3, 18),
        )
        self.index(store, wanted, *others)
        assert self.found(store, "kerosene hedging", within=within, limit=1) == {"rooms"}

    def test_a_call_without_a_date_is_in_no_span_of_days(self, store: Store) -> None:
        self.index(store, make_call("fares", "Kerosene hedging."))
        assert not self.found(store, "kerosene", within=Within(since=datetime.date(2000, 1, 1)))
        assert not self.found(store, "kerosene", within=Within(until=datetime.date(2099, 1, 1)))

    def test_what_is_unpublished_takes_no_place_once_the_store_was_told(self, store: Store) -> None:
        secret = make_call("secret", "Kerosene hedging, kerosene hedging.")
        self.index(store, secret, make_call("fares", "Kerosene is mentioned here."))
        secret.published = False
        secret.save()
        self.run(lambda: store.remove([secret.pk]))
        self.settle()
        assert self.found(store, "kerosene hedging", limit=1) == {"fares"}

    def test_a_call_that_moved_is_found_where_it_is_now(self, store: Store) -> None:
        call = make_call("fares", "Kerosene hedging.")
        self.index(store, call)
        call.collection = Shelf.objects.create(name="Board", slug="board")
        call.save()
        self.index(store, call)
        assert self.found(store, "kerosene", within=Within(collections=frozenset({"board"}))) == {"fares"}
        assert not self.found(store, "kerosene", within=Within(collections=frozenset({"default"})))

    def test_what_is_named_is_left_out(self, store: Store) -> None:
        best = make_call("best", "Kerosene hedging, kerosene hedging.")
        self.index(store, best, make_call("fares", "Kerosene is mentioned here."))
        without = Within(without=frozenset({best.pk}))
        assert self.found(store, "kerosene hedging", within=without, limit=1) == {"fares"}

    def test_no_more_than_the_limit_is_found(self, store: Store) -> None:
        self.index(store, make_call("fares", *["Kerosene hedging."] * 3))
        assert len(self.hits(store, "kerosene", limit=2)) <= 2

    @pytest.mark.parametrize("query", ["", "   ", "\n", "\0"])
    def test_a_blank_query_finds_nothing(self, store: Store, query: str) -> None:
        self.index(store, make_call("fares", "Kerosene hedging."))
        assert not self.found(store, query)

    @pytest.mark.parametrize(
        "query", ['"kerosene" OR (', "kerosene\0hedging", "価格 تذاكر", "k" * 30_000, "🛫 'x'; --", "\ud800"]
    )
    def test_any_text_is_a_legal_query(self, store: Store, query: str) -> None:
        self.index(store, make_call("fares", "Kerosene hedging."))
        self.found(store, query)
