"""A small load generator: POSTs over a few kept-open connections, timed one by one.

Requests are bytes and answers are read to their Content-Length, so that the generator costs little beside the
server on the same machine. Loopback only.
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from math import inf
from typing import Any, NamedTuple
from urllib.parse import urlsplit

MODERN = "2026-07-28"
LEGACY = "2025-11-25"


class Request(NamedTuple):
    """A request as the bytes of HTTP/1.1, and its kind of question."""

    kind: str
    content: bytes


@dataclass(frozen=True, kw_only=True)
class Measure:
    """The result of a run."""

    seconds: float
    milliseconds: dict[str, list[float]]
    """How long each call took, by kind of question."""
    bytes: int
    """Size of the last answer's body."""

    @property
    def calls(self) -> int:
        return sum(map(len, self.milliseconds.values()))

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds

    @property
    def median_ms(self) -> float:
        return self.percentile(0.5)

    @property
    def p99_ms(self) -> float:
        return self.percentile(0.99)

    def percentile(self, part: float, kind: str | None = None) -> float:
        """Return the milliseconds below which `part` of the calls, of a kind or of all, stay."""
        taken = self.milliseconds.get(kind, []) if kind else chain(*self.milliseconds.values())
        ordered = sorted(taken)
        return ordered[int(len(ordered) * part)] if ordered else float("nan")


def request(url: str, token: str, tool: str, arguments: dict[str, Any], era: str) -> bytes:
    """Return a `tools/call` of one era as the bytes of an HTTP/1.1 request."""
    parts = urlsplit(url)
    if parts.hostname not in ("127.0.0.1", "localhost"):
        raise ValueError("load goes to loopback only")
    params: dict[str, Any] = {"name": tool, "arguments": arguments}
    headers = {
        "Host": parts.netloc,
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Mcp-Protocol-Version": era,
    }
    if era == MODERN:
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        headers |= {"Mcp-Method": "tools/call", "Mcp-Name": tool}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    headers["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {parts.path} HTTP/1.1\r\n{head}\r\n".encode() + body


async def measure(
    url: str, requests: Iterable[Request], *, connections: int, seconds: float = inf
) -> Measure:
    """Send `requests` until they or the seconds are over, and time each.

    Raises RuntimeError for an answer that is not 200 or contains an error.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    rest = iter(requests)
    milliseconds: dict[str, list[float]] = defaultdict(list)
    size = 0
    began = time.perf_counter()

    async def worker() -> None:
        nonlocal size
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
        while time.perf_counter() - began < seconds and (each := next(rest, None)):
            started = time.perf_counter()
            writer.write(each.content)
            body = await _read(reader)
            milliseconds[each.kind].append((time.perf_counter() - started) * 1000)
            if b'"isError":true' in body or b'"error":' in body[:60]:
                raise RuntimeError(body[:500].decode())
            size = len(body)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(worker() for _ in range(connections)))
    return Measure(seconds=time.perf_counter() - began, milliseconds=dict(milliseconds), bytes=size)


async def _read(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode())
    at = head.lower().index(b"content-length:") + len(b"content-length:")
    return await reader.readexactly(int(head[at : head.index(b"\r", at)]))
