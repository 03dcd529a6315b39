"""How large the head of a request may be, and how long its sender may take.

uvicorn keeps a client's headers however large they are, and waits for their end however long that takes,
before the application sees the request. A token has 32 KiB at most, so a far larger head is refused here.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BYTES = 128 * 1024
PATIENCE_SECONDS = 20.0

_BODY = b"The headers of the request are too large."
_REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\n"
    b"connection: close\r\n\r\n%s"
) % (len(_BODY), _BODY)


class Protocol(HttpToolsProtocol):
    """uvicorn's own protocol, which hangs up if a request has MOST_BYTES without a body in between.

    These are the request line and the headers, and the trailers of a chunked body. It also hangs up if they
    have not ended PATIENCE_SECONDS after the connection was made or the request began.
    """

    _received = 0
    _ending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        super().data_received(data)
        if self._received > MOST_BYTES and not self.transport.is_closing():
            self.logger.warning("Request refused: it has more than %d KiB of headers.", MOST_BYTES // 1024)
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(_REFUSAL)
            self.transport.close()

    def on_message_begin(self) -> None:
        self._received = 0
        self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._received = 0
        super().on_body(body)

    def _await_head(self) -> None:
        self._stop_waiting()
        self._ending = self.loop.call_later(PATIENCE_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
