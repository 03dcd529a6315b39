"""`manage.py upload_transcripts`: loads transcript files into the database and the vector store."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.management.base import CommandError
from rich.console import Console
from rich.progress import MofNCompleteColumn
from rich.text import Text

from mcpsite.core.load_command import LoadCommand, progress
from transcripts import loading, syncing
from transcripts.loading import NothingToLoad, load, sources
from transcripts.models import Transcript
from transcripts.samples import SAMPLES
from transcripts.stores.base import StoreUnavailable, chosen, indexed, store
from transcripts.syncing import SyncLimits, SyncStopped, sync

MOST_AT_ONCE = 64
"""More connections gain nothing against the API's limits for a minute."""


class Command(LoadCommand):
    help = (
        "Load transcript files (text, captions, Word, HTML, PDF, JSON) into the database, where they are "
        "searched, and with OPENAI_API_KEY into an OpenAI vector store. Files that have not changed are "
        "skipped, so running it again finishes an interrupted run. Changes by curators are kept."
    )
    sample_data = SAMPLES
    content = "transcripts"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--store",
            choices=["local", "openai"],
            help="the store to search; default: openai if OPENAI_API_KEY is set",
        )
        parser.add_argument(
            "--name", default="transcripts", help="the name of the vector store, if one has to be created"
        )
        parser.add_argument(
            "--concurrency",
            type=_concurrency,
            default=SyncLimits().concurrency,
            help="number of files sent at once",
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        console = self.console()
        dry_run: bool = options["dry_run"]
        prune: bool = options["prune"]
        paths = self.paths(options)
        if prune and any(path.is_file() for path in paths):
            raise CommandError("--prune compares whole folders; name folders with it, not single files.")
        try:
            found = sources(paths, prune=prune)
            with _bar(console, "Loading", len(found)) as advance:
                report = load(found, whole=paths, progress=lambda _: advance(1), **self.choices(options))
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
        elif indexed() in ("local", "openai"):
            console.print("Transcripts are searched locally, in this site's database.")
        else:
            failed |= not self._index(console, gone=report.pruned_ids, dry_run=dry_run)
        if failed:
            raise SystemExit(1)

    @staticmethod
    def _syncs(asked: str | None) -> bool:
        if asked:
            return asked == "openai"
        # If the site chose its own store, a key alone requests nothing.
        return bool(settings.OPENAI_API_KEY) and (not settings.TRANSCRIPT_STORE or indexed() == "openai")

    @staticmethod
    def _index(console: Console, *, gone: Collection[int], dry_run: bool) -> bool:
        """Bring the store that TRANSCRIPT_STORE names up to date; return whether that succeeded."""
        if dry_run:
            return True
        every = list(Transcript.objects.values_list("pk", flat=True))
        there = store(indexed())
        try:
            if gone:
                async_to_sync(there.remove)(gone)
            async_to_sync(there.index)(every)
        except StoreUnavailable as error:
            console.print(Text(f"The store did not answer: {error}"))
            return False
        console.print(f"{len(every)} transcripts are indexed in {indexed()}.")
        return True

    @staticmethod
    def _sync(console: Console, *, name: str, limits: SyncLimits, dry_run: bool) -> bool:
        """Bring the vector store in line; return whether that succeeded."""
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


@contextmanager
def _bar(console: Console, what: str, total: int | None) -> Iterator[Callable[..., None]]:
    """Show a progress bar on a terminal. It is advanced by 1, or set to (done, of)."""
    with progress(console, MofNCompleteColumn(), transient=True) as bars:
        task = bars.add_task(what, total=total)

        def advance(done: int, of: int | None = None) -> None:
            if of is None:
                bars.advance(task, done)
            else:
                bars.update(task, completed=done, total=of)

        yield advance


def _concurrency(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= MOST_AT_ONCE:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST_AT_ONCE}")
