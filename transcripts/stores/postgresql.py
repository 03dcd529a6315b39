"""Ranking on PostgreSQL: BM25 as in SQLite's FTS5, computed from `ts_rank`.

`ts_rank` of a word that occurs n times in a passage is, with all weights 1, the sum of 1/i² for i from 1 to
n, divided by that sum without end (SERIES). So n follows from x = SERIES × ts_rank: it is
1 / (SERIES - x) - 1 / SERIES to a good approximation, and BM25's n / (n + K) becomes
x / (x + K × SERIES × (SERIES - x)). The positions need not be unpacked, which would take ten times as long.
"""

from collections.abc import Sequence
from math import log
from typing import Any

from django.db import connection, transaction

from transcripts.stores.ranking import Ranking
from transcripts.stores.words import asked, only_common, phrases

BUDGET = 2_000
"""Candidates, chosen from the rarest words first."""
MOST_INSIDE = 10_000
"""The most candidates among given passages."""
K1, B = 1.2, 0.75
"""BM25's constants; FTS5 has the same."""
SERIES = 1.64493406685
"""π²/6, to the digits in PostgreSQL's source."""
PHRASE = " <-> "
MAX_LEXEMES = 64
"""Words of a query, the rarest; the others do not change the order."""


def ranked(query: str, *, limit: int, inside: Sequence[int] | None = None) -> Ranking:
    """Return up to `limit` passages for `query`, of those `inside` (ids; None: all)."""
    weights, mean_length = _weights(asked(query))
    if not weights:
        return Ranking([], every_word=True)
    words = list(weights)
    if inside is None:
        most = BUDGET
        matches, matched = _rarest_first(words)
    else:
        most = MOST_INSIDE
        matches = "SELECT id, lexemes FROM transcripts_passage WHERE id = ANY(%s) AND lexemes @@ %s::tsquery"
        matched = [list(inside), " | ".join(words)]
    ranks = [
        # A phrase that occurs counts as a word that occurs often; ts_rank would count a near miss.
        f"{SERIES} * (lexemes @@ %s::tsquery)::int AS x{place}"
        if PHRASE in word
        else f"{SERIES} * ts_rank('{{1,1,1,1}}', lexemes, %s::tsquery) AS x{place}"
        for place, word in enumerate(words)
    ]
    scores = [f"%s * x{place} / (x{place} + k * ({SERIES} - x{place}))" for place in range(len(words))]
    # OFFSET 0 keeps each ts_rank from being computed twice.
    statement = f"""
        SELECT id, {" + ".join(scores)} AS score
        FROM (
            SELECT id, {SERIES * K1} * ({1 - B} + {B} * length(lexemes) / %s) AS k, {", ".join(ranks)}
            FROM ({matches} LIMIT {most}) candidates
            OFFSET 0
        ) ranked
        ORDER BY score DESC, id LIMIT %s
    """  # noqa: S608 (constants; every value is a parameter)
    values = [*weights.values(), mean_length, *words, *matched, limit]
    with transaction.atomic(), connection.cursor() as cursor:
        # Parallel workers would read the words in any order, the commonest first if need be.
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        cursor.execute(statement, values)
        found = [(passage, float(score)) for passage, score in cursor.fetchall()]
    return Ranking(found, every_word=len(found) < most)


def _rarest_first(words: list[str]) -> tuple[str, list[Any]]:
    """Return the statement, and its parameters, that yields the passages of one word after the other.

    UNION ALL is read from left to right and only as far as LIMIT needs: common words are not reached.
    """
    matches, matched = [], list[Any]()
    for place, word in enumerate(words):
        # Each passage comes once, with the rarest of its words.
        again = " AND NOT lexemes @@ %s::tsquery" if place else ""
        matches.append(
            "(SELECT id, lexemes FROM transcripts_passage "  # noqa: S608
            f"WHERE lexemes @@ %s::tsquery{again})"
        )
        matched += [word, *([" | ".join(words[:place])] if place else [])]
    return " UNION ALL ".join(matches), matched


def _weights(words: list[str]) -> tuple[dict[str, float], float]:
    """Return the words to search for, as texts of a tsquery, the rarest first, with the idf of each.

    Also returns the mean length of a passage in lexemes.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT lexeme, passages FROM transcripts_frequency
            WHERE lexeme = ANY(tsvector_to_array(transcripts_lexemes(%s)) || ARRAY['', ' '])
            ORDER BY passages, lexeme
            """,
            [" ".join(words)],
        )
        counts = dict(cursor.fetchall())
    total, length = counts.pop("", 0), counts.pop(" ", 0)
    rarest = [(_quoted(lexeme), count) for lexeme, count in counts.items()][:MAX_LEXEMES]
    if only_common(words):
        rarest = [(PHRASE.join(map(_quoted, phrase.split())), 0) for phrase in phrases(words)] + rarest
    weights = {word: log(1 + (total - count + 0.5) / (count + 0.5)) for word, count in rarest}
    return weights, length / total if total else 1.0


def _quoted(lexeme: str) -> str:
    """Return `lexeme` as the text of a tsquery."""
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"
