"""Word documents and PDFs → text, read in a separate process because a small file can unpack to any size.

This file is run by its path, without the site and its settings, so that the process starts at once. Its input
is the document; its output is JSON: `{"text": …}`, or `{"refused": …}` with the sentence that says why it
cannot be read.
"""

import json
import logging
import resource
import subprocess
import sys
import zipfile
from io import BytesIO
from typing import Any

MOST_MEMORY = 1024**3
"""Bytes of address space, Python's and its libraries' included."""
MOST_SECONDS = 12
MOST_UNPACKED = 64_000_000
"""Bytes inside a Word document, which is a zip archive; pictures are not unpacked."""
MOST_TEXT = 8_000_000
MOST_PAGES = 3_000

TOO_MUCH = "Reading it takes too much memory or time; save the call as text."
NO_TEXT_LAYER = (
    "It is a PDF without a text layer (a scan, for example); export the call as .docx, .vtt or text, or "
    "run text recognition (OCR) on it first."
)
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


class BadDocument(Exception):
    """A document that cannot be read; its sentence is for the person."""


def text_of(data: bytes) -> str:
    """Return the text of a Word document or PDF, one paragraph per line. Raises BadDocument."""
    try:
        done = subprocess.run(  # noqa: S603 (this interpreter and this file)
            [sys.executable, "-I", __file__],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=MOST_SECONDS * 1.25,
            check=False,
        )
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        raise BadDocument(TOO_MUCH) from None
    if "refused" in answer:
        raise BadDocument(answer["refused"])
    return str(answer["text"])


def read(data: bytes) -> str:
    """Return the text of `data`; called in the separate process. Raises BadDocument."""
    return _of_pdf(data) if data.startswith(b"%PDF-") else _of_word(data)


def _of_word(data: bytes) -> str:
    from docx import Document

    damaged = "It is a zip archive, but not a readable Word document; save it again as .docx, or as text."
    try:
        inside = zipfile.ZipFile(BytesIO(data)).infolist()
        if sum(each.file_size for each in inside) > MOST_UNPACKED:
            raise BadDocument(
                f"It unpacks to more than {MOST_UNPACKED // 1_000_000} MB; save the call as text."
            )
        document = Document(BytesIO(data))
    except (MemoryError, BadDocument):
        raise
    except Exception as error:  # Whatever the library raises for a damaged file.
        raise BadDocument(damaged) from error
    lines = []
    for block in document.element.body.iter(f"{{{WORD}}}p", f"{{{WORD}}}tr"):
        if block.tag.endswith("}tr"):
            cells = [_text(cell) for cell in block.iter(f"{{{WORD}}}tc")]
            lines.append("\t".join(" ".join(cell.split()) for cell in cells))
        elif next(block.iterancestors(f"{{{WORD}}}tr"), None) is None:
            lines.append(_text(block))
    return "\n".join(_spread(lines))


def _spread(lines: list[str]) -> list[str]:
    """Return paragraphs with a blank line between them if the document has none itself."""
    if any(not line.strip() for line in lines[1:-1]):
        return lines
    return [each for line in lines for each in (line, "")]


def _text(block: Any) -> str:
    """Return the text of a paragraph or cell, with insertions, without deletions."""
    parts: list[str] = []
    for node in block.iter():
        kind = node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""
        if kind == "t" and not any(_is_copy(each) for each in node.iterancestors()):
            parts.append(node.text or "")
        elif kind in ("tab", "br", "cr") and node.getparent().tag.endswith("}r"):
            parts.append("\t" if kind == "tab" else "\n")
        elif kind == "p" and parts:
            parts.append(" ")
    return "".join(parts)


def _is_copy(node: Any) -> bool:
    return isinstance(node.tag, str) and node.tag.endswith("}Fallback")


def _of_pdf(data: bytes) -> str:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise BadDocument("It is a PDF with a password; save it without one, or export the call as text.")
        if len(reader.pages) > MOST_PAGES:
            raise BadDocument(f"It is a PDF of more than {MOST_PAGES:,} pages; split it.")
        pages = []
        for page in reader.pages:
            pages.append(page.extract_text())
            if sum(map(len, pages)) > MOST_TEXT:
                raise BadDocument(TOO_MUCH)
    except (MemoryError, BadDocument, RecursionError):
        raise
    except PyPdfError as error:
        raise BadDocument("It is a PDF that is damaged; export the call as .docx, .vtt or text.") from error
    except Exception as error:  # Anything else that the library raises for a damaged file.
        raise BadDocument(
            "It is a PDF that cannot be read; export the call as .docx, .vtt or text."
        ) from error
    text = "\n".join(pages)
    if not text.strip():
        raise BadDocument(NO_TEXT_LAYER)
    return text


def main() -> None:
    """Be the process: read the document of the input, within bounds."""
    logging.disable()  # pypdf logs a line for each fault, and the refusal says it in one.
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = {"text": read(sys.stdin.buffer.read())}
    except BadDocument as error:
        answer = {"refused": str(error)}
    except (MemoryError, RecursionError):
        answer = {"refused": TOO_MUCH}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
