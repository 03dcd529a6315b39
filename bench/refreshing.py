"""What becomes of refreshes that race each other: `python -m bench.refreshing [--postgres URL]`.

A client gets a pair of tokens and presents its refresh token `--parallel` times at once (8), then waits
a moment and does the same again with the same token, `--rounds` times in all (2). Each pair that was
given is tried: its access token calls the endpoint, its refresh token refreshes once more. SQLite is
served by one process, PostgreSQL (with `--postgres`, or where DATABASE_URL names one) by `--workers` (2).
"""

import argparse
import os
import secrets
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx2
from mcp.client.auth import PKCEParameters

from tests.access.oauth.person import Person
from tests.site import Site, running

CALLBACK = "http://127.0.0.1:51764/callback"
PAUSE = 5.0
"""Seconds between two rounds: longer than a worker remembers that a grant was alive."""


@dataclass(frozen=True, kw_only=True)
class Race:
    """The result of a race of refreshes."""

    answers: Counter[int]
    """How many answers had each status."""
    pairs: list[dict[str, Any]]
    seconds: list[float]


class Machine:
    """A client that has registered itself at a server, and has no browser."""

    def __init__(self, site: Site) -> None:
        self.site = site
        metadata = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
        answer = httpx2.post(f"{site.origin}/oauth/register", json=metadata).raise_for_status()
        self.client_id: str = answer.json()["client_id"]

    def connect(self, person: Person) -> dict[str, Any]:
        """Return the first pair of tokens, which `person` allows."""
        pkce = PKCEParameters.generate()
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "state": secrets.token_hex(8),
            "code_challenge": pkce.code_challenge,
            "code_challenge_method": "S256",
        }
        code = person.connect(f"{self.site.origin}/oauth/authorize?{urlencode(asked)}")["code"]
        answer = self.token(
            grant_type="authorization_code",
            code=code,
            redirect_uri=CALLBACK,
            code_verifier=pkce.code_verifier,
        )
        pair: dict[str, Any] = answer.raise_for_status().json()
        return pair

    def token(self, **parameters: str) -> httpx2.Response:
        return httpx2.post(
            f"{self.site.origin}/oauth/token", data={"client_id": self.client_id, **parameters}, timeout=60
        )

    def refresh(self, refresh_token: str) -> httpx2.Response:
        return self.token(grant_type="refresh_token", refresh_token=refresh_token)

    def race(self, refresh_token: str, parallel: int) -> Race:
        """Present the token `parallel` times at once, each time over a separate connection."""

        def once(_: int) -> tuple[httpx2.Response, float]:
            started = time.perf_counter()
            return self.refresh(refresh_token), time.perf_counter() - started

        with ThreadPoolExecutor(parallel) as together:
            answers = list(together.map(once, range(parallel)))
        return Race(
            answers=Counter(answer.status_code for answer, _ in answers),
            pairs=[answer.json() for answer, _ in answers if answer.status_code == 200],
            seconds=[seconds for _, seconds in answers],
        )

    def called(self, pair: dict[str, Any]) -> int:
        """Return the status of a call with the pair's access token."""
        return self.site.rpc(pair["access_token"], "tools/list").status_code

    def works(self, pair: dict[str, Any]) -> bool:
        """Return whether both tokens of a pair are good."""
        return self.called(pair) == 200 and self.refresh(pair["refresh_token"]).status_code == 200


def races(site: Site, parallel: int, rounds: int) -> Iterator[tuple[Race, list[bool]]]:
    """Race `rounds` times with one token; yield each race, and which of its pairs work."""
    with httpx2.Client(timeout=60) as browser:
        password = secrets.token_urlsafe(12)
        site.shell(
            "from django.contrib.auth.models import User\n"
            f"User.objects.create_superuser('racer', '', '{password}')"
        )
        machine = Machine(site)
        first = machine.connect(Person(site.origin, "racer", password, browser))
    for number in range(rounds):
        if number:
            time.sleep(PAUSE)
        race = machine.race(first["refresh_token"], parallel)
        yield race, [machine.works(pair) for pair in race.pairs]


def report(name: str, site: Site, parallel: int, rounds: int) -> None:
    for number, (race, work) in enumerate(races(site, parallel, rounds), 1):
        answers = ", ".join(f"{count} × {status}" for status, count in sorted(race.answers.items()))
        print(
            f"{name}, round {number}: {answers}; {sum(work)} of {parallel} pairs work; "
            f"{statistics.median(race.seconds) * 1000:.0f} ms median, {max(race.seconds) * 1000:.0f} ms worst"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--parallel", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--postgres", default=os.environ.pop("DATABASE_URL", ""), metavar="URL")
    arguments = parser.parse_args()
    with running() as site:
        report("SQLite, 1 process", site, arguments.parallel, arguments.rounds)
    if arguments.postgres:
        os.environ["DATABASE_URL"] = arguments.postgres
        with running(workers=arguments.workers) as site:
            report(f"PostgreSQL, {arguments.workers} processes", site, arguments.parallel, arguments.rounds)


if __name__ == "__main__":
    main()
