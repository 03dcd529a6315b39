"""`manage.py process_uploads`: load what people uploaded in the admin."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from mcpsite.uploads.queue import work_off

WATCH_SECONDS = 2.0
NICE = 5


class Command(BaseCommand):
    help = (
        "Load the files that were uploaded in the admin, then exit. The site starts this command by "
        "itself; with UPLOAD_AUTOSTART=0, run it with --watch under a supervisor."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--watch", action="store_true", help="keep running and wait for uploads")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        # Tool calls come first if the processor is short.
        os.setpriority(os.PRIO_PROCESS, 0, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))
        work_off(watch=WATCH_SECONDS if options["watch"] else None)
