"""Traces of calls by OpenTelemetry, if a collector is set: client → call → SQL.

A call's span is the MCP SDK's own, which continues the client's trace. A span contains only this site's own
words: nothing that a caller sends, unknown names included, is exported. The libraries are not part of the
usual installation (requirements-otel.txt), so they are imported when tracing begins.
"""

import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from opentelemetry import context, propagate, trace
from opentelemetry.trace import Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

SDK_SCOPE = "mcp-python-sdk"
SERVICE = "mcpsite"
PROTOCOL = "http/protobuf"

_CONSTANT = frozenset({"gen_ai.operation.name", "error.type", "rpc.response.status_code"})
"""Attributes of the SDK's spans that have its own words: an operation, a class, a code."""
_OTHER = "other"
"""Replaces an unknown name."""
_STATEMENT = 2000
"""How much of a statement is searched for names of tables."""
_OPERATION = re.compile(
    r"\s*\(?\s*(SELECT|INSERT|UPDATE|DELETE|WITH|SAVEPOINT|RELEASE|SET|CREATE|DROP)\b", re.I
)
_TABLE = re.compile(r'\b(?:FROM|JOIN|INTO|UPDATE)\s+"?(\w+)', re.IGNORECASE)

_WELL, _FAILED = Status(StatusCode.UNSET), Status(StatusCode.ERROR)


def check_setting(endpoint: str, protocol: str) -> None:
    """Raise ImproperlyConfigured if spans cannot be sent to `endpoint`."""
    if not endpoint:
        return
    if protocol != PROTOCOL:
        raise ImproperlyConfigured(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is not {PROTOCOL}, the only protocol that this site supports; "
            "leave it out, and use the collector's port for HTTP (usually 4318) in "
            "OTEL_EXPORTER_OTLP_ENDPOINT."
        )
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: F401
    except ImportError:
        raise ImproperlyConfigured(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed; pip install -r "
            "requirements-otel.txt, or leave it out."
        ) from None


def is_on() -> bool:
    """Return whether calls are traced."""
    return bool(settings.OTEL_EXPORTER_OTLP_ENDPOINT)


def begin(words: Collection[str]) -> Callable[[], None]:
    """Begin to send this process's spans, if a collector is set; return what sends the rest and ends it.

    `words` are the names of methods, tools and prompts that may be exported.
    """
    if not is_on():
        return lambda: None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"process.pid": os.getpid()})
    if str(resource.attributes.get("service.name")).startswith("unknown_service"):
        resource = resource.merge(Resource({"service.name": SERVICE}))
    provider = TracerProvider(resource=_hashed_once(resource), shutdown_on_exit=False)
    endpoint = f"{settings.OTEL_EXPORTER_OTLP_ENDPOINT.rstrip('/')}/v1/traces"
    exporter = _careful(OTLPSpanExporter(endpoint=endpoint), frozenset(words))
    processor = BatchSpanProcessor(exporter)
    provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)
    # Without baggage, which is the caller's own text.
    propagate.set_global_textmap(TraceContextTextMapPropagator())
    statements = _Statements(provider, processor)
    connection_created.connect(statements.watch, weak=False, dispatch_uid=__name__)
    return provider.shutdown


@contextmanager
def continued(headers: Mapping[str, str]) -> Iterator[None]:
    """Continue the trace that a request's `traceparent` names, for clients that say nothing in `_meta`."""
    if not is_on():
        yield
        return
    token = context.attach(propagate.extract(headers))
    try:
        yield
    finally:
        context.detach(token)


def note(**attributes: str | float) -> None:
    """Add to the span of the current call, if it is traced; names get the prefix `mcpsite.`."""
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attributes({f"{SERVICE}.{name}": value for name, value in attributes.items()})


def _hashed_once(resource: "Resource") -> "Resource":
    """Return the same resource, whose hash, of its attributes as JSON, is not made anew for each span."""
    from opentelemetry.sdk.resources import Resource

    class Hashed(Resource):
        _known = hash(resource)

        def __hash__(self) -> int:
            return self._known

    return Hashed(dict(resource.attributes), resource.schema_url)


def _careful(exporter: "SpanExporter", words: frozenset[str]) -> "SpanExporter":
    """Return an exporter for this site's own spans and, of the SDK's, for what is in `words`."""
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

    def cleaned(span: "ReadableSpan") -> "ReadableSpan":
        if span.instrumentation_scope is None or span.instrumentation_scope.name != SDK_SCOPE:
            return span
        given = span.attributes or {}
        attributes = {
            name: value
            for name, value in given.items()
            if name in _CONSTANT or name.startswith(f"{SERVICE}.") or value in words
        }
        named = [key for key in ("mcp.method.name", "gen_ai.tool.name", "gen_ai.prompt.name") if key in given]
        return ReadableSpan(
            name=" ".join(str(attributes.get(key, _OTHER)) for key in named),
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=attributes,
            kind=span.kind,
            # Without its description and events, which hold sentences about what was asked.
            status=Status(span.status.status_code),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    class Careful(SpanExporter):
        def export(self, spans: "Sequence[ReadableSpan]") -> "SpanExportResult":
            return exporter.export([cleaned(span) for span in spans])

        def shutdown(self) -> None:
            exporter.shutdown()

    return Careful()


class _Statements:
    """Traces the statements of calls: a span for each, below the call's.

    They are made when a statement is over, which takes a third of the time of the usual way.
    """

    def __init__(self, provider: "TracerProvider", processor: "SpanProcessor") -> None:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        self._provider = provider
        self._processor = processor
        self._span: type[ReadableSpan] = ReadableSpan
        self._scope = InstrumentationScope(SERVICE)

    def watch(self, *, connection: BaseDatabaseWrapper, **_: object) -> None:
        """Trace the statements of a connection that has just been opened."""
        if self.traced not in connection.execute_wrappers:
            connection.execute_wrappers.append(self.traced)

    def traced(
        self, execute: Callable[..., Any], statement: Any, parameters: Any, many: bool, about: dict[str, Any]
    ) -> Any:
        """Run a statement, and send a span for it if it belongs to a call that is traced."""
        call = trace.get_current_span()
        if not call.is_recording():
            return execute(statement, parameters, many, about)
        began, status, attributes = time.time_ns(), _WELL, {}
        try:
            return execute(statement, parameters, many, about)
        except Exception as error:
            status, attributes = _FAILED, {"error.type": type(error).__name__}
            raise
        finally:
            database, parent = about["connection"], call.get_span_context()
            own = trace.SpanContext(
                parent.trace_id, self._provider.id_generator.generate_span_id(), False, parent.trace_flags
            )
            span = self._span(
                name=summary(str(statement)[:_STATEMENT]),
                context=own,
                parent=parent,
                resource=self._provider.resource,
                attributes={
                    "db.system.name": database.vendor,
                    "db.namespace": database.alias,
                    **attributes,
                },
                kind=trace.SpanKind.CLIENT,
                status=status,
                start_time=began,
                end_time=time.time_ns(),
                instrumentation_scope=self._scope,
            )
            self._processor.on_end(span)


@lru_cache(maxsize=500)
def summary(statement: str) -> str:
    """Return what a statement does to which of the models' tables, and nothing else of its text."""
    found = _OPERATION.match(statement)
    tables = [name for name in dict.fromkeys(_TABLE.findall(statement)) if name in _tables()]
    return " ".join([found[1].upper() if found else "SQL", *tables[:5]])


@cache
def _tables() -> frozenset[str]:
    return frozenset(model._meta.db_table for model in apps.get_models(include_auto_created=True))
