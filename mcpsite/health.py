"""`/healthz` and `/readyz`: whether the process lives, and whether it can answer.

Answered before Django, since a probe calls by an address that is in nobody's ALLOWED_HOSTS. A body
names what is missing and holds nothing else.
"""

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from access.tokens import verifier
from mcpsite.mcp.database import in_database

PATHS = frozenset({"/healthz", "/readyz"})


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI application for both paths: 200, or 503 with the parts that are not ready."""
    request = Request(scope)
    if request.method not in ("GET", "HEAD"):
        response = JSONResponse({"error": "method_not_allowed"}, 405, {"Allow": "GET, HEAD"})
    elif request.url.path == "/healthz":
        response = JSONResponse({"status": "ok"})
    else:
        checks = {**await _database(), "issuer_keys": await verifier().ready()}
        ready = all(checks.values())
        response = JSONResponse(
            {"status": "ok" if ready else "unavailable", "checks": checks}, 200 if ready else 503
        )
    response.headers["Cache-Control"] = "no-store"
    await response(scope, receive, send)


async def _database() -> dict[str, bool]:
    try:
        return {"database": True, "migrations": not await in_database(unapplied)}
    except DatabaseError:
        return {"database": False, "migrations": False}


def unapplied() -> list[str]:
    """Return the apps that have migrations which the database lacks."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return sorted({migration.app_label for migration, _ in plan})
