"""The files that a load gets: single ones, and all in folders."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mcpsite.core import folders
from mcpsite.datasets.formats import KINDS, format_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A file to load."""

    name: str
    """Its path below the folder that is loaded."""
    path: Path
    folder: Path
    refused: str = ""
    """Why it cannot be loaded, if that is known without opening it."""
    whole_folder: bool = False
    """Whether all of its folder is loaded, so that files missing there are gone."""
    stands_for: Literal["file", "empty", "unlisted", "other"] = "file"
    """A file, or else all of `folder` if it has none, a folder below it that cannot be listed, or a file
    of another kind.
    """


def find(paths: Iterable[Path]) -> list[Found]:
    """Return the files that `paths` (files, or folders with all that is below them) name, by name."""
    found: list[Found] = []
    for path in paths:
        path = path.absolute()
        if folders.is_missing(path):
            found.append(_empty(path, "does not exist"))
        elif folders.is_file(path):
            found.append(Found(name=path.name, path=path, folder=path.parent))
        elif folders.is_special(path):
            reason = "is neither a file nor a folder"
            found.append(Found(name=path.name, path=path, folder=path.parent, refused=reason))
        else:
            found += _inside(path)
    return _one_of_each_name(_in_utf8(each) for each in found)


def _in_utf8(found: Found) -> Found:
    """Return `found`, refused if no database can store its name."""
    if folders.is_utf8(found.name):
        return found
    return replace(
        found, name=folders.readable(found.name), refused="has a name that is not UTF-8; rename it"
    )


def _inside(folder: Path) -> list[Found]:
    files, problems = folders.files_below(folder)
    found = [
        Found(name=each.relative_to(folder).as_posix(), path=each, folder=folder, whole_folder=True)
        for each in files
        if format_of(each)
    ]
    found += [
        Found(
            name=str(Path(problem.filename).relative_to(folder.parent)),
            path=Path(problem.filename),
            folder=folder,
            refused=f"cannot be listed: {problem.strerror}",
            whole_folder=True,
            stands_for="unlisted",
        )
        for problem in problems
    ]
    found = found or [_empty(folder, f"contains no {KINDS} file")]
    return found + [
        Found(name=each.relative_to(folder).as_posix(), path=each, folder=folder, stands_for="other")
        for each in files
        if not format_of(each)
    ]


def _one_of_each_name(found: Iterable[Found]) -> list[Found]:
    """Return `found` with each path once, and a later file that has an earlier one's name refused."""
    first: dict[str, Path] = {}
    kept: list[Found] = []
    for each in found:
        earlier = None if each.refused else first.setdefault(each.name, each.path)
        if earlier is None or (earlier == each.path and each not in kept):
            kept.append(each)
        elif earlier != each.path:
            reason = (
                f"has the same name as another file of this run, in {earlier.parent.name}; rename one of them"
            )
            kept.append(replace(each, refused=reason))
    return kept


def _empty(path: Path, reason: str) -> Found:
    return Found(
        name=path.name, path=path, folder=path, refused=reason, whole_folder=True, stands_for="empty"
    )
