"""Files to tables: batches of cells under a header, in bounded memory.

Nothing here knows what the columns mean, except that a heading is recognized by the columns it names; see
`mcpsite.datasets.records` for what the cells mean.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mcpsite.datasets.columns import Said
from mcpsite.datasets.formats.delimited import Delimited
from mcpsite.datasets.formats.objects import Layout, Objects
from mcpsite.datasets.formats.workbooks import Workbook
from mcpsite.datasets.headings import Headings
from mcpsite.datasets.profile import Profile, profile_of
from mcpsite.datasets.refusals import RefusedFile
from mcpsite.datasets.sources import Progress, Source
from mcpsite.datasets.tables import LeftOuts, Table, Unused

NOTHING_SAID = Said()


@contextmanager
def open_table(
    path: Path,
    headings: Headings,
    *,
    said: Said = NOTHING_SAID,
    layout: Layout | None = None,
    progress: Progress | None = None,
) -> Iterator[Table]:
    """Open the table in the file at `path`.

    `headings` identify its columns, `said` is what a person states about it, and `layout` a special shape of
    JSON. `progress` is called with how many bytes were read, now and then. Raises RefusedFile, here or while
    the batches are read, if the file cannot be read as what it is.
    """
    source = Source(path, progress)
    try:
        profile = profile_of(source, headings, said)
        if profile.format == "xlsx":
            workbook = Workbook(source, headings, LeftOuts(), said.sheet)
            try:
                yield _of_workbook(workbook)
            finally:
                workbook.close()
        elif profile.shape:
            yield _of_text(source, profile, headings)
        else:
            yield _of_objects(source, profile, headings, layout)
    except UnicodeError:
        raise RefusedFile("changed while it was read; load it again") from None
    except OSError as error:
        raise RefusedFile(f"cannot be read: {error.strerror or 'input/output error'}") from None


def _of_text(source: Source, profile: Profile, headings: Headings) -> Table:
    assert profile.shape  # noqa: S101 (asked by who calls)
    head = profile.shape.head
    left_out = LeftOuts()
    for record in head.above:
        left_out.add(record.first, record.cells, "above the heading")
    rows = Delimited(source, profile.encoding.name, profile.shape, headings, left_out)
    return Table(
        format=profile.format,
        header=head.header,
        batches=rows.batches(tell=True),
        again=rows.batches,
        unused=head.unused,
        used=head.used,
        left_out=left_out,
        notes=[profile.encoding.note] if profile.encoding.note else [],
        dates=head.dates,
        delimiter=profile.shape.delimiter,
    )


def _of_objects(source: Source, profile: Profile, headings: Headings, layout: Layout | None) -> Table:
    unused, used = Unused(), dict[str, str]()
    by_line = profile.format == "jsonl"
    rows = Objects(
        source=source,
        encoding=profile.encoding.name,
        headings=headings,
        unused=unused,
        used=used,
        by_line=by_line,
        layout=layout,
    )
    return Table(
        format="json",
        header=headings.names,
        batches=rows.batches(tell=True),
        again=partial(rows.batches),
        unused=unused,
        used=used,
        left_out=LeftOuts(),
        notes=[profile.encoding.note] if profile.encoding.note else [],
        place="line" if by_line else "item",
    )


def _of_workbook(workbook: Workbook) -> Table:
    head = workbook.head
    left_out = workbook.left_out
    for record in head.above:
        left_out.add(record.first, record.cells, "above the heading")
    notes = []
    if workbook.others:
        others = ", ".join(map(repr, workbook.others[:5]))
        notes.append(f"its sheet {workbook.sheet!r} was read, not {others}; use --sheet to choose another")
    if workbook.merged:
        notes.append(
            "cells are merged over several rows: texts were read in each row, numbers only in the first"
        )
    return Table(
        format="xlsx",
        header=head.header,
        batches=workbook.batches(tell=True),
        again=workbook.batches,
        unused=head.unused,
        used=head.used,
        left_out=left_out,
        notes=notes,
        place="row",
        dates=head.dates,
    )
