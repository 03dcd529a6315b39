"""Whether a server can listen where it is told to, and what it says where it cannot."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mcpsite.web import listening
from tests.site import free_port
from tests.unprivileged import unprivileged

PORT = 81
UNPRIVILEGED_FROM = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


@contextmanager
def taken(host: str, port: int) -> Iterator[None]:
    """Something that listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family):
        yield


def refusal(host: str, port: int) -> str:
    with pytest.raises(listening.CannotListen) as told:
        listening.where(host, port)
    return str(told.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "0.0.0.0", "::1", "::"])
def test_a_free_port_is_listened_on_under_the_name_that_was_given(host: str) -> None:
    assert listening.where(host, free_port()) == host


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("other", ["127.0.0.1", "0.0.0.0"])
def test_a_port_that_is_taken_is_told_with_a_free_one(host: str, other: str) -> None:
    port = free_port()
    with taken(other, port):
        said = refusal(host, port)
        assert f"Port {port} is in use" in said
        proposed = int(said.partition(": PORT=")[2].split()[0])
        assert listening.where(host, proposed) == host


def test_a_port_that_was_just_in_use_is_free() -> None:
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", port)) as server,
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        accepted, _ = server.accept()
        accepted.close()
        client.recv(1)
    assert listening.where("127.0.0.1", port) == "127.0.0.1"


@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7"])
def test_an_address_of_another_machine_is_told(host: str) -> None:
    said = refusal(host, free_port())
    assert f"HOST is {host}, which is not an address of this machine." in said
    assert "Set HOST to localhost" in said


@pytest.mark.parametrize("host", ["no-such-host.invalid", "300.1.1.1", "a" * 70, "."])
def test_a_name_that_nobody_knows_is_told(host: str) -> None:
    assert "Set HOST to localhost" in refusal(host, free_port())


@pytest.mark.skipif(
    UNPRIVILEGED_FROM.exists() and int(UNPRIVILEGED_FROM.read_text()) <= PORT,
    reason="here every account may listen on every port",
)
def test_a_port_for_others_is_told() -> None:
    with unprivileged():
        said = refusal("localhost", PORT)
    assert f"This account may not use port {PORT}" in said
    assert "Set PORT to 1024 or more" in said


def test_an_address_that_is_switched_off_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `localhost` where it stands for ::1 too and IPv6 is switched off: here for another machine's."""
    port = free_port()
    both = [(socket.AF_INET, ("192.0.2.7", port)), (socket.AF_INET, ("127.0.0.1", port))]
    monkeypatch.setattr(listening, "_bind_addresses", lambda *_: both)
    assert listening.where("localhost", port) == "127.0.0.1"
