"""What a visitor may know of the data that is here, told by the apps that publish it.

An app says it in its `holdings.py`, found like its `tools.py`: a function `holdings(caller)`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module

from django.apps import apps
from django.utils.module_loading import module_has_submodule

from access.caller import Caller


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """One line: so much of what."""

    label: str
    count: int
    """Only of what the caller may see; never of the rest."""
    path: str = ""
    """A page of this site that shows it."""


def held_for(caller: Caller) -> list[Holding]:
    """What each app says to `caller`. Synchronous; reads the database."""
    found: list[Holding] = []
    for app in apps.get_app_configs():
        if app.module is not None and module_has_submodule(app.module, "holdings"):
            said: Iterable[Holding] = import_module(f"{app.name}.holdings").holdings(caller)
            found += said
    return found
