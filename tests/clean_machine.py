"""A machine that is like new where a deployment writes: /opt and /etc are folders of a test's own.

Others see nothing of it: it is a mount namespace, which takes a superuser.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


@dataclass
class Machine:
    """The namespace, and the environment of what is run there."""

    namespace: int
    root: Path
    env: dict[str, str] = field(repr=False)

    def run(self, command: str, *, folder: str = "/", user: int = 0, shell: str = "sh") -> str:
        """Run a shell command, which has to succeed, and return what it prints."""
        words = self.inside([shell, "-c", command], folder=folder, user=user)
        done = subprocess.run(words, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def inside(self, command: list[str], *, folder: str = "/", user: int = 0) -> list[str]:
        """Return what runs `command` there, as an account that may gain no rights."""
        account = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs"]
        enter = ["nsenter", f"--mount=/proc/{self.namespace}/ns/mnt", "env", "-C", folder]
        return [*enter, *(account if user else []), *command]


@contextmanager
def clean_machine(folder: Path) -> Iterator[Machine]:
    """A machine until the end of the block; skips the test where there can be none."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("mounts of a test's own take a superuser")
    for name in ("opt", "etc"):
        (folder / name).mkdir()
    steps = [
        f"mount --bind {folder}/opt /opt",
        f"cp -a /etc/. {folder}/etc",
        f"mount --bind {folder}/etc /etc",
        "echo ready",
        "exec sleep 3600",
    ]
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", " && ".join(steps)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    # How a registry of packages is reached is all that is taken from here.
    passed = ("PIP_", "SSL_", "HTTP", "http", "no_proxy", "NO_PROXY", "REQUESTS_")
    kept = {name: value for name, value in os.environ.items() if name.startswith(passed)}
    try:
        assert holder.stdout.readline().strip() == "ready"
        yield Machine(holder.pid, folder, {"PATH": PATH, "HOME": "/nonexistent", **kept})
    finally:
        holder.kill()
        holder.communicate()
