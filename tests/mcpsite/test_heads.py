"""The head of a request through the real server: long enough for every token, and never endless."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import httpx2
import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from mcpsite.access.tokens import MAX_TOKEN_BYTES
from mcpsite.web import heads
from mcpsite.web.heads import MOST_BYTES
from tests.site import Site, free_port

PLENTY = 40 * MOST_BYTES
BEGUN = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def of_length(site: Site) -> dict[int, str]:
    """Good tokens of an administrator who is in very many groups, by about how many bytes they have."""
    lengths = (12_000, MAX_TOKEN_BYTES, MAX_TOKEN_BYTES + 100)
    printed = site.shell(
        "from mcpsite.access import signing\n"
        "from django.contrib.auth.models import User\n"
        "pk = signing.own_subject(User.objects.filter(is_superuser=True).first())\n"
        "def token(more): return signing.issue(pk, lifetime=60, client_id='c', more={'groups': more})\n"
        f"for length in {lengths}: print(token(['x' * ((length - len(token(['']))) * 3 // 4)]))"
    )
    return dict(zip(lengths, printed.split(), strict=True))


@pytest.mark.parametrize("length", [12_000, MAX_TOKEN_BYTES])
def test_the_token_of_somebody_in_very_many_groups_is_good(
    site: Site, of_length: dict[int, str], length: int
) -> None:
    token = of_length[length]
    assert length - 10 < len(token) <= length
    assert site.rpc(token, "tools/list").status_code == 200


def test_a_longer_token_is_refused_with_its_length_and_the_remedy(
    site: Site, of_length: dict[int, str]
) -> None:
    token = of_length[MAX_TOKEN_BYTES + 100]
    answer = site.rpc(token, "tools/list")
    said = answer.json()["error_description"]
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert f"{len(token):,} bytes" in said
    assert "fewer groups" in said
    assert said in answer.headers["www-authenticate"]
    assert token[:60] not in site.log.read_text()


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (BEGUN, b"X-Padding: " + b"x" * 1000 + b"\r\n"),
        (BEGUN + b"X-Padding: ", b"x" * 1000),
        (b"POST /", b"x" * 1000),
        (BEGUN + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Padding: ", b"x" * 1000),
    ],
    ids=["many headers", "one header", "the request line", "a trailer"],
)
def test_a_head_without_end_is_cut_off_and_others_are_served_on(
    site: Site, begin: bytes, piece: bytes
) -> None:
    with socket.create_connection(("localhost", site.port), timeout=20) as client:
        client.sendall(begin)
        with pytest.raises(ConnectionError):
            client.sendall(piece * (PLENTY // len(piece)))
    assert httpx2.get(f"{site.origin}/healthz").status_code == 200


def test_a_body_in_many_pieces_is_no_head(site: Site, token: str) -> None:
    pieces = [b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}', *[b" " * 64] * 4000]
    answer = httpx2.post(site.url, content=iter(pieces), headers=site.headers(token), timeout=60)
    assert answer.status_code == 200


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server that waits for heads for a fifth of a second."""
    monkeypatch.setattr(heads, "PATIENCE_SECONDS", 0.2)
    config = uvicorn.Config(_answer, port=free_port(), http=heads.Protocol, ws="none", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield config.port
    server.should_exit = True
    thread.join(10)


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(0.4)
    await PlainTextResponse("answered")(scope, receive, send)


@pytest.mark.parametrize(
    "begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: l\r\n", b"GET / HTTP/1.1\r\nHost: l\r\nX-Long: "]
)
def test_a_head_that_does_not_end_is_not_waited_for(impatient: int, begun: bytes) -> None:
    with socket.create_connection(("127.0.0.1", impatient), timeout=5) as client:
        client.sendall(begun)
        assert client.recv(100) == b""


def test_an_answer_and_the_next_request_have_all_the_time_they_need(impatient: int) -> None:
    with httpx2.Client(base_url=f"http://127.0.0.1:{impatient}") as http:
        for _ in range(2):
            assert http.get("/").text == "answered"
            time.sleep(0.3)


def test_a_second_request_whose_head_does_not_end_is_cut_off_too(impatient: int) -> None:
    with socket.create_connection(("127.0.0.1", impatient), timeout=5) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: l\r\n\r\n")
        assert client.recv(1000).endswith(b"answered")
        client.sendall(b"GET / HTTP/1.1\r\n")
        assert client.recv(100) == b""
