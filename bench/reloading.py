"""What a reload costs everybody else: `python -m bench.reloading [--rows N]`.

A site with one large file of fares and a small one answers 50 calls a second, while people sign in, correct
rows of both files in the admin, register clients, and the audit is written; first undisturbed, then while
the large file, changed, is loaded again by `load_airfare` in a process of its own. On the database that
DATABASE_URL names, else SQLite. Printed are the times of each kind in both phases; whatever fails is counted.
"""

import argparse
import os
import random
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import httpx2
from rich.console import Console
from rich.table import Table

from bench import airfare_data
from bench.airfare import PRODUCTION, ROOT, TOOL, Contender
from bench.questions import questions
from tests.site import Site, ask, running

SETTINGS = {**PRODUCTION, "OAUTH_REGISTRATIONS_PER_HOUR": "1000000"}
PASSWORD = "correct horse battery staple"
READERS = 4
RATE = 50
"""Calls a second, of all readers."""
OTHER_ROUTE = "XXA-XXB"
"""The route that only the small file has."""
REDIRECT = "http://127.0.0.1:1/callback"


class Form(HTMLParser):
    """What a browser would send from a page's forms, unchanged."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._text_of = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name = found.get("name") or ""
        kind = found.get("type")
        if tag == "textarea":
            self.values[name], self._text_of = "", name
        elif tag != "input" or not name or kind in ("submit", "file"):
            return
        elif kind not in ("checkbox", "radio") or "checked" in found:
            self.values[name] = found.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._text_of = ""

    def handle_data(self, data: str) -> None:
        if self._text_of:
            # HTML drops a line break that opens the text.
            self.values[self._text_of] += data if self.values[self._text_of] else data.removeprefix("\n")


class Clock:
    """Seconds by kind and phase, and the failures."""

    def __init__(self) -> None:
        self.phase = ""
        self.over = threading.Event()
        self.seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
        self.failures: Counter[tuple[str, str]] = Counter()
        self.messages: dict[str, str] = {}

    def repeat(self, kind: str, every: float, work: Callable[[], float]) -> None:
        """Do `work`, which returns its seconds, `every` so many seconds until all is over."""
        due = time.monotonic() + random.uniform(0, every)
        while not self.over.wait(max(0.0, due - time.monotonic())):
            phase = self.phase
            try:
                self.seconds[kind, phase].append(work())
            except (httpx2.HTTPError, RuntimeError, TimeoutError) as error:
                self.failures[kind, phase] += 1
                self.messages.setdefault(kind, f"{type(error).__name__}: {error}"[:300])
            due = max(due + every, time.monotonic())

    def row(self, kind: str, phase: str) -> list[str]:
        taken = sorted(self.seconds[kind, phase])
        if not taken:
            return ["0", "–", "–", "–", str(self.failures[kind, phase])]
        figures = (statistics.median(taken), taken[int(len(taken) * 0.99)], taken[-1])
        return [
            f"{len(taken):,}",
            *(f"{1000 * each:,.0f}" for each in figures),
            str(self.failures[kind, phase]),
        ]


def timed(request: Callable[[], httpx2.Response]) -> float:
    began = time.perf_counter()
    request().raise_for_status()
    return time.perf_counter() - began


def reader(site: Site, token: str, asked: Iterator[dict[str, object]]) -> Callable[[], float]:
    client = httpx2.Client(timeout=60)

    def call() -> float:
        began = time.perf_counter()
        answer = client.send(
            site.request(token, "tools/call", {"name": TOOL, "arguments": next(asked)})
        ).raise_for_status()
        taken = time.perf_counter() - began
        if answer.json()["result"].get("isError"):
            raise RuntimeError(answer.text[:300])
        return taken

    return call


def signer(site: Site) -> Callable[[], float]:
    def sign_in() -> float:
        with browser(site) as client:
            form = Form(client.get("/accounts/login/").text).values
            return timed(
                lambda: client.post(
                    "/accounts/login/", data={**form, "username": "curator", "password": PASSWORD}
                )
            )

    return sign_in


def curator(site: Site, route: str) -> Callable[[], float]:
    """Return a function that gives the first row of a route a new fare, by the admin's pages."""
    client = httpx2.Client(base_url=site.origin, timeout=60, follow_redirects=True)
    form = Form(client.get("/accounts/login/").text).values
    client.post("/accounts/login/", data={**form, "username": "curator", "password": PASSWORD})
    page = client.get("/admin/airfare/farerow/", params={"route": route}).raise_for_status()
    found = re.search(r'href="(/admin/airfare/farerow/[^/"]+/change/)', page.text)
    assert found, page.text[-2000:]

    def edit() -> float:
        fields = Form(client.get(found[1]).raise_for_status().text).values
        fields["avg_fare_usd"] = str(random.randint(100, 900))

        def save() -> httpx2.Response:
            answer = client.post(found[1], data=fields)
            if "changed successfully" not in answer.text:
                raise RuntimeError("the page was not saved")
            return answer

        return timed(save)

    return edit


def registrar(site: Site) -> Callable[[], float]:
    metadata = {"redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none"}
    return lambda: timed(lambda: httpx2.post(f"{site.origin}/oauth/register", json=metadata, timeout=60))


def auditor(site: Site, token: str) -> Callable[[], float]:
    """Return a function that makes a call with a unique argument and times its way into the audit."""

    def audited() -> float:
        mark = secrets.token_hex(8)
        site.call(token, TOOL, {"route_contains": mark})
        began = time.perf_counter()
        while not ask(site.env, f"SELECT 1 FROM access_auditevent WHERE arguments LIKE '%{mark}%'"):
            if time.perf_counter() - began > 60:
                raise TimeoutError("not in the audit")
            time.sleep(0.02)
        return time.perf_counter() - began

    return audited


@contextmanager
def browser(site: Site) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=site.origin, timeout=60, follow_redirects=True) as client:
        yield client


def load(site: Site, folder: Path) -> tuple[float, float]:
    """Load the folder in a separate process; return its seconds, and its peak memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "load_airfare", str(folder)],
        cwd=ROOT,
        env=site.env,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"load_airfare ended with {process.returncode}.")
    return time.perf_counter() - began, usage.ru_maxrss / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--quiet-seconds", type=float, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, running(SETTINGS, prepare=False) as site:
        folder = Path(name)
        airfare_data.write(options.rows, folder / "large.csv", seed=1)
        small = [[*row[:1], OTHER_ROUTE, *row[2:]] for row in airfare_data.rows(100, seed=3)]
        airfare_data.write_rows(folder / "small.csv", small)
        seconds, memory = load(site, folder)
        print(f"first load: {seconds:.1f} s, {memory:,.0f} MB at most")
        site.shell(
            "from django.contrib.auth.models import User\n"
            f"User.objects.create_superuser('curator', password={PASSWORD!r})"
        )
        token = site.token("curator")
        asked = [arguments for _, arguments in questions([folder / "large.csv"], 20_000)]
        clock = Clock()
        turns = iter(asked)
        workers: list[tuple[str, float, Callable[[], float]]] = [
            *(("call", READERS / RATE, reader(site, token, turns)) for _ in range(READERS)),
            ("sign-in", 2, signer(site)),
            ("edit of the same file", 1, curator(site, "JFK-LAX")),
            ("edit of another file", 1, curator(site, OTHER_ROUTE)),
            ("registration", 1, registrar(site)),
            ("audit", 1, auditor(site, token)),
        ]
        airfare_data.write(options.rows, folder / "large.csv", seed=2)
        threads = [threading.Thread(target=clock.repeat, args=each, daemon=True) for each in workers]
        clock.phase = "warming"
        for thread in threads:
            thread.start()
        time.sleep(5)
        clock.phase = "quiet"
        time.sleep(options.quiet_seconds)
        clock.phase = "reload"
        seconds, memory = load(site, folder)
        clock.phase = "after"
        time.sleep(2)
        clock.over.set()
        for thread in threads:
            thread.join(60)
        print(f"reload: {seconds:.1f} s, {memory:,.0f} MB at most")
        server = Contender(name="", url=site.url, pid=site.process.pid, requests=iter(()))
        print(f"server: {server.memory():,.0f} MB of its own")
        journal = Path(site.env["STATE_DIR"]) / "db.sqlite3-wal"
        if journal.exists():
            print(f"SQLite's journal: {journal.stat().st_size / 1e6:,.0f} MB")
    _print(clock, [kind for kind, *_ in workers])


def _print(clock: Clock, kinds: list[str]) -> None:
    table = Table(title="milliseconds, undisturbed and during the reload")
    table.add_column("")
    for phase in ("quiet", "reload"):
        for column in ("number", "median", "p99", "worst", "failed"):
            table.add_column(f"{phase}: {column}", justify="right")
    for kind in dict.fromkeys(kinds):
        table.add_row(kind, *clock.row(kind, "quiet"), *clock.row(kind, "reload"))
    Console(width=160).print(table)
    for kind, message in clock.messages.items():
        print(f"first failure of {kind}: {message}")


if __name__ == "__main__":
    main()
