"""The company's identity provider: npm `oidc-provider` in a process of its own, on loopback."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class Provider:
    """A running provider, and what its administrators may do while it runs.

    Its accounts sign in with a login name and a password; their subject is not their login name.
    """

    def __init__(self, process: subprocess.Popen[str], accounts: dict[str, dict[str, Any]]) -> None:
        self._process = process
        self._accounts = accounts
        self._clients: list[dict[str, Any]] = []
        self.issuer: str = self._heard()["issuer"]

    def set(self, **settings: object) -> None:
        """Change settings of provider.mjs: keys, seconds, delay, registration, resources …"""
        self._tell({"set": settings})

    def account(self, login: str, **changes: object) -> None:
        """Make an account or change one: password, name, email, email_verified, groups."""
        known = self._accounts.setdefault(login, {"password": password(login), "groups": []})
        known.update(changes)
        self.set(accounts=self._accounts)

    def application(self, client_id: str, client_secret: str, **metadata: object) -> None:
        """Know one of the company's own applications, with redirect_uris and whatever else is given."""
        self._clients = [each for each in self._clients if each["client_id"] != client_id]
        self._clients.append({"client_id": client_id, "client_secret": client_secret, **metadata})
        self.set(clients=self._clients)

    def go_away(self) -> None:
        """Leave the network: connections are refused until `come_back`. Nothing is forgotten."""
        self._tell({"listen": False})

    def come_back(self) -> None:
        self._tell({"listen": True})

    def _tell(self, message: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        self._heard()

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the provider ended; its log says why")
        heard: dict[str, Any] = json.loads(line)
        return heard


def password(login: str) -> str:
    """The password of an account for which no other was set."""
    return f"a password of {login}"


@contextmanager
def providing(node: Path, log: Path, **settings: object) -> Iterator[Provider]:
    """A provider with these settings of provider.mjs: alice is in the group `staff`, bob in none."""
    accounts = {
        login: {
            "password": password(login),
            "name": login.capitalize(),
            "email": f"{login}@example.com",
            "groups": groups,
        }
        for login, groups in (("alice", ["staff"]), ("bob", []))
    }
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [str(node), "provider.mjs", json.dumps({"accounts": accounts, **settings})],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield Provider(process, accounts)
        finally:
            # It ends when nobody talks to it any more.
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=30)
