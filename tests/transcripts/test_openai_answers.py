"""What answers in OpenAI's place, and what is said of it: the real SDK against the loopback server."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import openai
import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from tests.loopback_openai import LoopbackOpenAI, running
from tests.transcripts.openai_fixtures import make_transcript
from transcripts.doctor import about_services
from transcripts.models import Transcript, VectorStoreFile
from transcripts.stores.answers import BadSetting, NotOpenAI
from transcripts.stores.openai_client import api_error, listed, open_client
from transcripts.syncing import SyncStopped, sync, withdraw_files

HTML = {"Content-Type": "text/html; charset=utf-8"}
Wrong = dict[str, Any]

OTHERS: dict[str, tuple[Wrong, str]] = {
    "a sign-in page": ({"body": b"<html>Sign in</html>", "headers": HTML}, "answered with a web page"),
    "a page that refuses": (
        {"status": 403, "body": b"<html>Forbidden</html>", "headers": HTML},
        "answered with HTTP 403 and a web page",
    ),
    "a page that knows no such address": (
        {"status": 404, "body": b"<html>Not found</html>", "headers": HTML},
        "answered with HTTP 404 and a web page",
    ),
    "another API's 404": (
        {"status": 404, "body": b'{"detail": "Not Found"}'},
        "HTTP 404 and JSON that is not",
    ),
    "OpenAI's own 404 for a wrong path": (
        {"status": 404, "message": "Invalid URL (GET /files)"},
        "has no API at this address",
    ),
    "other JSON": ({"body": b'{"ok": true}'}, "answered with JSON that is not OpenAI's"),
    "a list": ({"body": b"[]"}, "answered with JSON that is not OpenAI's"),
    "null": ({"body": b"null"}, "answered with JSON that is not OpenAI's"),
    "nothing": ({"body": b""}, "answered with nothing"),
    "JSON that is cut off": ({"body": b'{"id": "x", "data": [{"id": '}, "broken or cut off"),
    "JSON in another encoding": ({"body": '{"id": "é"}'.encode("utf-16")}, "broken or cut off"),
    "JSON without a bottom": ({"body": b'{"x":' * 100_000}, "broken or cut off"),
    "JSON called text": (
        {"body": b"{}", "headers": {"Content-Type": "text/plain"}},
        "answered with text/plain",
    ),
    "a redirect": (
        {"status": 302, "body": b"", "headers": {"Location": "https://login.example/?next=secret"}},
        "redirects to login.example (HTTP 302)",
    ),
    "a redirect within": (
        {"status": 307, "body": b"", "headers": {"Location": "/login"}},
        "redirects to 127.0.0.1",
    ),
    "too much": ({"body": b" " * 1_000_000, "endless": True}, "answered with more than"),
}

FILE = "file-1"
STORE = "vs_1"
Call = Callable[[openai.AsyncOpenAI], Awaitable[object]]
CALLS: dict[str, tuple[str, str, Call]] = {
    "files.create": (
        "POST",
        "/files",
        lambda c: c.files.create(file=("a.txt", b"x", "text/plain"), purpose="assistants"),
    ),
    "files.list": ("GET", "/files", lambda c: _all(c.files.list(purpose="assistants"))),
    "files.retrieve": ("GET", "/files/.*", lambda c: c.files.retrieve(FILE)),
    "files.delete": ("DELETE", "/files/.*", lambda c: c.files.delete(FILE)),
    "stores.create": ("POST", "/vector_stores", lambda c: c.vector_stores.create(name="x")),
    "stores.list": ("GET", "/vector_stores", lambda c: _all(c.vector_stores.list())),
    "stores.retrieve": ("GET", "/vector_stores/.*", lambda c: c.vector_stores.retrieve(STORE)),
    "stores.delete": ("DELETE", "/vector_stores/.*", lambda c: c.vector_stores.delete(STORE)),
    "search": ("POST", ".*/search", lambda c: _search(c)),
    "attach": (
        "POST",
        ".*/files",
        lambda c: c.vector_stores.files.create(STORE, file_id=FILE, attributes={"a": "b"}),
    ),
    "attached.list": ("GET", ".*/files", lambda c: _all(c.vector_stores.files.list(STORE))),
    "attached.retrieve": (
        "GET",
        ".*/files/.*",
        lambda c: c.vector_stores.files.with_raw_response.retrieve(FILE, vector_store_id=STORE),
    ),
    "attached.update": (
        "POST",
        ".*/files/.*",
        lambda c: c.vector_stores.files.update(FILE, vector_store_id=STORE, attributes={}),
    ),
    "attached.delete": (
        "DELETE",
        ".*/files/.*",
        lambda c: c.vector_stores.files.delete(FILE, vector_store_id=STORE),
    ),
    "content": ("GET", ".*/content", lambda c: c.vector_stores.files.content(FILE, vector_store_id=STORE)),
}


async def _all(pages: Any) -> list[Any]:
    return [item async for item in listed(pages)]


async def _search(client: openai.AsyncOpenAI) -> Any:
    return (await client.vector_stores.search(STORE, query="fares", max_num_results=50)).data


@pytest.fixture(scope="module")
def machine() -> Iterator[LoopbackOpenAI]:
    with running() as loopback:
        yield loopback


@pytest.fixture
def server(machine: LoopbackOpenAI, settings: Settings) -> LoopbackOpenAI:
    """The module's server, empty and without faults; answers are checked as in production."""
    machine.recover()
    machine.files.clear()
    machine.stores.clear()
    settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = machine.key, machine.base_url
    settings.VECTOR_STORE_ID = ""
    return machine


def call(work: Call, *, timeout: float = 5.0) -> object:
    async def run() -> object:
        async with open_client(timeout=timeout, connections=1) as client:
            return await work(client)

    return asyncio.run(run())


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("name", CALLS)
def test_whatever_answers_in_openais_place_is_told_with_its_host_and_the_setting(
    server: LoopbackOpenAI, name: str, other: str
) -> None:
    method, path, work = CALLS[name]
    wrong, told = OTHERS[other]
    server.fail(method, path, **wrong)
    with pytest.raises(NotOpenAI) as caught:
        call(work)
    said = api_error(caught.value)
    assert said.startswith("127.0.0.1 ")
    assert told in said
    assert said.endswith("; check OPENAI_BASE_URL.")
    assert "secret" not in said


@pytest.mark.parametrize("name", CALLS)
def test_an_answer_without_an_end_ends_at_the_time_limit(server: LoopbackOpenAI, name: str) -> None:
    method, path, work = CALLS[name]
    server.fail(method, path, body=b" ", endless=True, delay=0.1)
    began = time.monotonic()
    with pytest.raises(openai.APITimeoutError):
        call(work, timeout=0.5)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=UTF-8", "application/x+json"]
)
def test_json_by_any_of_its_names_is_json(server: LoopbackOpenAI, kind: str) -> None:
    body = {"data": [{"file_id": "f", "filename": "", "score": 1, "attributes": None, "content": []}]}
    server.fail("POST", ".*/search", body=json.dumps(body).encode(), headers={"Content-Type": kind})
    results: Any = call(_search)
    assert [result.score for result in results] == [1]


GOOD = (
    '{"file_id": "f", "filename": "f.txt", "score": 0.5, "attributes": {}, '
    '"content": [{"type": "text", "text": "t"}]}'
)


@pytest.mark.parametrize(
    ("right", "wrong", "where"),
    [
        ("0.5", "null", "data.0.score"),
        ("0.5", '"0.5"', "data.0.score"),
        ("0.5", "NaN", "data.0.score"),
        ("0.5", "-Infinity", "data.0.score"),
        ("0.5", "true", "data.0.score"),
        ('"file_id": "f", ', "", "data.0.file_id"),
        ('"f"', '""', "data.0.file_id"),
        ('"t"', "null", "data.0.content.0.text"),
        ('[{"type": "text", "text": "t"}]', "null", "data.0.content"),
        ("{}", "[]", "data.0.attributes"),
        ("{}", '{"k": {}}', "data.0.attributes"),
    ],
)
def test_a_result_that_is_not_as_documented_is_named(
    server: LoopbackOpenAI, right: str, wrong: str, where: str
) -> None:
    body = f'{{"data": [{GOOD}, {GOOD}]}}'.replace(right, wrong, 1)
    server.fail("POST", ".*/search", body=body.encode())
    with pytest.raises(NotOpenAI, match=f"{where}.* is missing or of another kind"):
        call(_search)


def test_what_openai_adds_to_its_answers_does_no_harm(server: LoopbackOpenAI) -> None:
    body = f'{{"data": [{GOOD[:-1]}, "new": {{"deep": [null]}}}}], "also": NaN}}'
    server.fail("POST", ".*/search", body=body.encode())
    assert len(call(_search)) == 1  # type: ignore[arg-type]


def test_a_deletion_that_did_not_happen_is_no_deletion(server: LoopbackOpenAI) -> None:
    server.fail("DELETE", "/files/.*", body=b'{"id": "file-1", "object": "file", "deleted": false}')
    with pytest.raises(NotOpenAI):
        call(CALLS["files.delete"][2])


def test_a_list_that_leads_back_to_where_it_was_ends(server: LoopbackOpenAI) -> None:
    item = {
        "id": "file-1",
        "object": "file",
        "filename": "a",
        "created_at": 1,
        "bytes": 1,
        "purpose": "assistants",
    }
    body = json.dumps({"data": [item], "has_more": True}).encode()
    server.fail("GET", "/files", body=body, times=99)
    with pytest.raises(NotOpenAI, match="again and again"):
        call(CALLS["files.list"][2])


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        (
            "OPENAI_API_KEY",
            "“sk-quoted”",
            "OPENAI_API_KEY is empty or contains characters that a key cannot have",
        ),
        ("OPENAI_API_KEY", "sk-1\n", "OPENAI_API_KEY is empty or contains"),
        ("OPENAI_BASE_URL", "http://gateway:port/v1", "OPENAI_BASE_URL is not an address"),
    ],
)
def test_a_setting_that_no_call_can_be_made_with_is_told(
    server: LoopbackOpenAI, settings: Settings, setting: str, value: str, told: str
) -> None:
    setattr(settings, setting, value)
    with pytest.raises(BadSetting) as caught:
        call(CALLS["files.list"][2])
    assert told in api_error(caught.value)


# What the commands say


NAMED = ("a sign-in page", "other JSON", "null", "a redirect", "another API's 404")


def output(name: str, *arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises((SystemExit, CommandError)) as caught:
        call_command(name, *arguments)
    told = capsys.readouterr()
    assert "Traceback" not in told.out + told.err
    return " ".join(f"{told.out} {told.err} {caught.value}".split())


@pytest.mark.django_db
@pytest.mark.parametrize("other", NAMED)
def test_upload_transcripts_says_what_answered(
    server: LoopbackOpenAI, other: str, tmp_path: Any, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.STATE_DIR = tmp_path
    (tmp_path / "a.txt").write_text("Expert: Fares rose.")
    wrong, told = OTHERS[other]
    server.fail("*", ".*", times=99, **wrong)
    said = output("upload_transcripts", str(tmp_path), capsys=capsys)
    assert "The sync stopped: 127.0.0.1 " in said
    assert told in said
    assert "check OPENAI_BASE_URL." in said


@pytest.mark.django_db
@pytest.mark.parametrize("other", NAMED)
@pytest.mark.parametrize("path", ["/vector_stores/[^/]*/files", "/files/.*", ".*/content"])
def test_import_vector_store_says_what_answered_and_what_was_done(
    server: LoopbackOpenAI, other: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = server.add_store()
    server.add_file(store, "a.txt", "Expert: Fares rose.")
    wrong, told = OTHERS[other]
    server.fail("GET", path, times=99, **wrong)
    said = output("import_vector_store", store.id, capsys=capsys)
    assert "The import stopped: 127.0.0.1 " in said
    assert told in said
    assert "0 added, 0 linked" in said


@pytest.mark.django_db
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("path", ["/vector_stores/[^/]*", ".*/files"])
def test_doctor_says_what_answered(server: LoopbackOpenAI, other: str, path: str, settings: Settings) -> None:
    settings.VECTOR_STORE_ID = server.add_store().id
    wrong, told = OTHERS[other]
    server.fail("GET", path, times=99, **wrong)
    [finding] = about_services()
    assert finding.id == "vector-store-unreachable"
    assert told in finding.change
    assert finding.change.endswith("check OPENAI_BASE_URL.")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name",
    [
        *("files.create", "files.list", "files.delete", "stores.create", "stores.list", "stores.retrieve"),
        *("attach", "attached.list", "attached.retrieve", "attached.update"),
    ],
)
def test_a_sync_that_is_answered_by_another_stops_and_the_next_one_finishes(
    server: LoopbackOpenAI, name: str, settings: Settings, tmp_path: Any
) -> None:
    settings.STATE_DIR = tmp_path
    for slug in ("airlines", "cruises"):
        make_transcript(slug)
    if name not in ("stores.create", "stores.list"):
        settings.VECTOR_STORE_ID = sync().store_id
    make_transcript("hotels")
    Transcript.objects.filter(slug="airlines").update(title="Changed")
    Transcript.objects.filter(slug="cruises").delete()
    server.fail(CALLS[name][0], CALLS[name][1], times=99, performed=True, **OTHERS["a sign-in page"][0])
    with pytest.raises(SyncStopped, match=r"127\.0\.0\.1 answered with a web page"):
        sync()
    server.recover()
    settings.VECTOR_STORE_ID = sync().store_id
    held = server.stores[settings.VECTOR_STORE_ID].files
    assert sorted(each.attributes["slug"] for each in held.values()) == ["airlines", "hotels"]
    assert set(server.files) == set(held)


@pytest.mark.django_db
def test_a_page_in_openais_place_is_not_taken_for_a_file_that_is_gone(
    server: LoopbackOpenAI, settings: Settings, tmp_path: Any
) -> None:
    settings.STATE_DIR = tmp_path
    transcript = make_transcript("airlines")
    settings.VECTOR_STORE_ID = sync().store_id
    server.fail("*", ".*", times=99, **OTHERS["a page that knows no such address"][0])
    with pytest.raises(SyncStopped):
        withdraw_files({transcript.pk})
    assert VectorStoreFile.objects.count() == len(server.files) == 1
