"""A small load generator: a fixed number of POSTs over a few kept-open connections, timed one by one.

Requests are bytes made beforehand and answers are read to their Content-Length, so that the
generator costs little beside the server that shares the machine with it. Loopback only.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any
from urllib.parse import urlsplit

MODERN = "2026-07-28"
LEGACY = "2025-11-25"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One run: calls a second, and milliseconds at the median and the 99th percentile."""

    rate: float
    median_ms: float
    p99_ms: float
    bytes: int
    """Size of the last answer's body."""


def request(url: str, token: str, tool: str, arguments: dict[str, Any], era: str) -> bytes:
    """A `tools/call` of one era as the bytes of an HTTP/1.1 request."""
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


async def measure(url: str, requests: list[bytes], *, calls: int, connections: int) -> Measure:
    """Send `calls` requests, taken from `requests` in turn, and time each.

    Raises RuntimeError for an answer that is not 200 or holds an error.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    turn, seconds = cycle(requests), list[float]()
    budget = iter(range(calls))
    sizes: list[int] = []

    async def worker() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for _ in _shared(budget):
            started = time.perf_counter()
            writer.write(next(turn))
            body = await _read(reader)
            seconds.append(time.perf_counter() - started)
            if b'"isError":true' in body or b'"error":' in body[:60]:
                raise RuntimeError(body[:500].decode())
            sizes.append(len(body))
        writer.close()
        await writer.wait_closed()

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(connections)))
    elapsed = time.perf_counter() - began
    return Measure(
        rate=calls / elapsed,
        median_ms=statistics.median(seconds) * 1000,
        p99_ms=sorted(seconds)[int(len(seconds) * 0.99)] * 1000,
        bytes=sizes[-1],
    )


def _shared(budget: Iterator[int]) -> Iterator[int]:
    yield from budget


async def _read(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode())
    at = head.lower().index(b"content-length:") + len(b"content-length:")
    return await reader.readexactly(int(head[at : head.index(b"\r", at)]))
