"""What the home page says about airfare."""

from collections.abc import Iterator

from airfare import queries
from airfare.models import FILES
from mcpsite.access.caller import Caller
from mcpsite.access.holding import Holding


def holdings(caller: Caller) -> Iterator[Holding]:
    """Rows and files, as an answer of the tools counts them."""
    if FILES.admits(caller):
        page = queries.page(queries.Filters(), caller, limit=0)
        yield Holding(label="airfare rows", count=page.total)
        yield Holding(label="airfare files", count=len(page.files))
