"""Settings: what the environment's text means, and what is refused at start-up."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from mcpsite.core import conf
from tests.site import ROOT


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("https://data.example.com", "https://data.example.com/mcp"),
        ("https://data.example.com/", "https://data.example.com/mcp"),
        ("https://data.example.com/mcp", "https://data.example.com/mcp"),
        ("https://data.example.com/mcp/", "https://data.example.com/mcp"),
        ("https://Data.Example.com:8443/mcp", "https://data.example.com:8443/mcp"),
        ("http://localhost:8788", "http://localhost:8788/mcp"),
    ],
)
def test_the_resource_url_ends_at_the_endpoint(given: str, meant: str) -> None:
    assert conf.resource_url(given) == meant


@pytest.mark.parametrize(
    "given",
    [
        "data.example.com",
        "ftp://data.example.com",
        "https://",
        "https://a.example/other",
        "https://a.example?x=1",
    ],
)
def test_a_resource_url_that_names_no_endpoint_is_refused(given: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="RESOURCE_SERVER_URL"):
        conf.resource_url(given)


@pytest.mark.parametrize("url", ["http://localhost.attacker.example/", "http://localhost@attacker.example/"])
def test_a_name_that_only_looks_like_loopback_is_public(url: str) -> None:
    assert not conf.is_loopback(url)


def test_a_tunnel_works_by_setting_one_variable() -> None:
    url = conf.resource_url("https://abc.ngrok.example")
    assert "abc.ngrok.example" in conf.allowed_hosts(url, [])
    assert "https://abc.ngrok.example" in conf.allowed_origins(url, [])


def test_a_remembered_secret_is_its_owners_alone_and_stays(tmp_path: Path) -> None:
    first = conf.read_or_create(tmp_path / "secret", "one")
    assert conf.read_or_create(tmp_path / "secret", "two") == first == "one"
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"RESOURCE_SERVER_URL": "https://data.example.com", "SECRET_KEY": "x" * 60}, "AUTH0_ISSUER"),
        (
            {"RESOURCE_SERVER_URL": "https://data.example.com", "AUTH0_ISSUER": "https://id.example/"},
            "SECRET_KEY",
        ),
        ({"AUTH0_ISSUER": "http://id.example/"}, "AUTH0_ISSUER"),
        ({"CACHE_URL": "memcached://x"}, "CACHE_URL"),
    ],
)
def test_an_unsafe_start_says_what_to_set(environment: dict[str, str], named: str, tmp_path: Path) -> None:
    env = {
        "PATH": "/usr/bin:/bin",
        "STATE_DIR": str(tmp_path),
        "ENV_FILE": str(tmp_path / "none"),
        **environment,
    }
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert named in done.stderr.strip().splitlines()[-1]


def endpoint(value: str, **changes: str) -> str:
    given = {"issuer": "https://idp.example/", "client_id": "site", "client_secret": "secret"}
    return conf.introspection_endpoint(value, **given | changes)


@pytest.mark.parametrize(
    "url",
    [
        "https://idp.example/introspect",
        "https://idp.example:8443/oauth2/introspect?tenant=1",
        "http://localhost/introspect",
        "http://localhost:9000/introspect",
        "http://127.0.0.1:9000/introspect",
        "http://[::1]:9000/introspect",
    ],
)
def test_tokens_are_introspected_over_https_or_on_this_machine(url: str) -> None:  # [18]
    assert endpoint(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example/introspect",
        "http://localhost.attacker.example/",
        "http://localhost@attacker.example/",
        "http://localhost:80@attacker.example/",
        "http://127.0.0.1.attacker.example/",
        "http://127.0.0.1@attacker.example/",
        "http://[::1].attacker.example/",
        "http://[::1]attacker.example/",
        "http://[::1%25attacker.example]/",
        "http://[::ffff:127.0.0.1]/",
        "http://localhost\\@attacker.example/",
        "http://localhost\\.attacker.example/",
        "http://attacker.example\\@localhost/",
        "http://attacker.example#@localhost/",
        "http://localhost%2eattacker.example/",
        "http://local\thost/",
        "http://localhost\n/",
        " http://localhost/",
        "http://ⓛocalhost/",
        "http://localhost./",
        "http://127.1/",
        "http://2130706433/",
        "http://0.0.0.0/",
        "http://localhost:0/",
        "http://localhost:99999/",
        "http:localhost/",
        "http:///localhost/",
        "//localhost/",
        "https://user:secret@idp.example/",
        "https://@idp.example/",
        "https://idp.example#@attacker.example/",
        "https:///introspect",
        "https://",
        "ftp://localhost/",
        "file:///etc/passwd",
        "localhost",
    ],
)
def test_an_introspection_endpoint_that_could_be_elsewhere_is_refused(url: str) -> None:  # [18]
    with pytest.raises(ImproperlyConfigured, match="INTROSPECTION_ENDPOINT"):
        endpoint(url)


@pytest.mark.parametrize("missing", ["issuer", "client_id", "client_secret"])
def test_introspection_needs_an_issuer_and_a_client(missing: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="INTROSPECTION_ENDPOINT"):
        endpoint("https://idp.example/introspect", **{missing: ""})


def test_introspection_credentials_without_an_endpoint_are_a_mistake() -> None:
    with pytest.raises(ImproperlyConfigured, match="without INTROSPECTION_ENDPOINT"):
        endpoint("")


def test_a_host_that_only_begins_like_this_machine_is_public() -> None:
    assert not conf.is_loopback("http://[::1].attacker.example/mcp")


def test_the_folder_of_state_is_for_its_owner_alone(tmp_path: Path) -> None:
    made, found, shared = tmp_path / "made", tmp_path / "found", tmp_path / "shared"
    found.mkdir(mode=0o755)
    shared.mkdir()
    shared.chmod(0o1777)
    for folder in (made, found, shared):
        conf.make_folder("STATE_DIR", folder)
    modes = [stat.S_IMODE(folder.stat().st_mode) for folder in (made, found, shared)]
    assert modes == [0o700, 0o700, 0o1777]
