"""Periods as questions name them: a day, an ISO week, a month or a year."""

import datetime
import re

from mcpsite.core.days import span
from mcpsite.datasets.dates import iso_day

FORMS = "a day (2025-10-06), an ISO week (2025-W41), a month (2025-10) or a year (2025)"
_WEEK = re.compile(r"(\d{4})-?W(\d{2})", re.ASCII | re.IGNORECASE)


def period(text: str) -> tuple[datetime.date, datetime.date] | None:
    """Return the first day of a period and the day after its last; None if `text` names none."""
    try:
        if week := _WEEK.fullmatch(text):
            first = datetime.date.fromisocalendar(int(week[1]), int(week[2]), 1)
            days = first, first + datetime.timedelta(days=6)
        elif day := iso_day(text):
            days = day, day
        elif not (days := span(text)):  # type: ignore[assignment]
            return None
        return days[0], days[1] + datetime.timedelta(days=1)
    except (ValueError, OverflowError):
        return None
