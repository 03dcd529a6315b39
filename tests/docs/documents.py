"""The documents as a reader meets them: sections, blocks of code and code within sentences."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.site import ROOT

_LINE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$|^#+ (?P<title>[^\n]+)$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A fenced block of code."""

    document: str
    section: str
    """The heading above it."""
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


@cache
def documents() -> dict[str, str]:
    """Return the text of every document, by its path in the repository.

    The changelog is none: it speaks of what was.
    """
    paths = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")} - {ROOT / "CHANGELOG.md"})
    return {str(path.relative_to(ROOT)): path.read_text() for path in paths}


@cache
def every_block() -> list[Block]:
    """Return the blocks of all documents."""
    return [block for document in documents() for block in _blocks(document)]


def blocks_of(document: str, section: str | None = None) -> list[str]:
    """Return the blocks of a document, or of one of its sections, for a test that runs them.

    Takes literals alone: `test_blocks` reads in the tests which blocks are run. Raises LookupError.
    """
    found = [
        block.text
        for block in every_block()
        if block.document == document and section in (None, block.section)
    ]
    if not found:
        raise LookupError(f"{document} has no block of code under {section!r}.")
    return found


def spans(document: str) -> list[str]:
    """Return the code within the sentences of a document, each in one line."""
    prose = _LINE.sub(lambda found: found[0] if found["title"] else "", documents()[document])
    return [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)]


def headings(document: str) -> list[str]:
    """Return the headings of a document."""
    return [found["title"] for found in _LINE.finditer(documents()[document]) if found["title"]]


def lines_of(script: str) -> list[str]:
    """Return the commands of a block for a shell: no comments, and what is continued in one line."""
    code = re.sub(r"(^|[ \t]+)#[ \t].*$", "", script, flags=re.MULTILINE)
    return [line for line in re.sub(r"\n {4,}", " ", code).splitlines() if line.strip()]


def _blocks(document: str) -> Iterator[Block]:
    section = ""
    text = documents()[document]
    for found in _LINE.finditer(text):
        if found["title"]:
            section = found["title"]
            continue
        yield Block(
            document=document,
            section=section,
            line=text.count("\n", 0, found.start()) + 1,
            language=found["language"],
            text=textwrap.dedent(found["text"]),
        )
