"""Files to rows: what `load_airfare` does.

Each file is one transaction. Whatever happens to the process, the database holds the file's old rows
or its new ones, and the answers change from one to the other at once.
"""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import islice, repeat
from pathlib import Path
from typing import Any, Literal, cast

from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from airfare import combinations, curation, notables, statistics, versions
from airfare.combinations import Counts, Ids
from airfare.curation import Kept
from airfare.models import SourceFile
from airfare.notables import Texts
from airfare.parsing import FORMATS, RefusedFile, open_table
from airfare.records import COLUMNS, MOST_NAMED, PROSE, SOURCE_FIELDS, Reader, Records, Unreadable
from mcpsite.core import folders
from mcpsite.core.outage import why_not_stored
from mcpsite.history import kinds, recording
from mcpsite.history.models import Change
from mcpsite.uploads.loaders import FOLDER as UPLOADS
from mcpsite.uploads.summaries import Summary

logger = logging.getLogger(__name__)

Result = Literal["new", "replaced", "unchanged", "rejected", "removed", "left out", "gone", "pruned"]
Progress = Callable[["Found", int], None]

_INSERTED = ("source_file_id", *SOURCE_FIELDS, "combination_id", "notable_id", "hidden", "vanished")
_COMBINED = [SOURCE_FIELDS.index(name) for name in ("route", "airline", "season")]
_DAY = SOURCE_FIELDS.index("snapshot_day")


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
    stands_for: Literal["file", "empty", "unlisted"] = "file"
    """A file, or else all of `folder` where it holds none, or a folder below it that cannot be listed."""


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
    first_unreadable: Sequence[Unreadable] = ()
    unused: Collection[str] = ()
    """What the file's columns are called that mean nothing here."""
    skipped: int = 0
    """Items of a JSON file that are no rows."""


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
        if each.suffix.lower() in FORMATS
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
    return found or [_empty(folder, f"holds no {', '.join(FORMATS)} file")]


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
    progress: Progress | None = None,
) -> Iterator[Outcome]:
    """Load each file and say what became of it; then say which files are gone from their folders.

    A file whose digest has not changed is left alone, unless `force`. With `strict` a file with an
    unreadable value is rejected. With `prune` the rows of files that are gone go too, except what a
    curator touched; a folder in which none of its files is left is taken for one that is not mounted,
    unless `allow_empty`, and then PruneRefused is raised before anything is done. A file that has become
    empty is rejected, unless `allow_empty`. With `dry_run` nothing is written. The rows of new files are for
    `groups` alone, where there are any. Files that somebody removed are loaded again where `restore`, and
    left out otherwise; so are those whose SHA-256 is in `without`.
    """
    listed = _prunable(found, allow_empty=allow_empty) if prune else _listed(found)
    changed: set[Result] = set()
    for each in found:
        if prune and each.stands_for == "empty":
            continue
        outcome = _load_one(
            each,
            loaded_by=loaded_by,
            dry_run=dry_run,
            strict=strict,
            restore=restore,
            without=without,
            force=force,
            groups=groups,
            allow_empty=allow_empty,
            progress=progress,
        )
        changed.add(outcome.result)
        yield outcome
    for outcome in _gone(found, listed, loaded_by=loaded_by, dry_run=dry_run, prune=prune):
        changed.add(outcome.result)
        yield outcome
    if dry_run:
        return
    if changed & {"replaced", "pruned"}:
        with transaction.atomic():
            versions.bump()
            _forget_unused()
    if changed & {"new", "replaced", "pruned"}:
        statistics.refresh()


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
    progress: Progress | None,
) -> Outcome:
    if found.refused:
        return Outcome(name=found.name, result="rejected", reason=found.refused)
    try:
        digest = _digest(found.path)
        known = SourceFile.objects.filter(name=found.name).first()
        if known and known.state == SourceFile.State.REMOVED and not restore:
            return Outcome(name=found.name, result="removed")
        if known and known.digest == digest and not force:
            if not dry_run:
                _still_there(known, found)
            return Outcome(name=found.name, result="unchanged", rows=known.rows, unreadable=known.unreadable)
        if digest in without:
            return Outcome(name=found.name, result="left out")
        with nullcontext() if dry_run else transaction.atomic(), _action(Change.Action.LOAD, loaded_by):
            load = _Load(
                found,
                digest,
                loaded_by,
                strict=strict,
                allow_empty=allow_empty,
                groups=groups,
                progress=progress,
            )
            return load.run(dry_run=dry_run)
    except RefusedFile as refusal:
        return Outcome(name=found.name, result="rejected", reason=str(refusal))
    except DatabaseError as error:
        logger.exception("%a could not be loaded", found.name)
        return Outcome(name=found.name, result="rejected", reason=why_not_stored(error))


def summary(outcomes: Collection[Outcome]) -> Summary:
    """What became of each file, for a person."""
    told = Summary(columns=["File", "Rows", "Unreadable values", "Result"], rows=[])
    for each in outcomes:
        if each.lost > each.rows:
            told.warnings.append(
                f"{each.name} has lost most of its rows: it held {each.rows + each.lost:,} and holds "
                f"{each.rows:,} now. If it was cut off, load the whole file again."
            )
        told.rows.append([each.name, f"{each.rows:,}", f"{each.unreadable:,}", each.result])
        if each.result in ("rejected", "gone"):
            told.notes.append(f"{each.name}: {each.reason}.")
        if each.first_unreadable:
            shown = "; ".join(f"line {bad.line}: {bad}" for bad in each.first_unreadable)
            more = ", …" if each.unreadable > len(each.first_unreadable) else ""
            told.notes.append(f"{each.name}: {each.unreadable:,} values cannot be read: {shown}{more}.")
        if each.unused:
            shown = ", ".join(map(repr, islice(each.unused, MOST_NAMED)))
            more = f" and {len(each.unused) - MOST_NAMED:,} more" if len(each.unused) > MOST_NAMED else ""
            told.notes.append(f"{each.name}: columns that are not known were not used: {shown}{more}.")
        if each.skipped:
            told.notes.append(f"{each.name}: {each.skipped:,} items were skipped, for they are no rows.")
        if each.vanished:
            told.notes.append(
                f"{each.name}: {each.vanished} curated rows are no longer in the file; "
                "they are kept and marked as vanished."
            )
        told.failed |= each.result == "rejected"
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
    """The load of one file, inside its transaction."""

    def __init__(
        self,
        found: Found,
        digest: str,
        loaded_by: str,
        *,
        strict: bool,
        allow_empty: bool,
        groups: Sequence[Group],
        progress: Progress | None,
    ) -> None:
        self._found = found
        self._digest = digest
        self._loaded_by = loaded_by
        self._strict = strict
        self._allow_empty = allow_empty
        self._groups = groups
        self._progress = progress
        self._before: dict[str, Any] = {}

    def run(self, *, dry_run: bool) -> Outcome:
        """Replace the file's rows; with `dry_run` only read the file. Raises RefusedFile."""
        found = self._found
        if not dry_run:
            versions.bump()
        known = SourceFile.objects.filter(name=found.name).first()
        before = known.rows if known else 0
        vanished = 0
        with open_table(found.path, columns=COLUMNS, prose=PROSE, progress=self._told) as table:
            reader = Reader(header=table.header, fallback=found.path.name)
            records = (reader.read(batch) for batch in table.batches)
            if dry_run:
                for _ in records:
                    pass
            else:
                source = self._register(known)
                vanished = self._replace(source, records)
        if self._strict and reader.first_unreadable:
            raise RefusedFile(str(reader.first_unreadable[0]), reader.first_unreadable[0].line)
        if before and not reader.rows and not self._allow_empty:
            raise RefusedFile(
                f"holds no rows, and {before:,} of it are here, which stay; if they are to go, allow that "
                "(--allow-empty)"
            )
        if not dry_run:
            SourceFile.objects.filter(pk=source.pk).update(rows=reader.rows, unreadable=reader.unreadable)
            self._record(source, reader)
        return Outcome(
            name=found.name,
            result="replaced" if known else "new",
            rows=reader.rows,
            unreadable=reader.unreadable,
            vanished=vanished,
            lost=max(0, before - reader.rows),
            first_unreadable=reader.first_unreadable,
            unused=table.unused,
            skipped=table.unused.skipped,
        )

    def _record(self, source: SourceFile, reader: Reader) -> None:
        after: dict[str, Any] = {"rows": reader.rows, "digest": source.digest, "state": source.state}
        if not self._before:
            after |= kinds.field_values(SourceFile, [source.pk], ["groups"])[source.pk]
        with _action(Change.Action.LOAD, self._loaded_by) as action:
            action.add(source, recording.differences(self._before, after))

    def _told(self, read: int) -> None:
        if self._progress:
            self._progress(self._found, read)

    def _register(self, known: SourceFile | None) -> SourceFile:
        source = known or SourceFile(name=self._found.name)
        self._before = {"rows": source.rows, "digest": source.digest, "state": source.state} if known else {}
        source.folder = str(self._found.folder)
        source.digest = self._digest
        source.format = FORMATS[self._found.path.suffix.lower()]
        source.loaded_at = timezone.now()
        source.loaded_by = self._loaded_by
        source.state = SourceFile.State.LOADED
        source.save()
        if known is None:
            source.groups.set(self._groups)
        return source

    def _replace(self, source: SourceFile, records: Iterable[Records]) -> int:
        kept = Kept(source.pk)
        kept.drop_others()
        combinations.forget_counts(source.pk)
        texts, ids, counts = Texts(), Ids(), Counts()
        for each in records:
            plain = each
            if kept:
                plain, met = kept.take(each)
                kept.renew(met, texts)
            if plain.columns:
                combined = ids.of(list(zip(*(plain.columns[place] for place in _COMBINED), strict=True)))
                counted = Counter(zip(combined, plain.columns[_DAY], strict=True))
                for (combination, day), rows in counted.items():
                    counts.add(source.pk, combination, rows, day, day)
                _insert(source.pk, [*plain.columns, combined, texts.numbers(plain.notables)])
            if len(counts) > 50_000:
                counts.store()
        vanished = kept.mark_vanished()
        kept.count(counts)
        counts.store()
        return vanished


def _insert(source_file_id: int, columns: Sequence[Sequence[Any]]) -> None:
    rows = zip(repeat(source_file_id), *columns, repeat(False), repeat(False), strict=False)
    names = ", ".join(_INSERTED)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY airfare_farerow ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            # The drivers take any iterable, and a list would be a copy.
            places = ", ".join(["%s"] * len(_INSERTED))
            cursor.executemany(
                f"INSERT INTO airfare_farerow ({names}) VALUES ({places})",
                cast(Any, rows),
            )


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
        # A file that was for some groups alone must not be for everybody when it comes back.
        keep = source.groups.exists()
        vanished = 0 if dry_run else _prune(source, loaded_by, SourceFile.State.GONE, keep=keep)
        yield Outcome(name=source.name, result="pruned", rows=source.rows, vanished=vanished)


def remove(source: SourceFile, *, curated: bool = False) -> int:
    """Delete a file's rows, and have loads that do not name it leave it out; returns how many rows are kept.

    Those are the curated ones, marked as vanished, unless `curated` says that they go too. The record of the
    file is kept with its groups; only an upload that is for everybody leaves nothing behind. In the history
    it is part of the caller's action.
    """
    with transaction.atomic(), recording.action(Change.Action.DELETE):
        if curated:
            curation.delete_curated(source.pk)
        keep = source.folder != str(UPLOADS) or source.groups.exists()
        _prune(source, "", SourceFile.State.REMOVED, keep=keep)
        _forget_unused()
        return len(curation.curated(source.pk))


def _forget_unused() -> None:
    """Delete what was stored once for many rows, and no row has any more."""
    notables.forget_unused()
    combinations.forget_unused()


def _prune(source: SourceFile, loaded_by: str, state: SourceFile.State, *, keep: bool) -> int:
    """Delete a file's rows, and its record unless `keep` or curated rows stay; returns how many vanished."""
    with transaction.atomic(), _action(Change.Action.PRUNE, loaded_by) as action:
        versions.bump()
        kept = Kept(source.pk)
        kept.drop_others()
        combinations.forget_counts(source.pk)
        vanished = kept.mark_vanished()
        if not (keep or kept.curated):
            action.add(source, {"rows": (source.rows, None)})
            source.delete()
            return 0
        action.add(source, {"rows": (source.rows, None), "state": (source.state, state)})
        counts = Counts()
        kept.count(counts)
        counts.store()
        # Without a digest: should the file come back as it was, its rows have to be loaded again.
        SourceFile.objects.filter(pk=source.pk).update(state=state, digest="", rows=0, unreadable=0)
        return vanished
