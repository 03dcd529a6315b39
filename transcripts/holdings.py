"""What the home page says about transcripts."""

from collections.abc import Iterator

from django.urls import reverse

from access.caller import Caller
from mcpsite.holding import Holding
from transcripts import searching
from transcripts.tools import READ


def holdings(caller: Caller) -> Iterator[Holding]:
    """The transcripts that the caller may read."""
    if caller.has_perm(READ):
        count = searching.matching(caller, searching.Filters()).count()
        yield Holding(label="transcripts", count=count, path=reverse("transcripts:list"))
