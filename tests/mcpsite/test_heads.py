"""The head of a request through the real server: long enough for every token, and never endless."""

import socket

import httpx2
import pytest

from access.tokens import MAX_TOKEN_BYTES
from mcpsite.heads import MOST_BYTES
from tests.site import Site

PLENTY = 40 * MOST_BYTES
BEGUN = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def of_length(site: Site) -> dict[int, str]:
    """Good tokens of an administrator who is in very many groups, by about how many bytes they have."""
    lengths = (12_000, MAX_TOKEN_BYTES, MAX_TOKEN_BYTES + 100)
    printed = site.shell(
        "from access import signing\n"
        "from django.contrib.auth.models import User\n"
        "pk = signing.subject_of(User.objects.filter(is_superuser=True).first())\n"
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
    pieces = [b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}', *[b" " * 64] * 4096]
    answer = httpx2.post(site.url, content=iter(pieces), headers=site.headers(token), timeout=60)
    assert answer.status_code == 200
