"""The protocol's side of the tools: the SDK's server, its handlers, and the shape of an answer.

With `transport`, the only code that touches the SDK's server.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from access.caller import Claims
from mcpsite.mcp import context
from mcpsite.mcp.instructions import INSTRUCTIONS
from mcpsite.mcp.registry import Registry, Tool

CLAIMS = "mcpsite.claims"
"""The key of the verified claims in a request's ASGI scope."""

LIST_TTL_MS = 60_000
"""How long a client may keep a list. A change of permission shows by then; each call is checked anyway."""


def build(registry: Registry) -> Server[Any]:
    """The MCP server that offers `registry` to whoever the request's claims name."""

    async def list_tools(
        ctx: ServerRequestContext[Any], _: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        tools = await context.tools_for(registry, _claims(ctx))
        return types.ListToolsResult(tools=[describe(tool) for tool in tools])

    async def call_tool(
        ctx: ServerRequestContext[Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        try:
            outcome = await context.call(registry, params.name, params.arguments or {}, _claims(ctx))
        except context.UnknownTool:
            raise MCPError(code=types.INVALID_PARAMS, message=f"Unknown tool: {params.name[:128]}") from None
        return _result(outcome)

    return Server(
        "mcpsite",
        title="Company data",
        version=site_version(),
        instructions=INSTRUCTIONS,
        # What is listed depends on the caller's permissions, so no cache may be shared.
        cache_hints={"tools/list": CacheHint(ttl_ms=LIST_TTL_MS, scope="private")},
        # No parameter of ours is mirrored in an Mcp-Param header, so there is nothing to compare.
        get_tool_input_schema=lambda _: None,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def describe(tool: Tool) -> types.Tool:
    """A tool as `tools/list` shows it, with all four annotations explicit."""
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        annotations=types.ToolAnnotations(
            read_only_hint=tool.read_only, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
        _meta=dict(tool.meta) or None,
    )


def site_version() -> str:
    """The installed version, or that of the source tree."""
    try:
        return version("mcpsite")
    except PackageNotFoundError:
        return "0.1.0"


def _claims(ctx: ServerRequestContext[Any]) -> Claims:
    claims = ctx.request.scope[CLAIMS] if ctx.request is not None else None
    if not isinstance(claims, Claims):
        raise MCPError(code=types.INVALID_REQUEST, message="This server answers signed-in HTTP clients only")
    return claims


def _result(outcome: context.Outcome) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(text=outcome.text)],
        structured_content=dict(outcome.value) if outcome.value is not None else None,
        is_error=outcome.value is None,
        _meta=dict(outcome.meta) or None,
    )
