"""Kinds of files: which there are, and the bytes and names by which they are recognized."""

from pathlib import Path

from mcpsite.datasets.refusals import RefusedFile

SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}
PACKED = ".gz"
KINDS = ", ".join([*SUFFIXES, PACKED])
"""For sentences."""

_ZIP = b"PK\x03\x04"
_REFUSED = {
    b"\xd0\xcf\x11\xe0": "is an old Excel or Word file; save it as .xlsx or as CSV (UTF-8)",
    b"%PDF": "is a PDF; load the table it was made from",
    b"PAR1": "is a Parquet file; save it as CSV or JSON Lines",
    b"SQLite format 3": "is a database file; export its table as CSV",
    b"BZh": "is compressed by bzip2; use gzip (.gz) or unpack it",
    b"\xfd7zXZ": "is compressed by xz; use gzip (.gz) or unpack it",
    b"(\xb5/\xfd": "is compressed by Zstandard; use gzip (.gz) or unpack it",
}


def format_of(path: Path) -> str | None:
    """Return the kind of table according to a file's name, compressed or not; None for other files."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes[-1:] == [PACKED]:
        suffixes.pop()
        # A compressed file is recognized by its name before.
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def known_by_content(format_: str, head: bytes) -> str:
    """Return the real kind of a file whose name says `format_`, by its first bytes. Raises RefusedFile."""
    for start, reason in _REFUSED.items():
        if head.startswith(start):
            raise RefusedFile(reason)
    if head.startswith(_ZIP):
        return "xlsx"
    if format_ == "xlsx":
        raise RefusedFile("is not an Excel workbook (.xlsx), despite its name; save it again")
    return format_
