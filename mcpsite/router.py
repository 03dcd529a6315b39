"""The router: `/mcp` and the documents beside it go to the MCP server, everything else to Django.

`Mount` would put the endpoint at `/mcp/mcp`, redirect `/mcp/`, and lose the SDK's lifespan; a
dispatcher by exact path does none of this.
"""

import asyncio
import gc
import logging
import sys
from contextlib import AsyncExitStack

from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connections
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mcpsite.access import scopes
from mcpsite.access.audit import RECORD, Trail
from mcpsite.access.tokens import verifier
from mcpsite.core import outage, tracing
from mcpsite.core.shared_store import shared_store
from mcpsite.mcp import metadata, transport
from mcpsite.mcp.calls import Record
from mcpsite.mcp.database import close_database_threads, in_database
from mcpsite.mcp.menus import discover_menus, scopes_in_use
from mcpsite.mcp.registry import discover
from mcpsite.mcp.server import PROTOCOL_WORDS, SiteServer
from mcpsite.mcp.warming import keep_warm
from mcpsite.web import health, scraping
from mcpsite.web.bodies import Bounded
from mcpsite.web.https import HttpsOnly
from mcpsite.web.pages import OtherThreads, Pages

logger = logging.getLogger(__name__)

SWITCH_SECONDS = 0.001
"""For how long a thread may compute while others wait for the interpreter; Python's own default is 5 ms.

A call is handed over several times between the event loop, its thread and the database, and at each of these
it waits this long for a page that is being made.
"""


class Router:
    """The site's ASGI application; one for each process and event loop."""

    def __init__(self, django: ASGIApp) -> None:
        self._pages = Pages(django)
        self._django = Bounded(self._pages)
        self._https_only = HttpsOnly(self._answer)
        self._trail = Trail()
        self._gauges = scraping.Gauges(self._pages, self._trail)
        self._record: Record = self._trail.record
        self._told_in_traces: set[str] = set()
        self._endpoint: transport.Endpoint | None = None
        self._well_known: ASGIApp = metadata.WellKnown({})
        try:
            registry, menus = discover(), discover_menus()
            scopes.offer(scopes_in_use(registry, menus))
            resource = metadata.Resource.from_settings()
            self._well_known = metadata.well_known(resource)
            names = [each.name for each in (*registry.all(), *menus.all())]
            self._told_in_traces.update(PROTOCOL_WORDS, names)
            if settings.METRICS_TOKEN:
                self._record = scraping.counting_calls(self._record, names)
            server = SiteServer(registry, menus, self._record).sdk
            self._endpoint = transport.Endpoint(server, resource, self._record)
        except Exception:
            # An operator may need the admin to repair it, so Django stays up.
            logger.exception("The MCP server could not be built; /mcp answers 503")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] == "http" and scope["path"] in health.PATHS:
            await health.application(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == scraping.PATH:
            await scraping.application(scope, receive, send)
        else:
            if scope["type"] == "http" and settings.METRICS_TOKEN:
                send = scraping.counting_answers(scope, send)
            await self._https_only(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and path in transport.PATHS:
            answer: ASGIApp = self._endpoint or _unavailable
        elif scope["type"] == "http" and path.startswith(metadata.PREFIX):
            answer = self._well_known
        else:
            answer = self._django
            # People try the tools on a page too, and those calls belong in the same trail.
            scope = {**scope, RECORD: self._record}
        await answer(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """Run the lifespan, on which Django raises; the SDK's task group is open while requests run."""
        await receive()
        asyncio.get_running_loop().set_default_executor(OtherThreads())
        for sentence in settings.ENVIRONMENT.warnings:
            logger.warning("%s", sentence)
        # Before the first connection is opened, because only those opened later are traced.
        end_tracing = await asyncio.to_thread(tracing.begin, self._told_in_traces)
        try:
            faults = await in_database(_unsafe_data)
        except DatabaseError as error:
            # If it were served all the same, it could be with a password that everybody knows.
            faults = [await asyncio.to_thread(outage.explain, error) or str(error)]
        if faults:
            await send({"type": "lifespan.startup.failed", "message": "\n".join(faults)})
            return
        if (store := shared_store()) is not None:
            await asyncio.to_thread(store.ask)  # the log then says at once that it is away
        async with AsyncExitStack() as stack:
            stack.push_async_callback(asyncio.to_thread, end_tracing)
            await stack.enter_async_context(keep_warm())
            if settings.METRICS_TOKEN:
                await stack.enter_async_context(self._gauges.kept())
            if self._endpoint is not None:
                self._trail.start()
                # Closed after the endpoint, because calls that end with it have to be written too.
                stack.push_async_callback(asyncio.to_thread, self._trail.close)
                await stack.enter_async_context(self._endpoint.run())
                # The first call need not wait for the issuer, and neither need the start.
                verifier().prefetch()
            if not tracing.is_on():
                # What encodes the spans competes all the time; to hand over so often costs a fifth of a call.
                sys.setswitchinterval(SWITCH_SECONDS)
            # What is here now stays: looking through it for garbage, after each burst of values that somebody
            # sends, would stop everything for a tenth of a second.
            gc.collect()
            gc.freeze()
            await send({"type": "lifespan.startup.complete"})
            await receive()
        self._pages.close()
        close_database_threads()
        await send({"type": "lifespan.shutdown.complete"})


def _unsafe_data() -> list[str]:
    """Return what the system checks find in the database that must not be served, each with its remedy.

    Django runs these checks only with `migrate`, and not when a server starts.
    """
    found = checks.run_checks(tags=[checks.Tags.database], databases=list(connections))
    return [str(each) for each in found if each.is_serious() and not each.is_silenced()]


async def _unavailable(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"error": "temporarily_unavailable"}, 503, {"Retry-After": "60"})(scope, receive, send)
