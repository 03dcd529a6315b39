"""Panels about the tool calls: on the admin's first page, and above their list."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import Avg, Case, Max, Q, QuerySet, Sum, When
from django.http import HttpRequest
from django.utils import timezone

from mcpsite.access.models import AuditEvent
from mcpsite.core.panels import Chart, Figure, Panel, list_url, may_view
from mcpsite.core.tables import Cell, Table

Outcome = AuditEvent.Outcome
ERRORS = (Outcome.TOOL_ERROR, Outcome.DEADLINE, Outcome.FAILED)
REFUSALS = (Outcome.DENIED, Outcome.LIMITED)

DAYS = 30
TOOLS = 5
TOOL_DAYS = 7


def panels(request: HttpRequest) -> Iterator[Callable[[], Panel]]:
    if may_view(request, AuditEvent):
        yield _today
        yield partial(_slowest_tools, request)


def _today() -> Panel:
    since = _midnight(timezone.localdate())
    events = AuditEvent.objects.filter(time__gte=since).order_by()
    counts = dict(events.values_list("outcome").annotate(Sum("calls")))

    def figure(label: str, *outcomes: Outcome, **more: Any) -> Figure:
        value = sum(counts.get(each, 0) for each in outcomes) if outcomes else sum(counts.values())
        chosen = {"outcome__in": ",".join(outcomes)} if outcomes else {}
        return Figure(label=label, value=value, url=list_url(AuditEvent, time__gte=since, **chosen), **more)

    return Panel(
        title="Tool calls today",
        figures=[
            figure("Calls"),
            figure("Answered", Outcome.OK),
            figure("Errors", *ERRORS, tone="danger"),
            figure("Refused", *REFUSALS, tone="warning"),
        ],
        note="" if counts else "No tool has been called since midnight.",
        more=Cell("All calls", list_url(AuditEvent)),
    )


def _slowest_tools(request: HttpRequest) -> Panel:
    since = _midnight(timezone.localdate()) - timedelta(days=TOOL_DAYS - 1)
    events = AuditEvent.objects.filter(time__gte=since).order_by()
    tools = (
        events.values("tool")
        .annotate(mean=Avg("milliseconds"), worst=Max("milliseconds"), total=Sum("calls"))
        .order_by("-mean", "tool")[:TOOLS]
    )
    columns = list(admin.site.get_model_admin(AuditEvent).get_list_display(request))
    slowest_first = f"-{columns.index('milliseconds') + 1}"
    rows = [
        [
            Cell(each["tool"]),
            Cell(f"{each['mean']:,.0f} ms"),
            Cell(f"{each['worst']:,.0f} ms"),
            Cell(each["total"], list_url(AuditEvent, tool=each["tool"], time__gte=since, o=slowest_first)),
        ]
        for each in tools
    ]
    return Panel(
        title=f"Slowest tools of the last {TOOL_DAYS} days",
        table=Table(columns=["Tool", "Mean", "Longest", "Calls"], rows=rows) if rows else None,
        note="" if rows else f"No tool has been called in the last {TOOL_DAYS} days.",
    )


def calls_per_day(events: QuerySet[AuditEvent]) -> Panel:
    """Draw how many of `events` there were on each of the last DAYS days, in the current time zone."""
    today = timezone.localdate()
    days = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
    ends = [_midnight(day + timedelta(days=1)) for day in days]
    counted = (
        events.order_by()
        .filter(time__gte=_midnight(days[0]), time__lt=ends[-1])
        # SQLite has no time zones: TruncDate would call a function of Python's for each event.
        .annotate(place=Case(*(When(time__lt=end, then=place) for place, end in enumerate(ends))))
        .values_list("place")
        .annotate(total=Sum("calls"), unanswered=Sum("calls", filter=~Q(outcome=Outcome.OK), default=0))
    )
    counts = {days[place]: (calls, unanswered) for place, calls, unanswered in counted}
    rows = [(str(day), *counts.get(day, (0, 0))) for day in days]
    most = max(calls for _, calls, _ in rows)
    return Panel(
        title="Calls per day",
        wide=True,
        chart=Chart(
            kind="column",
            summary=f"Calls per day over the last {DAYS} days, at most {most:,}",
            unit="Calls",
            labels=[day for day, _, _ in rows],
            # None draws nothing, and 0 a line.
            series={
                "Answered": [calls - unanswered or None for _, calls, unanswered in rows],
                "Not answered": [unanswered or None for _, _, unanswered in rows],
            },
        ),
        table=Table(columns=["Day", "Calls", "Not answered"], rows=[list(map(Cell, row)) for row in rows]),
    )


def _midnight(day: date) -> datetime:
    """Return when `day` begins in the current time zone."""
    return timezone.make_aware(datetime.combine(day, time.min))
