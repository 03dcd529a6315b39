"""A site's own apps, which no update of the site touches: folders in the folders that APPS_DIR names."""

import keyword
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def installed(folders: Iterable[Path], others: Iterable[str]) -> list[str]:
    """Return the names of the apps in `folders`, in that order, and make them importable.

    An app is a folder with a `models.py`. Raises ImproperlyConfigured for a name that cannot be imported, or
    that is one of `others` or of another module already.
    """
    labels = {name.rpartition(".")[2] for name in others}
    found: list[str] = []
    for folder in folders:
        apps = sorted(path.parent for path in folder.glob("*/models.py")) if folder.is_dir() else []
        for app in apps:
            _demand_name(app, {*labels, *found})
            found.append(app.name)
        # After all that is installed, because nothing there may be replaced.
        if apps and str(folder) not in sys.path:
            sys.path.append(str(folder))
    return found


def why_not_named(name: str) -> str:
    """Return why no app can have this name; empty if one can."""
    if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name) or name != name.lower():
        return "is not a valid name for an app; use small letters, digits and _, such as hotel_rates"
    return ""


def _demand_name(app: Path, taken: set[str]) -> None:
    problem = why_not_named(app.name)
    if not problem and app.name in taken:
        problem = "has the name of another app"
    spec = None if problem else find_spec(app.name)
    if spec and str(app) not in (spec.submodule_search_locations or ()):
        problem = "has the name of a Python module"
    if problem:
        raise ImproperlyConfigured(f"APPS_DIR: the folder {app.name!r} {problem}; rename it.")
