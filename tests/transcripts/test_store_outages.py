"""A real site whose vector store fails in every way: the local index answers, at once and saying so."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.loopback_openai import LoopbackOpenAI
from tests.loopback_openai import running as running_openai
from tests.site import Site, running
from tests.transcripts.test_openai_answers import OTHERS

SEARCH = r"/vector_stores/\w+/search"
TIMEOUT = 1.0
PAUSE = 1.0
FALLBACK = "The vector store did not answer; this comes from the local index."


@pytest.fixture(scope="module")
def openai() -> Iterator[LoopbackOpenAI]:
    with running_openai() as loopback:
        yield loopback


@pytest.fixture(scope="module", params=["openai", "hybrid"])
def site(openai: LoopbackOpenAI, request: pytest.FixtureRequest) -> Iterator[Site]:
    settings = {
        "TRANSCRIPT_STORE": request.param,
        "OPENAI_API_KEY": openai.key,
        "OPENAI_BASE_URL": openai.base_url,
        "VECTOR_STORE_ID": openai.add_store().id,
        "OPENAI_TIMEOUT_SECONDS": str(TIMEOUT),
        "TRANSCRIPT_STORE_PAUSE_SECONDS": str(PAUSE),
    }
    with running(settings) as server:
        server.manage("upload_transcripts")
        yield server


@pytest.fixture(scope="module")
def token(site: Site) -> str:
    return site.token()


@pytest.fixture(autouse=True)
def _answering(openai: LoopbackOpenAI, site: Site, token: str) -> None:
    """The store answers when a test begins."""
    openai.recover()
    until = time.monotonic() + 20
    while search(site, token)[1]:
        assert time.monotonic() < until
        time.sleep(0.1)
    openai.requests.clear()


def search(site: Site, token: str) -> tuple[list[Any], str]:
    """What is found, and why another store answered."""
    result = site.call(token, "search", {"query": "premium cabin demand"})
    assert not result["isError"], result
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
    return result["structuredContent"]["results"], result.get("_meta", {}).get("mcpsite/fallback", "")


OUTAGES: dict[str, dict[str, Any]] = {
    **{name: wrong for name, (wrong, _) in OTHERS.items()},
    "an error of OpenAI's own": {"status": 500},
    "too many requests": {"status": 429},
    "a refused key": {"status": 401},
    "a connection that is cut": {"dropped": True},
    "no answer": {"delay": 5.0},
    "an answer that comes drop by drop": {"body": b" ", "endless": True, "delay": 0.2},
    "a result without a score": {"body": b'{"data": [{"file_id": "f", "score": null, "content": []}]}'},
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_the_local_index_answers_and_says_so(
    site: Site, token: str, openai: LoopbackOpenAI, outage: str
) -> None:
    openai.fail("POST", SEARCH, times=2, **OUTAGES[outage])
    found, reason = search(site, token)
    assert reason == FALLBACK
    assert found
    assert "Traceback" not in site.log.read_text()


def test_ten_searches_of_a_store_that_does_not_answer_wait_for_it_once(
    site: Site, token: str, openai: LoopbackOpenAI
) -> None:
    openai.fail("POST", SEARCH, delay=30.0, times=99)
    began = time.monotonic()
    answers = [search(site, token) for _ in range(10)]
    seconds = time.monotonic() - began
    assert all(found and reason == FALLBACK for found, reason in answers)
    assert openai.count("POST", SEARCH) <= 2
    began = time.monotonic()
    for _ in range(10):
        search(site, token)
    # One wait, and where the machine is slow one more for the question that finds out.
    assert seconds - (time.monotonic() - began) < 3 * TIMEOUT
