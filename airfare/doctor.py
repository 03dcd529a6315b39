"""What `doctor` says of airfare."""

from collections.abc import Iterator

from airfare.models import FareRow
from mcpsite.core.findings import Finding


def about_data() -> Iterator[Finding]:
    """Yield whether there are rows to publish."""
    if rows := FareRow.objects.count():
        yield Finding(id="airfare", level="ok", what=f"The database holds {rows:,} airfare rows.")
    else:
        yield Finding(
            id="airfare-empty",
            level="warning",
            what="There are no airfare rows.",
            change="Run manage.py load_airfare, with TREND_DATA_DIR set to your files.",
        )
