"""Ranking on SQLite: FTS5's own bm25 over the rarest words of the query."""

import json
import sqlite3
import threading
from collections.abc import Sequence
from math import inf
from typing import Any

from django.db import connection

from transcripts.stores.ranking import Ranking
from transcripts.stores.words import asked, only_common, phrases

BUDGET = 16_000
"""Matches of single words that a search may score. At 100,000 passages this takes a fifth of the time of
scoring them all, and the ranking is as good (`bench/retrieval.py --speed`).
"""
ENOUGH = 500
"""With fewer matches than this there is too little to rank: then the next word is added whatever it costs."""
VISITS = 60_000
"""Matches that a search inside a few passages may visit; all but these few are passed over, unscored."""
MAX_WORDS = 200
"""Words of a query, before the rarest are chosen."""
MAX_CHOSEN = 64
"""Words in one MATCH; FTS5 refuses an expression deeper than 256."""


def ranked(query: str, *, limit: int, inside: Sequence[int] | None = None) -> Ranking:
    """Return up to `limit` passages for `query`, of those `inside` (ids in order; None: all)."""
    words = asked(query)[:MAX_WORDS]
    common = only_common(words)
    if common:
        words = [*phrases(words), *words]
    # Stop words are nearly everywhere.
    bound = f"LIMIT {BUDGET}" if common else ""
    if inside is None:
        chosen, every = _rarest(words, BUDGET, enough=1 if common else ENOUGH)
        return Ranking(_scored(chosen, "", [], bound, limit), every and not common)
    if not inside:
        return Ranking([], every_word=True)
    # The passages of a call are adjacent, and FTS5 skips those outside. The sign keeps SQLite from asking
    # FTS5 for each id separately.
    where = "AND w.rowid BETWEEN %s AND %s AND +w.rowid IN (SELECT value FROM json_each(%s))"
    parameters = [inside[0], inside[-1], json.dumps(inside)]
    chosen, every = _rarest(words, VISITS, enough=0, most=inside[-1] - inside[0] + 1)
    found = _scored(chosen, where, parameters, bound, limit)
    if not every and len(found) < limit:
        chosen, every = _rarest(words, inf, enough=0)
        found = _scored(chosen, where, parameters, bound, limit)
    return Ranking(found, every)


def _scored(
    words: list[str], where: str, parameters: list[Any], bound: str, limit: int
) -> list[tuple[int, float]]:
    if not words:
        return []
    # The table of passages is wide, and not read here.
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT id, score FROM (
                SELECT w.rowid AS id, -bm25(transcripts_words) AS score
                FROM transcripts_words AS w WHERE transcripts_words MATCH %s {where} {bound})
            ORDER BY score DESC, id LIMIT %s
            """,  # noqa: S608 (constants; every value is a parameter)
            [" OR ".join(f'"{word}"' for word in words), *parameters, limit],
        )
        return [(passage, score) for passage, score in cursor.fetchall()]


def _rarest(words: list[str], budget: float, *, enough: int, most: float = inf) -> tuple[list[str], bool]:
    """Return the words to search for, the rarest first, and whether these are all words.

    Words are added until they occur in as many passages as the budget. Fewer than `enough` passages are
    too few whatever the budget. No word costs more than `most`.
    """
    frequencies = _frequencies(words)
    by_rarity = sorted((word for word in words if frequencies[word]), key=lambda word: frequencies[word])
    chosen: list[str] = []
    matches = 0.0
    for word in by_rarity[:MAX_CHOSEN]:
        count: float = _count(word) if " " in word else frequencies[word]
        if " " in word and count > BUDGET:
            # FTS5 would visit every match of such a phrase.
            continue
        count = min(count, most)
        if matches >= enough and matches + count > budget:
            return chosen, False
        matches += count
        chosen.append(word)
    return chosen, True


def _count(phrase: str) -> int:
    """Return how many passages have `phrase`, counted up to one more than matters."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM "
            "(SELECT 1 FROM transcripts_words WHERE transcripts_words MATCH %s LIMIT %s)",
            [f'"{phrase}"', BUDGET + 1],
        )
        return int(cursor.fetchone()[0])


def _frequencies(words: list[str]) -> dict[str, int]:
    """Return how many passages have each word, in any of its forms."""
    terms = _stems(words)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT term, doc FROM transcripts_frequency WHERE term IN (SELECT value FROM json_each(%s))",
            [json.dumps(sorted({term for each in terms for term in each}))],
        )
        passages = dict(cursor.fetchall())
    # A word that the tokenizer divides is a phrase, and no commoner than its rarest part.
    return {
        word: min((passages.get(term, 0) for term in each), default=0)
        for word, each in zip(words, terms, strict=True)
    }


class _Tokenizer(threading.local):
    """FTS5's tokenizer, which SQL can reach in no other way: an index in memory with one query."""

    def __init__(self) -> None:
        self.database = sqlite3.connect(":memory:")
        self.database.executescript(
            """
            CREATE VIRTUAL TABLE query USING fts5(
                word, tokenize="porter unicode61 remove_diacritics 0 categories 'L* N* M* Co'");
            CREATE VIRTUAL TABLE terms USING fts5vocab('query', 'instance');
            """
        )


_tokenizer = _Tokenizer()


def _stems(words: list[str]) -> list[list[str]]:
    """Return each word as its terms in the index."""
    database = _tokenizer.database
    stems: list[list[str]] = [[] for _ in words]
    try:
        database.executemany("INSERT INTO query(rowid, word) VALUES (?, ?)", enumerate(words))
        for place, term in database.execute('SELECT doc, term FROM terms ORDER BY doc, "offset"'):
            stems[place].append(term)
    finally:
        database.rollback()
    return stems
