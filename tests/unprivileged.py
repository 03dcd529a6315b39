"""An account without rights of its own, for what is never refused to the superuser, who may run the tests."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


@contextmanager
def unprivileged() -> Iterator[None]:
    """Run the block as nobody, where the superuser runs the tests."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account of the machine can reach; pytest's own cannot be."""
    path = Path(tempfile.mkdtemp(prefix="open-"))
    path.chmod(0o755)
    yield path
    for each in path.rglob("*"):
        if each.is_dir():
            each.chmod(0o700)
    shutil.rmtree(path)
