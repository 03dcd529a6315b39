"""What a process computes ahead, so that the first caller after a change of the data need not wait.

An app defines it in its `warming.py`, found like its `tools.py`: a function `warm()` that checks whether
its data have changed, and costs next to nothing if they have not.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from mcpsite.core.contributions import contributed
from mcpsite.mcp.database import in_database

logger = logging.getLogger(__name__)

SECONDS = 0.5
"""Between two looks."""


@asynccontextmanager
async def keep_warm() -> AsyncIterator[None]:
    """Look again and again while the block runs."""
    task = asyncio.create_task(_look())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _look() -> None:
    functions = list(contributed("warming", "warm"))
    failed = False
    while functions:
        try:
            for warm in functions:
                await in_database(warm)
            failed = False
        except Exception:
            # The calls themselves will fail, too, and say why; here it is logged once.
            if not failed:
                logger.exception("What calls need could not be computed ahead")
            failed = True
        await asyncio.sleep(SECONDS)
