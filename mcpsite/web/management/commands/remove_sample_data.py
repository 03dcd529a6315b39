"""`manage.py remove_sample_data`: removes the sample data that comes with the site from every answer."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from mcpsite.core import samples
from mcpsite.history import recording
from mcpsite.history.models import Change

COMMAND = "remove_sample_data"


class Command(BaseCommand):
    help = (
        "Delete the sample data that comes with the site: rows, files and transcripts, including what a "
        "curator changed in them. The site does not load it again when it starts; the load commands do "
        "if they are given its folders."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would be deleted, and delete nothing"
        )
        parser.add_argument(
            "--noinput", "--no-input", action="store_false", dest="interactive", help="do not ask first"
        )

    def handle(self, *_: str, **options: Any) -> None:
        found = {each.title: each.described() for each in samples.installed()}
        if not any(found.values()):
            self.stdout.write("There is no sample data.")
            return
        for kind, files in found.items():
            if files:
                self.stdout.write("\n  ".join([f"{kind}:", *files]))
        if options["dry_run"]:
            self.stdout.write("Nothing was deleted (--dry-run).")
            return
        if options["interactive"] and not self._confirmed():
            raise CommandError("Nothing was deleted.")
        problems = [problem for each in samples.installed() if (problem := each.withdraw())]
        with (
            transaction.atomic(),
            recording.action(Change.Action.DELETE, author=recording.operator(), source=COMMAND),
        ):
            for each in samples.installed():
                each.delete()
        self.stdout.write("The sample data is deleted. The site will not load it again when it starts.")
        for problem in problems:
            self.stdout.write(problem)

    def _confirmed(self) -> bool:
        try:
            return input("Delete all of this? Type 'yes' to go on: ").strip().lower() == "yes"
        except EOFError:
            raise CommandError(
                "Nothing was deleted, because there is no terminal to confirm at; add --noinput."
            ) from None
