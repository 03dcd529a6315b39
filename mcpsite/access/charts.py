"""Calls per day as bars, ready to be drawn: from a queryset to numbers in the units of an SVG."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from mcpsite.access.models import AuditEvent

DAYS = 30
STEP = 24
"""Width of a day, its gap included."""
HEIGHT = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One day. Lengths are in the chart's units, y grows downwards."""

    day: date
    calls: int
    """All of the day's calls."""
    others: int
    """Those of them that were not answered: errors, refusals, deadlines."""
    x: int
    height: int
    """Of all calls."""
    others_height: int

    @property
    def y(self) -> int:
        return HEIGHT - self.height

    @property
    def others_y(self) -> int:
        return HEIGHT - self.others_height


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """The last DAYS days, today included."""

    bars: list[Bar]
    most: int
    """Calls on the busiest day."""
    width: int = DAYS * STEP
    height: int = HEIGHT
    bar_width: int = STEP - 6


def per_day(events: QuerySet[AuditEvent], today: date | None = None) -> Chart:
    """How many of `events` there were on each of the last DAYS days, in the current time zone."""
    today = today or timezone.localdate()
    first = today - timedelta(days=DAYS - 1)
    found = {
        day: (calls, others)
        for day, calls, others in events.order_by()
        .annotate(day=TruncDate("time"))
        .filter(time__gte=timezone.localtime() - timedelta(days=DAYS + 1), day__gte=first, day__lte=today)
        .values_list("day")
        .annotate(
            total=Sum("calls"), others=Sum("calls", filter=~Q(outcome=AuditEvent.Outcome.OK), default=0)
        )
    }
    most = max((calls for calls, _ in found.values()), default=0)
    days = (first + timedelta(days=n) for n in range(DAYS))
    bars = [_bar(n, day, *found.get(day, (0, 0)), most=most) for n, day in enumerate(days)]
    return Chart(bars=bars, most=most)


def _bar(n: int, day: date, calls: int, others: int, *, most: int) -> Bar:
    return Bar(
        day=day,
        calls=calls,
        others=others,
        x=n * STEP,
        height=_length(calls, most),
        others_height=_length(others, most),
    )


def _length(count: int, most: int) -> int:
    """A count that is not zero is to be seen, however small it is beside the others."""
    return max(1, round(HEIGHT * count / most)) if count else 0
