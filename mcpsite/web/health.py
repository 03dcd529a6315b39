"""`/healthz` and `/readyz`: whether the process lives, and whether it can answer.

Answered before Django, because a probe calls by an address that is in nobody's ALLOWED_HOSTS. A body names
what is missing and contains nothing else.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from mcpsite.access.tokens import verifier
from mcpsite.core import disk
from mcpsite.core.shared_store import shared_store
from mcpsite.mcp.database import in_spare_thread
from mcpsite.web import sharing

PATHS = frozenset({"/healthz", "/readyz"})
LOOK_SECONDS = 1.5
"""How long a part may take to answer a probe, which itself has a short time limit."""

R = TypeVar("R")


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer both paths as an ASGI application: 200, or 503 if a call could not be answered.

    A part that is away but keeps no call from its answer is reported as `degraded`.
    """
    request = Request(scope)
    if request.method not in ("GET", "HEAD"):
        response = JSONResponse({"error": "method_not_allowed"}, 405, {"Allow": "GET, HEAD"})
    elif request.url.path == "/healthz":
        response = JSONResponse({"status": "ok"})
    else:
        response = await _looks.answer()
    response.headers["Cache-Control"] = "no-store"
    await response(scope, receive, send)


class _Looks:
    """Looks at the parts of the site: one of a kind at a time, however many probes ask."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._migrated = False

    async def answer(self) -> JSONResponse:
        """Return the answer to a probe."""
        # The end of one probe must not end the look that others wait for.
        needed, lost = await asyncio.shield(self._begun("all", self._look_at_all))
        checks = needed | dict.fromkeys(lost, False)
        if not all(needed.values()):
            return JSONResponse({"status": "unavailable", "checks": checks}, 503)
        return JSONResponse({"status": "degraded" if lost else "ok", "checks": checks})

    def _begun(self, name: str, look: Callable[[], Coroutine[Any, Any, R]]) -> "asyncio.Task[R]":
        """Return the look of this name that is under way, or start one."""
        loop = asyncio.get_running_loop()
        task = self._tasks.get(name)
        if task is None or task.done() or task.get_loop() is not loop:
            task = self._tasks[name] = loop.create_task(look())
        return task

    async def _look_at_all(self) -> tuple[dict[str, bool], list[str]]:
        """Return which of the needed parts are well, and which of the others are not."""
        database, keys, folders, cache, shared = await asyncio.gather(
            self._look_at_database(),
            verifier().ready(),
            self._lost("folders", disk.unwritable, ["folders"]),
            self._lost("cache", _lost_cache, ["cache"]),
            self._look_at_what_is_shared(),
        )
        return {**database, "issuer_keys": keys}, [*folders, *cache, *shared]

    async def _look_at_database(self) -> dict[str, bool]:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                # No migration is undone while the site runs, and looking at all of them takes long.
                self._migrated = await in_spare_thread(_answers if self._migrated else _is_migrated)
        except (DatabaseError, InterfaceError, TimeoutError):
            return {"database": False, "migrations": False}
        return {"database": True, "migrations": self._migrated}

    async def _look_at_what_is_shared(self) -> list[str]:
        """Return what other processes of the site have and this one lacks."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await in_spare_thread(sharing.not_shared)
        except (DatabaseError, InterfaceError, TimeoutError):
            return []  # The look at the database reports that.

    async def _lost(self, name: str, look: Callable[[], list[str]], silent: list[str]) -> list[str]:
        """Return what `look` finds lost, in a thread; `silent` if it takes too long, as on a network disk."""
        task = self._begun(name, partial(asyncio.to_thread, look))
        done, _ = await asyncio.wait({task}, timeout=LOOK_SECONDS)
        return task.result() if done else silent


def _lost_cache() -> list[str]:
    store = shared_store()
    return ["cache"] if store is not None and store.ask() is not None else []


_looks = _Looks()


def _answers() -> bool:
    with connection.cursor() as cursor:
        # Query a table, because SQLite opens its file no sooner.
        cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
    return True


def _is_migrated() -> bool:
    return not unapplied()


def unapplied() -> list[str]:
    """Return the apps that have migrations which the database lacks."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return sorted({migration.app_label for migration, _ in plan})
