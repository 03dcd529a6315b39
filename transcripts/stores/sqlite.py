"""Ranking on SQLite: FTS5's own bm25 over the rarest words of the query."""

import json
import sqlite3
import threading
from collections.abc import Collection
from typing import Any

from django.db import connection

from transcripts.stores.words import asked, only_common, phrases

BUDGET = 16_000
"""Matches of single words that one search may score. At 100,000 passages this takes a fifth of the
time of scoring them all, and the ranking is as good (`bench/retrieval.py --speed`)."""
ENOUGH = 500
"""Fewer matches than this leave too little to rank: then the next word is taken whatever it costs."""
MAX_WORDS = 200
"""Of a query, before the rarest are chosen."""
MAX_CHOSEN = 64
"""Words in one MATCH; FTS5 refuses an expression deeper than 256."""


def ranked(
    query: str, among: Collection[int] | None, speakers: list[str] | None, limit: int
) -> list[tuple[int, float]]:
    """Passages for `query`, best first, as (id, score); see `transcripts.stores.local.search_database`."""
    words = asked(query)[:MAX_WORDS]
    if not words:
        return []
    common = only_common(words)
    if common:
        words = [*phrases(words), *words]
    where, parameters = _filter(among, speakers)
    few = _few(among) if among is not None else None
    if few:
        # A call's passages lie together, and FTS5 skips what lies outside.
        where += " AND w.rowid BETWEEN %s AND %s"
        parameters += few
    enough = None if few else 1 if common else ENOUGH
    match = " OR ".join(f'"{word}"' for word in _rarest(words, where, parameters, enough=enough))
    if not match:
        return []
    # Stop words are nearly everywhere.
    bound = f"LIMIT {BUDGET}" if common else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT id, score FROM (
                SELECT p.id AS id, -bm25(transcripts_words) AS score
                FROM transcripts_words AS w JOIN transcripts_passage AS p ON p.id = w.rowid
                WHERE transcripts_words MATCH %s {where} {bound})
            ORDER BY score DESC, id LIMIT %s
            """,  # noqa: S608 (`where` is one of the constants below)
            [match, *parameters, limit],
        )
        return [(passage, score) for passage, score in cursor.fetchall()]


def _filter(among: Collection[int] | None, speakers: list[str] | None) -> tuple[str, list[Any]]:
    where, parameters = "", list[Any]()
    if among is not None:
        where += " AND p.transcript_id IN (SELECT value FROM json_each(%s))"
        parameters.append(json.dumps(sorted(among)))
    if speakers is not None:
        where += """ AND EXISTS (
            SELECT 1 FROM transcripts_turn AS t
            WHERE t.transcript_id = p.transcript_id AND t.position BETWEEN p.first_turn AND p.last_turn
            AND t.speaker IN (SELECT value FROM json_each(%s)))"""
        parameters.append(json.dumps(speakers))
    return where, parameters


def _rarest(words: list[str], where: str, parameters: list[Any], *, enough: int | None) -> list[str]:
    """The words to score: the rarest, until what they match within the filter reaches the budget.

    Fewer than `enough` matches are too few whatever the budget; with None there is none.
    """
    frequencies = _frequencies(words)
    by_rarity = sorted((word for word in words if frequencies[word]), key=lambda word: frequencies[word])
    chosen: list[str] = []
    matches = 0
    for word in by_rarity[:MAX_CHOSEN]:
        if enough is not None:
            # What nobody may see here must not use up the budget.
            count = _count(word, where, parameters) if where or " " in word else frequencies[word]
            if " " in word and count > BUDGET:
                # Of such a phrase FTS5 would look at every match.
                continue
            if matches >= enough and matches + count > BUDGET:
                break
            matches += count
        chosen.append(word)
    return chosen


def _few(among: Collection[int]) -> tuple[int, int] | None:
    """The first and the last passage of the transcripts `among`, or None where they have too many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*), coalesce(min(id), 0), coalesce(max(id), 0) FROM (
                SELECT id FROM transcripts_passage
                WHERE transcript_id IN (SELECT value FROM json_each(%s)) LIMIT %s)
            """,
            [json.dumps(sorted(among)), ENOUGH + 1],
        )
        passages, first, last = cursor.fetchone()
    return None if passages > ENOUGH else (first, last)


def _count(word: str, where: str, parameters: list[Any]) -> int:
    """In how many passages within the filter `word` stands, counted up to one more than matters."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT count(*) FROM (
                SELECT 1 FROM transcripts_words AS w JOIN transcripts_passage AS p ON p.id = w.rowid
                WHERE transcripts_words MATCH %s {where} LIMIT %s)
            """,  # noqa: S608
            [f'"{word}"', *parameters, BUDGET + 1],
        )
        return int(cursor.fetchone()[0])


def _frequencies(words: list[str]) -> dict[str, int]:
    """In how many passages each word stands, in whichever of its forms."""
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
    """FTS5's tokenizer, which SQL gives no other access to: an index in memory that holds one query."""

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
    """Each word as the terms that the index holds for it."""
    database = _tokenizer.database
    stems: list[list[str]] = [[] for _ in words]
    try:
        database.executemany("INSERT INTO query(rowid, word) VALUES (?, ?)", enumerate(words))
        for place, term in database.execute('SELECT doc, term FROM terms ORDER BY doc, "offset"'):
            stems[place].append(term)
    finally:
        database.rollback()
    return stems
