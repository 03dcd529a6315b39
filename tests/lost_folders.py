"""Folders of data in the ways in which their files get out of reach."""

from pathlib import Path


def emptied(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def missing(folder: Path) -> None:
    emptied(folder)
    folder.rmdir()


def hidden(folder: Path) -> None:
    for path in folder.iterdir():
        path.rename(folder / f".{path.name}")
