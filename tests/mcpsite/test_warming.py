"""What is computed ahead, again and again, while a process serves."""

import asyncio
import logging

import pytest
from django.db import DatabaseError

from mcpsite.mcp import warming
from mcpsite.mcp.warming import keep_warm

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_app_looks_again_and_a_failure_is_logged_once_and_survived(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks: list[int] = []

    def warm() -> None:
        looks.append(len(looks))
        if len(looks) < 3:
            raise DatabaseError("away for a moment")

    monkeypatch.setattr(warming, "contributed", lambda *_: [warm])
    monkeypatch.setattr(warming, "SECONDS", 0.001)

    async def serve() -> None:
        async with keep_warm():
            while len(looks) < 5:
                await asyncio.sleep(0.001)
        seen = len(looks)
        await asyncio.sleep(0.01)
        assert len(looks) == seen

    with caplog.at_level(logging.ERROR):
        asyncio.run(asyncio.wait_for(serve(), 10))
    assert [record.getMessage() for record in caplog.records] == [
        "What calls need could not be computed ahead"
    ]
