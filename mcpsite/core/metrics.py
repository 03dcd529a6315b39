"""What this process counts of its work, for Prometheus: every metric of the site, on one page.

A label has one of a few values that the site itself knows (a tool, an outcome, a status): nothing that a
caller sends gets in. If PROMETHEUS_MULTIPROC_DIR names a folder when the process starts, the numbers are
files there, and the process that is asked sums up those of all.
"""

import os
from pathlib import Path
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that tells the library to sum up several processes, and where."""

registry = CollectorRegistry()

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


def _counter(name: str, documentation: str, *labels: str) -> Counter:
    return Counter(f"mcpsite_{name}", documentation, labels, registry=registry)


def _histogram(name: str, documentation: str, *labels: str) -> Histogram:
    return Histogram(f"mcpsite_{name}", documentation, labels, registry=registry, buckets=_SECONDS)


def _gauge(
    name: str, documentation: str, *labels: str, over_processes: Literal["livesum", "livemin"] = "livesum"
) -> Gauge:
    return Gauge(
        f"mcpsite_{name}", documentation, labels, registry=registry, multiprocess_mode=over_processes
    )


calls = _counter("calls", "Calls by tool and outcome, as in the audit trail", "tool", "outcome")
call_seconds = _histogram("call_seconds", "Time from a call's arrival to its answer", "tool")
answer_rows = _counter("answer_rows", "Rows in answers", "tool")
answer_bytes = _counter("answer_bytes", "Bytes of answers", "tool")
fallbacks = _counter("fallbacks", "Answers found by a fallback", "tool")
responses = _counter(
    "http_responses", "Answers over HTTP, of the endpoint and of other pages", "part", "status"
)
tokens_refused = _counter("tokens_refused", "Requests to /mcp refused for their token", "reason")

queue_seconds = _histogram("queue_seconds", "How long a call's work waited for a database thread")
queue_length = _gauge("queue_length", "Calls that wait for a database thread")
pages_waiting = _gauge("pages_waiting", "Requests for pages that wait for a thread")

pool_connections = _gauge("pool_connections", "Database connections of the pool", "database", "state")
pool_most = _gauge("pool_most_connections", "Largest size of the pool", "database")
pool_waiting = _gauge("pool_waiting", "Threads that wait for a connection of the pool", "database")

memory_reads = _counter("memory_reads", "Lookups in the cache of answers", "result")
memory_bytes = _gauge("memory_bytes", "Bytes of cached answers")
# With a label, because a process that has not looked must report nothing.
cache_up = _gauge("cache_up", "Whether the shared cache is in use", "cache", over_processes="livemin")

audit_waiting = _gauge("audit_waiting", "Audit events not written yet")
audit_lost = _counter("audit_lost", "Audit events that could not be written")

resident_bytes = _gauge("resident_bytes", "Memory of the worker processes")
workers = _gauge("workers", "Running worker processes")


def exposition() -> bytes:
    """Return all metrics in Prometheus' text format, of all processes that share FOLDER."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return generate_latest(registry)
    _forget_dead(folder)
    together = CollectorRegistry()
    MultiProcessCollector(together, folder)  # type: ignore[no-untyped-call]
    return generate_latest(together)


def _forget_dead(folder: str) -> None:
    """Remove the gauges of processes that have ended; what those have counted stays in the sums."""
    for file in Path(folder).glob("gauge_live*_*.db"):
        if not _lives(int(file.stem.rpartition("_")[2])):
            file.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # Somebody else's has that number now.
    return True
