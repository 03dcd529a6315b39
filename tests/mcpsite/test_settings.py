"""The settings as a whole: what env.example says of them, and how mistakes end every way to start."""

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.site import ROOT, free_port, running

EXAMPLE = (ROOT / "env.example").read_text()
LINES = re.findall(r"^#([A-Z][A-Z0-9_]*)=(.*)$", EXAMPLE, re.MULTILINE)
Read = Callable[..., dict[str, Any]]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Read the settings anew from a `.env` and an environment."""

    def read(text: str = "", **process: str) -> dict[str, Any]:
        (tmp_path / ".env").write_text(text)
        with monkeypatch.context() as patch:
            patch.setattr(os, "environ", {"ENV_FILE": str(tmp_path / ".env"), **process})
            return runpy.run_path(str(ROOT / "mcpsite" / "settings.py"))

    return read


@pytest.fixture
def refused(read: Read, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., list[str]]:
    """The sentences that a start with these variables ends with."""

    def refused(text: str = "", **process: str) -> list[str]:
        with pytest.raises(SystemExit) as exit_:
            read(text, STATE_DIR=str(tmp_path), **process)
        assert exit_.value.code == 2
        return [line.strip() for line in capsys.readouterr().err.splitlines()[1:]]

    return refused


def comparable(settings: dict[str, Any]) -> dict[str, Any]:
    """What Django takes of `settings`, but for objects that are made anew each time."""
    return {
        name: value
        for name, value in settings.items()
        if name.isupper() and name not in ("ENVIRONMENT", "UNFOLD")
    }


def test_env_example_has_every_setting_once() -> None:
    names = [name for name, _ in LINES]
    assert len(names) == len(set(names))


def test_env_example_names_what_the_settings_read_and_nothing_else(read: Read) -> None:
    assert {name for name, _ in LINES} == read()["env"].names


@pytest.mark.parametrize("address", ["", "https://data.example.com"], ids=["loopback", "public"])
def test_each_line_of_env_example_alone_is_read_as_it_stands_and_changes_nothing(
    read: Read, address: str
) -> None:
    process = (
        {"RESOURCE_SERVER_URL": address, "AUTH0_ISSUER": "https://id.example/", "SECRET_KEY": "k" * 50}
        if address
        else {}
    )
    default = comparable(read(**process))
    for name, value in LINES:
        settings = read(EXAMPLE.replace(f"\n#{name}=", f"\n{name}="), **process)
        assert comparable(settings) == default, name
        if name not in process:
            assert settings["env"].text(name) == value, name


def test_all_lines_of_env_example_together_are_read_as_they_stand_and_change_nothing(read: Read) -> None:
    settings = read(re.sub(r"^#(?=[A-Z0-9_]+=)", "", EXAMPLE, flags=re.MULTILINE))
    assert comparable(settings) == comparable(read())
    assert [settings["env"].text(name) for name, _ in LINES] == [value for _, value in LINES]


def test_a_comment_behind_each_value_changes_nothing(read: Read) -> None:
    text = "".join(f"{name}={value}   # a comment, with = and, commas\n" for name, value in LINES)
    assert comparable(read(text)) == comparable(read())


def test_the_site_starts_with_all_lines_of_env_example(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(re.sub(r"^#(?=[A-Z0-9_]+=)", "", EXAMPLE, flags=re.MULTILINE))
    with running({"ENV_FILE": str(file)}, prepare=False) as site:
        assert site.shell("from django.conf import settings; print(settings.SITE_NAME)") == "Company data"


def test_every_variable_may_be_empty(read: Read) -> None:
    means_something = ("ACCESS_DEFAULT_GROUP", "APPS_DIR")
    settings = read("".join(f"{name}=\n" for name, _ in LINES if name not in means_something))
    assert comparable(settings) == comparable(read())


def test_an_empty_default_group_grants_nothing(read: Read) -> None:
    assert read("ACCESS_DEFAULT_GROUP=")["ACCESS_DEFAULT_GROUP"] == ""


def test_no_folder_of_own_apps_leaves_them_out(read: Read) -> None:
    assert (read("APPS_DIR=")["APPS_DIR"], read()["APPS_DIR"] != []) == ([], True)


def test_lists_lose_their_blanks(read: Read) -> None:
    settings = read(
        ALLOWED_HOSTS="a.example, b.example",
        ALLOWED_ORIGINS="https://a.example , https://b.example/",
        REQUIRED_SCOPES=" data:read, openid ",
        JWT_AUDIENCES="https://a.example/mcp, api://b",
        JWT_ALGORITHMS="RS256, ES256",
        OAUTH_SCOPES="data:read, data:write",
        OAUTH_TRUSTED_CLIENT_HOSTS="apps.example, .inside.example",
        TOOL_SCOPES="search = transcripts:read , fetch=transcripts:read",
    )
    assert {"a.example", "b.example"} <= set(settings["ALLOWED_HOSTS"])
    assert {"https://a.example", "https://b.example"} <= set(settings["ALLOWED_ORIGINS"])
    assert settings["REQUIRED_SCOPES"] == ["data:read", "openid"]
    assert settings["JWT_AUDIENCES"] == ["https://a.example/mcp", "api://b"]
    assert settings["JWT_ALGORITHMS"] == ["RS256", "ES256"]
    assert settings["OAUTH_SCOPES"] == ["data:read", "data:write"]
    assert settings["OAUTH_TRUSTED_CLIENT_HOSTS"] == ["apps.example", ".inside.example"]
    assert settings["TOOL_SCOPES"] == {"search": "transcripts:read", "fetch": "transcripts:read"}


@pytest.mark.parametrize("word", ["none", "off", "0", "None"])
def test_a_limit_can_be_taken_away_in_words(read: Read, word: str) -> None:
    read(
        RATE_LIMIT=word,
        TOOL_RATE_LIMITS=f"search={word},fetch=1 per 2 hours,list_transcripts=0/hour",
        FAILED_AUTH_RATE_LIMIT=word,
    )


def test_paths_start_in_the_folder_of_the_site(
    read: Read, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = read(STATE_DIR="var", TREND_DATA_DIR="data/airfare", UPLOAD_DIR="/srv/uploads")
    assert settings["STATE_DIR"] == ROOT / "var"
    assert settings["TREND_DATA_DIR"] == ROOT / "data" / "airfare"
    assert settings["UPLOAD_DIR"] == Path("/srv/uploads")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "abc"),
        ("PORT", "99999"),
        ("DATABASE_URL", "junk"),
        ("CACHE_URL", "junk"),
        ("CACHE_URL", "redis://cache:port/0"),
        ("CACHE_URL", "redis://cache/0?unknown=1"),
        ("LOG_LEVEL", "verbose"),
        ("DEBUG", "yep"),
        ("HOST", "http://0.0.0.0"),
        ("MCP_THREADS", "-1"),
        ("MCP_THREADS", "1000000"),
        ("MCP_DEADLINE_SECONDS", "soon"),
        ("UPLOAD_KEEP_DAYS", "999999999999"),
        ("SIGN_IN_SECONDS", "59"),
        ("RATE_LIMIT", "lots"),
        ("RATE_LIMIT", "120"),
        ("RATE_LIMIT", "120/fortnight"),
        ("RATE_LIMIT", "99999999999/minute"),
        ("RATE_LIMIT", "120/minute, 5/second"),
        ("FAILED_SIGN_IN_RATE_LIMIT", "-5/minute"),
        ("TOOL_RATE_LIMITS", "search"),
        ("TOOL_RATE_LIMITS", "search=lots"),
        ("TOOL_RATE_LIMITS", "search=600/hour fetch=60/minute"),
        ("TOOL_SCOPES", "search=transcripts:read fetch=transcripts:read"),
        ("TOOL_SCOPES", "search=a,search=b"),
        ("JWT_ALGORITHMS", "HS256"),
        ("JWT_ALGORITHMS", "none"),
        ("JWT_ALGORITHMS", "RS265"),
        ("JWT_ALGORITHMS", "RS256 ES256"),
        ("REQUIRED_SCOPES", "data:read openid"),
        ("OAUTH_SCOPES", "data:read openid"),
        ("JWT_AUDIENCES", '["https://a.example"]'),
        ("ALLOWED_HOSTS", "https://data.example.com"),
        ("ALLOWED_HOSTS", "a.example b.example"),
        ("ALLOWED_ORIGINS", "app.example.com"),
        ("OIDC_RP_SCOPES", "openid,profile,email"),
        ("OIDC_RP_SIGN_ALGO", "HS256"),
        ("OPENAI_BASE_URL", "gateway.example/v1"),
        ("OPENAI_WIDGET_DOMAIN", "data.example.com"),
        ("OPENAI_WIDGET_DOMAIN", "http://data.example.com"),
        ("OPENAI_WIDGET_DOMAIN", "https://data.example.com/mcp"),
        ("RESOURCE_SERVER_URL", "data.example.com"),
        ("RESOURCE_SERVER_URL", "https://[::1"),
        ("RESOURCE_SERVER_URL", "https://data.example.com:99999"),
        ("AUTH0_ISSUER", "id.example"),
        ("AUTH0_ISSUER", "https://id.example:abc/"),
        ("INTROSPECTION_ENDPOINT", "id.example/introspect"),
        ("AUTHORIZATION_SERVER", "built-in"),
        ("TRANSCRIPT_STORE", "opnai"),
        ("TRANSCRIPT_STORE", "transcripts.stores."),
        ("TREND_DATA_DIR", "README.md"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_variable_and_its_place(
    refused: Callable[..., list[str]], name: str, text: str
) -> None:
    (sentence,) = refused(**{name: text})
    assert sentence.startswith(f"environment: {name} ")
    (sentence,) = refused(f"\n{name}='{text}'\n")
    assert sentence.startswith(f".env, line 2: {name} ")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ACCESS_AUTO_CREATE_USERS", "1      # make a user for each (issuer, subject)"),
        ("SECRET_KEY", "# required on a public address: a long random text"),
        ("REQUIRED_SCOPES", "# scopes that every call needs, comma separated"),
    ],
)
def test_a_comment_that_docker_hands_over_is_no_value(
    refused: Callable[..., list[str]], name: str, text: str
) -> None:
    (sentence,) = refused(**{name: text})
    assert sentence.startswith(f"environment: {name} is ")
    assert "contains a comment" in sentence


def test_mistakes_of_all_modules_are_told_together(refused: Callable[..., list[str]]) -> None:
    sentences = refused(
        "PORT=abc\nSITENAME=x\n",
        RESOURCE_SERVER_URL="https://data.example.com",
        JWT_ALGORITHMS="HS256",
        OAUTH_ACCESS_TOKEN_SECONDS="0",
        PASSWORD_SIGN_IN="no",
        RATE_LIMIT="lots",
        DATABASE_URL="junk",
        TRANSCRIPT_STORE="opnai",
        OPENAI_APIKEY="hunter2",
    )
    told = "\n".join(sentences)
    for name in (
        *(
            "PORT",
            "JWT_ALGORITHMS",
            "OAUTH_ACCESS_TOKEN_SECONDS",
            "PASSWORD_SIGN_IN",
            "RATE_LIMIT",
            "DATABASE_URL",
        ),
        *(
            "SECRET_KEY is not set",
            "AUTH0_ISSUER is not set",
            "TRANSCRIPT_STORE",
            "SITENAME",
            "OPENAI_APIKEY",
        ),
    ):
        assert name in told
    assert "hunter2" not in told


def start(command: list[str], tmp_path: Path, **process: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": os.environ["PATH"],
        "STATE_DIR": str(tmp_path),
        "ENV_FILE": str(tmp_path / ".env"),
        **process,
    }
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60)


MANAGE = [sys.executable, "manage.py"]
UVICORN = [sys.executable, "-m", "uvicorn", "mcpsite.asgi:application"]


@pytest.mark.parametrize(
    "command",
    [
        [*MANAGE, "check"],
        [*MANAGE, "migrate"],
        [*MANAGE, "serve"],
        [*MANAGE, "serve", "--workers", "2"],
        UVICORN,
    ],
    ids=lambda command: " ".join(command[1:]),
)
def test_every_way_to_start_ends_with_the_sentences_and_code_2(command: list[str], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LOG_LEVEL=verbose\n")
    done = start(command, tmp_path, PORT="abc")
    assert done.returncode == 2
    assert done.stderr.splitlines()[1:] == [
        "  environment: PORT is 'abc'; it has to be a whole number from 1 to 65535.",
        "  .env, line 1: LOG_LEVEL is 'verbose'; it can be DEBUG, INFO, WARNING, ERROR or CRITICAL.",
    ]


@pytest.mark.parametrize(
    ("store", "why"),
    [
        ("acme.stores.PineconeStore", "No module named 'acme'"),
        ("transcripts.stores.local.LocalStor", "LocalStor"),
        ("transcripts.models.Transcript", "methods index, remove and search"),
    ],
)
def test_a_store_that_is_not_there_ends_the_start(store: str, why: str, tmp_path: Path) -> None:
    done = start([*MANAGE, "check"], tmp_path, TRANSCRIPT_STORE=store)
    assert done.returncode == 2
    assert f"environment: TRANSCRIPT_STORE is '{store}'" in done.stderr
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def test_check_tells_of_names_that_are_almost_ours(tmp_path: Path) -> None:
    done = start([*MANAGE, "check"], tmp_path, SITENAME="x", RESOURCE_SERVER_UR="x")
    assert done.returncode == 0
    assert "did you mean SITE_NAME?" in done.stderr
    assert "did you mean RESOURCE_SERVER_URL?" in done.stderr


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgres://u:hunter2@127.0.0.1:{port}/site?pool=0", "Connection refused"),
        ("postgres://u:hunter2@127.0.0.1:{port}/site?sslmode=maybe&pool=0", 'invalid sslmode value: "maybe"'),
        ("sqlite:////no/such/folder/db.sqlite3", "unable to open database file"),
        ("sqlite:///README.md", "file is not a database"),
    ],
)
@pytest.mark.parametrize("command", ["migrate", "check"])
def test_a_database_that_is_away_is_one_sentence(url: str, why: str, command: str, tmp_path: Path) -> None:
    done = start([*MANAGE, command], tmp_path, DATABASE_URL=url.format(port=free_port()))
    assert done.returncode == 2
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("The database that DATABASE_URL names (environment) cannot be used: ")
    assert why in sentence
    assert "hunter2" not in sentence


def test_a_database_that_is_yet_to_be_made_is_no_mistake_and_check_does_not_make_it(tmp_path: Path) -> None:
    assert start([*MANAGE, "check"], tmp_path).returncode == 0
    assert not (tmp_path / "db.sqlite3").exists()


def test_a_server_does_not_start_without_its_database(tmp_path: Path) -> None:
    url = f"postgres://u:hunter2@127.0.0.1:{free_port()}/site?pool=0"
    done = start([*UVICORN, "--port", str(free_port())], tmp_path, DATABASE_URL=url)
    assert done.returncode == 3  # uvicorn's own, for a start that failed
    assert "The database that DATABASE_URL names (environment) cannot be used: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
