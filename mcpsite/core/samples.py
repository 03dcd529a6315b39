"""The sample data that comes with the site, recognized by the content of a file, wherever it is.

An app that has some describes it in its `samples.py`, as SAMPLES.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from mcpsite.core.contributions import contributed

LIST = Path(__file__).with_name("samples.sha256")
"""Written by `sha256sum` in the folder `data`. Not in there, because that may be deleted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """The sample data of an app."""

    kind: str
    """The name of its folder below `data`."""
    title: str
    noun: str
    """What one file of it is called."""
    command: str
    """The management command that loads files of this kind."""
    setting: str
    """The setting that names the folder which is loaded at the start."""
    example: tuple[str, ...] = ()
    """A question about it, as arguments of `call_tool`."""
    loaded: Callable[[], QuerySet[Any]]
    """Returns what is loaded of it."""
    removed: Callable[[], bool]
    """Returns whether somebody deleted some of it."""
    described: Callable[[], list[str]]
    """Returns a description of each file, with what would be lost with it."""
    delete: Callable[[], None]
    """Deletes it; in the history that is part of the caller's action."""
    withdraw: Callable[[], str] = lambda: ""
    """Removes it from external services before it is deleted; returns a sentence if that failed."""


def installed() -> list[Samples]:
    """Return the sample data of the installed apps."""
    return contributed("samples", "SAMPLES")


def wanted() -> bool:
    """Return whether a start loads the sample data: not in public, nor after somebody removed it."""
    return not (settings.PUBLIC or any(samples.removed() for samples in installed()))


def folder_of(kind: str) -> Path:
    """Return the folder of the samples of `kind`: the default of the setting that names a data folder."""
    return Path(settings.BASE_DIR, "data", kind)


@cache
def digests(kind: str) -> dict[str, str]:
    """Return the SHA-256 of each sample file of `kind`, by its path below `folder(kind)`."""
    lines = (line.split("  ", 1) for line in LIST.read_text().splitlines())
    files = ((Path(path), digest) for digest, path in lines)
    return {path.relative_to(kind).as_posix(): digest for path, digest in files if path.parts[0] == kind}
