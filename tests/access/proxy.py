"""A proxy on loopback between `doctor` and the real server, which can get in the way as proxies do."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from tests.loopback_http import Handler, listening

Alter = Callable[[str, dict[str, Any], "Reply"], None]
"""Is told the path and the JSON-RPC message (or {}), and changes the reply."""


class Reply:
    """What goes back to the client."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.status = answer.status_code
        self.headers = {
            name: answer.headers[name]
            for name in ("content-type", "www-authenticate", "location")
            if name in answer.headers
        }
        self.body = answer.content

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value

    @json.setter
    def json(self, value: object) -> None:
        self.body = json.dumps(value).encode()


@contextmanager
def proxy(target: str, alter: Alter) -> Iterator[str]:
    """The origin of a proxy to the origin `target`, until the end of the block."""

    class Answering(Handler):
        def get(self) -> None:
            self.forward(b"")

        def post(self) -> None:
            self.forward(self.read_body())

        def forward(self, body: bytes) -> None:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            answer = httpx2.request(
                self.command, f"{target}{self.path}", content=body, headers=headers, timeout=60
            )
            reply = Reply(answer)
            alter(self.path, json.loads(body) if body else {}, reply)
            self.answer(reply.status, reply.body, reply.headers)

    with listening(Answering) as port:
        yield f"http://127.0.0.1:{port}"
