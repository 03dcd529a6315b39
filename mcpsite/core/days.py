"""Days as people write them in a question: a day, a month or a year."""

import datetime
import re
from calendar import monthrange

_SPAN = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)


def span(text: str) -> tuple[datetime.date, datetime.date] | None:
    """Return the first and the last day of `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; None for any other text."""
    match = _SPAN.fullmatch(text)
    if match is None:
        return None
    year, month, day = match.groups()
    try:
        first = datetime.date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    if day:
        return first, first
    last_month = int(month or 12)
    return first, datetime.date(first.year, last_month, monthrange(first.year, last_month)[1])
