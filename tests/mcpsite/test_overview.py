"""What `serve` says at a start: which parts are on, and no secret of any of them."""

from contextlib import closing

import pytest
from pytest_django import Settings

from mcpsite.core import storages
from mcpsite.web import overview
from tests.commands import Commands
from tests.site import environment

ISSUER = "https://id.example/"
BEHIND = {"AUTH0_ISSUER": ISSUER}


def said() -> dict[str, str]:
    return dict(overview.overview_lines(migrated=False))


@pytest.mark.parametrize(
    ("changes", "part", "expected"),
    [
        ({}, "Sign-in", "built-in, with the accounts of this site"),
        (BEHIND, "Sign-in", "through https://id.example/"),
        (
            {"OIDC_RP_CLIENT_ID": "site", "OIDC_ISSUER": ISSUER},
            "Sign-in",
            "built-in, with the accounts of this site; the pages also through id.example",
        ),
        ({}, "Who may call", "accounts of this site; each may read what its groups may"),
        (BEHIND, "Who may call", "everybody who signs in; new people join the group readers"),
        (
            {**BEHIND, "ACCESS_DEFAULT_GROUP": ""},
            "Who may call",
            "everybody who signs in; new people have no access until it is granted",
        ),
        (
            {**BEHIND, "ACCESS_GROUPS_CLAIM": "groups"},
            "Who may call",
            "everybody who signs in; groups come from the claim groups",
        ),
        (
            {**BEHIND, "ACCESS_AUTO_CREATE_USERS": False},
            "Who may call",
            "people who have an account here; each may read what their groups may",
        ),
        (
            {**BEHIND, "REQUIRED_SCOPES": ["data:read", "x"]},
            "Who may call",
            "everybody who signs in; new people join the group readers; tokens need the scope data:read, x",
        ),
        ({}, "Cache", "memory of each process"),
        ({}, "Transcripts", "searched in this site's database"),
        (
            {"OPENAI_API_KEY": "sk-1", "VECTOR_STORE_ID": "vs_7"},
            "Transcripts",
            "searched in the OpenAI vector store vs_7",
        ),
        (
            {"OPENAI_API_KEY": "sk-1", "VECTOR_STORE_ID": "vs_7", "TRANSCRIPT_STORE": "hybrid"},
            "Transcripts",
            "searched in this site's database and the OpenAI vector store vs_7",
        ),
        ({"TRANSCRIPT_STORE": "acme.Store"}, "Transcripts", "searched in acme.Store"),
        (
            {"UPLOAD_MAX_MB": 50, "UPLOAD_STORAGE": {"BACKEND": storages.DATABASE}},
            "Uploads",
            "on, up to 50 MB at once, kept in the database",
        ),
        ({"RATE_LIMIT": "none"}, "Limits", "off"),
        (
            {"RATE_LIMIT": "120/minute", "CONCURRENT_CALLS": 8},
            "Limits",
            "120/minute per user and tool, 8 concurrent calls per user",
        ),
        ({"TOOL_RATE_LIMITS": {"search": "1/hour"}}, "Limits", "other limits for some tools"),
    ],
)
def test_each_part_says_how_it_stands(
    settings: Settings, changes: dict[str, object], part: str, expected: str
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    assert said()[part] == expected


def test_uploads_that_somebody_else_loads_say_by_which_command(settings: Settings) -> None:
    settings.UPLOAD_AUTOSTART = False
    assert said()["Uploads"].endswith("manage.py process_uploads --watch loads them")


def test_no_secret_is_told() -> None:
    secrets = {
        "SECRET_KEY": "secret-one" * 6,
        "CACHE_URL": "redis://:secret-two@127.0.0.1:6379/0",
        "OPENAI_API_KEY": "secret-three",
        "VECTOR_STORE_ID": "vs_7",
        "OIDC_ISSUER": ISSUER,
        "OIDC_RP_CLIENT_ID": "site",
        "OIDC_RP_CLIENT_SECRET": "secret-four",
        "DATABASE_URL": "postgres://alice:secret-five@db.example.com/site",
    }
    code = "from mcpsite.web import overview; print(dict(overview.overview_lines(migrated=False)))"
    with environment() as env, closing(Commands(env | secrets)) as commands:
        told = commands.run("shell", "--no-imports", "-c", code).stdout
    assert "'Cache': 'Redis'" in told
    assert "'Database': 'PostgreSQL, db.example.com'" in told
    assert "secret" not in told


def test_a_command_to_type_names_the_file_of_settings_that_this_server_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENV_FILE", "/etc/the site.env")
    assert overview.typed("migrate").startswith("ENV_FILE='/etc/the site.env' ")
    monkeypatch.delenv("ENV_FILE")
    assert "ENV_FILE" not in overview.typed("migrate")
