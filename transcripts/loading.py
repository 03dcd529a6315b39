"""Files → rows: what is new is added, what changed is replaced, what is gone is pruned on request.

Each file is one transaction together with its turns, its passages and so its full-text index; a killed run
leaves whole transcripts behind, and the next run continues.
"""

import hashlib
import logging
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Length
from django.utils import timezone
from django.utils.text import slugify

from mcpsite.core import folders
from mcpsite.core.background import Rests
from mcpsite.core.outage import why_not_stored
from mcpsite.history import recording
from mcpsite.history.models import Change
from mcpsite.uploads.loaders import FOLDER as UPLOADS
from mcpsite.uploads.summaries import Summary
from transcripts.models import Collection, Passage, SpeakerLabel, Tombstone, Transcript, Turn
from transcripts.parsing import (
    MAX_BYTES,
    SUFFIXES,
    BadFile,
    NoText,
    Parsed,
    Said,
    parse,
    parse_text,
    too_large,
)
from transcripts.passages import anchors, into_passages

logger = logging.getLogger(__name__)

BATCH = 500
NO_FILE = "contains no transcript files (.txt, .md, .vtt, .srt, .docx, .html, .json or .pdf)"
MOST_NAMED = 10
"""The most files that a note names; the others are counted."""
MOST_TOLD = 60
"""The most sentences about single lines in a summary; the transcripts' pages in the admin have all."""
MAX_NAME = 500
"""The most characters of a file's path below its folder (`Transcript.source_file`)."""


class NothingToLoad(Exception):
    """A path that cannot be loaded; its sentence is for the person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A file to load."""

    name: str
    """Its path below its folder, which identifies the transcript."""
    folder: Path
    path: Path
    refused: str = ""
    """Why it cannot be read, if that is known without opening it: a sentence."""
    unlisted: bool = False
    """Whether it represents a folder that cannot be listed."""
    passed_over: bool = False
    """Whether it is left out because of its name."""


@dataclass(kw_only=True, slots=True)
class LoadReport:
    """What a load did, by the files' names."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    pruned: list[str] = field(default_factory=list)
    pruned_ids: list[int] = field(default_factory=list)
    """For stores, which know transcripts by their ids."""
    removed: list[str] = field(default_factory=list)
    """Left out, because somebody deleted them."""
    left_out: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """Name → why."""
    shortened: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Name → characters before and now, for files that have lost more than half."""
    lacking: dict[str, list[str]] = field(default_factory=dict)
    """What was not found → the added or changed files that lack it."""
    renamed: dict[str, str] = field(default_factory=dict)
    """Name → the file's earlier name."""
    same: dict[str, str] = field(default_factory=dict)
    """Name → a transcript's file with the same content."""
    notes: dict[str, list[str]] = field(default_factory=dict)
    """Name → what of it was not understood, in sentences."""
    passed_over: list[str] = field(default_factory=list)
    """Files in folders whose names are not those of transcripts."""


def sources(paths: Iterable[Path], *, prune: bool = False) -> list[Source]:
    """Return the transcript files at `paths` (files, or folders with everything below them), by name.

    Hidden files are left out, and files in folders whose suffix is none of SUFFIXES are passed over. Refused
    at once are a path that does not exist, a folder without such a file (with `prune`, `load` judges these
    two), and a file with the name of another one.
    """
    found: dict[str, Source] = {}
    twice: list[Source] = []
    for path in paths:
        for source in map(_storable, _at(path, prune=prune)):
            other = found.setdefault(source.name, source)
            if other.path.resolve() != source.path.resolve():
                reason = (
                    f"It has the same name as another file of this run, {other.path}; rename one of them."
                )
                twice.append(replace(source, name=folders.readable(str(source.path)), refused=reason))
    return [*(found[name] for name in sorted(found)), *twice]


def _at(path: Path, *, prune: bool) -> list[Source]:
    alone = Source(name=path.name, folder=path.parent.resolve(), path=path)
    if folders.is_file(path):
        return [alone]
    if folders.is_special(path):
        return [replace(alone, refused="It is neither a file nor a folder.")]
    missing = folders.is_missing(path)
    found = [] if missing else _inside(path)
    if prune or not all(source.passed_over for source in found):
        return found
    wrong = (
        "It does not exist; give the path of a transcript file or of a folder with transcripts."
        if missing
        else f"It {NO_FILE}."
    )
    return [replace(alone, name=str(path), refused=wrong)]


def _storable(source: Source) -> Source:
    """Return `source`, refused if no database can store its name."""
    if not folders.is_utf8(source.name):
        name = folders.readable(source.name)
        return replace(source, name=name, refused="Its name is not UTF-8; rename the file.")
    if len(source.name) > MAX_NAME:
        reason = f"Its path is longer than {MAX_NAME} characters; move it up, or shorten the names."
        return replace(source, refused=reason)
    return source


def _inside(folder: Path) -> list[Source]:
    files, problems = folders.files_below(folder)
    refused = {Path(each.filename): f"It cannot be listed: {each.strerror}." for each in problems}
    return [
        Source(
            name=each.relative_to(folder).as_posix(),
            folder=folder.resolve(),
            path=each,
            refused=refused.get(each, ""),
            unlisted=each in refused,
            passed_over=each not in refused and each.suffix.lower() not in SUFFIXES,
        )
        for each in [*files, *refused]
    ]


def load(
    files: Iterable[Source],
    *,
    collection: Collection | None = None,
    prune: bool = False,
    whole: Iterable[Path] | None = None,
    allow_empty: bool = False,
    restore: bool = True,
    without: Container[str] = (),
    dry_run: bool = False,
    progress: Callable[[Source], None] = lambda _: None,
) -> LoadReport:
    """Bring the stored transcripts in line with `files`; `progress` is called for each before it is read.

    A file that cannot be read, parsed or stored is in the report's `refused`, and what was stored of it is
    not changed; the same goes for an empty one, unless `allow_empty`, which deletes its transcript. New
    transcripts go into `collection` (the default one). `prune` deletes the transcripts whose file is no
    longer in one of the folders `whole` (those of `files`); if none is left in one, it is probably not
    mounted, and NothingToLoad is raised before anything is done, unless `allow_empty`. Transcripts that
    somebody deleted are loaded again with `restore`, and left out otherwise, as are those whose SHA-256 is in
    `without`. A `dry_run` only reports.
    """
    given = list(files)
    report = LoadReport(passed_over=[each.name for each in given if each.passed_over])
    files = [each for each in given if not each.passed_over]
    pruned = {path.resolve() for path in whole or (each.folder for each in files)} if prune else set()
    _check_prune(pruned, files, allow_empty=allow_empty)
    removed = set() if restore else _removed()
    rests = Rests()
    with recording.action(Change.Action.LOAD, source="upload_transcripts"):
        for source in files:
            rests.take()
            progress(source)
            if source.name in removed:
                report.removed.append(source.name)
                continue
            try:
                outcome = _load_one(
                    source,
                    report,
                    collection,
                    names={each.name for each in files},
                    without=without,
                    allow_empty=allow_empty,
                    dry_run=dry_run,
                )
            except BadFile as error:
                report.refused[source.name] = str(error)
            except DatabaseError as error:
                logger.exception("%a could not be loaded", source.name)
                report.refused[source.name] = f"It {why_not_stored(error)}."
            else:
                if outcome != "renamed":
                    getattr(report, outcome).append(source.name)
    if pruned or report.pruned:
        missing = Q(source_folder__in=map(str, pruned)) & ~Q(source_file__in=[each.name for each in files])
        gone = Transcript.objects.filter(missing | Q(source_file__in=report.pruned))
        report.pruned = sorted(gone.values_list("source_file", flat=True))
        if not dry_run:
            with (
                transaction.atomic(),
                recording.action(Change.Action.PRUNE, source="upload_transcripts") as action,
            ):
                for transcript in gone.defer("text"):
                    action.add(transcript, {"source_file": (transcript.source_file, None)})
                    report.pruned_ids.append(transcript.pk)
                _delete(gone, removed=False)
    return report


def _load_one(
    source: Source,
    report: LoadReport,
    collection: Collection | None,
    *,
    names: Container[str],
    without: Container[str],
    allow_empty: bool,
    dry_run: bool,
) -> str:
    """Load a file and return the name of the list in `report` that it belongs to. Raises BadFile."""
    data = _file_bytes(source)
    digest = hashlib.sha256(data).hexdigest()
    known = Transcript.objects.filter(source_file=source.name)
    stored = known.only("digest", "speakers", "source_folder").first()
    if stored and stored.digest == digest:
        if not dry_run:
            _keep_folder(stored, source)
        return "unchanged"
    if stored and (other := _other_file(source, stored)):
        raise BadFile(f"It has the same name as a file that was loaded before, {other}; rename one of them.")
    try:
        parsed = parse(source.name, data, stored.speakers if stored else None)
    except NoText as error:
        if not stored:
            raise
        if allow_empty:
            return "pruned"
        stays = "Its transcript is kept; to delete it, allow empty files (--allow-empty)."
        raise BadFile(f"{error} {stays}") from None
    if digest in without:
        return "left_out"
    if not stored and (former := _former(source, digest, names)):
        report.renamed[source.name] = former.source_file
        if not dry_run:
            _rename(former, source, parsed)
        return "renamed"
    twins = Transcript.objects.filter(digest=digest).exclude(source_file=source.name)
    if twin := twins.values_list("source_file", flat=True).first():
        report.same[source.name] = twin
    before = known.values_list(Length("text"), flat=True).first()
    outcome = ("changed" if stored else "added") if dry_run else save(source, parsed, collection)
    _remark(report, source, parsed, before or 0)
    return outcome


def _other_file(source: Source, stored: Transcript) -> Path | None:
    """Return the file of `stored` if that is another one of the same name, still in its own folder."""
    path = Path(stored.source_folder, stored.source_file)
    apart = UPLOADS not in (source.folder, Path(stored.source_folder)) and stored.source_folder
    elsewhere = apart and Path(stored.source_folder) != source.folder
    return path if elsewhere and folders.is_file(path) else None


def _former(source: Source, digest: str, names: Container[str]) -> Transcript | None:
    """Return the transcript of the file that `source` was before it was renamed or moved."""
    if source.folder == UPLOADS:
        return None
    gone = [
        each
        for each in Transcript.objects.filter(digest=digest).exclude(source_folder="")
        if each.source_file not in names
        and Path(each.source_folder).is_dir()
        and folders.is_missing(Path(each.source_folder, each.source_file))
    ]
    return gone[0] if len(gone) == 1 else None


@transaction.atomic
def _rename(transcript: Transcript, source: Source, parsed: Parsed) -> None:
    """Give a transcript its file's new name, and the title and date from that name."""
    before = {"source_file": transcript.source_file, **_history_values(transcript)}
    transcript.source_file, transcript.source_folder = source.name, str(source.folder)
    _set_facts(transcript, parsed)
    transcript.save()
    index_facts(transcript)
    after = {"source_file": transcript.source_file, **_history_values(transcript)}
    with recording.action(Change.Action.LOAD, source="upload_transcripts") as action:
        action.add(transcript, recording.differences(before, after))


def _remark(report: LoadReport, source: Source, parsed: Parsed, before: int) -> None:
    """Note what may not have been meant: most of a text is lost, or something was not found."""
    if len(parsed.text) < before / 2:
        report.shortened[source.name] = (before, len(parsed.text))
    found = {
        "speaker": any(turn.speaker for turn in parsed.turns),
        "time": any(turn.offset is not None for turn in parsed.turns),
        "date": parsed.call_date is not None,
    }
    for name, is_there in found.items():
        if not is_there:
            report.lacking.setdefault(name, []).append(source.name)
    if parsed.notes:
        report.notes[source.name] = parsed.notes


def remove_transcripts(transcripts: QuerySet[Transcript]) -> None:
    """Delete `transcripts`, and have loads that do not name their files leave them out.

    The history records it as the caller's action, and the caller has to update the store.
    """
    with transaction.atomic():
        _delete(transcripts, removed=True)


def _delete(transcripts: QuerySet[Transcript], *, removed: bool) -> None:
    every = transcripts.order_by().values_list(
        "pk", "source_file", "source_folder", "collection", "published"
    )
    open_to_all = Collection.default().pk
    ids: list[int] = []
    tombstones: list[Tombstone] = []
    for pk, name, folder, collection, published in every:
        ids.append(pk)
        left_out = removed and folder != str(UPLOADS)
        if left_out or not published or collection != open_to_all:
            tombstones.append(
                Tombstone(source_file=name, collection_id=collection, published=published, removed=left_out)
            )
    Tombstone.objects.bulk_create(
        tombstones,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["source_file"],
        update_fields=["collection", "published", "removed"],
    )
    for start in range(0, len(ids), BATCH):
        Transcript.objects.filter(pk__in=ids[start : start + BATCH]).delete()


def _removed() -> set[str]:
    return set(Tombstone.objects.filter(removed=True).values_list("source_file", flat=True))


def _loaded_from(*whole: Path) -> QuerySet[Transcript]:
    return Transcript.objects.filter(source_folder__in=[str(folder) for folder in whole])


def _check_prune(pruned: Iterable[Path], files: Sequence[Source], *, allow_empty: bool) -> None:
    """Raise NothingToLoad if a folder is more likely out of reach than emptied."""
    sentences: list[str] = []
    for folder in sorted(pruned):
        here = [each for each in files if each.folder == folder]
        unlisted = [f"{each.path}: {each.refused}" for each in here if each.unlisted]
        sentences += unlisted or [
            folders.why_not_prune(
                folder,
                there=[each.name for each in here],
                known=_loaded_from(folder).values_list("source_file", flat=True),
                wrong="does not exist" if folders.is_missing(folder) else "" if here else NO_FILE,
                allow_empty=allow_empty,
            )
        ]
    if any(sentences):
        raise NothingToLoad("\n".join([*filter(None, sentences), "Nothing was changed."]))


def load_summary(report: LoadReport) -> Summary:
    """Return what became of the files, for a person: changes by name, the others counted."""
    summary = Summary(columns=["File", "Result"], rows=[], failed=bool(report.refused))
    for result in ("added", "changed", "pruned"):
        summary.rows += [[name, result] for name in getattr(report, result)]
    summary.rows += [[name, f"renamed from {former}"] for name, former in report.renamed.items()]
    summary.rows += [[name, "refused"] for name in report.refused]
    if report.unchanged:
        summary.rows.append([f"{len(report.unchanged)} more", "unchanged"])
    summary.warnings = [
        f"{name} has lost most of its text: it had {before:,} characters and now has {now:,}. If it was "
        "cut off, load the whole file again."
        for name, (before, now) in report.shortened.items()
    ]
    summary.notes = [f"{name}: {reason}" for name, reason in report.refused.items()]
    summary.notes += [
        f"{name} has the same content as {other}, which is already loaded; delete one of them."
        for name, other in report.same.items()
    ]
    told = [f"{name}: {sentence}" for name, sentences in report.notes.items() for sentence in sentences]
    summary.notes += told[:MOST_TOLD]
    if len(told) > MOST_TOLD:
        summary.notes.append(
            f"And {len(told) - MOST_TOLD:,} more like these; they are on the transcripts' pages in the admin."
        )
    summary.notes += [f"No {what} was found in {_some(names)}." for what, names in report.lacking.items()]
    if report.passed_over:
        summary.notes.append(
            f"Skipped, because their names are not those of transcripts: {_some(report.passed_over)}."
        )
    if report.left_out:
        summary.rows.append([f"{len(report.left_out)} more", "left out"])
    if removed := len(report.removed):
        summary.rows.append([f"{removed} more", "removed"])
        summary.notes.append(
            f"{removed:,} {'transcript was' if removed == 1 else 'transcripts were'} deleted by somebody "
            "and skipped; name a file or its folder to load it again."
        )
    return summary


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def _file_bytes(source: Source) -> bytes:
    if source.refused:
        raise BadFile(source.refused)
    try:
        with source.path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadFile(f"It cannot be read: {error.strerror}.") from None
    if len(data) > MAX_BYTES:
        raise too_large()
    return data


@transaction.atomic
def save(source: Source, parsed: Parsed, collection: Collection | None = None) -> str:
    """Store what the file `source` says; return added, changed or unchanged.

    Slug, collection, publication and a curator's corrections survive a change.
    """
    stored = Transcript.objects.select_for_update().filter(source_file=source.name).first()
    if stored is not None and stored.digest == parsed.digest:
        _keep_folder(stored, source)
        return "unchanged"
    transcript = stored or _new(source.name, collection)
    before = _history_values(transcript) if stored else {}
    transcript.source_folder = str(source.folder)
    _set_facts(transcript, parsed)
    transcript.notes = parsed.notes
    transcript.text = parsed.text
    transcript.digest = parsed.digest
    transcript.loaded_at = timezone.now()
    transcript.save()
    rewrite(transcript, parsed.turns)
    with recording.action(Change.Action.LOAD, source="upload_transcripts") as action:
        action.add(transcript, recording.differences(before, _history_values(transcript)))
    return "changed" if stored else "added"


def _keep_folder(stored: Transcript, source: Source) -> None:
    """Remember the folder from which a file was last loaded."""
    Transcript.objects.filter(pk=stored.pk).exclude(source_folder=str(source.folder)).update(
        source_folder=str(source.folder)
    )


def _set_facts(transcript: Transcript, parsed: Parsed) -> None:
    """Set a transcript's facts as in its file, except those that a curator corrected."""
    for name in Transcript.FACTS:
        if name not in transcript.corrected:
            setattr(transcript, name, getattr(parsed, name))
    transcript.other_facts = parsed.others


def _new(name: str, collection: Collection | None) -> Transcript:
    """Return a transcript for the file called `name`; one that was deleted is visible to no more people."""
    transcript = Transcript(
        source_file=name, slug=free_slug(name), collection=collection or Collection.default()
    )
    tombstone = Tombstone.objects.select_related("collection").filter(source_file=name).first()
    if tombstone:
        transcript.collection = tombstone.collection or transcript.collection
        transcript.published = tombstone.published and tombstone.collection is not None
        tombstone.delete()
    return transcript


def _history_values(transcript: Transcript) -> dict[str, Any]:
    """Return what the history records of a load: the facts, and that the text changed, but not the text."""
    return {name: getattr(transcript, name) for name in (*Transcript.FACTS, "digest")}


def free_slug(name: str) -> str:
    """Return a readable public id for the file called `name` that no other transcript has."""
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    slug = slugify(Path(name).stem.replace("_", "-"))[:180].strip("-")
    if not slug:
        return f"transcript-{mark}"
    # The mark comes from the name, because the same name has to get the same slug in another database.
    return f"{slug}-{mark}" if Transcript.objects.filter(slug=slug).exists() else slug


@transaction.atomic
def rewrite(transcript: Transcript, turns: list[Said]) -> None:
    """Replace the turns and passages of `transcript`, and with them its full-text index."""
    transcript.turns.all().delete()
    transcript.passages.all().delete()
    names = anchors(turn.offset for turn in turns)
    Turn.objects.bulk_create(
        (
            Turn(
                transcript=transcript,
                position=position,
                offset=turn.offset,
                anchor=anchor,
                speaker=turn.speaker,
                text=turn.text,
            )
            for position, (turn, anchor) in enumerate(zip(turns, names, strict=True), 1)
        ),
        batch_size=BATCH,
    )
    transcript.speaker_labels.all().delete()
    SpeakerLabel.objects.bulk_create(
        SpeakerLabel(transcript=transcript, label=label, folded=label.casefold())
        for label in sorted({turn.speaker for turn in turns} - {""})
    )
    Passage.objects.bulk_create(_rows(transcript, turns), batch_size=BATCH)


@transaction.atomic
def index_facts(transcript: Transcript) -> None:
    """Write the passage of the facts again, after one of them was corrected."""
    transcript.passages.filter(first_turn=None).delete()
    transcript.passages.add(_facts(transcript), bulk=False)


def facts_of_file(transcript: Transcript) -> dict[str, Any]:
    """Return what the file of `transcript` says about its call."""
    said = parse_text(transcript.source_file, transcript.text)
    return {name: getattr(said, name) for name in Transcript.FACTS}


def understood(transcript: Transcript) -> Parsed:
    """Return what the file of `transcript` says by itself, without a curator's names."""
    return parse_text(transcript.source_file, transcript.text)


@transaction.atomic
def name_speakers(transcript: Transcript, speakers: dict[str, str]) -> None:
    """Give the labels in the file of `transcript` the names in `speakers`; loads keep them."""
    transcript.speakers = speakers
    parsed = parse_text(transcript.source_file, transcript.text, speakers)
    # The name for the file as a whole does not appear in its text.
    of_file = [note for note in transcript.notes if note.startswith("It ")]
    transcript.notes = [*of_file, *parsed.notes]
    transcript.save(update_fields=["speakers", "notes"])
    rewrite(transcript, parsed.turns)


@transaction.atomic
def restore_facts(transcript: Transcript) -> None:
    """Restore the facts of the file in place of a curator's corrections."""
    for name, value in facts_of_file(transcript).items():
        if name in transcript.corrected:
            setattr(transcript, name, value)
    transcript.corrected = []
    transcript.save()
    index_facts(transcript)


def _rows(transcript: Transcript, turns: list[Said]) -> Iterator[Passage]:
    yield _facts(transcript)
    for position, run in enumerate(into_passages(turns), 2):
        yield Passage(
            transcript=transcript, position=position, first_turn=run.first, last_turn=run.last, text=run.text
        )


def _facts(transcript: Transcript) -> Passage:
    """Return the passage that is found by the call's title, sector or participants."""
    facts = {
        "Call date": transcript.call_date,
        "Moderator": transcript.moderator,
        "Sector": transcript.sector,
        "Participants": "; ".join(transcript.participants),
    }
    lines = [
        transcript.title,
        *(f"{name}: {value}" for name, value in facts.items() if value),
        *transcript.other_facts,
    ]
    return Passage(transcript=transcript, position=1, text="\n".join(lines))
