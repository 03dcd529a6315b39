"""What one greedy caller, or a stranger, costs everybody else: memory, answers, and how late `/healthz` is.

`python -m bench.attacks` serves generated fares on loopback, anew for each attack, and prints how much the
process's memory grew at most, what came back, and how long `/healthz` took while it went on. `--checkout
PATH` does the same to another checkout of the site, for example an older one.
"""

import argparse
import http.client
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice, permutations
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from rich.console import Console
from rich.table import Table

from bench import airfare_data
from bench.load import LEGACY
from tests.site import ROOT, free_port

ENOUGH = "1000000/minute"
UNLIMITED = {"RATE_LIMIT": ENOUGH, "REQUEST_RATE_LIMIT": ENOUGH, "CONCURRENT_CALLS": "0"}
PUBLIC = {"RATE_LIMIT": "120/minute", "REQUEST_RATE_LIMIT": "600/minute", "CONCURRENT_CALLS": "8"}
"""The defaults on a public address."""
GROUPS = ("route", "airline", "season", "snapshot_date", "origin_airport", "destination_airport")
METRICS = [f"avg_fare_usd_{figure}" for figure in ("mean", "min", "max", "count")]

Answer = tuple[int, bytes]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A server under attack."""

    port: int
    pid: int
    token: str
    database: Path

    def post(self, path: str, body: bytes, **headers: str) -> Answer:
        """Send a request over a separate connection; return its status and body."""
        with closing(http.client.HTTPConnection("localhost", self.port, timeout=120)) as connection:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def rpc(self, body: bytes) -> str:
        """Send a body to the endpoint; return the result in a word."""
        status, text = self.post(
            "/mcp",
            body,
            **{
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                "Mcp-Protocol-Version": LEGACY,
            },
        )
        if status != 200:
            return str(status)
        return "a sentence" if b'"isError":true' in text or b'"error":' in text[:60] else "answered"

    def memory(self) -> float:
        """Return the memory that the process occupies, in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1000

    def rows(self) -> int:
        """Return how many rows its audit trail has."""
        with closing(sqlite3.connect(self.database, timeout=30)) as lite:
            count: int = lite.execute("SELECT count(*) FROM access_auditevent").fetchone()[0]
            return count


class Watch:
    """The peak of a server's memory and the slowest `/healthz`, while its block runs."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._over = threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._memory, self._health)]
        self._before = target.memory()
        self.grown, self.slowest = 0.0, 0.0

    def __enter__(self) -> "Watch":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _memory(self) -> None:
        while not self._over.wait(0.01):
            self.grown = max(self.grown, self._target.memory() - self._before)

    def _health(self) -> None:
        while not self._over.wait(0.02):
            began = time.monotonic()
            with closing(
                http.client.HTTPConnection("localhost", self._target.port, timeout=120)
            ) as connection:
                connection.request("GET", "/healthz")
                connection.getresponse().read()
            self.slowest = max(self.slowest, time.monotonic() - began)


def message(method: str, params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


def call(tool: str, **arguments: Any) -> bytes:
    return message("tools/call", {"name": tool, "arguments": arguments})


def at_once(work: Callable[[bytes], str], bodies: list[bytes], count: int) -> str:
    """Do the work for each body, `count` at a time; return the results, counted."""
    with ThreadPoolExecutor(count) as pool:
        answers = Counter(pool.map(work, bodies))
    return ", ".join(f"{count} × {answer}" for answer, count in sorted(answers.items()))


def summaries(target: Target) -> str:
    """Ask for 100 summaries, all different, of very many groups."""
    asked = [
        call("airfare_fare_summary", group_by=names, metrics=METRICS)
        for names in islice(permutations(GROUPS, 4), 100)
    ]
    return at_once(target.rpc, asked, 4)


def bodies(size: int, target: Target) -> str:
    """Send 20 calls of `size` bytes at once whose arguments are very many empty lists."""
    begin, end = call("search", query=["here"]).split(b'"here"')
    filled = begin + b"[]," * ((size - len(begin) - len(end) - 1) // 3) + b"1" + end
    return at_once(target.rpc, [filled] * 20, 20)


def sign_ins(target: Target) -> str:
    """Try 40 passwords at once, each for another account."""
    with closing(http.client.HTTPConnection("localhost", target.port, timeout=120)) as connection:
        connection.request("GET", "/accounts/login/")
        page = connection.getresponse()
        cookie = (page.getheader("Set-Cookie") or "").partition(";")[0]
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    assert found is not None
    origin = f"http://localhost:{target.port}"
    headers = {"Cookie": cookie, "Origin": origin, "Content-Type": "application/x-www-form-urlencoded"}

    def attempt(form: bytes) -> str:
        return str(target.post("/accounts/login/", form, **headers)[0])

    forms = [
        urlencode(
            {"csrfmiddlewaretoken": found[1], "username": f"somebody-{n}", "password": "wrong"}
        ).encode()
        for n in range(40)
    ]
    return at_once(attempt, forms, 40)


def audit(target: Target) -> str:
    """Send 3,000 calls: of a tool, of unknown names, and malformed ones; count the rows they leave."""
    sent = [
        body
        for n in range(1000)
        for body in (
            call("airfare_trend_insights", limit=1),
            call(f"invented_{n}"),
            message("tools/call", [n]),
        )
    ]
    answers = at_once(target.rpc, sent, 4)
    time.sleep(2)  # until they are written
    return f"{answers}; {target.rows():,} rows"


ATTACKS: dict[str, tuple[Callable[[Target], str], dict[str, str]]] = {
    "100 summaries, 4 at a time": (summaries, UNLIMITED),
    "20 bodies of 256 KiB at once": (partial(bodies, 256 * 1024), UNLIMITED),
    "20 bodies of 4 MiB at once": (partial(bodies, 4 * 1024 * 1024), UNLIMITED),
    "40 passwords at once": (sign_ins, UNLIMITED),
    "3,000 calls of one caller": (audit, PUBLIC),
}


@contextmanager
def serving(checkout: Path, settings: dict[str, str], fares: Path) -> Iterator[Target]:
    """Serve the site in `checkout`, with the fares and a separate database."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        port = free_port()
        unchanged = {
            name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "CACHE_URL")
        }
        env = {
            **unchanged,
            "STATE_DIR": folder,
            "ENV_FILE": f"{folder}/no.env",
            "PORT": str(port),
            "LOG_LEVEL": "ERROR",
            "PYTHONPATH": os.pathsep.join([str(checkout), os.environ.get("PYTHONPATH", "")]),
            **settings,
        }

        def manage(*arguments: str) -> str:
            command = [sys.executable, "manage.py", *arguments]
            done = subprocess.run(command, cwd=checkout, env=env, check=True, capture_output=True, text=True)
            return done.stdout.strip()

        manage("migrate", "-v0")
        manage("load_airfare", str(fares))
        manage(
            "shell",
            "-c",
            "from django.contrib.auth.models import User; User.objects.create_superuser('admin')",
        )
        token = manage("issue_token", "admin").split()[-1]
        with Path(folder, "server.log").open("w") as log:
            command = [sys.executable, "manage.py", "serve"]
            process = subprocess.Popen(command, cwd=checkout, env=env, stdout=log, stderr=log)
        try:
            target = Target(port=port, pid=process.pid, token=token, database=Path(folder, "db.sqlite3"))
            _wait(target, process)
            yield target
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait(target: Target, process: "subprocess.Popen[bytes]") -> None:
    """Wait until a server answers a call, because what the first one loads must not count."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            if target.rpc(call("airfare_trend_insights", limit=1)) == "answered":
                target.rpc(call("airfare_fare_summary", limit=1))
                time.sleep(2)
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server did not start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkout", type=Path, default=ROOT, help="the checkout that is attacked")
    parser.add_argument("--rows", type=int, default=20_000, help="fares that are served")
    options = parser.parse_args()
    table = Table()
    for column in ("attack", "memory, MB more", "/healthz, slowest", "seconds", "answers"):
        table.add_column(column)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        fares = Path(folder, "fares.csv")
        airfare_data.write(options.rows, fares)
        for name, (attack, settings) in ATTACKS.items():
            with serving(options.checkout.resolve(), settings, fares) as target:
                began = time.monotonic()
                with Watch(target) as watch:
                    answers = attack(target)
                table.add_row(
                    name,
                    f"{watch.grown:,.0f}",
                    f"{watch.slowest:.2f} s",
                    f"{time.monotonic() - began:.0f}",
                    answers,
                )
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
