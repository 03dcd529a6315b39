"""Management commands without the second that Django takes to start.

A process that has this site's Django set up forks for each command: the fork has everything of a process of
its own (environment, output, exit code, a kill), and ends as `manage.py` ends.
"""

import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent


@dataclass(kw_only=True)
class Command:
    """A command that runs: its process, and what it prints, in files."""

    arguments: tuple[str, ...]
    pid: int
    status: socket.socket
    stdout: IO[bytes]
    stderr: IO[bytes]
    returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, or None while the command runs."""
        with contextlib.suppress(TimeoutError):
            self.wait(timeout=0)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """The exit code, negative after a signal. Raises TimeoutError."""
        if self.returncode is None:
            self.status.settimeout(timeout or 0.000_001)
            self.returncode = int(self.status.recv(16))
            self.status.close()
        return self.returncode

    def kill(self) -> None:
        """Send SIGKILL, unless the command has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def completed(self, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """What `subprocess.run` gives of a command that ended; it is killed when the time is over."""
        try:
            self.wait(timeout)
        except TimeoutError:
            self.kill()
            raise subprocess.TimeoutExpired(self.arguments, timeout) from None
        assert self.returncode is not None
        return subprocess.CompletedProcess(
            self.arguments, self.returncode, _all_of(self.stdout), _all_of(self.stderr)
        )


class Commands:
    """The management commands of the site with this environment, or of a copy of it in another folder."""

    def __init__(self, env: dict[str, str], folder: Path = ROOT) -> None:
        self._env = env if folder == ROOT else env | {"PYTHONPATH": str(ROOT)}  # for this module
        self._folder = folder
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket

    def start(self, *arguments: str) -> Command:
        with self._lock:
            if self._process is None:
                self._begin()
            status, theirs = socket.socketpair()
            # Closed when they have been read.
            stdout, stderr = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
            with theirs:
                files = [stdout.fileno(), stderr.fileno(), theirs.fileno()]
                socket.send_fds(self._requests, [json.dumps(arguments).encode()], files)
            # Only one request is ever on its way: the next is sent when this one's process is there.
            pid = int(status.recv(16))
        return Command(arguments=arguments, pid=pid, status=status, stdout=stdout, stderr=stderr)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = self.start(*arguments).completed()
        if check:
            done.check_returncode()
        return done

    def close(self) -> None:
        """End the process that forks, which asks for nothing more."""
        if self._process is not None:
            self._requests.close()
            self._process.wait(timeout=30)

    def _begin(self) -> None:
        self._requests, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.commands", str(theirs.fileno())],
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )


def _all_of(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode()


# In the process that forks


def _set_up() -> None:
    """Import what every command needs; a mistake in the settings is left to the command to report."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mcpsite.settings")
    with contextlib.suppress(Exception, SystemExit):
        import django
        from django.urls import get_resolver

        django.setup()
        # The system checks of a command import every view.
        assert get_resolver().url_patterns
    # Else the end of each fork, which looks through every object, takes half a second of copying pages.
    gc.freeze()


def _forked(requests: socket.socket) -> list[str]:
    """Return in a fork for each request, with the request's arguments; end when nobody can ask any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        request, files, _, _ = socket.recv_fds(requests, 1 << 20, 3)
        if not request:
            sys.exit()
        if not os.fork():
            break
        for file in files:
            os.close(file)
    requests.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    stdout, stderr, status = files
    command = os.fork()
    if command:
        # Stay beside the command to say how it ended.
        os.write(status, str(command).encode())
        _, ended = os.waitpid(command, 0)
        os.write(status, str(os.waitstatus_to_exitcode(ended)).encode())
        os._exit(0)
    os.close(status)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    arguments: list[str] = json.loads(request)
    return arguments


def _main() -> None:
    _set_up()
    arguments = _forked(socket.socket(fileno=int(sys.argv[1])))
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", *arguments])


if __name__ == "__main__":
    _main()
