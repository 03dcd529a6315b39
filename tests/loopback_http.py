"""Small HTTP servers on loopback, in the place of what lies outside the site."""

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """Answers with whole bodies, and logs nothing."""

    def get(self) -> None:
        """Answer a GET."""
        self.answer(405, b"", {})

    def post(self) -> None:
        """Answer a POST."""
        self.answer(405, b"", {})

    def do_GET(self) -> None:
        self.get()

    def do_POST(self) -> None:
        self.post()

    def read_body(self) -> bytes:
        """Return the body of the request, which says its length."""
        return self.rfile.read(int(self.headers["Content-Length"]))

    def answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        """Send `body` with its length under `headers`."""
        self.send_head(status, len(body), headers)
        self.wfile.write(body)

    def send_head(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        """Send the status line and the headers."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # A client that hangs up early is what some tests are about.


@contextmanager
def listening(
    handler: Callable[..., BaseHTTPRequestHandler], *, port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Yield the port at which `handler` answers until the end of the block."""
    server = _Server(("127.0.0.1", port), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
