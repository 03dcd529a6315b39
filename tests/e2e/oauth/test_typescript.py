"""The whole dance by the TypeScript SDK, version 1 and version 2."""

import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.access.oauth.person import Person
from tests.e2e.oauth.conftest import SignIn

pytestmark = pytest.mark.e2e


def dance(node: Path, version: str, sign_in: SignIn, person: Person) -> dict[str, Any]:
    """Run a client; `person` goes where it sends them. What it found."""
    command = [str(node), "dance.mjs", version, sign_in.site.url, sign_in.issuer]
    with subprocess.Popen(
        command,
        cwd=Path(__file__).parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        assert client.stderr is not None
        for line in client.stdout:
            said: dict[str, Any] = json.loads(line)
            if "open" not in said:
                return said
            client.stdin.write(urlencode(person.connect(said["open"])) + "\n")
            client.stdin.flush()
        raise AssertionError(client.stderr.read())


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_whole_dance_register_sign_in_consent_token_list_call_refresh_revoke(
    node: Path, sign_in: SignIn, alice: Person, version: str
) -> None:
    found = dance(node, version, sign_in, alice)
    assert {"airfare_trend_insights", "search", "fetch"} <= set(found["tools"])
    assert (found["rows"], found["rowsAfterRefresh"]) == (2, 1)
    assert found["refreshed"] is True
    assert (found["opened"], alice.consents) == (
        1,
        1,
    )  # The person was asked once: the refresh needed nobody.
    assert (found["revoked"], found["refused"]) == (200, "invalid_grant")
