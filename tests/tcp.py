"""A TCP proxy on loopback between the site and a server, which fails as networks and servers do."""

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

R = TypeVar("R")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
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
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.mend()

    def mend(self) -> None:
        """Take connections, and let everything through."""

        async def mend() -> None:
            self._listen(self._serve)
            self._flowing.set()
            self._muted = False

        self._do(mend())

    def shut(self) -> None:
        """Cut every connection and refuse new ones, as a server that is stopped does."""

        async def shut() -> None:
            self._stop_listening()
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
            self._listen(refuse)

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

    def _listen(self, handle: Handler) -> None:
        """Give every connection from now on to `handle`.

        Without `asyncio.Server`: one that is closed between accepting a connection and serving it
        (`Server._attach`) leaves the connection open and nobody to close it.
        """
        self._stop_listening()
        listener = self._listener = socket.create_server(("127.0.0.1", self.port), backlog=100)
        listener.setblocking(False)
        self.port = listener.getsockname()[1]

        async def serve(connection: socket.socket) -> None:
            reader, writer = await asyncio.open_connection(sock=connection)
            if self._listener is listener:
                await handle(reader, writer)
            else:  # shut in between
                writer.close()

        def accept() -> None:
            with suppress(BlockingIOError):
                task = self._loop.create_task(serve(listener.accept()[0]))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

        self._loop.add_reader(listener, accept)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

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
