"""A collector of traces on loopback: what the site really sent, as OTLP over HTTP."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(kw_only=True)
class Collector:
    """What has arrived."""

    url: str
    spans: list[Any] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def wait_for(self, wanted: Callable[[Any], bool], seconds: float = 20) -> Any:
        """Return the first span that is `wanted`; raises AssertionError if none comes."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for span in list(self.spans):
                if wanted(span):
                    return span
            time.sleep(0.1)
        raise AssertionError([span.name for span in self.spans])

    def below(self, span: Any) -> list[Any]:
        """Return the spans that have `span` as their parent."""
        return [each for each in self.spans if each.parent_span_id == span.span_id]


def attributes(span: Any) -> dict[str, Any]:
    """Return a span's attributes as plain values."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


@contextmanager
def collecting(*, keep: bool = True) -> Iterator[Collector]:
    """A collector; with `keep=False` one that reads what it is sent and forgets it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if keep:
                found.bodies.append(body)
                for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in group.scope_spans:
                        found.spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Collector(url=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
