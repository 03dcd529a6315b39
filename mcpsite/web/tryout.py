"""Pages on which a signed-in person tries the tools, as themselves.

A call passes through all that every other does: permission, limits, deadline and audit (`mcp.pipeline`).
Only the claims differ: they represent the person's session instead of a token.
"""

import json
import time
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.templatetags.static import static
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from mcpsite.access import audit
from mcpsite.access.caller import Caller, Claims
from mcpsite.access.identities import claims_of_session
from mcpsite.mcp import in_database
from mcpsite.mcp.calls import Record
from mcpsite.mcp.outcomes import Kind, Outcome, UnknownTool
from mcpsite.mcp.pipeline import call, offered, tools_for
from mcpsite.mcp.registry import Tool, discover
from mcpsite.web.answers import show
from mcpsite.web.schema_forms import ToolForm
from mcpsite.web.unavailable import BUSY

CLIENT_ID = "try-out"
ORIGIN = audit.Origin(client_name="Try-out page of this site")
RUN = "_run"
"""Says to call the tool even if no argument is given; no argument's name begins with `_`."""
_running = 0
"""Calls under way. Each keeps a thread of the pages, and these must not all wait for slow tools."""
STATUS = {Kind.LIMITED: 429, Kind.DENIED: 403}


def offered_to(caller: Caller) -> list[Tool]:
    """Return the tools that `caller` may use, as clients list them."""
    return tools_for(discover(), caller)


@never_cache
@require_safe
@login_required
async def index(request: HttpRequest) -> HttpResponse:
    """Return the page of the tools that the person may use."""
    tools = await offered(await _claims(request), offered_to)
    return await in_database(render, request, "tryout/index.html", {"tools": tools})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
async def try_tool(request: HttpRequest, name: str) -> HttpResponse:
    """Return the page with the form of one tool and, if it was sent, the answer.

    A tool that only reads is called by GET, so that people can share the address of an answer.
    """
    claims = await _claims(request)
    tools = await offered(claims, offered_to)
    tool = next((each for each in tools if each.name == name), None)
    sent: QueryDict = request.POST if request.method == "POST" else request.GET
    if tool is None:
        if sent:
            await _refused(request, name, sent, claims)
        raise Http404
    empty = ToolForm(tool.input_schema)
    sent = empty.read(sent)
    asked = (request.method == "GET") is tool.read_only and any(each in sent for each in [RUN, *empty.fields])
    page: dict[str, Any] = {"tool": tool, "tools": tools, "form": empty, "run": RUN}
    if asked and tool.read_only:
        shortest = urlencode(empty.shortest(sent) or {RUN: 1})
        if shortest != request.GET.urlencode():
            return HttpResponseRedirect(f"{request.path}?{shortest}")
    if not asked:
        return await _render(request, page)
    page["form"] = form = empty.filled(sent)
    if not form.is_valid():
        return await _render(request, page)
    began = time.perf_counter()
    outcome = await _call(request, tool.name, form.arguments, claims)
    page |= {"outcome": outcome, "milliseconds": (time.perf_counter() - began) * 1000}
    if outcome.value is None:
        page["blamed"] = form.blame(outcome.text)
    else:
        raw = json.dumps(outcome.value, ensure_ascii=False, indent=2)
        page |= {"shown": show(outcome.value), "raw": raw, "charts": _charts(tools, tool, sent)}
        if tool.view is not None and tool.view.drawn_by:
            module, _, function = tool.view.drawn_by.partition("#")
            page["drawing"] = {"module": static(module), "function": function, "answer": outcome.value}
    return await _render(request, page, STATUS.get(outcome.kind, 200))


def _charts(tools: list[Tool], tool: Tool, sent: QueryDict) -> list[tuple[Tool, str]]:
    """Return the tools that draw the answer of `tool`, each with the address of the same question."""
    if tool.view is not None:
        return []
    return [
        (each, urlencode(ToolForm(each.input_schema).shortest(sent) or {RUN: 1}))
        for each in tools
        if each.permission == tool.permission and each.view is not None and each.view.drawn_by
    ]


async def _render(request: HttpRequest, page: dict[str, Any], status: int = 200) -> HttpResponse:
    # Templates query the database for the person's permissions.
    return await in_database(render, request, "tryout/tool.html", page, status=status)


async def _claims(request: HttpRequest) -> Claims:
    return claims_of_session(await request.auser(), client_id=CLIENT_ID)


async def _refused(request: HttpRequest, name: str, sent: QueryDict, claims: Claims) -> None:
    """Record that somebody called what they may not call."""
    try:
        await _call(request, name, dict(sent.items()), claims)
    except UnknownTool:
        return


async def _call(request: HttpRequest, name: str, arguments: dict[str, Any], claims: Claims) -> Outcome:
    """Return the outcome of a call, recorded like every other; raises UnknownTool."""
    global _running
    if _running >= max(1, settings.PAGE_THREADS // 2):
        return Outcome(text=BUSY, kind=Kind.LIMITED)
    # Without the router around Django nobody writes the trail later.
    unwritten: list[audit.Event] = []
    record: Record = getattr(request, "scope", {}).get(audit.RECORD, unwritten.append)
    _running += 1
    try:
        return await call(discover(), name, arguments, claims, origin=ORIGIN, record=record)
    finally:
        _running -= 1
        if unwritten:
            await in_database(audit.write_events, unwritten)
