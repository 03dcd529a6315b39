"""A TCP proxy on loopback between the site and a server, which fails as networks and servers do."""

import asyncio
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

R = TypeVar("R")
SSL_REQUEST = 80877103
READY_FOR_QUERY = b"Z\0\0\0\5I"


class Line:
    """The way to a server: it can be shut, cut, or made to swallow whatever is sent, and mended again."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._muted = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.mend()

    def mend(self) -> None:
        """Take connections, and let everything through."""

        async def mend() -> None:
            if self._server is not None:
                self._server.close()
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]
            self._flowing.set()
            self._muted = False

        self._do(mend())

    def shut(self) -> None:
        """Cut every connection and refuse new ones, as a server that is stopped does."""

        async def shut() -> None:
            if self._server is not None:
                self._server.close()
                self._server = None
            self._cut()

        self._do(shut())

    def say(self, error: bytes) -> None:
        """Take connections, and answer each with these fields of an error, as PostgreSQL does."""

        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, asyncio.IncompleteReadError):
                length, code = struct.unpack("!II", await reader.readexactly(8))
                if code == SSL_REQUEST:
                    writer.write(b"N")
                    length = struct.unpack("!I", await reader.readexactly(4))[0] + 4
                await reader.readexactly(length - 8)
                writer.write(b"E" + struct.pack("!I", len(error) + 4) + error)
                await writer.drain()
            writer.close()

        async def say() -> None:
            self._server = await asyncio.start_server(refuse, "127.0.0.1", self.port)

        self._do(say())

    def cut(self) -> None:
        """Cut every connection, as a server that is restarted does."""
        self._loop.call_soon_threadsafe(self._cut)

    def swallow(self) -> None:
        """Take new connections and let nothing through, on them or the old ones."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def mute(self) -> None:
        """Let clients of PostgreSQL sign in, and nothing through after that."""
        self._loop.call_soon_threadsafe(setattr, self, "_muted", True)

    def close(self) -> None:
        self.shut()

        async def end() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._do(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self._flowing.wait()
            with suppress(OSError):
                there, back = await asyncio.open_connection(*self._target)
                self._writers.add(back)
                try:
                    await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
                finally:
                    self._writers.discard(back)
                    back.close()
        except asyncio.CancelledError:
            return  # asyncio reports a task of its own that is cancelled as a fault
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
                if self._muted and READY_FOR_QUERY in data:
                    await asyncio.Event().wait()
        with suppress(OSError):
            writer.close()


@contextmanager
def line(host: str, port: int) -> Iterator[Line]:
    """A way to a server, until the end of the block."""
    made = Line(host, port)
    try:
        yield made
    finally:
        made.close()
