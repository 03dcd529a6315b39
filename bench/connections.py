"""How many PostgreSQL connections a burst of requests takes, and whether each of them is answered.

`python -m bench.connections` serves the site as a role that may have `--limit` connections, sends
`--requests` anonymous requests at once to each path, and prints what came back, how long it took, and how
many connections PostgreSQL counted at the peak and a second afterwards.
"""

import argparse
import asyncio
import threading
import time
from collections import Counter

import httpx2
from rich.console import Console
from rich.table import Table

from tests.postgresql import Role, role
from tests.site import Site, running

FORM = {"grant_type": "refresh_token", "refresh_token": "nonsense", "client_id": "nobody"}
PATHS = {"/oauth/token": FORM, "/accounts/login/": None, "/transcripts/": None}
"""What is requested, and the form if one is sent."""


class Peak:
    """The highest number of a role's connections while its block runs."""

    def __init__(self, watched: Role) -> None:
        self._role = watched
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.connections = 0

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.05):
            self.connections = max(self.connections, self._role.connections())


async def burst(site: Site, path: str, form: dict[str, str] | None, count: int) -> Counter[str]:
    """Return the status codes of `count` requests at once, each over a separate connection."""
    limits = httpx2.Limits(max_connections=None)

    async with httpx2.AsyncClient(base_url=site.origin, timeout=120, limits=limits) as http:

        async def one() -> str:
            try:
                answer = await (http.get(path) if form is None else http.post(path, data=form))
            except httpx2.HTTPError as error:
                return type(error).__name__
            return str(answer.status_code)

        return Counter(await asyncio.gather(*(one() for _ in range(count))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--limit", type=int, default=30, help="connections that the role may have")
    options = parser.parse_args()
    table = Table(title=f"{options.requests} requests at once, a role with {options.limit} connections")
    for column in ("path", "answers", "seconds", "connections at the peak", "a second later"):
        table.add_column(column)
    with role(options.limit) as watched, running({"DATABASE_URL": watched.url}, prepare=False) as site:
        site.manage("migrate", "-v0")
        for path, form in PATHS.items():
            began = time.monotonic()
            with Peak(watched) as peak:
                answers = asyncio.run(burst(site, path, form, options.requests))
            seconds = time.monotonic() - began
            time.sleep(1)
            said = ", ".join(f"{count} × {status}" for status, count in sorted(answers.items()))
            table.add_row(path, said, f"{seconds:.1f}", str(peak.connections), str(watched.connections()))
    Console().print(table)


if __name__ == "__main__":
    main()
