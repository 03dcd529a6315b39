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

from collections.abc import Collection, Sequence

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

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
READING = 10
"""How many times as long it takes to read a transcript's row as its entry in an index."""
MOST_CANDIDATES = 20_000
"""About how many candidates a search considers in all."""


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
    everything = Transcript.objects.all()
    if transcripts is None and not speaker:
        return rank(query, limit=limit).passages
    chosen = everything if transcripts is None else transcripts.order_by()
    passages = Passage.objects.order_by()
    count, of = chosen.count(), everything.count()
    if count == of and not speaker:
        return rank(query, limit=limit).passages
    spoken_in = None
    if speaker:
        labels = SpeakerLabel.containing(speaker)
        spoken_in = labels.values("transcript")
        count = min(count, spoken_in.distinct().count())
        spoken = Turn.objects.filter(
            transcript=OuterRef("transcript"),
            position__range=(OuterRef("first_turn"), OuterRef("last_turn")),
            speaker__in=labels.values("label"),
        )
        passages = passages.filter(Exists(spoken))
    if not count:
        return []
    if count >= FEW * of:
        for depth in (int(SPARE * limit * of / count) + limit, MOST_CANDIDATES):
            ranking = rank(query, limit=depth)
            # Two short questions, because a database might answer one by reading all that may be shown.
            owners = dict(passages.filter(pk__in=dict(ranking.passages)).values_list("pk", "transcript"))
            # An index has all values for a question about all; for some, rows are read without their texts.
            are_few = count < READING * len(owners)
            some = chosen if are_few else chosen.filter(pk__in=set(owners.values()))
            shown = set(some.values_list("pk", flat=True))
            found = [each for each in ranking.passages if owners.get(each[0]) in shown][:limit]
            if len(found) == limit or (ranking.every_word and len(ranking.passages) < depth):
                return found
            if len(ranking.passages) < depth:
                break
    if spoken_in is not None:
        chosen = chosen.filter(pk__in=spoken_in)
    ids = passages.filter(transcript__in=chosen.values("pk")).values_list("pk", flat=True)
    return rank(query, limit=limit, inside=sorted(ids)).passages
