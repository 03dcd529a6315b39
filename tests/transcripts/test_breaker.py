"""A store that fails is left alone for a while."""

import asyncio
import threading
import time

import pytest

from transcripts.stores.base import StoreUnavailable
from transcripts.stores.breaker import Breaker, LeftAlone

PAUSE = 30.0


class Clock:
    """The time as the breaker sees it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        # Not the module's function itself, which the event loop needs.
        monkeypatch.setattr("transcripts.stores.breaker.time", self)

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def ask(breaker: Breaker, *, fails: bool = False, retry_after: float = 0) -> None:
    with breaker.asking():
        if fails:
            raise StoreUnavailable("It did not answer.", retry_after=retry_after)


def fail(breaker: Breaker, **options: float) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        ask(breaker, fails=True, **options)
    assert not isinstance(caught.value, LeftAlone)


def pauses(breaker: Breaker, clock: Clock) -> float:
    """For how many seconds from now nobody asks."""
    for second in range(1000):
        try:
            with breaker.asking():
                raise KeyError
        except LeftAlone:
            clock.now += 1
        except KeyError:
            return second
    raise AssertionError


def test_after_a_failure_nobody_asks_for_the_pause(clock: Clock) -> None:
    breaker = Breaker(PAUSE)
    fail(breaker)
    assert pauses(breaker, clock) == PAUSE


def test_an_answer_ends_the_pause_at_once(clock: Clock) -> None:
    breaker = Breaker(PAUSE)
    fail(breaker)
    clock.now += PAUSE
    ask(breaker)
    assert breaker.closed
    ask(breaker)


def test_each_failure_after_a_pause_doubles_it_up_to_five_minutes(clock: Clock) -> None:
    breaker, found = Breaker(PAUSE), []
    for _ in range(6):
        fail(breaker)
        found.append(pauses(breaker, clock))
    assert found == [30, 60, 120, 240, 300, 300]
    ask(breaker)
    fail(breaker)
    assert pauses(breaker, clock) == 30


def test_a_store_that_says_when_is_left_alone_until_then_up_to_five_minutes(clock: Clock) -> None:
    for wanted, seconds in ((5, 30), (90, 90), (86_400, 300)):
        breaker = Breaker(PAUSE)
        fail(breaker, retry_after=wanted)
        assert pauses(breaker, clock) == seconds


def test_one_question_finds_out_while_the_others_do_not_wait(clock: Clock) -> None:
    breaker = Breaker(PAUSE)
    fail(breaker)
    clock.now += PAUSE
    with breaker.asking():
        for _ in range(3):
            with pytest.raises(LeftAlone):
                ask(breaker)
    ask(breaker)


def test_failures_of_questions_asked_together_count_as_one(clock: Clock) -> None:
    breaker = Breaker(PAUSE)

    async def together() -> None:
        async def one() -> None:
            with pytest.raises(StoreUnavailable), breaker.asking():  # noqa: PT012 (one question)
                await asyncio.sleep(0.01)
                raise StoreUnavailable("It did not answer.")

        await asyncio.gather(*(one() for _ in range(10)))

    asyncio.run(together())
    assert pauses(breaker, clock) == PAUSE


def test_a_question_that_is_given_up_leaves_the_next_one_to_find_out(clock: Clock) -> None:
    breaker = Breaker(PAUSE)
    fail(breaker)
    clock.now += PAUSE
    with pytest.raises(asyncio.CancelledError), breaker.asking():
        raise asyncio.CancelledError
    ask(breaker)


def test_without_a_pause_each_question_is_asked(clock: Clock) -> None:
    breaker = Breaker(0)
    for _ in range(3):
        fail(breaker, retry_after=60)


def test_of_many_threads_one_finds_out() -> None:
    breaker, asked, refused = Breaker(0.05), [], []
    fail(breaker)
    time.sleep(0.06)
    together = threading.Barrier(8)

    def one() -> None:
        together.wait()
        try:
            with breaker.asking():
                asked.append(1)
                time.sleep(0.05)
                raise StoreUnavailable("It did not answer.")
        except LeftAlone:
            refused.append(1)
        except StoreUnavailable:
            pass

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(asked), len(refused)) == (1, 7)
