"""A folder of data as a command loads it, and files in it."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of data."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def write_files(folder: Path, files: dict[str, str | bytes]) -> None:
    """Write the content of each file under its name, with folders where the name has them."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
