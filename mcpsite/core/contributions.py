"""What the installed apps contribute: modules that are found by their names.

docs/contributing-modules.md lists them.
"""

from importlib import import_module
from types import ModuleType
from typing import Any

from django.apps import apps
from django.utils.module_loading import module_has_submodule


def modules(name: str) -> list[ModuleType]:
    """Import the modules of this name in the installed apps, and return them in the order of the apps."""
    return [
        import_module(f"{app.name}.{name}")
        for app in apps.get_app_configs()
        if app.module is not None and module_has_submodule(app.module, name)
    ]


def contributed(module: str, name: str) -> list[Any]:
    """Return what the apps' modules `module` define as `name`, in the order of the apps."""
    return [getattr(each, name) for each in modules(module) if hasattr(each, name)]
