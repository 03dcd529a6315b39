"""Quality and speed of the `local` store on a labelled set in the BEIR layout.

`python -m bench.retrieval FOLDER` loads `corpus.jsonl` into a database of its own (SQLite, or on the
PostgreSQL server that DATABASE_URL names), searches each of `queries.jsonl` and prints nDCG@10, recall@5
and recall@10 against `qrels.tsv`: over everything and, where ids have the form `<group>-<rest>`, within the
query's own group, which is loaded as a collection. `bench/labelled` is a set in German and Japanese.

With `--speed` the corpus is filled up to 100,000 passages of the same text (its sentences drawn anew)
and the store's time is measured beside FTS5's own ranking over every word of the query, joined by
OR, query by query in turn.
"""

import argparse
import json
import os
import random
import re
import sqlite3
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import log2
from pathlib import Path
from uuid import uuid4

import django
import psycopg
from rich.console import Console
from rich.table import Table

PASSAGES = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds corpus.jsonl, queries.jsonl and qrels.tsv")
    parser.add_argument("--speed", action="store_true", help="fill up with more text and take times")
    parser.add_argument("--passages", type=int, default=PASSAGES, help="how many, with --speed")
    options = parser.parse_args()
    corpus = {each["_id"]: each for each in lines(options.folder / "corpus.jsonl")}
    queries = {each["_id"]: each["text"] for each in lines(options.folder / "queries.jsonl")}
    relevant = _qrels(options.folder / "qrels.tsv")
    texts = {
        key: "\n".join(part for part in (each.get("title", ""), each["text"]) if part)
        for key, each in corpus.items()
    }
    with _site():
        if options.speed:
            _speed(texts, queries, relevant, options.passages)
        else:
            _quality(texts, queries, relevant)


def _quality(texts: dict[str, str], queries: dict[str, str], relevant: dict[str, set[str]]) -> None:
    from transcripts.models import Transcript
    from transcripts.stores import local

    _load(list(texts.items()))
    slugs = dict(Transcript.objects.values_list("pk", "source_file"))
    groups: dict[str, list[int]] = defaultdict(list)
    for pk, name in slugs.items():
        groups[_group(name)].append(pk)

    def everywhere(query: str) -> list[str]:
        return [slugs[hit.transcript_id] for hit in local.search_database(queries[query], limit=10)]

    def within(query: str) -> list[str]:
        group = Transcript.objects.filter(pk__in=groups[_group(query)])
        return [
            slugs[hit.transcript_id]
            for hit in local.search_database(queries[query], transcripts=group, limit=10)
        ]

    table = Table("local store", "queries", "nDCG@10", "recall@5", "recall@10", title=_database_name())
    asked = [query for query in queries if relevant.get(query)]
    ways: dict[str, Callable[[str], list[str]]] = {"everything": everywhere}
    if len(groups) > 1 and all(_group(query) in groups for query in asked):
        ways["own group"] = within
    for name, way in ways.items():
        answers = {query: way(query) for query in asked}
        table.add_row(
            name,
            str(len(asked)),
            f"{statistics.fmean(_ndcg(answers[query], relevant[query]) for query in asked):.4f}",
            *(
                f"{statistics.fmean(_recall(answers[query], relevant[query], among) for query in asked):.4f}"
                for among in (5, 10)
            ),
        )
    Console().print(table)


def _speed(
    texts: dict[str, str], queries: dict[str, str], relevant: dict[str, set[str]], passages: int
) -> None:
    from transcripts.models import Transcript
    from transcripts.stores import local

    _load([*texts.items(), *_more(list(texts.values()), passages - len(texts))])
    names = dict(Transcript.objects.values_list("pk", "source_file"))
    asked = [query for query in queries if relevant.get(query)]
    bare = Bare(Transcript.objects.values_list("passages__pk", "passages__text", "source_file"))

    def ours(query: str) -> list[str]:
        return [names[hit.transcript_id] for hit in local.search_database(queries[query], limit=10)]

    def plain(query: str) -> list[str]:
        return bare.search(queries[query])

    ways: dict[str, Callable[[str], list[str]]] = {"local store": ours, "FTS5, every word": plain}
    times: dict[str, list[float]] = {name: [] for name in ways}
    scores: dict[str, list[float]] = {name: [] for name in ways}
    for query in asked[:20]:  # warm
        for way in ways.values():
            way(query)
    for query in asked:
        for name, way in ways.items():
            start = time.perf_counter()
            answer = way(query)
            times[name].append(time.perf_counter() - start)
            scores[name].append(_ndcg(answer, relevant[query]))
    title = f"{_database_name()}, {len(names):,} passages, {len(asked)} queries"
    table = Table("", "mean ms", "median ms", "p95 ms", "time", "nDCG@10", title=title)
    base = statistics.fmean(times["FTS5, every word"])
    for name in ways:
        seconds = sorted(times[name])
        table.add_row(
            name,
            f"{1000 * statistics.fmean(seconds):.1f}",
            f"{1000 * statistics.median(seconds):.1f}",
            f"{1000 * seconds[int(0.95 * len(seconds))]:.1f}",
            f"{statistics.fmean(seconds) / base:.2f}",
            f"{statistics.fmean(scores[name]):.4f}",
        )
    Console().print(table)


class Bare:
    """The usual way: FTS5 over the same passages, every word but stop words joined by OR, by rank."""

    def __init__(self, passages: Iterable[tuple[int, str, str]]) -> None:
        self._database = sqlite3.connect(str(Path(tempfile.mkdtemp(prefix="bare-")) / "bare.sqlite3"))
        self._database.executescript(
            """
            PRAGMA cache_size=-65536; PRAGMA mmap_size=1073741824;
            CREATE TABLE passage(id INTEGER PRIMARY KEY, text TEXT, name TEXT);
            CREATE VIRTUAL TABLE words USING fts5(text, content='passage', content_rowid='id',
                tokenize='porter unicode61 remove_diacritics 2');
            """
        )
        self._database.executemany("INSERT INTO passage VALUES (?, ?, ?)", passages)
        self._database.execute("INSERT INTO words(words) VALUES ('rebuild')")
        self._database.commit()

    def search(self, query: str) -> list[str]:
        from transcripts.stores.stopwords import STOP_WORDS

        words = dict.fromkeys(re.findall(r"\w+", query.lower()))
        match = " OR ".join(f'"{word}"' for word in words if word not in STOP_WORDS)
        found = self._database.execute(
            "SELECT name, p.text FROM words JOIN passage AS p ON p.id = words.rowid "
            "WHERE words MATCH ? ORDER BY rank LIMIT 10",
            [match],
        )
        return [name for name, _ in found]


def _more(texts: list[str], count: int) -> Iterator[tuple[str, str]]:
    """Yield `count` further texts, as long as the given ones and made of their sentences."""
    draw = random.Random(1)
    sentences = [each for text in texts for each in re.split(r"(?<=[.?!])\s+", text)]
    for number in range(count):
        wanted, text = len(draw.choice(texts)), ""
        while len(text) < wanted:
            text += draw.choice(sentences) + " "
        yield f"more{number // 60}-{number}", text


def _load(texts: list[tuple[str, str]]) -> None:
    """Load each text as a transcript of one turn, so that it is one passage; in random order."""
    from django.db import transaction

    from transcripts.models import Collection, Passage, Transcript

    texts = texts[:]
    random.Random(2).shuffle(texts)
    collection = Collection.default()
    with transaction.atomic():
        transcripts = Transcript.objects.bulk_create(
            (
                Transcript(slug=f"t{place}", title=key, source_file=key, digest="", collection=collection)
                for place, (key, _) in enumerate(texts)
            ),
            batch_size=500,
        )
        Passage.objects.bulk_create(
            (
                Passage(transcript=transcript, position=1, first_turn=1, last_turn=1, text=text)
                for transcript, (_, text) in zip(transcripts, texts, strict=True)
            ),
            batch_size=500,
        )


def _group(key: str) -> str:
    return key.rpartition("-")[0]


def _ndcg(answer: list[str], relevant: set[str]) -> float:
    gain = sum(1 / log2(place + 2) for place, each in enumerate(answer[:10]) if each in relevant)
    return gain / sum(1 / log2(place + 2) for place in range(min(10, len(relevant))))


def _recall(answer: list[str], relevant: set[str], among: int) -> float:
    return len(set(answer[:among]) & relevant) / len(relevant)


def lines(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _qrels(path: Path) -> dict[str, set[str]]:
    relevant: dict[str, set[str]] = defaultdict(set)
    for line in path.read_text(encoding="utf-8").splitlines():
        query, document, grade = line.split("\t")[:3]
        if grade.strip().isdigit() and int(grade) > 0:
            relevant[query].add(document)
    return relevant


def _database_name() -> str:
    from django.db import connection

    return str(connection.display_name)


@contextmanager
def _site() -> Iterator[None]:
    """Set up the site's Django on a database that is deleted at the end."""
    server = os.environ.get("DATABASE_URL", "")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        os.environ |= {"STATE_DIR": folder, "DJANGO_SETTINGS_MODULE": "mcpsite.settings"}
        if not server.startswith("postgres"):
            os.environ["DATABASE_URL"] = ""
            _prepare()
            yield
            return
        name = f"bench_{uuid4().hex[:12]}"
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
            os.environ["DATABASE_URL"] = f"{server.rpartition('/')[0]}/{name}"
            try:
                _prepare()
                yield
            finally:
                from django.db import connections

                connections.close_all()
                admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _prepare() -> None:
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


if __name__ == "__main__":
    main()
