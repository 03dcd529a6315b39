"""The steps of deploy/Dockerfile in clean folders, and then the site, run by somebody who may write nothing.

No engine of containers is needed: a mount namespace gives the steps the folders that they name. In place of
the base image is this machine.
"""

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from tests.clean_machine import Machine, clean_machine
from tests.mcpsite.test_deploy import DEPLOY, instructions
from tests.postgresql import role, skip_without_postgresql
from tests.site import ROOT, free_port

pytestmark = pytest.mark.e2e

USER = 10001
MOST_MEGABYTES = 330
"""Of the two folders that the image adds to its base."""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which the file's steps were done, with the environment that they set."""
    folder = "/"
    with clean_machine(tmp_path_factory.mktemp("image")) as machine:
        for word, rest in instructions(DEPLOY / "Dockerfile"):
            if word == "WORKDIR":
                folder = rest
                machine.run(f"mkdir -p {rest}")
            elif word == "ENV":
                found = re.findall(r"(\S+?)=(\S+)", rest)
                machine.env |= {name: value.replace("$PATH", machine.env["PATH"]) for name, value in found}
            elif word == "ARG" and "=" in rest:
                machine.env |= dict([rest.split("=", 1)])
            elif word == "COPY" and not rest.startswith("--from"):
                copy(rest.split()[:-1], machine.root / folder.lstrip("/"))
            elif word == "RUN":
                machine.run(rest, folder=folder)
        yield machine


def copy(names: list[str], target: Path) -> None:
    """Copy as COPY does, of this repository and by the rules of the ignore file."""
    kept = re.findall(r"^!(.+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    for name in kept if names == ["."] else names:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, target / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        elif source.exists():
            shutil.copy(source, target / name)


@pytest.fixture(scope="module")
def settings_of_it() -> Iterator[dict[str, str]]:
    skip_without_postgresql()
    with ExitStack() as stack:
        database = stack.enter_context(role(50))
        yield {
            "RESOURCE_SERVER_URL": "https://data.example.com",
            "AUTHORIZATION_SERVER": "builtin",
            "SECRET_KEY": "s" * 60,
            "DATABASE_URL": database.url,
            "PORT": str(free_port()),
        }


def test_the_site_of_the_image_migrates_serves_and_ends_on_a_signal(
    image: Machine, settings_of_it: dict[str, str], tmp_path: Path
) -> None:
    image.env |= settings_of_it
    env, folder = image.env, "/opt/mcpsite"
    assert image.run("id -u", folder=folder, user=USER).strip() == str(USER)
    assert "Read" not in image.run("touch mine 2>/dev/null && echo Read; true", folder=folder, user=USER)
    image.run("python manage.py migrate -v0", folder=folder, user=USER)
    words = dict(instructions(DEPLOY / "Dockerfile"))
    command = json.loads(words["CMD"])
    check = json.loads(words["HEALTHCHECK"].partition("CMD ")[2])
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            image.inside(command, folder=folder, user=USER), env=env, stdout=output, stderr=output
        )

    def healthy() -> bool:
        asked = subprocess.run(
            image.inside(check, folder=folder, user=USER), env=env, capture_output=True, check=False
        )
        return asked.returncode == 0

    try:
        origin = f"http://127.0.0.1:{env['PORT']}"
        end = time.monotonic() + 60
        while not healthy():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end
            time.sleep(0.3)
        assert httpx2.get(f"{origin}/readyz", timeout=10).json()["status"] == "ok"
        page = httpx2.get(
            f"{origin}/accounts/login/", headers={"Host": "data.example.com", "X-Forwarded-Proto": "https"}
        )
        assert re.search(r"/static/mcpsite/site\.[0-9a-f]{12}\.css", page.text)
        process.send_signal(signal.SIGTERM)
        # uvicorn ends by the signal itself, when all is answered.
        assert process.wait(timeout=20) in (0, -signal.SIGTERM)
        assert "Application shutdown complete" in log.read_text()
        assert "could not be collected" not in log.read_text()
        assert image.run("find . -user 10001 | head -3", folder=folder) == ""
    finally:
        process.kill()
        process.wait()


def test_the_image_is_no_larger_than_the_docs_say(
    image: Machine,
) -> None:
    sizes = image.run("du -sm /opt/venv /opt/mcpsite")
    megabytes = sum(int(line.split()[0]) for line in sizes.splitlines())
    print(sizes)  # noqa: T201
    assert megabytes <= MOST_MEGABYTES
