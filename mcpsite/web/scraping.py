"""`/metrics`: what the processes of this site have counted, for a Prometheus that has METRICS_TOKEN.

Answered before Django, as the probes are: a scraper calls by an address that is in nobody's ALLOWED_HOSTS.
"""

import asyncio
import logging
import multiprocessing
import os
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from hmac import compare_digest
from pathlib import Path

from django.conf import settings
from prometheus_client import CONTENT_TYPE_LATEST, Counter
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from mcpsite.access.audit import Event, Trail
from mcpsite.access.models import AuditEvent
from mcpsite.core import metrics
from mcpsite.core.memory import memory
from mcpsite.core.postgresql.base import pools
from mcpsite.core.shared_store import shared_store
from mcpsite.mcp import database, transport
from mcpsite.mcp.calls import ANY_REQUEST, Record
from mcpsite.mcp.pipeline import UNKNOWN
from mcpsite.mcp.server import AUDITED
from mcpsite.web.pages import Pages

logger = logging.getLogger(__name__)

PATH = "/metrics"
SECONDS = 5.0
"""Seconds between two looks at what cannot be counted when it happens."""

_TRIED = (
    AuditEvent.Outcome.OK,
    AuditEvent.Outcome.TOOL_ERROR,
    AuditEvent.Outcome.DEADLINE,
    AuditEvent.Outcome.FAILED,
)
"""Outcomes of calls that really began, whose time is meaningful."""


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the path as an ASGI application: 404 if METRICS_TOKEN is not set, 401 without it."""
    given = Headers(scope=scope).get("authorization", "")
    if not settings.METRICS_TOKEN:
        response: Response = JSONResponse({"error": "not_found"}, 404)
    elif not compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode()):
        response = JSONResponse({"error": "unauthorized"}, 401, {"WWW-Authenticate": "Bearer"})
    elif scope["method"] not in ("GET", "HEAD"):
        response = JSONResponse({"error": "method_not_allowed"}, 405, {"Allow": "GET, HEAD"})
    else:
        text = await asyncio.to_thread(metrics.exposition)
        response = Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})
    response.headers["Cache-Control"] = "no-store"
    await response(scope, receive, send)


def counting_calls(record: Record, tools: Collection[str]) -> Record:
    """Return a `record` that also counts each call; `tools` are the names that a label may have."""
    names = {*tools, *AUDITED, ANY_REQUEST}

    def counting(event: Event) -> None:
        tool = event.tool if event.tool in names else UNKNOWN
        metrics.calls.labels(tool, event.outcome).inc()
        if event.milliseconds and event.outcome in _TRIED:
            metrics.call_seconds.labels(tool).observe(event.milliseconds / 1000)
        if event.outcome == AuditEvent.Outcome.OK:
            metrics.answer_rows.labels(tool).inc(event.rows)
            metrics.answer_bytes.labels(tool).inc(event.bytes)
            if event.note:
                metrics.fallbacks.labels(tool).inc()
        record(event)

    return counting


def counting_answers(scope: Scope, send: Send) -> Send:
    """Return a `send` that counts the answer to a request."""
    part = "mcp" if scope["path"] in transport.PATHS else "pages"

    async def counting(message: Message) -> None:
        if message["type"] == "http.response.start":
            metrics.responses.labels(part, message["status"]).inc()
        await send(message)

    return counting


class Gauges:
    """Numbers that are looked up every few seconds, because nobody counts them when they change."""

    def __init__(self, pages: Pages, trail: Trail) -> None:
        self._pages = pages
        self._trail = trail
        self._counted: dict[str, int] = {}

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Look again and again while the block runs."""
        if multiprocessing.parent_process() is not None and not os.environ.get(metrics.FOLDER):
            logger.warning(
                "/metrics covers only the worker that answers: set %s to an empty folder, or start the "
                "workers with `manage.py serve --workers`.",
                metrics.FOLDER,
            )
        task = asyncio.create_task(self._look())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _look(self) -> None:
        metrics.workers.set(1)
        while True:
            self.look()
            await asyncio.sleep(SECONDS)

    def look(self) -> None:
        """Set the gauges to their current values."""
        metrics.queue_length.set(database.waiting())
        metrics.pages_waiting.set(self._pages.waiting)
        for alias, pool in pools().items():
            found = pool.get_stats()
            idle = found["pool_available"]
            metrics.pool_connections.labels(alias, "idle").set(idle)
            metrics.pool_connections.labels(alias, "busy").set(found["pool_size"] - idle)
            metrics.pool_most.labels(alias).set(found["pool_max"])
            metrics.pool_waiting.labels(alias).set(found["requests_waiting"])
        self._count("hits", memory.hits, metrics.memory_reads.labels("hit"))
        self._count("misses", memory.misses, metrics.memory_reads.labels("miss"))
        metrics.memory_bytes.set(memory.bytes)
        if (store := shared_store()) is not None:
            metrics.cache_up.labels("redis").set(not store.away)
        metrics.audit_waiting.set(self._trail.waiting)
        self._count("lost", self._trail.lost, metrics.audit_lost)
        metrics.resident_bytes.set(_resident_bytes())

    def _count(self, name: str, now: int, counter: Counter) -> None:
        """Add to `counter` what was added to a number since the last look."""
        counter.inc(now - self._counted.get(name, 0))
        self._counted[name] = now


def _resident_bytes() -> int:
    """Return the memory of this process; 0 if the system does not report it (not Linux)."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
