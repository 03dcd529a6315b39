"""Who signs clients in, as the settings say; unsafe choices end the start with the remedy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from mcpsite.core import conf
from tests.site import ROOT

PUBLIC = "https://data.example.com/mcp"
LOCAL = "http://localhost:8788/mcp"
ISSUER = "https://tenant.example.com/"


def chosen(choice: str, issuer: str, url: str, *, debug: bool = False) -> str:
    return conf.authorization_server(choice, issuer, url=url, debug=debug)


def test_on_ones_own_machine_the_built_in_server_needs_no_choosing() -> None:
    assert chosen("", "", LOCAL, debug=True) == conf.BUILTIN


@pytest.mark.parametrize("url", [LOCAL, PUBLIC])
def test_with_an_identity_provider_there_is_no_built_in_server(url: str) -> None:
    assert chosen("", ISSUER, url) == ""


def test_in_production_the_built_in_server_has_to_be_chosen() -> None:
    with pytest.raises(ImproperlyConfigured, match="AUTHORIZATION_SERVER=builtin"):
        chosen("", "", PUBLIC)
    assert chosen(conf.BUILTIN, "", PUBLIC) == conf.BUILTIN


@pytest.mark.parametrize(
    ("choice", "issuer", "url", "debug", "remedy"),
    [
        (conf.BUILTIN, "", "http://data.example.com/mcp", False, "https"),
        (conf.BUILTIN, "", PUBLIC, True, "DEBUG=0"),
        (conf.BUILTIN, ISSUER, PUBLIC, False, "unset one"),
        ("keycloak", "", PUBLIC, False, "left out"),
    ],
    ids=["http", "DEBUG", "two issuers", "unknown"],
)
def test_an_unsafe_or_contradictory_choice_is_refused(
    choice: str, issuer: str, url: str, debug: bool, remedy: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=remedy):
        chosen(choice, issuer, url, debug=debug)


def manage(tmp_path: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python in a Django that starts with these settings."""
    env = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")} | {
        "DJANGO_SETTINGS_MODULE": "mcpsite.settings",
        "STATE_DIR": str(tmp_path),
        "ENV_FILE": str(tmp_path / "no.env"),
        **environment,
    }
    script = f"import django; django.setup()\n{code}"
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )


def test_with_an_identity_provider_nothing_of_the_built_in_server_is_there(tmp_path: Path) -> None:
    code = (
        "from django.test import Client; from django.apps import apps\n"
        "paths = ['authorize', 'token', 'register', 'revoke', 'introspect', 'connections']\n"
        "print({Client().get(f'/oauth/{path}', SERVER_NAME='localhost').status_code for path in paths})\n"
        "print(apps.is_installed('oauth2_provider'))"
    )
    ran = manage(tmp_path, code, AUTH0_ISSUER=ISSUER, DEBUG="0", SECRET_KEY="x" * 60)
    assert ran.stdout.split() == ["{404}", "False"], ran.stderr


def test_a_public_server_starts_with_the_built_in_server_when_it_is_chosen(tmp_path: Path) -> None:
    code = "from django.conf import settings; print(settings.AUTHORIZATION_SERVER, settings.DEBUG)"
    settings = {"RESOURCE_SERVER_URL": PUBLIC, "SECRET_KEY": "x" * 60}
    assert manage(tmp_path, code, **settings).returncode != 0
    assert (
        manage(tmp_path, code, **settings, AUTHORIZATION_SERVER="builtin").stdout.strip() == "builtin False"
    )
