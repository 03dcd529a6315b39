"""Folders of data: the files below one, and whether so few are left that nothing may be pruned."""

import os
import stat
from collections.abc import Collection
from pathlib import Path

MOST_NAMED = 3
"""The most files that a sentence names; the others are counted."""
HIDDEN = (".", "~$")
"""How the names of hidden files begin; Office's files beside an open document are called ~$…"""
OF_FILE_SYSTEMS = frozenset({"lost+found", "System Volume Information", "$RECYCLE.BIN"})
"""Folders at the top of a disk that belong to nobody, and that an ordinary account may not list."""
FILES_STAY = (
    "Files of a data folder stay in it; loads leave them out until somebody names them or their folder."
)
"""For pages that ask whether to delete what was loaded."""


def files_below(folder: Path) -> tuple[list[Path], list[OSError]]:
    """Return the files below `folder`, sorted, and why folders among them could not be listed.

    Hidden files are left out. A file that cannot be opened, for example a link to nothing, is included: it is
    there, and reading it will say why it cannot be read.
    """
    files: list[Path] = []
    problems: list[OSError] = []
    for parent, inner, names in os.walk(folder, onerror=problems.append):
        inner[:] = [name for name in inner if not name.startswith(".") and name not in OF_FILE_SYSTEMS]
        paths = [Path(parent, name) for name in names if not name.startswith(HIDDEN)]
        files += [path for path in paths if _is_file(path)]
    return sorted(files), problems


def _is_file(path: Path) -> bool:
    try:
        return path.is_file() or not path.exists()
    except OSError:
        return True


def is_missing(path: Path) -> bool:
    """Return whether there is nothing at `path`; False if that cannot be known."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def is_file(path: Path) -> bool:
    """Return whether a file is at `path`; False if that cannot be known."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_special(path: Path) -> bool:
    """Return whether a pipe, a socket or a device is at `path`, because reading it might never end."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_utf8(name: str) -> bool:
    """Return whether a name from the system is text; Python keeps other bytes as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def readable(name: str) -> str:
    """Return `name` with bytes that are not UTF-8 replaced, so that it can be printed and stored."""
    return os.fsencode(name).decode("utf-8", "replace")


def why_not_prune(
    folder: Path, *, there: Collection[str], known: Collection[str], wrong: str, allow_empty: bool
) -> str:
    """Return why nothing of `folder` may be pruned, as a sentence; empty if it may be.

    `there` are the names of its files now, and `known` the names of files that something is stored of. A
    folder that has none of the known ones is more likely not mounted than emptied, unless `allow_empty` says
    so. `wrong` says what is wrong with it as a whole, after its name.
    """
    if there and (not known or not set(known).isdisjoint(there)):
        return ""
    if not known:
        empty = allow_empty and folder.is_dir()
        return "" if empty else f"{folder} {wrong}, and nothing was loaded from it; check the path."
    if allow_empty:
        return ""
    named = sorted(known)[:MOST_NAMED]
    more = f" and {len(known) - len(named):,} more" if len(known) > len(named) else ""
    return (
        f"{folder} {wrong or 'contains none of the files that were loaded from it'}; --prune would delete "
        f"everything that came from it ({', '.join(named)}{more}). Check that it is mounted and that the "
        "path is right; if its files are really gone, add --allow-empty."
    )
