"""How a request is received: limited in bytes, and in the time that its sender may take."""

import asyncio
import time

from starlette.types import Message, Receive

PATIENCE_SECONDS = 30.0
"""For a body of any size; a large one gets a second more for each SLOWEST bytes that have come."""
SLOWEST = 8_000
LATE = "The request took too long to arrive."


class Body:
    """A request's `receive` that ends with a disconnect if the body is too large or comes too slowly.

    `fault` is then the status of the answer, otherwise 0.
    """

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._left = most
        self._ends = time.monotonic() + PATIENCE_SECONDS
        self._complete = False
        self.fault = 0

    async def __call__(self) -> Message:
        if self._complete:  # After that, the only message is that the client is gone, whenever that comes.
            return await self._receive()
        try:
            async with asyncio.timeout(self._ends - time.monotonic()):
                message = await self._receive()
        except TimeoutError:
            return self._end(408)
        size = len(message.get("body", b""))
        self._left -= size
        self._ends += size / SLOWEST
        if self._left < 0:
            return self._end(413)
        self._complete = not message.get("more_body", False)
        return message

    def _end(self, fault: int) -> Message:
        self.fault, self._complete = fault, True
        return {"type": "http.disconnect"}
