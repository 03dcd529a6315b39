"""`manage.py load_data NAME PATH …`: load files into a data set."""

from argparse import ArgumentParser
from typing import Any, ClassVar

from django.core.management.base import CommandError
from rich.progress import DownloadColumn, Progress, TaskID
from rich.text import Text

from mcpsite.core import samples
from mcpsite.core.load_command import LoadCommand, progress
from mcpsite.datasets.columns import Said
from mcpsite.datasets.declaration import DataSet, data_set_named, data_sets
from mcpsite.datasets.files import Found, find
from mcpsite.datasets.loading import Choices, PruneRefused, load
from mcpsite.datasets.outcomes import summary
from mcpsite.history import recording


class Command(LoadCommand):
    help = (
        "Load files (CSV, TSV, JSON, JSON Lines, Excel; also compressed) into a data set. Files that "
        "have not changed are skipped; the rows of a changed file are replaced at once, and what a "
        "curator edited or hid is kept."
    )
    content = "rows"
    data_set_name: ClassVar[str] = ""
    """The data set, in a command that loads only one."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        if not self.data_set_name:
            parser.add_argument("name", help=f"the data set: {_names()}")
        super().add_arguments(parser)
        parser.add_argument(
            "--strict", action="store_true", help="reject a file in which a day or a number cannot be read"
        )
        parser.add_argument("--force", action="store_true", help="load files that have not changed, too")
        parser.add_argument(
            "--dates",
            choices=("dmy", "mdy"),
            help="whether the day or the month comes first, for files whose dates do not show it",
        )
        parser.add_argument(
            "--decimal",
            choices=(".", ","),
            help="the decimal mark, for files where 1.234 may be thousands",
        )
        parser.add_argument(
            "--encoding", default="", help="the encoding of files that are not UTF-8 and do not declare one"
        )
        parser.add_argument(
            "--sheet", default="", help="the sheet of a workbook; default: the first that is not hidden"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        data_set = self._data_set(options)
        console = self.console()
        found = find(self.paths(options))
        try:
            with progress(console, DownloadColumn()) as bars:
                choices = Choices(
                    loaded_by=recording.operator(),
                    strict=options["strict"],
                    force=options["force"],
                    said=Said(
                        dates=options["dates"],
                        decimal=options["decimal"],
                        encoding=options["encoding"],
                        sheet=options["sheet"],
                    ),
                    progress=_Bars(bars).advance,
                    **self.choices(options),
                )
                outcomes = list(load(data_set, found, choices))
        except PruneRefused as refused:
            console.print(Text(f"{refused}\nNothing was changed."), soft_wrap=True)
            raise SystemExit(1) from None
        result = summary(outcomes)
        result.print(console, dry_run=options["dry_run"])
        if result.failed:
            raise SystemExit(1)

    def _data_set(self, options: dict[str, Any]) -> DataSet:
        name = self.data_set_name or options["name"]
        data_set = data_set_named(name)
        if data_set is None:
            raise CommandError(f"There is no data set {name!r}; the data sets are {_names()}.")
        if not self.data_set_name:
            self.sample_data = next(  # type: ignore[misc]
                (each for each in samples.installed() if each.kind == data_set.name), None
            )
        return data_set


def _names() -> str:
    return ", ".join(each.name for each in data_sets())


class _Bars:
    """A bar for each file that is being read."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def advance(self, found: Found, read: int) -> None:
        """Show that `read` more bytes of the file were read."""
        if found.name not in self._tasks:
            self._tasks[found.name] = self._progress.add_task(found.name, total=found.path.stat().st_size)
        self._progress.advance(self._tasks[found.name], read)
