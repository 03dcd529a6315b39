"""`manage.py delete_data NAME`: delete all that is stored of a data set."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mcpsite.datasets import deleting
from mcpsite.datasets.declaration import data_set_named, data_sets
from mcpsite.history import recording


class Command(BaseCommand):
    help = (
        "Delete everything that is stored for a data set: its rows, its list of files and what curators "
        "changed. The files themselves, the app and its tables are kept. Asks first, unless --yes is "
        "given."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the data set")
        parser.add_argument("--yes", action="store_true", help="do not ask first")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        data_set = data_set_named(options["name"])
        if data_set is None:
            names = ", ".join(each.name for each in data_sets())
            raise CommandError(f"There is no data set {options['name']!r}; the data sets are {names}.")
        files, rows = deleting.count(data_set)
        what = f"{rows:,} rows of {files:,} files, and what curators changed in them"
        if not options["yes"] and input(f"Delete {what}? Write yes: ").strip().lower() != "yes":
            raise CommandError("Nothing was deleted.")
        deleting.delete(data_set, by=recording.operator())
        self.stdout.write(f"Deleted {what}.")
