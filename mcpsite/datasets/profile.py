"""An examination of a file before it is read: its kind, its encoding, and which row is its heading.

What only a whole column shows, the order of its dates and its decimal mark, `records` finds in a second
reading of the rows, and only if a cell leaves it open: files with 2024-06-03 and 612.5 are read once.
"""

import codecs
from dataclasses import dataclass

from mcpsite.datasets.columns import Said
from mcpsite.datasets.encodings import Encoding, encoding_of
from mcpsite.datasets.formats import KINDS, format_of, known_by_content
from mcpsite.datasets.formats.delimited import Shape, shape_of
from mcpsite.datasets.formats.objects import is_by_line
from mcpsite.datasets.headings import Headings
from mcpsite.datasets.refusals import RefusedFile
from mcpsite.datasets.sources import Source


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What a file is."""

    format: str
    """One of formats.SUFFIXES."""
    encoding: Encoding
    """Of a text; without meaning for a workbook."""
    shape: Shape | None = None
    """For CSV and TSV."""


def profile_of(source: Source, headings: Headings, said: Said) -> Profile:
    """Examine a file. Raises RefusedFile."""
    format_ = format_of(source.path)
    if format_ is None:
        raise RefusedFile(f"is not one of {KINDS}")
    head = source.head()
    format_ = known_by_content(format_, head)
    if format_ == "xlsx":
        return Profile(format=format_, encoding=Encoding())
    encoding = encoding_of(source, said.encoding)
    if format_ in ("json", "jsonl"):
        text = codecs.getincrementaldecoder(encoding.name)("replace").decode(head).lstrip("\ufeff \t\r\n")
        one = text.startswith("[") or not is_by_line(text)
        if format_ == "jsonl" and text.startswith("{") and "\n" not in text.strip():
            one = False
        return Profile(format="json" if one else "jsonl", encoding=encoding)
    shape = shape_of(source, encoding.name, format_, headings)
    return Profile(format=format_, encoding=encoding, shape=shape)
