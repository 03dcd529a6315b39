"""Files to rows: what `load_data` does.

Each file becomes a load, written in short transactions whose rows nobody sees; one more transaction points
the file at it. Whatever happens to the process, answers come from the file's old rows or its new ones, and
change from one to the other at once.
"""

import hashlib
import logging
from collections.abc import Callable, Collection, Container, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import DatabaseError, transaction

from mcpsite.core import folders
from mcpsite.core.outage import why_not_stored
from mcpsite.datasets import alike, cleaning, curation, loads, recognition, statistics, versions, writing
from mcpsite.datasets.columns import Said
from mcpsite.datasets.combinations import MANY
from mcpsite.datasets.comparing import Comparison
from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.edits import Overlay
from mcpsite.datasets.files import Found
from mcpsite.datasets.findings import Findings, understood
from mcpsite.datasets.formats import KINDS, format_of
from mcpsite.datasets.kinds import NO_DAY
from mcpsite.datasets.loads import Lost
from mcpsite.datasets.models import Load, SourceFile
from mcpsite.datasets.outcomes import UNDONE, Outcome
from mcpsite.datasets.reading import NOTHING_SAID, open_table
from mcpsite.datasets.refusals import RefusedFile
from mcpsite.datasets.rows import Reader, Rows
from mcpsite.datasets.tables import Table
from mcpsite.history import kinds, recording
from mcpsite.history.models import Change
from mcpsite.uploads.loaders import FOLDER as UPLOADS

logger = logging.getLogger(__name__)

Progress = Callable[[Found, int], None]

SHOWN_ROWS = 3
"""The rows in a preview of a file, as they would be read."""
LOST = "was deleted or loaded by another process while it was being pruned"


class PruneRefused(Exception):
    """`--prune` would delete what is more likely out of reach than gone; a sentence for each folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """How to load files."""

    loaded_by: str
    dry_run: bool = False
    """Read the files and write nothing."""
    strict: bool = False
    """Refuse a file with a value that cannot be read."""
    prune: bool = False
    """Remove the rows of files that are gone from their folders, except curated rows."""
    allow_empty: bool = False
    """Let a file that is now empty, or a folder without any of its files, remove its rows."""
    restore: bool = True
    """Load files again that somebody deleted."""
    without: Container[str] = ()
    """The SHA-256 of files that are left out."""
    force: bool = False
    """Load unchanged files, too."""
    groups: Sequence[Group] = ()
    """The only groups that may read the rows of new files, if there are any."""
    said: Said = NOTHING_SAID
    """What somebody states about the files that these leave open; it is remembered for each of them."""
    progress: Progress = lambda _found, _read: None
    """Called with how many bytes of a file were read, now and then."""


def load(data_set: DataSet, found: Sequence[Found], choices: Choices) -> Iterator[Outcome]:
    """Load each file and yield what became of it; then yield which files are gone from their folders.

    An unchanged file is left alone. A folder without any of its files is probably not mounted: PruneRefused
    is raised before anything is done.
    """
    listed = _prunable(data_set, found, choices) if choices.prune else _listed(found)
    for each in found:
        if choices.prune and each.stands_for == "empty":
            continue
        if each.stands_for == "other":
            yield Outcome(name=each.name, result="left out", reason=f"is not one of {KINDS}")
            continue
        yield _load_one(data_set, each, choices)
    yield from _gone(data_set, found, listed, choices)
    if not choices.dry_run:
        cleaning.clean()


def _load_one(data_set: DataSet, found: Found, choices: Choices) -> Outcome:
    if found.refused:
        return Outcome(name=found.name, result="rejected", reason=found.refused)

    def wanted(known: SourceFile | None) -> bool:
        # A new statement about a file may change the meaning of an unchanged one.
        return (
            choices.force
            or bool(was)
            or not known
            or known.digest != digest
            or (choices.said != NOTHING_SAID and _said(data_set, known, choices) != _said(data_set, known))
        )

    was = ""
    try:
        digest = _digest(found.path)
        if same := recognition.by_path(data_set, found.path, found.folder):
            found = replace(found, name=same.name, folder=Path(same.folder))
        known = data_set.files.filter(name=found.name).first()
        if known and known.state == SourceFile.State.REMOVED and not choices.restore:
            return Outcome(name=found.name, result="removed")
        if known:
            recognition.demand_place(known, found.folder)
        elif not choices.dry_run:
            was = recognition.rename(data_set, digest, found.name)
        if not wanted(known):
            if choices.strict and known and known.unreadable:
                _demand_readable(data_set, found, _said(data_set, known, choices))
            return _unchanged(data_set, found, choices)
        if digest in choices.without:
            return Outcome(name=found.name, result="left out")
        if known and known.undone_digest == digest and not (choices.force or found.folder == UPLOADS):
            return Outcome(name=found.name, result="left out", reason=UNDONE)
        # Somebody else may have loaded it while this load waited for its turn.
        one = _Load(data_set, found, digest, choices, said=_said(data_set, known, choices), was=was)
        return one.run(wanted=wanted) or _unchanged(data_set, found, choices)
    except RefusedFile as refusal:
        return Outcome(name=found.name, result="rejected", reason=str(refusal))
    except DatabaseError as error:
        logger.exception("%a could not be loaded", found.name)
        return Outcome(name=found.name, result="rejected", reason=why_not_stored(error))


def _said(data_set: DataSet, known: SourceFile | None, choices: Choices | None = None) -> Said:
    """Return what the data set states about its files, what was stated about this one, and what is now."""
    options = data_set.options
    now = {name: value for name, value in asdict(choices.said).items() if value} if choices else {}
    before = known.said if known else {}
    return Said(**{"dates": options.dates, "decimal": options.decimal, **before, **now})


def _unchanged(data_set: DataSet, found: Found, choices: Choices) -> Outcome:
    known = data_set.files.get(name=found.name)
    if not choices.dry_run:
        _still_there(known, found)
    return Outcome(name=found.name, result="unchanged", rows=known.rows, unreadable=known.unreadable)


def _demand_readable(data_set: DataSet, found: Found, said: Said) -> None:
    """Raise RefusedFile if the file holds a value that cannot be read."""
    with open_table(found.path, data_set.headings, said=said, layout=data_set.options.layout) as table:
        reader = Reader.of(data_set, table, file=found.path.name, said=said)
        for _ in reader.read_all(table.batches):
            pass
        _demand_no_unreadable(reader, table)


def _demand_no_unreadable(reader: Reader, table: Table) -> None:
    if reader.cells.first_unreadable:
        first = reader.cells.first_unreadable[0]
        raise RefusedFile(str(first), first.line, place=table.place)


def _action(
    data_set: DataSet, name: Change.Action, loaded_by: str
) -> AbstractContextManager[recording.Recorder]:
    return recording.action(name, author=loaded_by, source=data_set.options.command or "load_data")


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RefusedFile(f"cannot be read: {error.strerror or 'input/output error'}") from None


def _still_there(known: SourceFile, found: Found) -> None:
    if (known.folder, known.state) != (str(found.folder), SourceFile.State.LOADED):
        SourceFile.objects.filter(pk=known.pk).update(folder=str(found.folder), state=SourceFile.State.LOADED)


class _Load:
    """The load of one file."""

    def __init__(
        self, data_set: DataSet, found: Found, digest: str, choices: Choices, *, said: Said, was: str
    ) -> None:
        self._data_set = data_set
        self._found = found
        self._digest = digest
        self._choices = choices
        self._said = said
        self._was = was
        """The file's name before it was renamed."""

    def run(self, *, wanted: Callable[[SourceFile | None], bool]) -> Outcome | None:
        """Replace the file's rows; return None if the file is not `wanted` any more.

        In a dry run only read the file. Raises RefusedFile.
        """
        if self._choices.dry_run:
            known = self._data_set.files.filter(name=self._found.name).first()
            sample: list[str] = []
            compared = Comparison(self._data_set, known) if known and known.current_id else None
            with self._open() as (reader, rows, table):
                for each in rows:
                    sample = sample or _shown(self._data_set, each)
                    if compared:
                        compared.add(each)
            self._check(reader, table, known)
            changes = compared.sentences() if compared else ()
            sample = [f"its columns are {understood(table.used, self._data_set.words_of)}", *sample, *changes]
            same = recognition.same_content(self._data_set, self._digest, self._found.name)
            return self._outcome(known, reader, table, notes=[*self._copy(same)], sample=sample)
        load = loads.claim(
            self._data_set,
            self._found.name,
            folder=str(self._found.folder),
            format_=format_of(self._found.path) or "",
            digest=self._digest,
            loaded_by=self._choices.loaded_by,
            wanted=wanted,
            groups=self._choices.groups,
        )
        if load is None:
            return None
        try:
            with loads.given_up_on_failure(load):
                return self._write(load)
        except Lost as lost:
            raise RefusedFile(str(lost)) from None

    def _write(self, load: Load) -> Outcome:
        data_set, known = self._data_set, SourceFile.objects.get(loads=load)
        overlay = Overlay(data_set, load, known, loads.alive)
        statistics.free_room(data_set)
        with self._open() as (reader, rows, table):
            combinations = writing.write(data_set, load, rows, overlay)
        self._check(reader, table, known)
        load.rows, load.unreadable = reader.cells.rows, reader.cells.unreadable
        load.findings = Findings.of(table, reader.cells).sentences()
        overlay.bring()
        uncertain = alike.uncertain(data_set, load, known)
        same = recognition.same_content(data_set, self._digest, known.name)
        same = same or recognition.same_rows(data_set, load)
        statistics.refresh_for(data_set, load)
        overlay.catch_up()
        with transaction.atomic(), _action(data_set, Change.Action.LOAD, self._choices.loaded_by) as action:
            versions.bump(data_set)
            source = loads.switch(data_set, load, known, overlay, action, said=self._said)
            self._record(action, known, source)
        return self._outcome(
            known,
            reader,
            table,
            vanished=len(overlay.vanished),
            notes=[
                *self._copy(same),
                *self._uncertain(uncertain),
                *self._many(combinations),
                *self._undeclared(table),
            ],
        )

    @contextmanager
    def _open(self) -> Iterator[tuple[Reader, Iterator[Rows], Table]]:
        """Yield the reader of the file, the rows that it reads, and the table they are from."""
        data_set, path = self._data_set, self._found.path
        layout = data_set.options.layout
        with open_table(
            path, data_set.headings, said=self._said, layout=layout, progress=self._told
        ) as table:
            reader = Reader.of(data_set, table, file=path.name, said=self._said)
            yield reader, reader.read_all(table.batches), table

    def _told(self, read: int) -> None:
        self._choices.progress(self._found, read)

    def _check(self, reader: Reader, table: Table, known: SourceFile | None) -> None:
        """Raise RefusedFile if what was read must not replace what is stored."""
        if self._choices.strict:
            _demand_no_unreadable(reader, table)
        if known and known.rows and not reader.cells.rows and not self._choices.allow_empty:
            raise RefusedFile(
                f"has no rows. Its {known.rows:,} rows from before are kept; to delete them, allow empty "
                "files (--allow-empty)"
            )

    def _record(self, action: recording.Recorder, known: SourceFile, source: SourceFile) -> None:
        names = ("rows", "digest", "state")
        after: dict[str, Any] = {name: getattr(source, name) for name in names}
        if known.state == SourceFile.State.LOADING:
            after |= kinds.field_values(SourceFile, [source.pk], ["groups"])[source.pk]
            before = {}
        else:
            before = {name: getattr(known, name) for name in names}
        action.add(source, recording.differences(before, after))

    def _copy(self, other: str) -> Iterator[str]:
        if other and not self._was:
            yield (
                f"has the same content as {other!r}; if it is a copy, its rows count twice: "
                "remove one of them"
            )

    def _uncertain(self, number: int) -> Iterator[str]:
        if number:
            rows = "1 curated row" if number == 1 else f"{number:,} curated rows"
            columns = _words(self._data_set, self._data_set.identity)
            yield (
                f"{rows} cannot be told from other rows of the file by {columns}, and the number of such "
                "rows has changed: check whether the right rows are edited or hidden"
            )

    def _undeclared(self, table: Table) -> Iterator[str]:
        if table.unused and self._data_set.options.tools:
            where = self._data_set.model.__module__.replace(".", "/")
            yield (
                f"to use unknown columns, declare them in {where}.py or add the new name of a column to "
                "its also=(…), then run makemigrations, migrate and load the file with --force"
            )

    def _many(self, combinations: int) -> Iterator[str]:
        if combinations > MANY:
            columns = _words(self._data_set, self._data_set.categories)
            yield (
                f"has {combinations:,} combinations of {columns}, which each worker keeps in memory; declare "
                "columns with very many values as Prose or Text"
            )

    def _outcome(
        self,
        known: SourceFile | None,
        reader: Reader,
        table: Table,
        *,
        vanished: int = 0,
        notes: Sequence[str] = (),
        sample: Sequence[str] = (),
    ) -> Outcome:
        cells, about = reader.cells, list(notes)
        if self._was:
            about.append(f"was renamed from {self._was!r}; its edits are kept")
        return Outcome(
            name=self._found.name,
            result="replaced" if known and known.state != SourceFile.State.LOADING else "new",
            rows=cells.rows,
            unreadable=cells.unreadable,
            vanished=vanished,
            lost=max(0, (known.rows if known else 0) - cells.rows),
            findings=Findings.of(table, cells),
            notes=about,
            sample=sample,
        )


def _words(data_set: DataSet, names: Sequence[str]) -> str:
    *others, last = map(data_set.words_of, names)
    return f"{', '.join(others)} and {last}" if others else last


def _shown(data_set: DataSet, rows: Rows) -> list[str]:
    """Return the first rows, each in a sentence."""
    names = [
        name for name in data_set.columns if name not in data_set.derived and data_set.columns[name].shown
    ]
    read = islice(zip(*(rows.columns[name] for name in names), strict=True), SHOWN_ROWS)
    return [
        f"row {number} would be "
        + ", ".join(
            f"{data_set.words_of(name)} {value!r}"[:200]
            for name, value in zip(names, row, strict=True)
            if value not in ("", None, str(NO_DAY))
        )
        for number, row in enumerate(read, start=1)
    ]


def _prunable(data_set: DataSet, found: Sequence[Found], choices: Choices) -> set[Path]:
    """Return the folders that may be pruned: all of `found`. Raises PruneRefused."""
    every = {each.folder for each in found if each.whole_folder}
    unlisted = [each for each in found if each.stands_for == "unlisted"]
    refused = [f"{each.path} {each.refused}." for each in unlisted]
    for folder in sorted(every - {each.folder for each in unlisted}):
        here = [each for each in found if each.whole_folder and each.folder == folder]
        refused.append(
            folders.why_not_prune(
                folder,
                there=[each.name for each in here if each.stands_for == "file"],
                known=data_set.files.loaded_from([folder]).values_list("name", flat=True),
                wrong="".join(each.refused for each in here if each.stands_for == "empty"),
                allow_empty=choices.allow_empty,
            )
        )
    if any(refused):
        raise PruneRefused("\n".join(filter(None, refused)))
    return every


def _listed(found: Sequence[Found]) -> set[Path]:
    """Return the folders of `found` whose content is known and not empty."""
    every = {each.folder for each in found if each.whole_folder}
    return every - {each.folder for each in found if each.stands_for != "file"}


def _gone(
    data_set: DataSet, found: Sequence[Found], listed: Collection[Path], choices: Choices
) -> Iterator[Outcome]:
    """Yield files that were loaded from the folders `listed` and are no longer in them."""
    names = {each.name for each in found}
    for source in data_set.files.loaded_from(listed).exclude(name__in=names):
        if not choices.prune:
            if not choices.dry_run and source.state != SourceFile.State.GONE:
                with transaction.atomic(), _action(data_set, Change.Action.LOAD, choices.loaded_by) as action:
                    SourceFile.objects.filter(pk=source.pk).update(state=SourceFile.State.GONE)
                    action.add(source, {"state": (source.state, SourceFile.State.GONE)})
            yield Outcome(
                name=source.name,
                result="gone",
                rows=source.rows,
                reason="is no longer in its folder; its rows are kept until a run with --prune",
            )
            continue
        vanished = 0
        if not choices.dry_run:
            # A file that only some groups could read must not be open to everybody when it comes back.
            keep = source.groups.exists()
            try:
                with _action(data_set, Change.Action.PRUNE, choices.loaded_by) as action:
                    vanished = loads.empty(source, action, state=SourceFile.State.GONE, keep=keep)
            except Lost:
                yield Outcome(name=source.name, result="rejected", reason=LOST)
                continue
        yield Outcome(name=source.name, result="pruned", rows=source.rows, vanished=vanished)


def remove(source: SourceFile, *, curated: bool = False) -> int:
    """Delete a file's rows, and have loads that do not name it skip it; return how many rows are kept.

    Those are the curated ones, marked as vanished, unless `curated` says to delete them too. The record of
    the file is kept with its groups; only an upload that everybody may read leaves nothing behind. The
    history records it as part of the caller's action.
    """
    with transaction.atomic(), recording.action(Change.Action.DELETE) as action:
        if curated:
            curation.delete_curated(source)
        keep = source.folder != str(UPLOADS) or source.groups.exists()
        loads.empty(source, action, state=SourceFile.State.REMOVED, keep=keep)
        return curation.curated(source).count()


def undo(source: SourceFile, *, by: User | None = None, loaded_by: str = "") -> Load:
    """Make current again the load of a file that its last one replaced; return it. Raises Lost.

    Curators' changes since then stay. Loads skip the file while it is what was undone.
    """
    with recording.action(
        Change.Action.LOAD, by=by, author=loaded_by, source="undo_load", reason="Undo of the last load"
    ) as action:
        return loads.undo(source, action)
