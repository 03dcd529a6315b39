"""What the apps contribute to a page of the site: a function in a module that is found by its name."""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from django.apps import apps
from django.utils.module_loading import module_has_submodule


def contributed(module: str, function: str) -> Iterator[Callable[..., Any]]:
    """The functions of this name in the apps' modules of that name, in the order of the apps."""
    for app in apps.get_app_configs():
        if app.module is not None and module_has_submodule(app.module, module):
            found = getattr(import_module(f"{app.name}.{module}"), function, None)
            if found is not None:
                yield found
