"""What callers notice when the identity provider is away, slow, or changes its keys.

`python -m bench.issuer` runs a real server and a real provider, both on loopback, through those scenarios
and prints a table. A provider that is away answers every request with 503, or refuses connections where
the server starts without it.
"""

import statistics
import threading
import time
from collections.abc import Callable
from itertools import count

import httpx2
from rich.console import Console
from rich.table import Table

from tests.access.issuer import Provider, claims, mint, provider, public_jwk, rsa_key
from tests.site import Site, free_port, running, template

TOKENS = 50
SLOW = (1.0, 2.0, 5.0)
"""Seconds that the provider takes for each of its answers."""
PATIENCE = 90.0
_numbers = count()


def looks(issuer: Provider) -> int:
    """Return how often the provider was asked: each time begins with its metadata."""
    return issuer.requests.count("/.well-known/openid-configuration")


class Run:
    """A server, its provider, and tokens that are new to both."""

    def __init__(self, site: Site, issuer: Provider) -> None:
        self.site, self.issuer = site, issuer

    def status(self, key: str = "first") -> int:
        """Return the answer's status to a call with a fresh token signed by this key."""
        now = int(time.time())
        content = claims(
            iss=self.issuer.issuer, aud=self.site.url, iat=now, exp=now + 600, jti=str(next(_numbers))
        )
        token = mint(content, key=rsa_key(key), header={"kid": key})
        return self.site.rpc(token, "tools/list").status_code

    def seconds_until(self, key: str = "first") -> float:
        """Return how long it takes until a token signed by this key is accepted."""
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE:
            if self.status(key) == httpx2.codes.OK:
                return time.monotonic() - began
            time.sleep(0.1)
        raise RuntimeError(f"no token of the key {key} was taken within {PATIENCE:g} s")


def outage(run: Run) -> tuple[str, str]:
    """Call with good tokens during an outage, each followed by one with an unknown key."""
    before = dict(run.issuer.answers)
    for path in run.issuer.answers:
        run.issuer.answer(path, {}, status=503)
    asked = looks(run.issuer)
    passed = refused = 0
    for _ in range(TOKENS):
        passed += run.status() == httpx2.codes.OK
        refused += run.status("unknown") == httpx2.codes.SERVICE_UNAVAILABLE
    run.issuer.answers.update(before)
    return (
        "the provider goes away",
        f"{passed} of {TOKENS} good tokens passed, {refused} of {TOKENS} of an unknown key were told to come "
        f"back (503), {looks(run.issuer) - asked} looks",
    )


def slow(run: Run, delay: float) -> tuple[str, str]:
    """Call with known keys while a token with an unknown key makes the server ask the slow provider."""
    run.issuer.delay = 0.0
    time.sleep(5.5)  # The least time between two fetches.
    usual = [_seconds(run.status) for _ in range(20)]
    run.issuer.delay, asked = delay, looks(run.issuer)
    stranger = threading.Thread(target=run.status, args=("unknown",))
    stranger.start()
    waited = []
    while stranger.is_alive():
        waited.append(_seconds(run.status))
    run.issuer.delay = 0.0
    return (
        f"it takes {delay:g} s for each answer",
        f"known keys: longest wait {max(waited) * 1000:.0f} ms in {len(waited)} calls (median "
        f"{statistics.median(waited) * 1000:.0f} ms, before {statistics.median(usual) * 1000:.0f} ms), "
        f"{looks(run.issuer) - asked} look",
    )


def rotation(run: Run, key: str, *, pause: float) -> tuple[str, str]:
    """Sign with a new key from now on; the old one stays published."""
    # Ask the provider, so that the pause counts from here.
    time.sleep(5.5)
    run.status("unknown")
    time.sleep(pause)
    run.issuer.publish(public_jwk(rsa_key(key), kid=key), public_jwk(rsa_key()))
    seconds = run.seconds_until(key)
    old = run.status()
    return (
        f"new keys, {pause:g} s after the last look",
        f"taken after {seconds:.2f} s; a token of the old key: {old}",
    )


def start_without(normal: float) -> list[tuple[str, str]]:
    """Start the server while the provider refuses connections, and then the provider."""
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    began = time.monotonic()
    with running({"AUTH0_ISSUER": issuer}, prepare=False) as site:
        start = time.monotonic() - began
        now = int(time.time())
        token = mint(claims(iss=issuer, aud=site.url, iat=now, exp=now + 600))
        answer = site.rpc(token, "tools/list")
        others = [
            httpx2.get(f"{site.origin}{path}", timeout=30).status_code
            for path in ("/healthz", "/accounts/login/", "/", "/.well-known/oauth-protected-resource")
        ]
        rows = [
            (
                "a start without it",
                f"/mcp {answer.status_code} with Retry-After {answer.headers['retry-after']} s; health, "
                f"sign-in page, home page, metadata {', '.join(map(str, others))}; started in {start:.1f} s "
                f"(with it {normal:.1f} s)",
            )
        ]
        with provider(port) as back:
            seconds = Run(site, back).seconds_until()
            rows.append(("it comes", f"tokens taken after {seconds:.1f} s, {looks(back)} look"))
    return rows


def _seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def main() -> None:
    for key in ("first", "second", "third", "unknown"):
        rsa_key(key)
    table = Table("what happens", "what callers notice", show_lines=True)
    template("empty")  # else the first start is measured with it
    with provider() as issuer:
        began = time.monotonic()
        with running({"AUTH0_ISSUER": issuer.issuer}, prepare=False) as site:
            normal = time.monotonic() - began
            run = Run(site, issuer)
            first = _seconds(run.status)
            table.add_row("the first call", f"{first * 1000:.0f} ms, {looks(issuer)} look, made at the start")
            table.add_row(*rotation(run, "second", pause=5.5))
            table.add_row(*rotation(run, "third", pause=0))
            for delay in SLOW:
                table.add_row(*slow(run, delay))
            time.sleep(5.5)
            table.add_row(*outage(run))
    for row in start_without(normal):
        table.add_row(*row)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
