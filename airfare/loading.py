"""Files to rows: what `load_airfare` does.

Each file becomes a load, written in short transactions that nobody sees the rows of; one more lets the file
point at it. Whatever happens to the process, answers are of the file's old rows or of its new ones, and
change from one to the other at once.
"""

import hashlib
import logging
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from django.contrib.auth.models import Group, User
from django.db import DatabaseError, transaction

from airfare import alike, cleaning, curation, loads, recognition, statistics, versions, writing
from airfare.edits import Overlay
from airfare.loads import Lost
from airfare.models import Load, SourceFile
from airfare.records import FARES, SOURCE_FIELDS, WEEKLY, Reader, Records
from mcpsite.core import folders
from mcpsite.core.outage import why_not_stored
from mcpsite.datasets.columns import Said
from mcpsite.datasets.findings import Findings, understood
from mcpsite.datasets.formats import KINDS, format_of
from mcpsite.datasets.reading import NOTHING_SAID, open_table
from mcpsite.datasets.records import Unreadable
from mcpsite.datasets.refusals import RefusedFile
from mcpsite.datasets.tables import MOST_NAMED, Table
from mcpsite.history import kinds, recording
from mcpsite.history.models import Change
from mcpsite.uploads.loaders import FOLDER as UPLOADS
from mcpsite.uploads.summaries import Summary

logger = logging.getLogger(__name__)

Result = Literal["new", "replaced", "unchanged", "rejected", "removed", "left out", "gone", "pruned"]
Progress = Callable[["Found", int], None]

NOTHING_FOUND = Findings()
SHOWN_ROWS = 3
"""Rows that a look at a file shows as they would be read."""
LOST = "was deleted, or loaded by somebody else, while it was being pruned"
UNDONE = "was undone as it is, and is loaded again when it has changed, or with --force"


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A file to load."""

    name: str
    """Its path below the folder that is loaded."""
    path: Path
    folder: Path
    refused: str = ""
    """Why it cannot be loaded, where that is known without opening it."""
    whole_folder: bool = False
    """Whether all of its folder is loaded, so that files missing there are gone."""
    stands_for: Literal["file", "empty", "unlisted", "other"] = "file"
    """A file, or else all of `folder` where it holds none, a folder below it that cannot be listed, or a file
    of another kind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a file."""

    name: str
    result: Result
    rows: int = 0
    unreadable: int = 0
    vanished: int = 0
    """Curated rows that the file no longer holds."""
    lost: int = 0
    """By how many rows the file is shorter than it was."""
    reason: str = ""
    findings: Findings = NOTHING_FOUND
    """What was read otherwise than it stands, or not at all."""
    notes: Sequence[str] = ()
    """What else is to be said of it."""
    sample: Sequence[str] = ()
    """The first rows as they would be read, where that was all that was wanted."""

    @property
    def first_unreadable(self) -> Sequence[Unreadable]:
        return self.findings.first_unreadable

    @property
    def unused(self) -> Collection[str]:
        """What the file's columns are called that mean nothing here."""
        return self.findings.unused

    @property
    def skipped(self) -> int:
        """Items of a JSON file that are no rows."""
        return self.findings.skipped


class PruneRefused(Exception):
    """`--prune` would delete what is more likely out of reach than gone; a sentence for each folder."""


def find(paths: Iterable[Path]) -> list[Found]:
    """The files that `paths` (files, or folders with all that is below them) stand for, by name."""
    found: list[Found] = []
    for path in paths:
        path = path.absolute()
        if folders.is_missing(path):
            found.append(_empty(path, "does not exist"))
        elif folders.is_file(path):
            found.append(Found(name=path.name, path=path, folder=path.parent))
        elif folders.is_special(path):
            reason = "is no file and no folder"
            found.append(Found(name=path.name, path=path, folder=path.parent, refused=reason))
        else:
            found += _inside(path)
    return _one_of_each_name(_in_utf8(each) for each in found)


def _in_utf8(found: Found) -> Found:
    """`found`, refused where no database can store its name."""
    if folders.is_utf8(found.name):
        return found
    return replace(
        found, name=folders.readable(found.name), refused="has a name that is not UTF-8; rename it"
    )


def _inside(folder: Path) -> list[Found]:
    files, problems = folders.files_below(folder)
    found = [
        Found(name=each.relative_to(folder).as_posix(), path=each, folder=folder, whole_folder=True)
        for each in files
        if format_of(each)
    ]
    found += [
        Found(
            name=str(Path(problem.filename).relative_to(folder.parent)),
            path=Path(problem.filename),
            folder=folder,
            refused=f"cannot be listed: {problem.strerror}",
            whole_folder=True,
            stands_for="unlisted",
        )
        for problem in problems
    ]
    found = found or [_empty(folder, f"holds no {KINDS} file")]
    return found + [
        Found(name=each.relative_to(folder).as_posix(), path=each, folder=folder, stands_for="other")
        for each in files
        if not format_of(each)
    ]


def _one_of_each_name(found: Iterable[Found]) -> list[Found]:
    """`found` with each path once, and a later file that has an earlier one's name refused."""
    first: dict[str, Path] = {}
    kept: list[Found] = []
    for each in found:
        earlier = None if each.refused else first.setdefault(each.name, each.path)
        if earlier is None or (earlier == each.path and each not in kept):
            kept.append(each)
        elif earlier != each.path:
            reason = f"has the name of another file of this run, in {earlier.parent.name}; rename one of them"
            kept.append(replace(each, refused=reason))
    return kept


def _empty(path: Path, reason: str) -> Found:
    return Found(
        name=path.name, path=path, folder=path, refused=reason, whole_folder=True, stands_for="empty"
    )


def load(
    found: Sequence[Found],
    *,
    loaded_by: str,
    dry_run: bool = False,
    strict: bool = False,
    prune: bool = False,
    allow_empty: bool = False,
    restore: bool = True,
    without: Container[str] = (),
    force: bool = False,
    groups: Sequence[Group] = (),
    said: Said = NOTHING_SAID,
    progress: Progress | None = None,
) -> Iterator[Outcome]:
    """Load each file and say what became of it; then say which files are gone from their folders.

    A file whose digest has not changed is left alone, unless `force`. With `strict` a file with an
    unreadable value is rejected. With `prune` the rows of files that are gone go too, except what a
    curator touched; a folder in which none of its files is left is taken for one that is not mounted,
    unless `allow_empty`, and then PruneRefused is raised before anything is done. A file that has become
    empty is rejected, unless `allow_empty`. With `dry_run` nothing is written. The rows of new files are for
    `groups` alone, where there are any. Files that somebody removed are loaded again where `restore`, and
    left out otherwise; so are those whose SHA-256 is in `without`. `said` is what somebody says of the files
    that they leave open.
    """
    listed = _prunable(found, allow_empty=allow_empty) if prune else _listed(found)
    for each in found:
        if prune and each.stands_for == "empty":
            continue
        if each.stands_for == "other":
            yield Outcome(name=each.name, result="left out", reason=f"is not one of {KINDS}")
            continue
        yield _load_one(
            each,
            loaded_by=loaded_by,
            dry_run=dry_run,
            strict=strict,
            restore=restore,
            without=without,
            force=force,
            groups=groups,
            allow_empty=allow_empty,
            said=said,
            progress=progress,
        )
    yield from _gone(found, listed, loaded_by=loaded_by, dry_run=dry_run, prune=prune)
    if not dry_run:
        cleaning.clean()


def _load_one(
    found: Found,
    *,
    loaded_by: str,
    dry_run: bool,
    strict: bool,
    restore: bool,
    without: Container[str],
    force: bool,
    allow_empty: bool,
    groups: Sequence[Group],
    said: Said,
    progress: Progress | None,
) -> Outcome:
    if found.refused:
        return Outcome(name=found.name, result="rejected", reason=found.refused)

    def wanted(known: SourceFile | None) -> bool:
        # What is said of a file may change what an unchanged one holds.
        return force or bool(was) or said != NOTHING_SAID or not known or known.digest != digest

    was = ""
    try:
        digest = _digest(found.path)
        if same := recognition.by_path(found.path, found.folder):
            found = replace(found, name=same.name, folder=Path(same.folder))
        known = SourceFile.objects.filter(name=found.name).first()
        if known and known.state == SourceFile.State.REMOVED and not restore:
            return Outcome(name=found.name, result="removed")
        if known:
            recognition.demand_place(known, found.folder)
        elif not dry_run:
            was = recognition.rename(digest, found.name)
        if not wanted(known):
            if strict and known and known.unreadable:
                _demand_readable(found, said)
            return _unchanged(found, dry_run=dry_run)
        if digest in without:
            return Outcome(name=found.name, result="left out")
        if known and known.undone_digest == digest and not (force or found.folder == UPLOADS):
            return Outcome(name=found.name, result="left out", reason=UNDONE)
        load = _Load(
            found,
            digest,
            loaded_by,
            strict=strict,
            allow_empty=allow_empty,
            groups=groups,
            said=said,
            was=was,
            progress=progress,
        )
        # Somebody else may have loaded it while this load waited for its turn.
        return load.run(wanted=wanted, dry_run=dry_run) or _unchanged(found, dry_run=dry_run)
    except RefusedFile as refusal:
        return Outcome(name=found.name, result="rejected", reason=str(refusal))
    except DatabaseError as error:
        logger.exception("%a could not be loaded", found.name)
        return Outcome(name=found.name, result="rejected", reason=why_not_stored(error))


def _unchanged(found: Found, *, dry_run: bool) -> Outcome:
    known = SourceFile.objects.get(name=found.name)
    if not dry_run:
        _still_there(known, found)
    return Outcome(name=found.name, result="unchanged", rows=known.rows, unreadable=known.unreadable)


def _demand_readable(found: Found, said: Said) -> None:
    """Raise RefusedFile if the file holds a value that cannot be read."""
    with open_table(found.path, FARES, said=said, layout=WEEKLY) as table:
        reader = Reader.of(table, fallback=found.path.name, said=said).cells
        for _ in reader.read_all(table.batches):
            pass
    if reader.first_unreadable:
        first = reader.first_unreadable[0]
        raise RefusedFile(str(first), first.line, place=table.place)


def summary(outcomes: Collection[Outcome]) -> Summary:
    """What became of each file, for a person."""
    told = Summary(columns=["File", "Rows", "Unreadable values", "Result"], rows=[])
    others: list[str] = []
    for each in outcomes:
        if each.lost > each.rows:
            told.warnings.append(
                f"{each.name} has lost most of its rows: it held {each.rows + each.lost:,} and holds "
                f"{each.rows:,} now. If it was cut off, load the whole file again."
            )
        if each.result == "left out" and each.reason != UNDONE and each.reason:
            others.append(each.name)
            continue
        told.rows.append([each.name, f"{each.rows:,}", f"{each.unreadable:,}", each.result])
        if each.reason:
            told.notes.append(f"{each.name}: {each.reason}.")
        sentences = (*each.notes, *each.findings.sentences(), *each.sample)
        told.notes += (f"{each.name}: {sentence}." for sentence in sentences)
        if each.vanished:
            told.notes.append(
                f"{each.name}: {each.vanished} curated rows are no longer in the file; "
                "they are kept and marked as vanished."
            )
        told.failed |= each.result == "rejected"
    if others:
        shown = ", ".join(others[:MOST_NAMED])
        more = f" and {len(others) - MOST_NAMED:,} more" if len(others) > MOST_NAMED else ""
        told.notes.append(f"Left out, for none of them is one of {KINDS}: {shown}{more}.")
    if removed := sum(each.result == "removed" for each in outcomes):
        told.notes.append(
            f"{removed:,} {'file was' if removed == 1 else 'files were'} removed by somebody and left out; "
            "name a file or its folder to load it again."
        )
    return told


def _action(name: Change.Action, loaded_by: str) -> AbstractContextManager[recording.Recorder]:
    return recording.action(name, author=loaded_by, source="load_airfare")


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
        self,
        found: Found,
        digest: str,
        loaded_by: str,
        *,
        strict: bool,
        allow_empty: bool,
        groups: Sequence[Group],
        said: Said,
        was: str,
        progress: Progress | None,
    ) -> None:
        self._found = found
        self._digest = digest
        self._loaded_by = loaded_by
        self._strict = strict
        self._allow_empty = allow_empty
        self._groups = groups
        self._said = said
        self._was = was
        """What the file was called before it was renamed."""
        self._progress = progress

    def run(self, *, wanted: Callable[[SourceFile | None], bool], dry_run: bool) -> Outcome | None:
        """Replace the file's rows, unless the file is not `wanted` any more, which gives None.

        With `dry_run` only read the file. Raises RefusedFile.
        """
        if dry_run:
            known = SourceFile.objects.filter(name=self._found.name).first()
            sample: list[str] = []
            with self._open() as (fares, records, table):
                for each in records:
                    sample = sample or _shown(each)
            self._check(fares, table, known)
            sample = [f"its columns are {understood(table.used)}", *sample]
            return self._outcome(known, fares, table, sample=sample)
        load = loads.claim(
            self._found.name,
            folder=str(self._found.folder),
            format_=format_of(self._found.path) or "",
            digest=self._digest,
            loaded_by=self._loaded_by,
            wanted=wanted,
            groups=self._groups,
        )
        if load is None:
            return None
        try:
            with loads.given_up_on_failure(load):
                return self._write(load)
        except Lost as lost:
            raise RefusedFile(str(lost)) from None

    def _write(self, load: Load) -> Outcome:
        known = SourceFile.objects.get(loads=load)
        overlay = Overlay(load, known, loads.alive)
        with self._open() as (fares, records, table):
            writing.write(load, records, overlay)
        self._check(fares, table, known)
        load.rows, load.unreadable = fares.cells.rows, fares.cells.unreadable
        overlay.bring()
        uncertain = alike.uncertain(load, known)
        statistics.refresh_for(load)
        overlay.catch_up()
        with transaction.atomic(), _action(Change.Action.LOAD, self._loaded_by) as action:
            versions.bump()
            source = loads.switch(load, known, overlay, action)
            self._record(action, known, source)
        return self._outcome(known, fares, table, vanished=len(overlay.vanished), uncertain=uncertain)

    @contextmanager
    def _open(self) -> Iterator[tuple[Reader, Iterator[Records], Table]]:
        """Yield the reader of the file, the records that it reads, and the table they are from."""
        path = self._found.path
        with open_table(path, FARES, said=self._said, layout=WEEKLY, progress=self._told) as table:
            fares = Reader.of(table, fallback=path.name, said=self._said)
            yield fares, fares.read_all(table.batches), table

    def _told(self, read: int) -> None:
        if self._progress:
            self._progress(self._found, read)

    def _check(self, fares: Reader, table: Table, known: SourceFile | None) -> None:
        """Raise RefusedFile where what was read must not replace what is here."""
        if self._strict and fares.cells.first_unreadable:
            first = fares.cells.first_unreadable[0]
            raise RefusedFile(str(first), first.line, place=table.place)
        if known and known.rows and not fares.cells.rows and not self._allow_empty:
            raise RefusedFile(
                f"holds no rows, and {known.rows:,} of it are here, which stay; if they are to go, allow "
                "that (--allow-empty)"
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

    def _outcome(
        self,
        known: SourceFile | None,
        fares: Reader,
        table: Table,
        *,
        vanished: int = 0,
        uncertain: int = 0,
        sample: Sequence[str] = (),
    ) -> Outcome:
        reader = fares.cells
        notes = []
        if uncertain:
            rows = "1 curated row" if uncertain == 1 else f"{uncertain:,} curated rows"
            notes.append(
                f"{rows} cannot be told from others of the file by date, route, airline, season, query, "
                "region and provider, and there are more or fewer of them now: check whether what was "
                "edited or hidden stands on the right row"
            )
        if self._was:
            notes.append(f"was {self._was!r} before it was renamed, and what was edited in it stays")
        elif other := recognition.same_content(self._digest, self._found.name):
            notes.append(f"holds the same as {other!r}; if it is a copy, its rows count twice: remove one")
        return Outcome(
            name=self._found.name,
            result="replaced" if known and known.state != SourceFile.State.LOADING else "new",
            rows=reader.rows,
            unreadable=reader.unreadable,
            vanished=vanished,
            lost=max(0, (known.rows if known else 0) - reader.rows),
            findings=Findings.of(table, reader),
            notes=notes,
            sample=sample,
        )


def _shown(records: Records) -> list[str]:
    """The first rows, each in a sentence."""
    rows = islice(zip(*records.columns, records.notables, strict=True), SHOWN_ROWS)
    names = [*SOURCE_FIELDS, "notable_event"]
    derived = ("position", "snapshot_day", "subject")
    return [
        f"row {number} would be "
        + ", ".join(
            f"{name} {value!r}"[:200]
            for name, value in zip(names, row, strict=True)
            if name not in derived and value not in ("", None)
        )
        for number, row in enumerate(rows, start=1)
    ]


def _prunable(found: Sequence[Found], *, allow_empty: bool) -> set[Path]:
    """The folders that may be pruned: all of `found`. Raises PruneRefused."""
    every = {each.folder for each in found if each.whole_folder}
    unlisted = [each for each in found if each.stands_for == "unlisted"]
    refused = [f"{each.path} {each.refused}." for each in unlisted]
    for folder in sorted(every - {each.folder for each in unlisted}):
        here = [each for each in found if each.whole_folder and each.folder == folder]
        refused.append(
            folders.why_not_prune(
                folder,
                there=[each.name for each in here if each.stands_for == "file"],
                known=SourceFile.objects.loaded_from([folder]).values_list("name", flat=True),
                wrong="".join(each.refused for each in here if each.stands_for == "empty"),
                allow_empty=allow_empty,
            )
        )
    if any(refused):
        raise PruneRefused("\n".join(filter(None, refused)))
    return every


def _listed(found: Sequence[Found]) -> set[Path]:
    """The folders of `found` in which it is known what there is, and not nothing."""
    every = {each.folder for each in found if each.whole_folder}
    return every - {each.folder for each in found if each.stands_for != "file"}


def _gone(
    found: Sequence[Found], listed: Collection[Path], *, loaded_by: str, dry_run: bool, prune: bool
) -> Iterator[Outcome]:
    """Files that were loaded from the folders `listed` and are no longer in them."""
    names = {each.name for each in found}
    for source in SourceFile.objects.loaded_from(listed).exclude(name__in=names):
        if not prune:
            if not dry_run and source.state != SourceFile.State.GONE:
                with transaction.atomic(), _action(Change.Action.LOAD, loaded_by) as action:
                    SourceFile.objects.filter(pk=source.pk).update(state=SourceFile.State.GONE)
                    action.add(source, {"state": (source.state, SourceFile.State.GONE)})
            yield Outcome(
                name=source.name,
                result="gone",
                rows=source.rows,
                reason="is gone from its folder; its rows stay until a run with --prune",
            )
            continue
        vanished = 0
        if not dry_run:
            # A file that was for some groups alone must not be for everybody when it comes back.
            keep = source.groups.exists()
            try:
                with _action(Change.Action.PRUNE, loaded_by) as action:
                    vanished = loads.empty(source, action, state=SourceFile.State.GONE, keep=keep)
            except Lost:
                yield Outcome(name=source.name, result="rejected", reason=LOST)
                continue
        yield Outcome(name=source.name, result="pruned", rows=source.rows, vanished=vanished)


def remove(source: SourceFile, *, curated: bool = False) -> int:
    """Delete a file's rows, and have loads that do not name it leave it out; returns how many rows are kept.

    Those are the curated ones, marked as vanished, unless `curated` says that they go too. The record of the
    file is kept with its groups; only an upload that is for everybody leaves nothing behind. In the history
    it is part of the caller's action.
    """
    with transaction.atomic(), recording.action(Change.Action.DELETE) as action:
        if curated:
            curation.delete_curated(source)
        keep = source.folder != str(UPLOADS) or source.groups.exists()
        loads.empty(source, action, state=SourceFile.State.REMOVED, keep=keep)
        return curation.curated(source).count()


def undo(source: SourceFile, *, by: User | None = None, loaded_by: str = "") -> Load:
    """Make the load of a file current again that its last one replaced; returns it. Raises Lost.

    What curators did since goes on applying. Loads leave the file out as long as it is what was undone.
    """
    with recording.action(
        Change.Action.LOAD, by=by, author=loaded_by, source="undo_load", reason="Undo of the last load"
    ) as action:
        return loads.undo(source, action)
