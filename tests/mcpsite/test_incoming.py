"""How much of what one caller sends is here at once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.types import Message

from mcpsite.access.caller import Claims
from mcpsite.access.limits import LimitExceeded
from mcpsite.core import receiving
from mcpsite.mcp import incoming
from mcpsite.mcp.incoming import LARGE_AT_ONCE, BodyRefused, Incoming
from mcpsite.mcp.messages import Malformed

SMALL = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
LARGE = SMALL + b" " * (incoming.SMALL + 1)


def claims(subject: str = "alice") -> Claims:
    return Claims(issuer="i", subject=subject, client_id="c", scopes=frozenset(), expires_at=9e9)


def sends(body: bytes, *, ends: bool = True) -> Callable[[], Awaitable[Message]]:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": not ends}]

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    return receive


def run(story: Callable[[Incoming], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await story(Incoming())

    asyncio.run(bounded())


def hold(here: Incoming, body: bytes, subject: str = "alice", *, ends: bool = True) -> "asyncio.Task[None]":
    """A message that is being answered, or sent, until the task is cancelled."""

    async def answer() -> None:
        async with here.message(sends(body, ends=ends), claims(subject)):
            await asyncio.Event().wait()

    return asyncio.create_task(answer())


async def read(here: Incoming, body: bytes, subject: str = "alice") -> str:
    async with here.message(sends(body), claims(subject)) as message:
        return message.method


@pytest.mark.parametrize("body", [SMALL, LARGE])
def test_a_message_is_read(body: bytes) -> None:
    async def story(here: Incoming) -> None:
        assert await read(here, body) == "ping"

    run(story)


@pytest.mark.parametrize("body", [b"x", b"x" * len(LARGE)])
def test_what_is_no_message_is_refused_whatever_its_length(body: bytes) -> None:
    async def story(here: Incoming) -> None:
        for _ in range(2 * LARGE_AT_ONCE):
            with pytest.raises(Malformed):
                await read(here, body)

    run(story)


def test_few_large_messages_are_answered_at_once_and_small_ones_do_not_wait_for_them() -> None:
    async def story(here: Incoming) -> None:
        busy = [hold(here, LARGE, str(n)) for n in range(LARGE_AT_ONCE)]
        await asyncio.sleep(0.1)
        waiting = asyncio.create_task(read(here, LARGE))
        assert await read(here, SMALL) == "ping"
        await asyncio.sleep(0.05)
        assert not waiting.done()
        busy[0].cancel()
        assert await waiting == "ping"
        for task in busy:
            task.cancel()

    run(story)


def test_who_waits_too_long_for_a_turn_is_told_to_come_back(settings: Any) -> None:
    settings.MCP_DEADLINE_SECONDS = 0.1

    async def story(here: Incoming) -> None:
        busy = [hold(here, LARGE, str(n)) for n in range(LARGE_AT_ONCE)]
        await asyncio.sleep(0.05)
        with pytest.raises(BodyRefused, match="try again") as refused:
            await read(here, LARGE)
        assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "60"})
        for task in busy:
            task.cancel()

    run(story)


def test_a_large_message_counts_among_its_callers_calls_before_it_is_parsed(settings: Any) -> None:
    settings.CONCURRENT_CALLS = 1

    async def story(here: Incoming) -> None:
        busy = [hold(here, LARGE, str(n)) for n in range(LARGE_AT_ONCE)]
        await asyncio.sleep(0.1)
        waiting = asyncio.create_task(read(here, LARGE))
        await asyncio.sleep(0.05)
        with pytest.raises(LimitExceeded):
            await read(here, b"x" * len(LARGE))
        for task in busy:
            task.cancel()
        assert await waiting == "ping"

    run(story)


def test_what_is_still_being_sent_uses_up_no_call_and_no_turn(settings: Any) -> None:
    settings.CONCURRENT_CALLS = 1

    async def story(here: Incoming) -> None:
        slow = [hold(here, LARGE, ends=False) for _ in range(LARGE_AT_ONCE + 1)]
        await asyncio.sleep(0.05)
        assert await read(here, LARGE) == "ping"
        for task in slow:
            task.cancel()

    run(story)


def test_one_caller_has_only_so_many_bytes_here_and_gets_the_room_back(settings: Any) -> None:
    most = settings.MCP_MAX_BODY_BYTES = 1024
    body = b"{" + b" " * (most - 1)

    async def story(here: Incoming) -> None:
        slow = [hold(here, body, ends=False) for _ in range(incoming.OF_ONE_CALLER)]
        await asyncio.sleep(0.05)
        with pytest.raises(BodyRefused, match="too much data at once") as refused:
            await read(here, SMALL)
        assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "1"})
        assert await read(here, SMALL, "bob") == "ping"
        for task in slow:
            task.cancel()
        await asyncio.sleep(0.05)
        assert await read(here, SMALL) == "ping"

    run(story)


def test_a_body_is_refused_as_soon_as_it_is_too_large_or_too_slow(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MCP_MAX_BODY_BYTES = 1024
    monkeypatch.setattr(receiving, "PATIENCE_SECONDS", 0.05)

    async def story(here: Incoming) -> None:
        for body, status in ((b"x" * 1025, 413), (b"x", 408)):
            with pytest.raises(BodyRefused) as refused:
                async with AsyncExitStack() as stack:
                    await stack.enter_async_context(here.message(sends(body, ends=False), claims()))
            assert refused.value.status == status

    run(story)
