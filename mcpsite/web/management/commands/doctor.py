import json
import logging
import sys
from dataclasses import asdict
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from mcpsite import doctor
from mcpsite.core.findings import Finding, stops_clients

STDIN = "-"
SIGNS = {"error": "ERROR  ", "warning": "WARNING", "info": "note   ", "ok": "ok     "}


class Command(BaseCommand):
    help = (
        "Check the site as a client connects to it, and say what is wrong and what to change. Exits with "
        "1 if clients cannot connect."
    )
    # It reports them itself, with all others.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--token", default="", help="an access token of your provider; - reads it from standard input"
        )
        parser.add_argument(
            "--url",
            default="",
            help="the public address, to test through the tunnel or proxy (default: local)",
        )
        parser.add_argument("--json", action="store_true", help="print JSON, for scripts")

    def handle(self, *_: str, token: str, url: str, **options: Any) -> None:
        if token == STDIN:  # On the command line, other accounts of the machine can see it.
            token = sys.stdin.read()
        # The faults of the token are reported below.
        logging.getLogger("mcpsite.access.tokens").setLevel(logging.ERROR)
        try:
            found = doctor.examine(url=url, token=token.strip())
        except ImproperlyConfigured as error:
            raise CommandError(str(error).replace("RESOURCE_SERVER_URL", "--url" if url else "it")) from error
        stops = stops_clients(found)
        if options["json"]:
            report = {"ok": not stops, "findings": [asdict(each) for each in found]}
            self.stdout.write(json.dumps(report, indent=2, ensure_ascii=False))
        else:
            self._print(found)
        if stops:
            raise SystemExit(1)

    def _print(self, found: list[Finding]) -> None:
        style = {"error": self.style.ERROR, "warning": self.style.WARNING, "ok": self.style.SUCCESS}
        for each in found:
            sign = style.get(each.level, str)(SIGNS[each.level])
            self.stdout.write(f"{sign} {each.what}  [{each.id}]")
            if each.change:
                self.stdout.write(f"        → {each.change}")
        errors = _number(found, "error")
        warnings = _number(found, "warning")
        stops = stops_clients(found)
        verdict = "Clients cannot connect." if stops else "Clients can connect."
        self.stdout.write(f"\n{errors}, {warnings}. {verdict}")


def _number(found: list[Finding], level: str) -> str:
    count = sum(each.level == level for each in found)
    return f"{count} {level}" if count == 1 else f"{count} {level}s"
