"""What a chat shows for a tool's answer beside its text: a page, named by the tool (MCP Apps).

The page is a `ui://` resource; everybody who may use a tool that names it may read it, nobody else. Hosts
cache pages by their address, so the address changes with the page.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from posixpath import splitext

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, kw_only=True)
class View:
    """A page: a single HTML file that loads nothing, shown by the client in a separate frame."""

    name: str
    """What comes after `ui://`, without the version before the address's ending."""
    title: str
    file: Path
    drawn_by: str = ""
    """What draws an answer on a page of this site: `static/module.js#function`, called with an element and
    the answer. Empty: such a page shows only tables.
    """

    def __post_init__(self) -> None:
        if not self.file.is_file():
            raise ImproperlyConfigured(f"The view {self.name} has no file {self.file}; build it.")

    @cached_property
    def uri(self) -> str:
        """The address of the current page."""
        stem, ending = splitext(self.name)
        return f"ui://{stem}.{sha256(self.html.encode()).hexdigest()[:12]}{ending}"

    def answers(self, uri: str) -> bool:
        """Return whether `uri` is the address of this page, even of an older version.

        A client that keeps its list of tools until a person renews it still requests the old one.
        """
        stem, ending = map(re.escape, splitext(self.name))
        return re.fullmatch(rf"ui://{stem}(\.[0-9a-f]{{12}})?{ending}", uri) is not None

    @cached_property
    def html(self) -> str:
        """The page, read once."""
        return self.file.read_text(encoding="utf-8")
