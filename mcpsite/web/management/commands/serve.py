"""`manage.py serve`: the site under uvicorn, with all that a first run needs if asked to prepare."""

import os
import secrets
import tempfile
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand, CommandParser
from uvicorn.config import LOGGING_CONFIG

from mcpsite.access import signing
from mcpsite.core import exclusive, metrics, samples
from mcpsite.core.environment import EXIT_CODE
from mcpsite.web import listening, overview, static_files
from mcpsite.web.health import unapplied
from mcpsite.web.overview import typed

ADMIN = "admin"
LABEL = 14
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Command(BaseCommand):
    help = "Serve the site; --prepare migrates, loads the data and makes an admin account first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--prepare", action="store_true", help="prepare a fresh checkout before serving")
        parser.add_argument("--host", default=settings.HOST, help="address to listen on (HOST)")
        parser.add_argument("--port", type=_port, default=settings.PORT, help="port to listen on (PORT)")
        parser.add_argument("--workers", type=int, default=1, help="processes")

    def handle(self, *_: str, **options: Any) -> None:
        try:
            host = listening.where(options["host"], options["port"])
        except listening.CannotListen as problem:
            raise CommandError(str(problem), returncode=EXIT_CODE) from None
        place = "" if host in LOOPBACK else f"{host}, port {options['port']}"
        if options["prepare"]:
            self.prepare(place)
        else:
            self._report(place)
        if options["port"] != settings.PORT and not settings.ENVIRONMENT.is_set("RESOURCE_SERVER_URL"):
            self.stderr.write(
                f"Clients are given {settings.RESOURCE_SERVER_URL}, but this server listens on port "
                f"{options['port']}: set PORT instead of --port, or set RESOURCE_SERVER_URL too."
            )
        if why := static_files.gather():
            self.stderr.write(f"{why}; they are served as they are.")
        with _counted_together(options["workers"]):
            uvicorn.run(
                "mcpsite.asgi:application",
                host=host,
                port=options["port"],
                workers=options["workers"],
                http="mcpsite.web.heads:Protocol",
                log_level=settings.LOG_LEVEL.lower(),
                # Its own logging is in lines; in JSON it logs as everything else does.
                log_config=None if settings.LOG_FORMAT == "json" else LOGGING_CONFIG,
                # A request line may contain what a person searched for.
                access_log=False,
                timeout_graceful_shutdown=10,
                server_header=False,
            )

    def prepare(self, place: str = "") -> None:
        """Migrate, load what is new in the data folders, make the first account, and say how to go on.

        Of several processes that start at once, one does this and the others wait for it.
        """
        with exclusive.alone("prepare", wait=True):
            password = self._prepared()
        self._report(place, password=password)

    def _prepared(self) -> str:
        if missing := unapplied():
            self.stdout.write(f"Migrating {', '.join(missing)}.")
        call_command("migrate", verbosity=0, interactive=False)
        for each in samples.installed():
            self._load(each)
        return self._first_admin()

    def _load(self, of: samples.Samples) -> None:
        folder = Path(getattr(settings, of.setting))
        bundled = folder.resolve() == samples.folder_of(of.kind).resolve()
        if bundled and not folder.exists():
            return  # Somebody who deletes the sample data wants none.
        try:
            call_command(of.command, no_samples=bundled and not samples.wanted())
        except SystemExit as exit_:
            # A refused file is reported above; the rest of the data can be served.
            if exit_.code not in (0, 1):
                raise

    def _report(self, place: str, *, password: str = "") -> None:
        """Print what is on and off, how to go on, and where (`place`) other machines reach this one."""
        missing = unapplied()
        lines = list(overview.overview_lines(migrated=not missing))
        if place:
            lines.append(("Listens on", f"{place}, which other machines may reach"))
        if password:
            lines.append(("Account", f"{ADMIN} / {password}   (new, shown only once)"))
        if signing.is_own_issuer() and not missing:
            examples = [each.example for each in samples.installed() if each.example]
            lines += [("Try it", typed("call_tool", *example)) for example in examples[:1]]
            lines.append(("Token", typed("issue_token", ADMIN)))
        self.stdout.write("")
        for part, said in lines:
            first, *rest = said.splitlines()
            self.stdout.write(f"  {part:{LABEL}}{first}")
            for line in rest:
                self.stdout.write(f"  {'':{LABEL}}{line}")
        self.stdout.write("")
        if missing:
            self.stderr.write(
                f"The database lacks migrations of {', '.join(missing)}. Until they are applied, pages and "
                f"calls fail and /readyz answers 503. Apply them: {typed('migrate')}"
            )
        self.stdout.flush()

    def _first_admin(self) -> str:
        """Make the admin account if nobody has one; return its password, or an empty text."""
        users = get_user_model().objects
        if users.filter(is_superuser=True).exists():
            return ""
        password = secrets.token_urlsafe(12)
        users.create_superuser(ADMIN, "", password)
        return password


@contextmanager
def _counted_together(workers: int) -> Iterator[None]:
    """Give the workers that are started in the block a folder in which their metrics are summed up."""
    if workers < 2 or not settings.METRICS_TOKEN or os.environ.get(metrics.FOLDER):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="mcpsite-metrics-") as folder:
        os.environ[metrics.FOLDER] = folder
        yield


def _port(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 65_535:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is not a port; ports are whole numbers from 1 to 65535")
