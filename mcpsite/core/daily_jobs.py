"""What has to be done once a day: `manage.py daily` runs the jobs that the apps' `daily.py` define."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.core.management import call_command

from mcpsite.core.contributions import contributed


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A daily job. It may run at any time, and twice."""

    title: str
    """What it does, for example “old tool calls are deleted”."""
    run: Callable[[], object]
    """The function that does it; an exception is a failure, which stops no other job."""


def command(name: str, *arguments: str) -> Callable[[], object]:
    """Return a function for `Job.run` that runs a management command."""
    return lambda: call_command(name, *arguments)


def jobs() -> Iterator[Job]:
    """Yield the jobs of all apps that the settings switch on."""
    for each in contributed("daily", "jobs"):
        yield from each()
