"""The admin's first page: panels of figures and charts, each figure with the list that it counts.

Each app contributes its own in a `dashboard.py`, found as `admin.py` is: its function `panels(request)`
yields, for each panel that the person may see, a function that makes it, because a panel that fails must not
take others with it.
"""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal
from urllib.parse import urlencode

from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from mcpsite.core.contributions import contributed
from mcpsite.core.tables import Cell, Table

logger = logging.getLogger(__name__)

COLOURS = ("#1c8aa0", "#c8702a")
"""Colours of a chart's series, each visible on a white and on a dark background."""
GREY = "#75848a"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A number, and the address of a list of exactly that many."""

    label: str
    value: int
    url: str
    tone: Literal["", "warning", "danger"] = ""
    """How a value that is not 0 is shown."""

    def __str__(self) -> str:
        return f"{self.value:,}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """A chart drawn by Chart.js, which comes with unfold; the panel's table says the same in words."""

    kind: Literal["line", "bar", "column"]
    """A bar is horizontal; a column is vertical, and those of several series are stacked."""
    summary: str
    """What the chart shows, for those who do not see it."""
    unit: str
    labels: Sequence[str]
    series: dict[str, Sequence[float | None]]

    @property
    def type(self) -> str:
        """The type's name in Chart.js."""
        return "line" if self.kind == "line" else "bar"

    @property
    def data(self) -> str:
        colours = zip(self.series.items(), COLOURS, strict=False)
        datasets = [
            {
                "label": label,
                "data": values,
                "borderColor": colour,
                "backgroundColor": colour,
                # Pixels: small values have to be visible beside large ones.
                "minBarLength": 1,
            }
            for (label, values), colour in colours
        ]
        return json.dumps({"labels": self.labels, "datasets": datasets})

    @property
    def options(self) -> str:
        across, stacked = self.kind == "bar", self.kind == "column"
        figures = {"title": {"display": True, "text": self.unit, "color": GREY}, "ticks": {"color": GREY}}
        names = {"ticks": {"color": GREY, "autoSkip": not across}, "grid": {"display": False}}
        figures["stacked"] = names["stacked"] = stacked
        return json.dumps(
            {
                "animation": False,
                "maintainAspectRatio": False,
                "indexAxis": "y" if across else "x",
                "spanGaps": True,
                "elements": {"point": {"radius": 2}, "line": {"borderWidth": 2}, "bar": {"borderRadius": 3}},
                "plugins": {
                    "legend": {
                        "display": len(self.series) > 1,
                        "align": "start",
                        "labels": {"color": GREY, "boxWidth": 12, "boxHeight": 12},
                    }
                },
                "interaction": {"mode": "index", "intersect": False, "axis": "y" if across else "x"},
                "scales": {"x": figures, "y": names} if across else {"x": names, "y": figures},
            }
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """A field with which a person chooses what a panel shows; sent as a GET parameter."""

    name: str
    label: str
    chosen: str
    options: Sequence[str]
    """Suggestions; other values can be typed."""
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One topic: figures, a chart with its table, or a table alone."""

    title: str
    figures: Sequence[Figure] = ()
    choice: Choice | None = None
    chart: Chart | None = None
    table: Table | None = None
    note: str = ""
    """What to know or, if there is nothing yet, to do."""
    command: str = ""
    more: Cell | None = None
    """A link to the whole, or to what comes next."""
    wide: bool = False

    @property
    def rank(self) -> int:
        """The order: first figures, then charts, the widest first, then panels that are only a table."""
        return 0 if self.figures else 1 if self.wide else 2 if self.chart else 3


def may_view(request: HttpRequest, model: type[Model]) -> bool:
    """Return whether the person may open the admin's list of `model`."""
    return admin.site.is_registered(model) and admin.site.get_model_admin(model).has_view_permission(request)


def list_url(model: type[Model], **filters: Any) -> str:
    """Return the address of the admin's list of `model` with these parameters."""
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{url}?{urlencode(filters)}" if filters else url


def change_url(instance: Model) -> str:
    """Return the address of the page of `instance` in the admin."""
    return reverse(f"admin:{instance._meta.app_label}_{instance._meta.model_name}_change", args=[instance.pk])


def moment(time: datetime) -> Cell:
    """Return a point in time as a cell, in the site's time zone."""
    return Cell(f"{timezone.localtime(time):%Y-%m-%d %H:%M}")


Contribution = Callable[[HttpRequest], Iterator[Callable[[], Panel]]]


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the context of the admin's first page: unfold's setting DASHBOARD_CALLBACK."""
    panels = [panel for each in contributed("dashboard", "panels") for panel in _made(each, request)]
    return {**context, "panels": sorted(panels, key=attrgetter("rank")), "title": "Dashboard"}


def _made(contribution: Contribution, request: HttpRequest) -> Iterator[Panel]:
    """Yield an app's panels; in place of one that fails, a panel that says so."""
    try:
        for make in contribution(request):
            try:
                yield make()
            except Exception:
                logger.exception("A panel of the dashboard failed")
                yield _failed(contribution)
    except Exception:
        logger.exception("The panels of the dashboard failed")
        yield _failed(contribution)


def _failed(contribution: Contribution) -> Panel:
    app = apps.get_containing_app_config(contribution.__module__)
    return Panel(
        title=str(app.verbose_name) if app else "Dashboard",
        note=f"This panel could not be loaded: see the site's log at {timezone.now():%Y-%m-%d %H:%M:%S} UTC.",
    )
