"""`manage.py import_vector_store`: make transcripts of the files in an OpenAI vector store."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from transcripts.importing import ImportReport, ImportStopped, import_store
from transcripts.models import Collection
from transcripts.syncing import SyncStopped


class Command(BaseCommand):
    help = (
        "Import an OpenAI vector store that was filled elsewhere, to curate and serve its files here. "
        "Nothing in the store is changed. Run it again to add new files."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "store_id", nargs="?", default=settings.VECTOR_STORE_ID, help="default: VECTOR_STORE_ID"
        )
        parser.add_argument(
            "--collection", metavar="SLUG", help="the collection of the new transcripts (default: default)"
        )
        parser.add_argument(
            "--unpublished", action="store_true", help="import them unpublished, to be published by a curator"
        )
        parser.add_argument("--dry-run", action="store_true", help="change nothing, only report")

    def handle(self, *_: str, **options: Any) -> None:
        store_id: str = options["store_id"]
        if not store_id:
            raise CommandError("Name a vector store, or set VECTOR_STORE_ID.")
        try:
            report = import_store(
                store_id,
                collection=_collection(options["collection"]),
                published=not options["unpublished"],
                dry_run=options["dry_run"],
                progress=self._progress,
            )
        except ImportStopped as error:
            self._report(error.report)
            raise CommandError(f"The import stopped: {error}") from error
        except SyncStopped as error:
            raise CommandError(str(error)) from error
        self._report(report)
        if store_id != settings.VECTOR_STORE_ID:
            self.stdout.write(
                f"To search this vector store, add this line to .env:\nVECTOR_STORE_ID={store_id}"
            )
        if report.refused:
            sys.exit(1)

    def _report(self, report: ImportReport) -> None:
        for name, why in sorted(report.refused.items()):
            self.stderr.write(f"{name}: {why}")
        self.stdout.write(
            f"{len(report.added)} added, {len(report.linked)} linked to a transcript with the same text, "
            f"{report.known} known before, {len(report.refused)} refused."
        )

    def _progress(self, done: int, all_: int) -> None:
        if self.stdout.isatty():
            self.stdout.write(f"\r{done} of {all_}", ending="\n" if done == all_ else "")
            self.stdout.flush()


def _collection(slug: str | None) -> Collection | None:
    if slug is None:
        return None
    try:
        return Collection.objects.get(slug=slug)
    except Collection.DoesNotExist:
        raise CommandError(f"There is no collection {slug!r}; create it in the admin first.") from None
