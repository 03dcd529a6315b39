"""`manage.py upload_transcripts`: transcript files into the database and the vector store."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from mcpsite.core import samples
from transcripts import loading, syncing
from transcripts.loading import NothingToLoad, load, sources
from transcripts.models import Transcript
from transcripts.samples import KIND
from transcripts.stores.base import STORES, StoreUnavailable, chosen, store
from transcripts.syncing import SyncLimits, SyncStopped, sync

MOST_AT_ONCE = 64
"""More connections than this gain nothing against the API's limits for a minute."""


class Command(BaseCommand):
    help = (
        "Load transcript files (text or Markdown) into the database, where they are searched, and with "
        "OPENAI_API_KEY into an OpenAI vector store. What has not changed is skipped, so running it again "
        "finishes what was cut short; what a curator changed stays."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths",
            nargs="*",
            type=Path,
            metavar="PATH",
            help="files or folders; default: TRANSCRIPT_DATA_DIR, else data/transcripts",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be done and do nothing")
        parser.add_argument(
            "--prune", action="store_true", help="delete transcripts whose file is gone from its folder"
        )
        parser.add_argument(
            "--allow-empty",
            action="store_true",
            help="files that are gone, or have become empty, take their transcripts with them even where "
            "none of a folder is left",
        )
        parser.add_argument(
            "--no-samples", action="store_true", help="leave out the sample data that comes with the site"
        )
        parser.add_argument(
            "--store",
            choices=["local", "openai"],
            help="where to search; default: openai where OPENAI_API_KEY is set",
        )
        parser.add_argument(
            "--name", default="transcripts", help="name of a vector store that has to be made"
        )
        parser.add_argument(
            "--concurrency", type=_concurrency, default=SyncLimits().concurrency, help="files sent at once"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        terminal = self.stdout.isatty()
        console = Console(file=cast(IO[str], self.stdout), highlight=False, width=None if terminal else 160)
        dry_run: bool = options["dry_run"]
        prune: bool = options["prune"]
        paths: list[Path] = options["paths"] or [default_folder()]
        if prune and any(path.is_file() for path in paths):
            raise CommandError("--prune compares whole folders; name folders with it, not single files.")
        try:
            found = sources(paths, prune=prune)
            with _bar(console, "Loading", len(found)) as advance:
                report = load(
                    found,
                    prune=prune,
                    whole=paths,
                    allow_empty=options["allow_empty"],
                    restore=bool(options["paths"]),
                    without=samples.digests(KIND).values() if options["no_samples"] else (),
                    dry_run=dry_run,
                    progress=lambda _: advance(1),
                )
        except NothingToLoad as nothing:
            console.print(Text(str(nothing)), soft_wrap=True)
            raise SystemExit(1) from None
        loaded = loading.load_summary(report)
        loaded.print(console, dry_run=dry_run)
        failed = loaded.failed
        if self._syncs(options["store"]):
            failed |= not self._sync(
                console,
                name=options["name"],
                limits=SyncLimits(concurrency=options["concurrency"]),
                dry_run=dry_run,
            )
        elif chosen() in STORES:
            console.print("Transcripts are searched locally, in this site's database.")
        else:
            failed |= not self._index(console, gone=report.pruned_ids, dry_run=dry_run)
        if failed:
            raise SystemExit(1)

    @staticmethod
    def _syncs(asked: str | None) -> bool:
        if asked:
            return asked == "openai"
        # With a store of the site's own choosing, a key alone asks for nothing.
        return bool(settings.OPENAI_API_KEY) and (settings.TRANSCRIPT_STORE in ("", "openai"))

    @staticmethod
    def _index(console: Console, *, gone: Collection[int], dry_run: bool) -> bool:
        """Bring the store that TRANSCRIPT_STORE names up to date; whether it went without a failure."""
        if dry_run:
            return True
        every = list(Transcript.objects.values_list("pk", flat=True))
        there = store(chosen())
        try:
            if gone:
                async_to_sync(there.remove)(gone)
            async_to_sync(there.index)(every)
        except StoreUnavailable as error:
            console.print(Text(f"The store did not answer: {error}"))
            return False
        console.print(f"{len(every)} transcripts are indexed in {chosen()}.")
        return True

    @staticmethod
    def _sync(console: Console, *, name: str, limits: SyncLimits, dry_run: bool) -> bool:
        """Bring the vector store in line; whether it went without a failure."""
        try:
            with _bar(console, "Syncing", None) as advance:
                summary = sync(
                    name=name,
                    limits=limits,
                    dry_run=dry_run,
                    progress=lambda done, of: advance(done, of),
                )
        except SyncStopped as stopped:
            if stopped.done:
                syncing.sync_summary(stopped.done).print(console, dry_run=dry_run)
            console.print(Text(f"The sync stopped: {stopped}"))
            return False
        syncing.sync_summary(summary).print(console, dry_run=dry_run)
        if chosen() == "local" and settings.VECTOR_STORE_ID:
            console.print("TRANSCRIPT_STORE is local, so transcripts are searched in this site's database.")
        if summary.store_id:
            console.print(Text(f"VECTOR_STORE_ID={summary.store_id}"))
        return not summary.failures


def default_folder() -> Path:
    """Where the files are when no path is given."""
    return Path(settings.TRANSCRIPT_DATA_DIR)


@contextmanager
def _bar(console: Console, what: str, total: int | None) -> Iterator[Callable[..., None]]:
    """A progress bar on a terminal. It is advanced by 1, or set to (done, of)."""
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    with progress:
        task = progress.add_task(what, total=total)

        def advance(done: int, of: int | None = None) -> None:
            if of is None:
                progress.advance(task, done)
            else:
                progress.update(task, completed=done, total=of)

        yield advance


def _concurrency(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= MOST_AT_ONCE:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST_AT_ONCE}")
