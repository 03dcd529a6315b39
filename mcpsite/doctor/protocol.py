"""The protocol with a token: ChatGPT's first request, and the tools that are listed."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx2

from mcpsite.core.findings import Finding, stops_clients
from mcpsite.doctor.research import out_of_contract, search_and_fetch
from mcpsite.doctor.visit import (
    FIRST_REQUEST,
    MODERN,
    AnswerRefused,
    Visit,
    complaint,
    response_object,
    unreachable,
)

ANNOTATIONS = {
    "readOnlyHint": True,
    "destructiveHint": False,
    "idempotentHint": True,
    "openWorldHint": False,
}


def replay(visit: Visit) -> Iterator[Finding]:
    """Yield what is found in ChatGPT's first request, the tools, and `search` and `fetch`."""
    try:
        first = list(first_request(visit))
        yield from first
        if stops_clients(first):
            return
        tools = visit.result("tools/list").get("tools")
        listed = {
            each["name"]: each
            for each in (tools if isinstance(tools, list) else [])
            if isinstance(each, dict) and isinstance(each.get("name"), str)
        }
        yield from tools_listed(listed)
        if {"search", "fetch"} <= listed.keys():
            yield from search_and_fetch(visit)
    except AnswerRefused as error:
        yield Finding(
            id="call-refused",
            level="error",
            what=f"A request with the token was refused: {error}",
            change="See the server's log for the reason.",
        )
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        yield unreachable(visit.url, error)


def first_request(visit: Visit) -> Iterator[Finding]:
    answer = visit.post(FIRST_REQUEST, token=visit.token)
    result = response_object(answer).get("result")
    versions = result.get("supportedVersions") if isinstance(result, dict) else None
    if answer.status_code == httpx2.codes.UNAUTHORIZED:
        yield Finding(
            id="first-request-refused",
            level="error",
            what=f"The running server refuses the token: {complaint(answer)}",
            change="The token is valid under this command's settings, so the server is running with "
            "other settings or keys, or the token was revoked: restart the server, or get a new "
            "token.",
        )
    elif answer.status_code != httpx2.codes.OK or not isinstance(result, dict):
        yield Finding(
            id="first-request-failed",
            level="error",
            what=f"ChatGPT's first request (server/discover) fails: {complaint(answer)}",
            change="See the server's log for the reason.",
        )
    elif not isinstance(versions, list) or MODERN not in versions:
        yield Finding(
            id="first-request-version",
            level="error",
            what=f"The server does not offer MCP {MODERN}, which ChatGPT asks for first.",
            change="Update the server.",
        )
    else:
        yield Finding(id="first-request", level="ok", what="ChatGPT's first request is answered.")


def tools_listed(listed: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    if not listed:
        yield Finding(
            id="no-tools",
            level="error",
            what="This user may not use any tool.",
            change="Add the user to a group with permission to read, in the admin under Users.",
        )
        return
    for name, parameter in (("search", "query"), ("fetch", "id")):
        if name not in listed:
            yield Finding(
                id=f"{name}-missing",
                level="warning",
                what=f"This user may not use {name}, which deep research and company knowledge need.",
                change="Grant the user “Can view transcript”, in the admin under Users or Groups.",
            )
            continue
        schema = listed[name].get("inputSchema") or {}
        kind = (schema.get("properties") or {}).get(parameter, {}).get("type")
        if set(schema.get("properties") or {}) != {parameter} or kind != "string":
            yield out_of_contract(name, f"its only argument has to be {parameter} (a text)")
    unmarked = sorted(
        name
        for name, tool in listed.items()
        if not ANNOTATIONS.keys() <= (tool.get("annotations") or {}).keys()
    )
    if unmarked:
        yield Finding(
            id="tools-without-annotations",
            level="warning",
            what=f"ChatGPT asks for confirmation at each call of {', '.join(unmarked)}, because "
            "annotations are missing.",
            change="Set all four annotations on these tools.",
        )
