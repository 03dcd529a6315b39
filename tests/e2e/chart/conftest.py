"""A page that hosts views as a chat does, and the packages that the chart is built with."""

import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import with_packages
from tests.loopback_http import listening
from tests.site import ROOT

HERE = Path(__file__).parent
SOURCE = ROOT / "frontend" / "line-chart"


class Quiet(SimpleHTTPRequestHandler):
    """Files, without a line in the log for each."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name of the base class)
        pass


@pytest.fixture(scope="session")
def packages(node: Path) -> Path:
    """The chart's source with the packages of its package-lock.json."""
    return with_packages(SOURCE)


@pytest.fixture(scope="session")
def files(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder that holds the host page, and the address that it is served at."""
    folder = tmp_path_factory.mktemp("host")
    esbuild = packages / "node_modules" / "@esbuild" / "linux-x64" / "bin" / "esbuild"
    command: list[str | Path] = [
        esbuild,
        HERE / "host.mjs",
        "--bundle",
        "--format=esm",
        f"--outfile={folder / 'host.js'}",
    ]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    (folder / "host.html").write_text((HERE / "host.html").read_text())
    with listening(partial(Quiet, directory=str(folder))) as port:
        yield folder, f"http://localhost:{port}"
