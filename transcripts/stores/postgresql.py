"""Ranking on PostgreSQL: the sum of idf × ts_rank of each word, over the root of the passage's length."""

from collections.abc import Collection
from math import log
from typing import Any

from django.db import connection

BUDGET = 3_000
"""Candidates, taken from the rarest words first."""
MAX_LEXEMES = 64
"""Of a query, the rarest; the others change no order."""


def ranked(
    query: str, among: Collection[int] | None, speakers: list[str] | None, limit: int
) -> list[tuple[int, float]]:
    """Passages for `query`, best first, as (id, score); see `transcripts.stores.local.search`."""
    lexemes = _lexemes(query)
    if not lexemes:
        return []
    where, parameters = _filter(among, speakers)
    matches, scores, wanted, ranks = [], [], list[Any](), list[Any]()
    for lexeme, idf in lexemes:
        word = _quoted(lexeme)
        matches.append(f"(SELECT p.id FROM transcripts_passage p WHERE p.lexemes @@ %s::tsquery {where})")  # noqa: S608
        wanted += [word, *parameters]
        scores.append("%s * ts_rank(p.lexemes, %s::tsquery)")
        ranks += [idf, word]
    # UNION ALL is read from left to right and only as far as LIMIT needs: common words are not reached.
    statement = f"""
        SELECT p.id, ({" + ".join(scores)}) / sqrt(length(p.lexemes)) AS score
        FROM transcripts_passage p
        JOIN (SELECT DISTINCT id FROM ({" UNION ALL ".join(matches)} LIMIT {BUDGET}) m) c ON c.id = p.id
        ORDER BY score DESC, p.id LIMIT %s
    """  # noqa: S608 (constants; every value is a parameter)
    with connection.cursor() as cursor:
        cursor.execute(statement, [*ranks, *wanted, limit])
        return [(passage, float(score)) for passage, score in cursor.fetchall()]


def _filter(among: Collection[int] | None, speakers: list[str] | None) -> tuple[str, list[Any]]:
    where, parameters = "", list[Any]()
    if among is not None:
        where += " AND p.transcript_id = ANY(%s)"
        parameters.append(sorted(among))
    if speakers is not None:
        where += """ AND EXISTS (
            SELECT 1 FROM transcripts_turn t
            WHERE t.transcript_id = p.transcript_id AND t.position BETWEEN p.first_turn AND p.last_turn
            AND t.speaker = ANY(%s))"""
        parameters.append(speakers)
    return where, parameters


def _lexemes(query: str) -> list[tuple[str, float]]:
    """The lexemes of `query` that some passage holds, the rarest first, each with its idf."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT f.lexeme, f.passages, (SELECT passages FROM transcripts_frequency WHERE lexeme = '')
            FROM transcripts_frequency f
            WHERE f.lexeme = ANY(tsvector_to_array(transcripts_lexemes(%s))) AND f.passages > 0
            ORDER BY f.passages, f.lexeme LIMIT %s
            """,
            # PostgreSQL's text holds no NUL, and its encoding no half of a surrogate pair.
            [query.replace("\x00", " ").encode("utf-8", "replace").decode(), MAX_LEXEMES],
        )
        return [
            (lexeme, log(1 + (total - count + 0.5) / (count + 0.5)))
            for lexeme, count, total in cursor.fetchall()
        ]


def _quoted(lexeme: str) -> str:
    """`lexeme` as the text of a tsquery."""
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"
