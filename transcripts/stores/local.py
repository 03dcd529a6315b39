"""The `local` store: full-text search in the site's own database, SQLite or PostgreSQL.

What was measured on four labelled sets stands behind its form: words joined by OR (nobody's question
matches with AND), stemmed, without stop words unless there is nothing else, weighted by rarity. Most of
the time of such a search goes into the commonest words, which say least; so only the rarest words choose
the candidates, up to a budget. Whoever may not read a transcript is filtered out before that, never after.
"""

from collections.abc import Collection, Sequence

from django.db import connection

from mcpsite.mcp import in_database
from transcripts.models import Passage, Transcript, Turn
from transcripts.stores import postgresql, sqlite
from transcripts.stores.base import Hit

BACKENDS = {"sqlite": sqlite.ranked, "postgresql": postgresql.ranked}
MAX_CHARACTERS = 20_000
"""Of a query; what follows is not searched for."""


class LocalStore:
    """Finds passages through the index that the database keeps (see the migration)."""

    async def index(self, transcript_ids: Collection[int]) -> None:
        """Nothing to do: the index changed in the transaction that changed the transcript."""

    async def remove(self, transcript_ids: Collection[int]) -> None:
        """Nothing to do, likewise."""

    async def search(self, query: str, *, among: Collection[int] | None, limit: int) -> Sequence[Hit]:
        return await in_database(search_database, query, among=among, limit=limit)


def search_database(
    query: str, *, among: Collection[int] | None = None, speaker: str = "", limit: int
) -> list[Hit]:
    """At most `limit` passages of the transcripts `among` (None: all) that match `query`, best first.

    With `speaker`, only passages in which somebody speaks whose label contains that text (in any
    case). Any text is a legal query; one without a word to search for finds nothing.
    """
    if among is not None:
        among = set(among)
        # No filter is cheaper than one that lets everything pass.
        if len(among) >= Transcript.objects.count() and not Transcript.objects.exclude(pk__in=among).exists():
            among = None
    speakers = _labels(speaker) if speaker else None
    if among == set() or speakers == []:
        return []
    found = BACKENDS[connection.vendor](query[:MAX_CHARACTERS], among, speakers, limit)
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


def _labels(speaker: str) -> list[str]:
    """The speakers' labels that contain `speaker`, over the whole of Unicode (no database does that)."""
    wanted = speaker.casefold()
    labels = Turn.objects.order_by("speaker").values_list("speaker", flat=True).distinct()
    return [label for label in labels if label and wanted in label.casefold()]
