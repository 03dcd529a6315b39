"""`manage.py load_airfare`: load airfare files into the database."""

from argparse import ArgumentParser
from pathlib import Path
from typing import IO, Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from airfare.loading import Found, PruneRefused, find, load, summary
from airfare.samples import KIND
from mcpsite.core import samples
from mcpsite.history import recording


class Command(BaseCommand):
    help = (
        "Load airfare files (CSV, TSV, JSON) into the database. Files that have not changed are skipped; "
        "a changed one replaces its rows in one transaction, and what a curator edited or hid stays."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths",
            nargs="*",
            type=Path,
            metavar="PATH",
            help="files or folders; default: TREND_DATA_DIR, else data/airfare",
        )
        parser.add_argument("--dry-run", action="store_true", help="read the files and write nothing")
        parser.add_argument(
            "--strict", action="store_true", help="reject a file in which a day or a number cannot be read"
        )
        parser.add_argument(
            "--prune", action="store_true", help="delete the rows of files that are gone from their folder"
        )
        parser.add_argument(
            "--allow-empty",
            action="store_true",
            help="files that are gone, or have become empty, take their rows with them even where none of a "
            "folder is left",
        )
        parser.add_argument(
            "--no-samples", action="store_true", help="leave out the sample data that comes with the site"
        )
        parser.add_argument("--force", action="store_true", help="load files that have not changed, too")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        terminal = self.stdout.isatty()
        console = Console(file=cast(IO[str], self.stdout), highlight=False, width=None if terminal else 160)
        found = find(options["paths"] or [default_folder()])
        try:
            with Bars(console) as bars:
                outcomes = list(
                    load(
                        found,
                        loaded_by=recording.operator(),
                        dry_run=options["dry_run"],
                        strict=options["strict"],
                        prune=options["prune"],
                        allow_empty=options["allow_empty"],
                        restore=bool(options["paths"]),
                        without=samples.digests(KIND).values() if options["no_samples"] else (),
                        force=options["force"],
                        progress=bars.advance if terminal else None,
                    )
                )
        except PruneRefused as refused:
            console.print(Text(f"{refused}\nNothing was changed."), soft_wrap=True)
            raise SystemExit(1) from None
        result = summary(outcomes)
        result.print(console, dry_run=options["dry_run"])
        if result.failed:
            raise SystemExit(1)


def default_folder() -> Path:
    """Where the files are when no path is given."""
    return Path(settings.TREND_DATA_DIR)


class Bars:
    """A progress bar for each file that is being read."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Bars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, found: Found, read: int) -> None:
        """Show that `read` more bytes of the file were read."""
        if found.name not in self._tasks:
            self._tasks[found.name] = self._progress.add_task(found.name, total=found.path.stat().st_size)
        self._progress.advance(self._tasks[found.name], read)
