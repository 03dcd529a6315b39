"""What metrics and traces cost: the same calls with and without them, turn by turn.

`python -m bench.watching` serves generated fares with one worker each: with neither, with metrics, with each
call traced, and with both; the traces go to a collector in a process of its own. The processor time is that
of all threads of the server's process, so what is sent in the background counts, too. The questions are those
of `bench.airfare`, none of them twice, or with `--same` always one, which is answered from memory: the least
that a call can take, so that the part which is added is the most. Prints medians over the rounds.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import Event, Process, SimpleQueue
from pathlib import Path
from typing import Any

from bench.audit import ARGUMENTS, WARMING, compare, fill
from bench.load import Request
from bench.questions import questions
from tests.collector import collecting
from tests.site import ROOT, Site, running

SETTLE = 5.5
"""Spans are sent every five seconds."""
METRICS = {"METRICS_TOKEN": "for-the-benchmark-alone"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--calls", type=int, default=500, help="calls of each server in each round")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--same", action="store_true", help="ask the same question again and again")
    options = parser.parse_args()
    with ExitStack() as stack:
        file = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))) / "fares.csv"
        command = [sys.executable, "-m", "bench.airfare_data", str(options.rows), str(file)]
        subprocess.run(command, cwd=ROOT, check=True)
        traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": stack.enter_context(_collector())}
        variants = {
            "neither": {},
            "metrics": METRICS,
            "traces": traces,
            "metrics and traces": METRICS | traces,
        }
        count = WARMING + options.rounds * options.calls
        asked = [("", ARGUMENTS)] * count if options.same else questions([file], count)
        sites: dict[str, tuple[Site, Iterator[Request]]] = {}
        for name, settings in variants.items():
            site = stack.enter_context(running({"LOG_LEVEL": "WARNING", **settings}, prepare=False))
            sites[name] = (site, map(partial(_request, fill(site, file)), asked))
        asyncio.run(compare(options, sites, SETTLE))


def _request(make: Callable[[dict[str, Any]], bytes], question: tuple[str, dict[str, Any]]) -> Request:
    kind, arguments = question
    return Request(kind, make(arguments))


@contextmanager
def _collector() -> Iterator[str]:
    """Yield the address of a collector that forgets what it receives, in a separate process."""
    urls: SimpleQueue[str] = SimpleQueue()
    over = Event()
    process = Process(target=_collect, args=(urls, over))
    process.start()
    try:
        yield urls.get()
    finally:
        over.set()
        process.join()


def _collect(urls: Any, over: Any) -> None:
    with collecting(keep=False) as collector:
        urls.put(collector.url)
        over.wait()


if __name__ == "__main__":
    main()
