"""The `local` store: full-text search in the site's own database, SQLite or PostgreSQL.

Its form follows measurements on four labelled sets: words joined by OR (nobody's question matches with AND),
stemmed, without stop words unless there is nothing else, weighted by rarity. Most of the time of such a
search is spent on the commonest words, which say least; so only the rarest words choose the candidates, up to
a budget.

Most people may read nearly everything, and a filter of everything costs more than the search. So if many of
the passages may be shown, enough candidates are ranked to have some left after the others are removed. If few
may be shown, or too few were left, the search reads only these. Either way only what may be shown is found,
and as much of it as was requested, whatever else matches.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet, Value

from mcpsite.datasets.expressions import Among, array_of
from mcpsite.mcp import in_database
from transcripts.models import Passage, SpeakerLabel, Transcript, Turn
from transcripts.stores import postgresql, sqlite
from transcripts.stores.base import Hit, Within

BACKENDS = {"sqlite": sqlite.ranked, "postgresql": postgresql.ranked}
MAX_CHARACTERS = 20_000
"""Characters of a query; the rest is not searched for."""
FEW = 1 / 40
"""A share of the transcripts: if fewer may be shown, only their passages are read."""
SPARE = 3
"""How many times as many candidates are ranked as will probably be needed."""
DEEPER = 8
"""How many times as many are ranked if too few were left."""
MOST_CANDIDATES = 20_000
"""About how many candidates a search considers in all."""
MOST_KNOWN = 5_000
"""If fewer transcripts may be shown, or labels are meant, they are read at once; else each is asked about."""

T = TypeVar("T")


class LocalStore:
    """Finds passages through the index that the database keeps (see the migration)."""

    async def index(self, transcript_ids: Collection[int]) -> None:
        """Do nothing: the index changed in the transaction that changed the transcript."""

    async def remove(self, transcript_ids: Collection[int]) -> None:
        """Do nothing, for the same reason."""

    async def search(self, query: str, *, within: Within, limit: int) -> Sequence[Hit]:
        def search() -> list[Hit]:
            return search_database(query, transcripts=Transcript.objects.within(within), limit=limit)

        return await in_database(search)


def search_database(
    query: str, *, transcripts: "QuerySet[Transcript] | None" = None, speaker: str = "", limit: int
) -> list[Hit]:
    """Return up to `limit` passages of `transcripts` (None: all) that match `query`, best first.

    With `speaker`, only passages with a speaker whose label contains that text (in any case). Any text is a
    valid query; one without a word to search for finds nothing.
    """
    query = query[:MAX_CHARACTERS]
    found = _ranked(query, transcripts, speaker, limit)
    passages = Passage.objects.defer("words").in_bulk([passage for passage, _ in found])
    return [
        Hit(
            transcript_id=passages[passage].transcript_id,
            text=passages[passage].text,
            score=score,
            position=passages[passage].position,
        )
        for passage, score in found
        if passage in passages
    ]


def _ranked(
    query: str, transcripts: "QuerySet[Transcript] | None", speaker: str, limit: int
) -> list[tuple[int, float]]:
    rank = BACKENDS[connection.vendor]
    if transcripts is None and not speaker:
        return rank(query, limit=limit).passages
    chosen = Transcript.objects.order_by() if transcripts is None else transcripts.order_by()
    passages = spoken = Passage.objects.order_by()
    if speaker:
        labels = SpeakerLabel.containing(speaker)
        said = list(labels.values_list("transcript", "label")[:MOST_KNOWN])
        names: Iterable[str] = {label for _, label in said}
        if len(said) < MOST_KNOWN:
            # What may be shown is read from a narrow index; to look each of these up would read its text.
            speaking = Value(array_of({transcript for transcript, _ in said}))
            chosen = chosen.filter(Among("pk", speaking, indexed=False))
        else:
            names = labels.values_list("label", flat=True)
            chosen = chosen.filter(pk__in=labels.values("transcript"))
        turns = Turn.objects.filter(
            transcript=OuterRef("transcript"),
            position__range=(OuterRef("first_turn"), OuterRef("last_turn")),
            speaker__in=names,
        )
        spoken = passages.filter(Exists(turns))
    shown = set(chosen.values_list("pk", flat=True)[:MOST_KNOWN])
    are_known = len(shown) < MOST_KNOWN
    count, of = len(shown) if are_known else chosen.count(), Transcript.objects.count()
    if not count:
        return []
    if count == of and not speaker:
        return rank(query, limit=limit).passages
    depth = int(SPARE * limit * of / count) + limit
    while count >= FEW * of:
        ranking = rank(query, limit=depth)
        # Short questions, because a database might answer one by reading all that may be shown.
        owners = dict(_among(passages, (pk for pk, _ in ranking.passages)).values_list("pk", "transcript"))
        if not are_known:
            shown = set(_among(chosen, set(owners.values())).values_list("pk", flat=True))
        found = [each for each in ranking.passages if owners.get(each[0]) in shown]
        if speaker:
            heard = set(_among(spoken, (pk for pk, _ in found)).values_list("pk", flat=True))
            found = [each for each in found if each[0] in heard]
        were_all = len(ranking.passages) < depth
        if len(found) >= limit or (ranking.every_word and were_all):
            return found[:limit]
        if were_all or depth >= MOST_CANDIDATES:
            break
        depth = min(depth * DEEPER, MOST_CANDIDATES)
    ids = spoken.filter(transcript__in=chosen.values("pk")).values_list("pk", flat=True)
    return rank(query, limit=limit, inside=sorted(ids)).passages


def _among(rows: "QuerySet[T]", ids: Iterable[int]) -> "QuerySet[T]":  # type: ignore[type-var]
    return rows.filter(Among("pk", Value(array_of(ids))))
