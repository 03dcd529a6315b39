"""What a chat shows for a tool's answer beside its text: one page, named by the tool (MCP Apps).

The page is a `ui://` resource; whoever may use a tool that names it may read it, nobody else.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, kw_only=True)
class View:
    """One page: a single HTML file that loads nothing, shown by the client in a frame of its own."""

    name: str
    """What follows `ui://`; clients remember it, so it stays as it is."""
    title: str
    file: Path
    drawn_by: str = ""
    """What draws an answer on a page of this site: `static/module.js#function`, called with an element and
    the answer. Empty: such a page shows tables alone."""

    def __post_init__(self) -> None:
        if not self.file.is_file():
            raise ImproperlyConfigured(f"The view {self.uri} has no file {self.file}; build it.")

    @property
    def uri(self) -> str:
        return f"ui://{self.name}"

    @cached_property
    def html(self) -> str:
        """The page, read once."""
        return self.file.read_text(encoding="utf-8")
