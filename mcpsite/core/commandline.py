"""`manage.py`: Django's command line, in which an unavailable database is a sentence and no traceback."""

import sys
from argparse import ArgumentTypeError

from django.core.management import execute_from_command_line
from django.db import Error

from mcpsite.core.environment import EXIT_CODE


def main(arguments: list[str]) -> None:
    """Run the management command that `arguments` name, the program's name first."""
    try:
        execute_from_command_line(arguments)
    except Error as error:
        from mcpsite.core.outage import explain  # needs the settings

        sentence = explain(error)
        if not sentence:
            raise
        sys.stderr.write(f"{sentence}\n")
        raise SystemExit(EXIT_CODE) from None


def days(text: str) -> int:
    """Return the number of days, at least 1, that a command's argument states."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 36_500):
        raise ArgumentTypeError(f"{text!r} is not a number of days from 1 to 36500")
    return int(text)
