"""How the database threads are shared out among the sources of data, and among people."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mcpsite.mcp.shares import (
    Shares,
    Work,
    current_work,
    of_one_person,
    of_one_person_in_one_source,
    of_one_source,
    work_of,
)


async def taken(shares: Shares, source: str, count: int) -> list["asyncio.Task[None]"]:
    tasks = [asyncio.create_task(shares.acquire(source)) for _ in range(count)]
    await asyncio.sleep(0.01)
    return tasks


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await story()

    asyncio.run(bounded())


@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 1), (4, 3), (8, 6), (32, 24)])
def test_one_source_leaves_a_quarter_of_the_threads_to_the_others(threads: int, most: int) -> None:
    async def story() -> None:
        shares = Shares(of_one_source(threads))
        tasks = await taken(shares, "slow", threads + 1)
        assert sum(task.done() for task in tasks) == most
        assert (await taken(shares, "quick", 1))[0].done()
        for task in tasks:
            task.cancel()

    run(story)


def test_the_sites_own_work_is_never_held_up() -> None:
    async def story() -> None:
        assert all(task.done() for task in await taken(Shares(2), "", 50))

    run(story)


def test_who_waits_comes_next_in_the_order_of_coming() -> None:
    async def story() -> None:
        shares = Shares(1)
        tasks = await taken(shares, "slow", 3)
        shares.release("slow")
        await asyncio.sleep(0.01)
        assert [task.done() for task in tasks] == [True, True, False]
        shares.release("slow")
        await tasks[2]

    run(story)


def test_who_gives_up_waiting_keeps_nobody_from_coming_next() -> None:
    async def story() -> None:
        shares = Shares(1)
        _, impatient, patient = await taken(shares, "slow", 3)
        impatient.cancel()
        shares.release("slow")
        await patient
        shares.release("slow")
        await shares.acquire("slow")

    run(story)


def test_who_gives_up_as_their_turn_comes_passes_it_on() -> None:
    async def story() -> None:
        shares = Shares(1)
        _, impatient, patient = await taken(shares, "slow", 3)
        shares.release("slow")
        await asyncio.sleep(0)  # The turn has come, and the task has not run yet.
        impatient.cancel()
        await patient

    run(story)


def test_waiting_in_an_event_loop_that_ended_keeps_nobody_from_coming_next() -> None:
    shares = Shares(1)

    async def leave_waiting() -> None:
        await taken(shares, "slow", 2)

    run(leave_waiting)

    async def story() -> None:
        waiting = await taken(shares, "slow", 1)
        shares.release("slow")
        await waiting[0]

    run(story)


@pytest.mark.parametrize("threads", [5, 6, 8, 16, 33])
def test_one_person_takes_not_even_by_two_ways_all_threads(threads: int) -> None:
    assert 2 * of_one_person(threads) < threads


@pytest.mark.parametrize("threads", [4, 5, 6, 8, 16, 33])
def test_one_person_leaves_threads_of_a_source_to_others_and_their_other_tools_to_themselves(
    threads: int,
) -> None:
    assert of_one_person_in_one_source(threads) < of_one_person(threads) < of_one_source(threads)


def test_what_work_is_for_is_known_in_its_block_alone() -> None:
    with work_of("fares", "alice"):
        assert current_work() == Work("fares", "alice")
    assert current_work() == Work("", "")
