"""The steps of deploy/Dockerfile in clean folders, and then the site, run by somebody who may write nothing.

No engine of containers is needed: a mount namespace gives the steps the folders that they name. In place of
the base image is this machine.
"""

import json
import os
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

from tests.mcpsite.test_deploy import DEPLOY, instructions
from tests.postgresql import role, skip_without_postgresql
from tests.site import ROOT, free_port

pytestmark = pytest.mark.e2e

USER = 10001
MOST_MEGABYTES = 330
"""Of the two folders that the image adds to its base."""


def run(namespace: str, folder: str, command: str, *, user: int = 0, env: dict[str, str]) -> str:
    """Run a shell command inside the namespace and return what it prints."""
    done = subprocess.run(
        inside(namespace, folder, ["sh", "-c", command], user=user), env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def inside(namespace: str, folder: str, command: list[str], *, user: int = 0) -> list[str]:
    account = (
        ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs"] if user else []
    )
    return ["nsenter", f"--mount=/proc/{namespace}/ns/mnt", "env", "-C", folder, *account, *command]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A namespace in which the file's steps were done, and the environment that they set."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("mounts of a test's own take a superuser")
    empty = tmp_path_factory.mktemp("image")
    for name in ("opt", "etc"):
        (empty / name).mkdir()
    steps = [
        f"mount --bind {empty}/opt /opt",
        f"cp -a /etc/. {empty}/etc",
        f"mount --bind {empty}/etc /etc",
        "echo ready",
        "exec sleep 3600",
    ]
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", " && ".join(steps)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "ready"
    namespace, env, folder = str(holder.pid), {**base_environment()}, "/"
    try:
        for word, rest in instructions(DEPLOY / "Dockerfile"):
            if word == "WORKDIR":
                folder = rest
                run(namespace, "/", f"mkdir -p {rest}", env=env)
            elif word == "ENV":
                env |= {
                    name: value.replace("$PATH", env["PATH"])
                    for name, value in re.findall(r"(\S+?)=(\S+)", rest)
                }
            elif word == "ARG" and "=" in rest:
                env |= dict([rest.split("=", 1)])
            elif word == "COPY" and not rest.startswith("--from"):
                copy(rest.split()[:-1], empty / folder.lstrip("/"))
            elif word == "RUN":
                run(namespace, folder, rest, env=env)
        yield namespace, env
    finally:
        holder.kill()
        holder.communicate()


def base_environment() -> dict[str, str]:
    """What a container starts with, and how this machine reaches a registry of packages."""
    passed = ("PIP_", "UV_", "SSL_", "HTTP", "http", "no_proxy", "NO_PROXY", "REQUESTS_")
    kept = {name: value for name, value in os.environ.items() if name.startswith(passed)}
    return {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/nonexistent", **kept}


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
    image: tuple[str, dict[str, str]], settings_of_it: dict[str, str], tmp_path: Path
) -> None:
    namespace, env = image
    env = {**env, **settings_of_it}
    folder = "/opt/mcpsite"
    assert run(namespace, folder, "id -u", user=USER, env=env).strip() == str(USER)
    assert "Read" not in run(
        namespace, folder, "touch mine 2>/dev/null && echo Read; true", user=USER, env=env
    )
    run(namespace, folder, "python manage.py migrate -v0", user=USER, env=env)
    words = dict(instructions(DEPLOY / "Dockerfile"))
    command = json.loads(words["CMD"])
    check = json.loads(words["HEALTHCHECK"].partition("CMD ")[2])
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            inside(namespace, folder, command, user=USER), env=env, stdout=output, stderr=output
        )

    def healthy() -> bool:
        asked = subprocess.run(
            inside(namespace, folder, check, user=USER), env=env, capture_output=True, check=False
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
        assert "could not be gathered" not in log.read_text()
        assert run(namespace, folder, "find . -newer manage.py -user 10001 | head -3", env=env) == ""
    finally:
        process.kill()
        process.wait()


def test_the_image_is_no_larger_than_the_docs_say(
    image: tuple[str, dict[str, str]],
) -> None:
    namespace, env = image
    sizes = run(namespace, "/", "du -sm /opt/venv /opt/mcpsite", env=env)
    megabytes = sum(int(line.split()[0]) for line in sizes.splitlines())
    print(sizes)  # noqa: T201
    assert megabytes <= MOST_MEGABYTES
