from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from mcpsite.access import private_keys, signing


class Command(BaseCommand):
    help = (
        "Sign access tokens with a new key from now on. The older keys stay published until the last token "
        "that they signed has expired, so nobody has to sign in again; a running server needs no restart."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        other = parser.add_mutually_exclusive_group()
        other.add_argument(
            "--into-database",
            action="store_true",
            help="move the keys of SIGNING_KEY_FILE into the database, which all processes share, instead",
        )
        other.add_argument(
            "--start-over",
            action="store_true",
            help="delete all keys in the database and create a new one: every earlier token is refused",
        )

    def handle(self, **options: Any) -> None:
        if not signing.is_own_issuer():
            raise CommandError(
                f"Tokens are signed by {settings.AUTH0_ISSUER} (AUTH0_ISSUER); rotate its keys there."
            )
        try:
            if options["into_database"]:
                self.stdout.write(self._into_database())
                return
            if options["start_over"]:
                self.stdout.write(self._start_over())
                return
            kid, older = signing.rotate()
        except (OSError, ImproperlyConfigured) as error:
            raise CommandError(f"The key could not be rotated: {error}") from error
        self.stdout.write(f"The new key is {kid}; {older} older keys stay published.")

    @staticmethod
    def _into_database() -> str:
        source = private_keys.store()
        if not isinstance(source, private_keys.InFile):
            raise ImproperlyConfigured(f"the keys are in {source.name}, not in a file.")
        if connection.vendor != "postgresql":
            raise ImproperlyConfigured("on SQLite all processes share a file beside the database.")
        if settings.ENVIRONMENT.is_set("SIGNING_KEY_FILE"):
            raise ImproperlyConfigured("SIGNING_KEY_FILE is set; unset it, so that no process reads it.")
        dated = source.dated()
        private_keys.InDatabase().take_over(dated)
        moved = source.put_away()
        return (
            f"{len(dated)} keys are in the database now, and the file is {moved.name}; restart every "
            "process, then delete it."
        )

    @staticmethod
    def _start_over() -> str:
        source = private_keys.store()
        if not isinstance(source, private_keys.InDatabase):
            raise ImproperlyConfigured(f"the keys are in {source.name}, not in the database.")
        source.start_over()
        return "There is one new key; restart every process. Everybody has to sign in again."
