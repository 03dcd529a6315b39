"""`manage.py undo_load`: make current again the load of a file that its last one replaced."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mcpsite.datasets import loading
from mcpsite.datasets.declaration import data_set_named
from mcpsite.datasets.loads import Lost
from mcpsite.datasets.models import SourceFile
from mcpsite.history import recording


class Command(BaseCommand):
    help = (
        "Undo the last load of a file: the rows that it replaced are used in answers again, and later "
        "changes of curators are kept. A load can be undone for LOAD_UNDO_HOURS, or until the next load "
        "of the file."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the file's name in the list of source files")
        parser.add_argument(
            "--data-set", default="", help="its data set, if several have a file of this name"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        name = options["name"]
        files = SourceFile.objects.filter(name=name)
        if options["data_set"]:
            data_set = data_set_named(options["data_set"])
            files = files.filter(data_set=data_set.label if data_set else "")
        if len(files) > 1:
            raise CommandError(f"Several data sets have a file {name}; choose one with --data-set.")
        if not files:
            raise CommandError(f"{name} was never loaded; the admin lists the source files.")
        file = files[0]
        try:
            load = loading.undo(file, loaded_by=recording.operator())
        except Lost as lost:
            raise CommandError(f"{name} {lost}.") from None
        self.stdout.write(
            f"{name} has been restored to the load of {load.finished_at:%Y-%m-%d %H:%M}: {load.rows:,} "
            "rows. Loads skip the file until it has changed, unless --force is given."
        )
