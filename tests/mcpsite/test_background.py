"""A long job takes what others leave, and no longer if there are none."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mcpsite.core import background

WORKED = """
import os, time
os.sched_setaffinity(0, {processor})
from mcpsite.core.background import Rests
rests, rested, worked = Rests(), 0.0, 0.0
for _ in range(5):
    began = time.perf_counter()
    while time.perf_counter() - began < 0.1:
        pass
    worked += time.perf_counter() - began
    rested += rests.take()
print(rested / worked)
"""

pytestmark = pytest.mark.skipif(not background._WAITED.exists(), reason="only Linux tells how long it was")


@contextmanager
def occupied(processor: int) -> Iterator[None]:
    """While somebody else computes on this processor without a pause."""
    code = f"import os; os.sched_setaffinity(0, {{{processor}}}); print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout
            other.stdout.readline()
            yield
        finally:
            other.kill()


def rested(processor: int) -> float:
    """How long a job on this processor rests, as a part of the time that it works."""
    done = subprocess.run(
        [sys.executable, "-c", WORKED.format(processor={processor})],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def test_a_job_rests_where_it_has_to_share_a_processor_but_at_most_twice_as_long_as_it_works() -> None:
    processor = min(os.sched_getaffinity(0))

    with occupied(processor):
        part = rested(processor)

    assert 0.5 < part <= 1.1 * background.MOST


def test_a_job_does_not_rest_where_the_system_does_not_tell_how_long_it_waited(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(background, "_WAITED", tmp_path / "missing")
    rests = background.Rests()

    assert rests.take() == 0


def test_a_rest_is_short_however_long_the_job_waited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = tmp_path / "schedstat"
    monkeypatch.setattr(background, "_WAITED", told)
    monkeypatch.setattr(background, "LONGEST_SECONDS", 0.02)
    told.write_text("0 0 0")
    rests = background.Rests()
    time.sleep(0.1)
    told.write_text(f"0 {60 * 10**9} 0")

    assert rests.take() == 0.02
