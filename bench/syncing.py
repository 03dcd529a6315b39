"""Syncing many small transcripts: several at once against one by one, in the same run.

    python -m bench.syncing [--files 500] [--latency 0.05] [--concurrency 8] [--at-least 6]

One by one is the plain loop over the SDK's `upload_and_poll`. The tests' loopback server answers in a
process of its own, each answer `--latency` seconds late. The client-side limits (300 attaches and
1,000 uploads a minute by default) are lifted, because it is the concurrency that is measured here and
500 files take at least a minute under them.
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import openai


def serve(latency: float, line: Connection) -> None:
    """Run a loopback server until `line` says otherwise; send its address first, its content last."""
    from tests.loopback_openai import running

    with running() as server:
        server.latency = latency
        server.poll_after_ms = 50
        line.send((server.base_url, server.key))
        line.recv()
        line.send((len(server.files), [len(store.files) for store in server.stores.values()]))


def texts(files: int) -> dict[str, str]:
    """Return small transcripts, by slug."""
    turns = "[00:01] Analyst: How did route {0} do?\n[00:05] Expert: Fares rose by {1}%.\n" * 20
    return {f"call-{number}": turns.format(number, number % 9) for number in range(files)}


@contextmanager
def server(files: int, latency: float) -> Iterator[None]:
    """Run a fresh loopback server as OpenAI; at the end it has to have each of the files once."""
    from django.conf import settings

    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(latency, there))
    process.start()
    settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY = here.recv()
    yield
    here.send("stop")
    stored = here.recv()
    process.join()
    if stored != (files, [files]):
        sys.exit(f"The store holds {stored} instead of {files} files.")


def one_by_one(documents: dict[str, str]) -> float:
    """Return the seconds of the plain loop over the SDK's own `upload_and_poll`."""
    from django.conf import settings

    with openai.OpenAI(base_url=settings.OPENAI_BASE_URL, api_key=settings.OPENAI_API_KEY) as client:
        start = time.perf_counter()
        store = client.vector_stores.create(name="one by one")
        for slug, text in documents.items():
            file = client.vector_stores.files.upload_and_poll(
                vector_store_id=store.id, file=(f"{slug}.txt", text.encode())
            )
            assert file.status == "completed"
        return time.perf_counter() - start


def together(documents: dict[str, str], concurrency: int) -> float:
    """Return the seconds of this project's sync, including its records and final check."""
    from transcripts.models import Collection, Transcript
    from transcripts.syncing import SyncLimits, sync

    Transcript.objects.all().delete()
    collection = Collection.default()
    Transcript.objects.bulk_create(
        Transcript(slug=slug, title=slug, text=text, source_file=f"{slug}.txt", collection=collection)
        for slug, text in documents.items()
    )
    free = 1_000_000
    limits = SyncLimits(concurrency=concurrency, uploads_per_minute=free, attaches_per_minute=free)
    start = time.perf_counter()
    summary = sync(limits=limits)
    seconds_spent = time.perf_counter() - start
    assert not summary.failures
    return seconds_spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds that each answer takes")
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--at-least", type=float, default=6.0, help="fail when the ratio is below this")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as state:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="mcpsite.settings",
            STATE_DIR=state,
            DATABASE_URL=f"sqlite:///{Path(state) / 'bench.sqlite3'}",
            VECTOR_STORE_ID="",
        )
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0, interactive=False)
        documents, ratios = texts(options.files), []
        for _ in range(options.rounds):
            with server(options.files, options.latency):
                alone = one_by_one(documents)
            with server(options.files, options.latency):
                at_once = together(documents, options.concurrency)
            ratios.append(alone / at_once)
            print(
                f"{options.files} files, {options.latency * 1000:.0f} ms an answer: one by one {alone:.1f} s "
                f"({options.files / alone:.1f}/s), {options.concurrency} at once {at_once:.1f} s "
                f"({options.files / at_once:.1f}/s): {ratios[-1]:.1f} times faster"
            )
    if statistics.median(ratios) < options.at_least:
        sys.exit(f"Less than {options.at_least:g} times faster.")


if __name__ == "__main__":
    main()
