"""The protocol's side of the tools: the SDK's server, its handlers, and the shape of an answer.

With `transport`, the only code that touches the SDK's server.
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import mcp_types as types
from django.conf import settings
from mcp.server.apps import APP_MIME_TYPE, EXTENSION_ID, ResourceCsp, client_supports_apps
from mcp.server.caching import CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types.methods import SPEC_CLIENT_METHODS, SPEC_CLIENT_NOTIFICATION_METHODS
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from pydantic_core import to_json

from mcpsite import __version__
from mcpsite.access import audit
from mcpsite.access.caller import Caller
from mcpsite.access.scopes import MissingScope, with_required
from mcpsite.core import tracing
from mcpsite.core.outage import AWAY, is_outage
from mcpsite.core.texts import clean_texts
from mcpsite.mcp import pipeline
from mcpsite.mcp.calls import Record
from mcpsite.mcp.instructions import instructions
from mcpsite.mcp.menus import PAGE, Menus, NotOffered
from mcpsite.mcp.outcomes import Kind, Unanswered, UnknownTool
from mcpsite.mcp.registry import Registry, Tool
from mcpsite.mcp.state import RequestState, state_of
from mcpsite.mcp.views import View

logger = logging.getLogger(__name__)

AUDITED = frozenset({"tools/call", "resources/list", "resources/read", "prompts/get", "completion/complete"})
"""The methods that are limited and recorded, because they give away data."""

PROTOCOL_WORDS = frozenset(
    {*SPEC_CLIENT_METHODS, *SPEC_CLIENT_NOTIFICATION_METHODS, *KNOWN_PROTOCOL_VERSIONS}
)
"""The protocol's methods and versions: what a trace may contain of a request."""

NOT_NOW = -32010
"""The code of a temporary refusal (over a limit, too slow, no access now), from servers' own range."""

R = TypeVar("R")

LIST_TTL_MS = 60_000
"""How long a client may keep a list. A change of permission shows by then; each call is checked anyway."""


class SiteServer:
    """The requests of the protocol, a method for each."""

    def __init__(self, registry: Registry, menus: Menus, record: Record) -> None:
        """Offer tools, resources and prompts to the person that a request's claims name.

        `record` gets one event for each call (AUDITED).
        """
        self._registry = registry
        self._menus = menus
        self._record = record
        self.sdk: Server[Any] = Server(
            "mcpsite",
            title=settings.SITE_NAME,
            version=__version__,
            instructions=instructions(),
            # A list depends on the caller's permissions, so no cache may be shared.
            cache_hints={
                "tools/list": CacheHint(ttl_ms=LIST_TTL_MS, scope="private"),
                "prompts/list": CacheHint(ttl_ms=LIST_TTL_MS, scope="private"),
                "resources/templates/list": CacheHint(ttl_ms=LIST_TTL_MS, scope="private"),
                # What a curator hides disappears at once.
                "resources/list": CacheHint(ttl_ms=0, scope="private"),
                "resources/read": CacheHint(ttl_ms=0, scope="private"),
            },
            # None of our parameters is mirrored in an Mcp-Param header, so there is nothing to compare.
            get_tool_input_schema=lambda _: None,
            on_list_tools=self.list_tools,
            on_list_resources=self.list_resources,
            on_list_resource_templates=self.list_templates,
            on_read_resource=self.read_resource,
            on_list_prompts=self.list_prompts,
            on_get_prompt=self.get_prompt,
            on_completion=self.complete,
        )
        if any(tool.view for tool in registry.all()):
            self.sdk.extensions[EXTENSION_ID] = {}
        if not tracing.is_on():
            # The SDK's tracing, which takes time in each call.
            self.sdk.middleware.clear()
        self.sdk.middleware += [self._answer_refusals, self._call_tools_here]

    async def _answer_refusals(self, ctx: ServerRequestContext[Any], call_next: CallNext) -> HandlerResult:
        """Answer with a protocol error if a request is refused for one of the common reasons.

        The scope is checked where the call is about to be made, with the very values that it is made with:
        there is no second reading of the request that could differ. The transport turns the error into the
        challenge.
        """
        try:
            return await call_next(ctx)
        except MissingScope as error:
            _state(ctx).missing_scopes = error.needed
            raise MCPError(code=types.INVALID_REQUEST, message=str(error)) from None
        except Unanswered as error:
            code = types.INVALID_PARAMS if error.kind is Kind.TOOL_ERROR else NOT_NOW
            raise MCPError(code=code, message=str(error)) from None
        except Exception as error:
            if not is_outage(error):
                raise
            logger.exception("%s failed", ctx.method)
            raise MCPError(code=NOT_NOW, message=AWAY) from None

    async def _call_tools_here(self, ctx: ServerRequestContext[Any], call_next: CallNext) -> HandlerResult:
        """Answer `tools/call` without the SDK, which would validate, copy and write our answer again.

        Our own code made the answer, and a test checks its schema; the transport puts it in.
        """
        is_call = ctx.method == "tools/call" and ctx.request_id is not None
        return await self.call_tool(ctx) if is_call else await call_next(ctx)

    async def list_tools(
        self, ctx: ServerRequestContext[Any], _: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        tools = await pipeline.offered(_state(ctx).claims, partial(pipeline.tools_for, self._registry))
        with_views = _shows_views(ctx)
        return types.ListToolsResult(tools=[describe(tool, with_view=with_views) for tool in tools])

    async def call_tool(self, ctx: ServerRequestContext[Any]) -> dict[str, Any]:
        """Answer `tools/call`, with what the SDK adds to the envelope; return what its tracing looks at."""
        params = types.CallToolRequestParams.model_validate(ctx.params or {}, by_name=False)
        state = _state(ctx)
        state.recorded = True
        try:
            outcome = await pipeline.call(
                self._registry,
                params.name,
                state.arguments,
                state.claims,
                origin=_origin(ctx),
                record=self._record,
            )
        except UnknownTool:
            raise _refusal(f"Unknown tool: {params.name[:128]}") from None
        meta = clean_texts(outcome.meta)
        result: dict[str, Any] = {"content": [{"type": "text", "text": outcome.text}]}
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            result["resultType"] = "complete"
            meta[types.SERVER_INFO_META_KEY] = self.sdk.server_info_stamp
        if meta:
            result["_meta"] = meta
        result["isError"] = is_error = outcome.value is None
        state.result = to_json(result, inf_nan_mode="null")
        if not is_error:
            state.result = b'%b,"structuredContent":%b}' % (state.result[:-1], outcome.json)
        return {"isError": is_error}

    async def list_resources(
        self, ctx: ServerRequestContext[Any], params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        offset = _offset(params.cursor if params else None)
        found = await self._use(
            ctx,
            {"cursor": offset} if offset else {},
            lambda caller: self._menus.entries(caller, offset),
            lambda found: (min(len(found), PAGE), 0),
        )
        return types.ListResourcesResult(
            resources=[
                types.Resource(
                    uri=f"{kind.scheme}://{entry.key}",
                    name=entry.key,
                    title=entry.title,
                    description=entry.description or None,
                    mime_type=kind.mime_type,
                )
                for kind, entry in found[:PAGE]
            ],
            next_cursor=str(offset + PAGE) if len(found) > PAGE else None,
        )

    async def list_templates(
        self, ctx: ServerRequestContext[Any], _: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(
            resource_templates=[
                types.ResourceTemplate(
                    uri_template=kind.template,
                    name=kind.scheme,
                    title=kind.title,
                    description=kind.description,
                    mime_type=kind.mime_type,
                )
                for kind in await pipeline.offered(_state(ctx).claims, self._menus.templates)
            ]
        )

    async def read_resource(
        self, ctx: ServerRequestContext[Any], params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        def read(caller: Caller) -> types.TextResourceContents:
            if params.uri.startswith("ui://"):
                for tool in pipeline.tools_for(self._registry, caller):
                    if tool.view and tool.view.answers(params.uri):
                        return _page(tool.view, params.uri)
            kind, text = self._menus.read(caller, params.uri)
            return types.TextResourceContents(uri=params.uri, mime_type=kind.mime_type, text=text)

        try:
            content = await self._use(
                ctx, {"uri": params.uri}, read, lambda found: (1, len(found.text.encode()))
            )
        except NotOffered:
            raise _refusal(f"Unknown resource: {params.uri[:200]}") from None
        return types.ReadResourceResult(contents=[content])

    async def list_prompts(
        self, ctx: ServerRequestContext[Any], _: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        return types.ListPromptsResult(
            prompts=[
                types.Prompt(
                    name=prompt.name,
                    title=prompt.title,
                    description=prompt.description,
                    arguments=[
                        types.PromptArgument(name=name, description=description, required=required)
                        for name, (description, required) in prompt.arguments.items()
                    ],
                )
                for prompt in await pipeline.offered(_state(ctx).claims, self._menus.prompts)
            ]
        )

    async def get_prompt(
        self, ctx: ServerRequestContext[Any], params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        arguments = params.arguments or {}
        try:
            prompt, text = await self._use(
                ctx,
                {"name": params.name, "arguments": arguments},
                lambda caller: self._menus.fill(caller, params.name, arguments),
                lambda found: (1, len(found[1].encode())),
            )
        except NotOffered:
            raise _refusal(f"Unknown prompt: {params.name[:128]}") from None
        message = types.PromptMessage(role="user", content=types.TextContent(text=text))
        return types.GetPromptResult(description=prompt.description, messages=[message])

    async def complete(
        self, ctx: ServerRequestContext[Any], params: types.CompleteRequestParams
    ) -> types.CompleteResult:
        reference = (
            params.ref.uri if isinstance(params.ref, types.ResourceTemplateReference) else params.ref.name
        )
        argument, typed = params.argument.name, params.argument.value[:200]
        try:
            values = await self._use(
                ctx,
                {"ref": reference, "argument": argument, "value": typed},
                lambda caller: self._menus.complete(caller, reference, argument, typed),
                lambda found: (len(found), sum(len(value.encode()) for value in found)),
            )
        except NotOffered:
            values = []
        return types.CompleteResult(completion=types.Completion(values=values))

    async def _use(
        self,
        ctx: ServerRequestContext[Any],
        arguments: Mapping[str, Any],
        function: Callable[[Caller], R],
        measure: Callable[[R], tuple[int, int]],
    ) -> R:
        """Return what `function` finds for the caller, through the pipeline."""
        state = _state(ctx)
        state.recorded = True
        return await pipeline.use(
            ctx.method, arguments, state.claims, function, measure, origin=_origin(ctx), record=self._record
        )


def describe(tool: Tool, *, with_view: bool) -> types.Tool:
    """Return a tool as `tools/list` shows it, with all four annotations explicit.

    Its scopes are in `_meta`, because the SDK's type has no place for `securitySchemes`.
    """
    meta = dict(tool.meta)
    if with_view and tool.view:
        meta["ui"] = {"resourceUri": tool.view.uri}
    if tool.scopes:
        meta["securitySchemes"] = [{"type": "oauth2", "scopes": list(with_required(tool.scopes))}]
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        annotations=types.ToolAnnotations(
            read_only_hint=tool.read_only, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
        _meta=meta or None,
    )


def _shows_views(ctx: ServerRequestContext[Any]) -> bool:
    """Return whether tools name their views to this client (MCP Apps 2026-01-26, capabilities).

    A modern client sends its capabilities with each request; one without MCP Apps gets plain tools. An older
    one sends them at `initialize`, which a stateless server has forgotten by now: it gets the names, and may
    ignore them.
    """
    return ctx.session.client_capabilities is None or client_supports_apps(ctx)


def _page(view: View, uri: str) -> types.TextResourceContents:
    """Return a view's page. It declares that it loads from nowhere, so hosts keep their strictest policy.

    `ui.domain` is not set: each host has its own form, and Claude shows nothing if it is not Claude's.
    """
    nowhere = ResourceCsp(connect_domains=[], resource_domains=[], frame_domains=[], base_uri_domains=[])
    meta: dict[str, Any] = {"ui": {"csp": nowhere.model_dump(by_alias=True), "prefersBorder": True}}
    if settings.OPENAI_WIDGET_DOMAIN:
        meta["openai/widgetDomain"] = settings.OPENAI_WIDGET_DOMAIN
    return types.TextResourceContents(uri=uri, mime_type=APP_MIME_TYPE, text=view.html, _meta=meta)


def _state(ctx: ServerRequestContext[Any]) -> RequestState:
    """Return the state of the request, which the transport reads again when it is answered."""
    state = state_of(ctx.request.scope) if ctx.request is not None else None
    if state is None:
        raise MCPError(
            code=types.INVALID_REQUEST, message="This server answers signed-in clients over HTTP only"
        )
    return state


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise _refusal("This server did not issue that cursor; start the list again.")
    return int(cursor)


def _refusal(sentence: str) -> MCPError:
    return MCPError(code=types.INVALID_PARAMS, message=sentence)


def _origin(ctx: ServerRequestContext[Any]) -> audit.Origin:
    """Return who asked, and how; an older client, named only at `initialize`, by its User-Agent."""
    client = ctx.session.client_params
    name = (
        f"{client.client_info.name} {client.client_info.version}"
        if client is not None
        else ctx.request.headers.get("user-agent", "")
        if ctx.request is not None
        else ""
    )
    request_id = "" if ctx.request_id is None else str(ctx.request_id)
    return audit.Origin(client_name=name, protocol=ctx.protocol_version, request_id=request_id)
