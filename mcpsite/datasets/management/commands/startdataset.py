"""`manage.py startdataset NAME FILE …`: make an app for a table from a file."""

import os
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, cast

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from mcpsite.core.own_apps import why_not_named
from mcpsite.datasets.columns import Said
from mcpsite.datasets.declaration import data_set_named
from mcpsite.datasets.generating import writing_app
from mcpsite.datasets.generating.surveying import survey
from mcpsite.datasets.generating.trying import try_reading
from mcpsite.datasets.generating.understanding import Design, understand
from mcpsite.datasets.refusals import RefusedFile


class Command(BaseCommand):
    help = (
        "Examine files (CSV, TSV, JSON, JSON Lines, Excel; also compressed) and create an app with a "
        "data set for them in the first folder of APPS_DIR. You can change the app; updates of the site "
        "do not touch it."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="small letters, digits and _, for example room_prices")
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files with the same columns")
        parser.add_argument(
            "--dates", choices=("dmy", "mdy"), help="whether the day or the month comes first"
        )
        parser.add_argument("--decimal", choices=(".", ","), help="the decimal mark")
        parser.add_argument("--encoding", default="", help="the encoding of files that do not declare one")
        parser.add_argument(
            "--sheet", default="", help="the sheet of a workbook; default: the first that is not hidden"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        name, files = options["name"], [path.absolute() for path in options["files"]]
        if not settings.APPS_DIR:
            raise CommandError("APPS_DIR is empty; set it to a folder, for example own.")
        folder = Path(settings.APPS_DIR[0]) / name
        _demand_name(name, folder)
        said = Said(**{each: options[each] or getattr(Said(), each) for each in _SAID})
        try:
            found = survey(files, said)
            design = understand(found)
            rows, told = try_reading([each.column for each in design.columns], files, said)
        except RefusedFile as refused:
            raise CommandError(f"{', '.join(path.name for path in files)}: {refused}.") from None
        console = Console(
            file=cast(IO[str], self.stdout), highlight=False, width=None if self.stdout.isatty() else 120
        )
        _tell(console, design, told)
        shown = {"dates": options["dates"] or "", "decimal": options["decimal"] or ""}
        text = writing_app.model(name, design, [path.name for path in files], shown)
        folder.mkdir(parents=True)
        try:
            self._write(folder, name, text, files[0], rows if len(files) == 1 else 0)
            _run("makemigrations", name)
            _run("check")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        names = " ".join(map(str, options["files"]))
        self.stdout.write(
            f"{rows:,} rows were examined; see {_shown(folder)}/models.py for the data set that "
            f"they make. Next:\n  python manage.py migrate\n  python manage.py load_data {name} {names}"
        )

    def _write(self, folder: Path, name: str, model: str, file: Path, rows: int) -> None:
        (folder / "migrations").mkdir()
        (folder / "tests").mkdir()
        for package in (folder, folder / "migrations", folder / "tests"):
            (package / "__init__.py").write_text("")
        (folder / "models.py").write_text(model, encoding="utf-8")
        if rows:
            test = writing_app.test(name, file, rows)
            (folder / "tests" / f"test_{name}.py").write_text(test, encoding="utf-8")


_SAID = ("dates", "decimal", "encoding", "sheet")


def _demand_name(name: str, folder: Path) -> None:
    """Raise CommandError for a name that an app cannot have, or that is used already."""
    problem = why_not_named(name)
    if not problem and folder.exists():
        problem = f"already exists in {_shown(folder)}"
    if not problem and (name in {app.label for app in apps.get_app_configs()} or data_set_named(name)):
        problem = "is the name of an app or a data set of this site"
    if not problem and find_spec(name):
        problem = "is the name of a Python module"
    if problem:
        raise CommandError(f"{name} {problem}; choose another name.")


def _shown(folder: Path) -> str:
    base = Path(settings.BASE_DIR)
    return str(folder.relative_to(base) if folder.is_relative_to(base) else folder)


def _tell(console: Console, design: Design, notes: list[str]) -> None:
    table = Table("Heading", "Column", "Kind", "Unit", "Why", "For example")
    for each in design.columns:
        shown = f"{each.name}, {each.given}" if each.given else each.name
        table.add_row(each.heading, shown, each.kind, each.unit, each.why, ", ".join(each.examples)[:40])
    for heading, why in design.left_out:
        table.add_row(heading, "–", "not used", "", why, "")
    console.print(table)
    for note in [*notes, *design.notes]:
        console.print(f"{note[:1].upper()}{note[1:]}.", soft_wrap=True)


def _run(*arguments: str) -> None:
    """Run a command in a separate process, which sees the new app. Raises CommandError."""
    manage = Path(settings.BASE_DIR) / "manage.py"
    done = subprocess.run(  # noqa: S603 (our own command)
        [sys.executable, str(manage), *arguments], env=os.environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise CommandError(
            f"The app was not created, because {' '.join(arguments)} says: {' '.join(said[-6:])}"
        )
