"""`manage.py serve`: the site under uvicorn, with everything a first run needs when asked to prepare."""

import secrets
import shlex
import sys
from typing import Any

import uvicorn
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from access import signing
from mcpsite import connecting

ADMIN = "admin"


class Command(BaseCommand):
    help = "Serve the site; --prepare migrates, loads the data and makes an admin account first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--prepare", action="store_true", help="make a fresh checkout ready before serving"
        )
        parser.add_argument("--host", default=settings.HOST, help="address to listen on (HOST)")
        parser.add_argument("--port", type=int, default=settings.PORT, help="port to listen on (PORT)")
        parser.add_argument("--workers", type=int, default=1, help="processes")

    def handle(self, *_: str, **options: Any) -> None:
        if options["prepare"]:
            self.prepare()
        uvicorn.run(
            "mcpsite.asgi:application",
            host=options["host"],
            port=options["port"],
            workers=options["workers"],
            http="mcpsite.heads:Protocol",
            log_level=settings.LOG_LEVEL.lower(),
            # A request line may hold what a person searched for.
            access_log=False,
            timeout_graceful_shutdown=10,
            server_header=False,
        )

    def prepare(self) -> None:
        """Migrate, load what is new in the data folders, make the first account, and say how to go on."""
        call_command("migrate", verbosity=0, interactive=False)
        for command in ("load_airfare", "upload_transcripts"):
            try:
                call_command(command)
            except SystemExit as exit_:
                # A file that was refused is reported above; the rest of the data is there to be served.
                if exit_.code not in (0, 1):
                    raise
        password = self._first_admin()
        print = self.stdout.write  # noqa: A001
        print("")
        print(f"  MCP endpoint  {settings.RESOURCE_SERVER_URL}")
        print(f"  Admin         {settings.SITE_URL}/admin/")
        if password:
            print(f"  Account       {ADMIN} / {password}   (made now and shown once)")
        if signing.is_own_issuer():
            manage = connecting.manage(elsewhere=shlex.quote(sys.executable))
            print(f"  Try it        {manage} call_tool airfare_trend_insights route_contains=JFK limit=5")
            print(f"  Token         {manage} issue_token {ADMIN}")
        print("")
        self.stdout.flush()

    def _first_admin(self) -> str:
        """Make the admin account when nobody has one; its password, or empty."""
        users = get_user_model().objects
        if users.filter(is_superuser=True).exists():
            return ""
        password = secrets.token_urlsafe(12)
        users.create_superuser(ADMIN, "", password)
        return password
