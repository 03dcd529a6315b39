"""The kinds of files that can be uploaded.

A data app registers its loader in its own `uploads.py`, which is found at start-up as `admin.py` is.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from mcpsite.core.tables import Cell
from mcpsite.uploads.forms import UploadForm
from mcpsite.uploads.summaries import Summary

FOLDER = Path("uploaded")
"""The folder in the recorded path of an uploaded file. Folders that a command loads have absolute paths, so
no `--prune` mistakes an upload for a file that is gone.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """The task of a loader."""

    files: list[Path]
    """In a separate folder, under the names they were uploaded with."""
    by: str
    """The person who uploaded them."""
    check_only: bool = False
    """Read them and write nothing."""
    options: dict[str, Any] = field(default_factory=dict)
    """The values of the loader's form (`UploadForm.options`)."""
    progress: Callable[[int, int], None] = lambda _done, _total: None
    """Called with how much of the work is done, in any unit, and how much there is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Loader:
    """A kind of files."""

    kind: str
    title: str
    """Of the files, for example in “Upload airfare files”."""
    permission: str
    """What a person needs to upload them."""
    form: type[UploadForm] | None
    """None for files that do not come from an upload form."""
    run: Callable[[Task], list[Summary]]
    """Loads the files. A file that cannot be loaded is refused in the summary and is no exception."""
    list_url: str
    """The name of the page that lists what was loaded."""


_loaders: dict[str, Loader] = {}


def register_loader(loader: Loader) -> None:
    """Register `loader`. A second one of its kind replaces it."""
    _loaders[loader.kind] = loader


def loader_of(kind: str) -> Loader | None:
    return _loaders.get(kind)


def permitted(user: Any) -> list[Loader]:
    """Return the loaders that `user` may use, by title."""
    found = [loader for loader in _loaders.values() if user.has_perm(loader.permission)]
    return sorted(found, key=lambda loader: loader.title)


def upload_link(request: HttpRequest, kind: str) -> Cell | None:
    """Return a link to the form for files of `kind`; None for people who may not upload them."""
    loader = loader_of(kind)
    if loader is None or not request.user.has_perm(loader.permission):
        return None
    return Cell("Upload files", reverse("admin:uploads_upload_new", args=[kind]))
