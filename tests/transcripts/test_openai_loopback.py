"""The loopback server, held against the real SDK with its answers checked strictly."""

import time
from collections.abc import Iterator

import openai
import pytest

from tests.loopback_openai import LoopbackOpenAI, running


@pytest.fixture
def server() -> Iterator[LoopbackOpenAI]:
    with running() as loopback:
        yield loopback


@pytest.fixture
def client(server: LoopbackOpenAI) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=server.base_url, api_key=server.key, max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


def upload(client: openai.OpenAI, text: str = "Fares rose on every route.", name: str = "a.txt") -> str:
    return client.files.create(file=(name, text.encode()), purpose="assistants").id


def store_with(client: openai.OpenAI, *texts: str) -> tuple[str, list[str]]:
    store = client.vector_stores.create(name="calls", metadata={"made": "by a test"})
    files = [upload(client, text) for text in texts]
    for number, file_id in enumerate(files):
        client.vector_stores.files.create_and_poll(
            file_id,
            vector_store_id=store.id,
            attributes={"slug": f"call-{number}", "year": 2020 + number},
            max_wait_seconds=5,
        )
    return store.id, files


def test_an_attached_file_is_in_progress_first_and_completed_later(
    server: LoopbackOpenAI, client: openai.OpenAI
) -> None:
    server.indexing = 0.1
    store = client.vector_stores.create(name="calls")
    file_id = upload(client)
    attached = client.vector_stores.files.create(store.id, file_id=file_id)
    done = client.vector_stores.files.poll(file_id, vector_store_id=store.id, max_wait_seconds=5)
    assert (attached.status, done.status) == ("in_progress", "completed")


def test_a_file_that_cannot_be_indexed_ends_failed_with_the_reason(
    server: LoopbackOpenAI, client: openai.OpenAI
) -> None:
    server.refusals["secret marker"] = ("unsupported_file", "The file type is not supported.")
    store_id, (file_id,) = store_with(client, "holds the secret marker")
    file = client.vector_stores.files.retrieve(file_id, vector_store_id=store_id)
    assert file.last_error is not None
    assert (file.status, file.last_error.code) == ("failed", "unsupported_file")


def test_a_missing_store_file_or_attachment_is_404(client: openai.OpenAI) -> None:
    store = client.vector_stores.create(name="calls")
    file_id = upload(client)
    for call in (
        lambda: client.vector_stores.retrieve("vs_none"),
        lambda: client.files.retrieve("file-none"),
        lambda: client.vector_stores.files.retrieve(file_id, vector_store_id=store.id),
        lambda: client.vector_stores.files.create(store.id, file_id="file-none"),
    ):
        with pytest.raises(openai.NotFoundError) as caught:
            call()
        assert caught.value.request_id


def test_updated_attributes_show_in_filters_and_results(client: openai.OpenAI) -> None:
    store_id, (file_id,) = store_with(client, "Load factors held.")
    client.vector_stores.files.update(file_id, vector_store_id=store_id, attributes={"sector": "rail"})
    hits = client.vector_stores.search(
        store_id, query="load", filters={"type": "eq", "key": "sector", "value": "rail"}
    ).data
    assert [hit.attributes for hit in hits] == [{"sector": "rail"}]


def test_deleting_a_file_takes_it_out_of_its_store(client: openai.OpenAI) -> None:
    store_id, (file_id,) = store_with(client, "Load factors held.")
    client.files.delete(file_id)
    assert client.vector_stores.files.list(store_id).data == []


def test_deleting_from_a_store_keeps_the_file(client: openai.OpenAI) -> None:
    store_id, (file_id,) = store_with(client, "Load factors held.")
    client.vector_stores.files.delete(file_id, vector_store_id=store_id)
    assert client.files.retrieve(file_id).id == file_id


def test_the_same_text_twice_is_two_files(client: openai.OpenAI) -> None:
    assert upload(client) != upload(client)


def test_a_post_repeated_after_a_time_out_happened_twice(
    server: LoopbackOpenAI, client: openai.OpenAI
) -> None:
    server.fail("POST", "/files", delay=1.0)
    patient = client.with_options(timeout=0.3, max_retries=1)
    upload(patient)
    until = time.monotonic() + 5
    while len(server.files) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    assert len(server.files) == 2


def test_search_gives_scored_passages_best_first(client: openai.OpenAI) -> None:
    store_id, files = store_with(client, "Hotels in the city.", "Airline fares and hotels.")
    hits = client.vector_stores.search(store_id, query="airline fares", max_num_results=50).data
    assert [hit.file_id for hit in hits] == files[::-1]
    assert all(0 <= hit.score <= 1 and hit.content[0].type == "text" for hit in hits)


@pytest.mark.parametrize("most", [0, 51])
def test_search_takes_1_to_50_results(server: LoopbackOpenAI, client: openai.OpenAI, most: int) -> None:
    server.checks_requests = False
    store_id, _ = store_with(client)
    with pytest.raises(openai.BadRequestError):
        client.vector_stores.search(store_id, query="fares", max_num_results=most)


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ({"type": "eq", "key": "year", "value": 2021}, {"call-1"}),
        ({"type": "ne", "key": "year", "value": 2021}, {"call-0", "call-2"}),
        ({"type": "gt", "key": "year", "value": 2021}, {"call-2"}),
        ({"type": "gte", "key": "year", "value": 2021}, {"call-1", "call-2"}),
        ({"type": "lt", "key": "year", "value": 2021}, {"call-0"}),
        ({"type": "lte", "key": "year", "value": 2021}, {"call-0", "call-1"}),
        ({"type": "in", "key": "slug", "value": ["call-0", "call-2"]}, {"call-0", "call-2"}),
        ({"type": "nin", "key": "slug", "value": ["call-0", "call-2"]}, {"call-1"}),
        (
            {
                "type": "and",
                "filters": [
                    {"type": "gte", "key": "year", "value": 2021},
                    {
                        "type": "or",
                        "filters": [
                            {"type": "eq", "key": "slug", "value": "call-0"},
                            {"type": "eq", "key": "slug", "value": "call-2"},
                        ],
                    },
                ],
            },
            {"call-2"},
        ),
    ],
)
def test_every_filter_operator_works_nested_or_not(
    client: openai.OpenAI,
    condition: object,
    found: set[str],
) -> None:
    store_id, _ = store_with(client, "fares", "fares", "fares")
    hits = client.vector_stores.search(store_id, query="fares", filters=condition).data  # type: ignore[arg-type]
    assert {hit.attributes["slug"] for hit in hits if hit.attributes} == found


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"type": "like", "key": "slug", "value": "call"},
        {"type": "eq", "key": "slug"},
        {"type": "eq", "key": "slug", "value": ["call-0"]},
        {"type": "in", "key": "slug", "value": "call-0"},
        {"type": "in", "key": "slug", "value": [None]},
        {"type": "and", "filters": []},
        {"type": "and", "filters": [{"type": "eq", "key": "slug", "value": None}]},
    ],
)
def test_a_filter_that_is_none_is_400_also_of_an_empty_store(
    client: openai.OpenAI, server: LoopbackOpenAI, condition: object
) -> None:
    server.checks_requests = False
    store_id, _ = store_with(client)
    with pytest.raises(openai.BadRequestError):
        client.vector_stores.search(store_id, query="fares", filters=condition)  # type: ignore[arg-type]


def test_an_update_replaces_all_attributes_and_true_is_not_1(client: openai.OpenAI) -> None:
    store_id, (file_id,) = store_with(client, "fares")
    client.vector_stores.files.update(file_id, vector_store_id=store_id, attributes={"open": True})
    for value, found in ((True, 1), (1, 0)):
        hits = client.vector_stores.search(
            store_id, query="fares", filters={"type": "eq", "key": "open", "value": value}
        ).data
        assert [hit.attributes for hit in hits] == [{"open": True}] * found


def test_content_comes_in_pages_of_text_parts(client: openai.OpenAI) -> None:
    text = " ".join(f"word{number}" for number in range(700))
    store_id, (file_id,) = store_with(client, text)
    parts: list[str] = []
    query: dict[str, object] | None = None
    while True:
        page = client.vector_stores.files.content(file_id, vector_store_id=store_id, extra_query=query)
        parts += [part.text or "" for part in page.data]
        rest = page.model_extra or {}
        if not rest["has_more"]:
            break
        query = {"page": rest["next_page"]}
    assert len(parts) > 2
    assert "".join(parts) == text


def test_a_file_for_assistants_cannot_be_downloaded(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        client.files.content(upload(client))


@pytest.mark.parametrize(
    "attributes",
    [
        {f"key{number}": 1 for number in range(17)},
        {"k" * 65: "v"},
        {"k": "v" * 513},
        {"k": {"nested": 1}},
        {"k": ["list"]},
        {"k": None},
    ],
)
def test_attributes_that_break_the_rules_are_400(
    client: openai.OpenAI, server: LoopbackOpenAI, attributes: object
) -> None:
    server.checks_requests = False
    store_id, _ = store_with(client)
    file_id = upload(client)
    with pytest.raises(openai.BadRequestError):
        client.vector_stores.files.create(store_id, file_id=file_id, attributes=attributes)  # type: ignore[arg-type]


def test_lists_come_in_pages_and_lose_nothing(server: LoopbackOpenAI, client: openai.OpenAI) -> None:
    server.page_size = 2
    store_id, files = store_with(client, "one", "two", "three", "four", "five")
    listed = [file.id for file in client.vector_stores.files.list(store_id, limit=100, order="asc")]
    assert listed == files


def test_a_wrong_key_is_401(server: LoopbackOpenAI, client: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-other").files.list()


def test_an_expired_store_is_listed_and_refuses_search(server: LoopbackOpenAI, client: openai.OpenAI) -> None:
    store = server.add_store(expired=True)
    assert client.vector_stores.retrieve(store.id).status == "expired"
    with pytest.raises(openai.BadRequestError):
        client.vector_stores.search(store.id, query="fares")


def test_a_full_quota_refuses_uploads(server: LoopbackOpenAI, client: openai.OpenAI) -> None:
    server.quota_bytes = 3
    with pytest.raises(openai.RateLimitError) as caught:
        upload(client)
    assert caught.value.code == "insufficient_quota"


def test_a_fault_may_come_before_or_after_the_work(server: LoopbackOpenAI, client: openai.OpenAI) -> None:
    server.fail("POST", "/files", status=500)
    server.fail("POST", "/files", status=500, performed=True)
    server.fail("POST", "/files", dropped=True)
    server.fail("POST", "/files", dropped=True, performed=True)
    kept = []
    for error in (
        openai.InternalServerError,
        openai.InternalServerError,
        openai.APIConnectionError,
        openai.APIConnectionError,
    ):
        with pytest.raises(error):
            upload(client)
        kept.append(len(server.files))
    assert kept == [0, 1, 1, 2]


def test_too_many_requests_says_when_to_come_back(server: LoopbackOpenAI, client: openai.OpenAI) -> None:
    server.fail("GET", "/files", status=429, headers={"Retry-After": "1"})
    with pytest.raises(openai.RateLimitError) as caught:
        client.files.list()
    assert caught.value.response.headers["retry-after"] == "1"
    assert client.files.list().data == []
