"""What the commands that load files of one kind have in common: arguments, and how they show progress."""

import gc
from argparse import ArgumentParser
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, ClassVar, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from mcpsite.core import samples
from mcpsite.core.samples import Samples


class LoadCommand(BaseCommand):
    """A command that loads the files in its arguments, or else those in the folder that its setting names."""

    sample_data: ClassVar[Samples | None] = None
    """The sample files of this kind, in the folder that is loaded unless others are named."""
    content: ClassVar[str]
    """What is stored of the files, in the plural."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "paths",
            nargs="*",
            type=Path,
            metavar="PATH",
            help=f"files or folders{self._usual()}",
        )
        parser.add_argument("--dry-run", action="store_true", help="show what would be done, and do nothing")
        parser.add_argument(
            "--prune",
            action="store_true",
            help=f"delete the {self.content} of files that are gone from their folder",
        )
        parser.add_argument(
            "--allow-empty",
            action="store_true",
            help=f"with --prune, delete the {self.content} of files that are gone or have become empty "
            "even if a folder has no files left",
        )
        parser.add_argument(
            "--no-samples", action="store_true", help="leave out the sample data that comes with the site"
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        with _rarely_collected():
            return super().execute(*args, **options)

    def _usual(self) -> str:
        sample = self.sample_data
        return f"; default: {sample.setting}, else data/{sample.kind}" if sample else ""

    def paths(self, options: dict[str, Any]) -> list[Path]:
        """Return the paths to load. Raises CommandError if none is named and there is no default."""
        paths: list[Path] = options["paths"]
        if not paths and self.sample_data is None:
            raise CommandError("Name the files or folders to load.")
        return paths or [Path(getattr(settings, cast(Samples, self.sample_data).setting))]

    def choices(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return what is passed to each `load` function from `options`."""
        return {
            "dry_run": options["dry_run"],
            "prune": options["prune"],
            "allow_empty": options["allow_empty"],
            "restore": bool(options["paths"]),
            "without": self._sample_digests() if options["no_samples"] else (),
        }

    def _sample_digests(self) -> Collection[str]:
        return samples.digests(self.sample_data.kind).values() if self.sample_data else ()

    def console(self) -> Console:
        terminal = self.stdout.isatty()
        return Console(file=cast(IO[str], self.stdout), highlight=False, width=None if terminal else 160)


@contextmanager
def _rarely_collected() -> Iterator[None]:
    """Have Python look for cycles of garbage rarely, and not among what there is already.

    A load makes a list for each row and no cycles: looking for them takes a quarter of the time of reading.
    """
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def progress(console: Console, amount: ProgressColumn, *, transient: bool = False) -> Progress:
    """Return progress bars, drawn only on a terminal, with `amount` beside each."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        amount,
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=transient,
    )
