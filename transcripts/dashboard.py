"""What the admin's first page shows of the transcripts."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from mcpsite.core.panels import Figure, Panel, change_url, list_url, may_view, moment
from mcpsite.core.tables import Cell, Table
from mcpsite.uploads.loaders import upload_link
from transcripts.models import Transcript, VectorStoreFile

LOADS = 5
LOAD_COMMAND = "python manage.py upload_transcripts"
Status = VectorStoreFile.Status


def panels(request: HttpRequest) -> Iterator[Callable[[], Panel]]:
    if not may_view(request, Transcript):
        return
    listed: QuerySet[Any] = admin.site.get_model_admin(Transcript).get_queryset(request)
    yield partial(_transcripts, listed, upload_link(request, "transcripts"))
    if listed.exists():
        yield partial(_last_loads, listed)


def _transcripts(listed: QuerySet[Any], upload: Cell | None) -> Panel:
    figures = [
        Figure(
            label=label,
            value=listed.filter(published=published).count(),
            url=list_url(Transcript, published__exact=int(published)),
        )
        for label, published in (("Published", True), ("Unpublished", False))
    ]
    nothing = not any(figure.value for figure in figures)
    if settings.VECTOR_STORE_ID:
        states = dict(listed.order_by().values_list("sync_status").annotate(Count("pk")))
        for state, label in [*Status.choices, (None, "not synced")]:
            figures.append(
                Figure(
                    label=str(label).capitalize(),
                    value=states.get(state, 0),
                    url=list_url(Transcript, sync=state or "missing"),
                    tone="danger" if state == Status.FAILED else "",
                )
            )
    note = (
        ""
        if settings.VECTOR_STORE_ID
        else "Transcripts are searched in this site's database, so there is nothing to sync."
    )
    return Panel(
        title="Transcripts",
        figures=figures,
        note="No transcripts have been loaded yet. Load a folder of text files:" if nothing else note,
        command=LOAD_COMMAND if nothing else "",
        more=upload,
    )


def _last_loads(listed: QuerySet[Any]) -> Panel:
    last = listed.order_by("-loaded_at", "slug")[:LOADS]
    rows = [[Cell(each.title, change_url(each)), moment(each.loaded_at)] for each in last]
    return Panel(
        title="Last transcripts loaded",
        table=Table(columns=["Transcript", "Loaded"], rows=rows),
        more=Cell("All transcripts", list_url(Transcript)),
    )
