"""What the admin's first page shows of data sets and their files."""

from collections.abc import Callable, Iterator
from functools import partial

from django.db.models import Count, Q, Sum
from django.http import HttpRequest

from mcpsite.core.panels import Figure, Panel, change_url, list_url, may_view, moment
from mcpsite.core.tables import Cell, Table
from mcpsite.datasets import snapshots
from mcpsite.datasets.admin import STATE
from mcpsite.datasets.declaration import DataSet, data_set_named, data_sets
from mcpsite.datasets.models import CombinationCount, Edit, SourceFile, SourceFileQuerySet
from mcpsite.uploads.loaders import upload_link

LOADS = 5


def panels(request: HttpRequest) -> Iterator[Callable[[], Panel]]:
    seen = [each for each in data_sets() if may_view(request, each.model)]
    for data_set in seen:
        yield partial(_rows, data_set, upload_link(request, data_set.name))
    if seen and may_view(request, SourceFile):
        files = SourceFile.objects.filter(data_set__in=[each.label for each in seen])
        yield partial(_files, files)
        yield partial(_last_loads, files)


def _rows(data_set: DataSet, upload: Cell | None) -> Panel:
    edits, model = Edit.objects.of(data_set.model), data_set.model
    published = snapshots.current(data_set, None).total
    hidden = edits.filter(hidden=True).count()
    vanished = model.objects.filter(key__in=edits.values("key"), vanished=True).count()
    nothing = not (published or hidden)
    command = f"python manage.py {data_set.options.command or f'load_data {data_set.name} FOLDER'}"
    return Panel(
        title=data_set.title,
        figures=[
            Figure(label="Published", value=published, url=list_url(model)),
            Figure(label="Hidden", value=hidden, url=list_url(model, **{STATE: "hidden"})),
            Figure(label="Edited", value=edits.edited().count(), url=list_url(model, **{STATE: "edited"})),
            Figure(
                label="Vanished from their files",
                value=vanished,
                url=list_url(model, **{STATE: "vanished"}),
                tone="warning",
            ),
        ],
        note="Nothing has been loaded yet. Load a folder of CSV, Excel or JSON files:" if nothing else "",
        command=command if nothing else "",
        more=upload,
    )


def _files(files: SourceFileQuerySet) -> Panel:
    counts = files.aggregate(
        loaded=Count("pk", filter=Q(state=SourceFile.State.LOADED)),
        gone=Count("pk", filter=Q(state=SourceFile.State.GONE)),
        unreadable=Count("pk", filter=Q(unreadable__gt=0)),
    )
    state = "state__exact"
    return Panel(
        title="Source files",
        figures=[
            Figure(
                label="Loaded",
                value=counts["loaded"],
                url=list_url(SourceFile, **{state: SourceFile.State.LOADED.value}),
            ),
            Figure(
                label="Missing from their folders",
                value=counts["gone"],
                url=list_url(SourceFile, **{state: SourceFile.State.GONE.value}),
                tone="warning",
            ),
            Figure(
                label="With unreadable values",
                value=counts["unreadable"],
                url=list_url(SourceFile, unreadable__gt=0),
                tone="warning",
            ),
        ],
    )


def _last_loads(files: SourceFileQuerySet) -> Panel:
    states = (SourceFile.State.LOADED, SourceFile.State.GONE)
    last = list(files.filter(state__in=states).order_by("-loaded_at", "name")[:LOADS])
    counts = CombinationCount.objects.filter(load__in=[file.current_id for file in last])
    published = dict(counts.values_list("load").annotate(Sum("rows")))
    return Panel(
        title="Last loads",
        table=Table(
            columns=["File", "Loaded", "Published rows"],
            rows=[
                [
                    Cell(file.name, change_url(file)),
                    moment(file.loaded_at),
                    Cell(published.get(file.current_id, 0), _rows_of(file)),
                ]
                for file in last
            ],
        )
        if last
        else None,
        note="" if last else "Nothing has been loaded.",
        more=Cell("All files", list_url(SourceFile)),
    )


def _rows_of(file: SourceFile) -> str:
    data_set = data_set_named(file.data_set)
    return list_url(data_set.model, load__file__id__exact=file.pk) if data_set else ""
