"""The bytes of a file, unpacked if it is compressed, as often as they are needed and in bounded memory."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from mcpsite.datasets.refusals import RefusedFile

MOST_UNPACKED = 1 << 29
"""Bytes inside a compressed file."""
HEAD = 1 << 16
"""Bytes that identify the kind of a file."""
Progress = Callable[[int], None]

_GZIP = b"\x1f\x8b"


class Stream(io.RawIOBase):
    """The bytes of a file from its start. Raises RefusedFile if they cannot be unpacked."""

    def __init__(self, raw: BinaryIO, progress: Progress | None) -> None:
        self._raw = raw
        self._progress = progress
        self._told = 0
        self._unpacked = 0
        packed = raw.read(len(_GZIP)) == _GZIP
        raw.seek(0)
        self._file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
        self._packed = packed

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, `size` at most; none at the end."""
        if not self._packed:
            chunk = self._file.read(size)
        else:
            try:
                chunk = self._file.read(size)
            except (gzip.BadGzipFile, EOFError, zlib.error):
                raise RefusedFile("is compressed and damaged or cut off; compress it again") from None
            self._unpacked += len(chunk)
            if self._unpacked > MOST_UNPACKED:
                raise RefusedFile("is too large when it is unpacked; split it into several files")
        if self._progress:
            place = self._raw.tell()
            self._progress(place - self._told)
            self._told = place
        return chunk


class Source:
    """A file that can be read several times."""

    def __init__(self, path: Path, progress: Progress | None = None) -> None:
        self.path = path
        self._progress = progress

    @contextmanager
    def open(self, *, tell: bool = False) -> Iterator[Stream]:
        """Open its bytes from the start; with `tell`, progress is called with how far the file was read."""
        with self.path.open("rb") as raw:
            yield Stream(raw, self._progress if tell else None)

    def head(self) -> bytes:
        """Return its first bytes, enough to recognize its kind."""
        with self.open() as stream:
            return stream.read(HEAD)
