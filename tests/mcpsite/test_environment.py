"""The environment and `.env`: how they are read, and how mistakes are told."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from mcpsite.core.environment import Environment, masked
from mcpsite.core.values import flag, whole


def environment(tmp_path: Path, text: str | bytes = "", **process: str) -> Environment:
    file = tmp_path / ".env"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return Environment(file, process)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("SITE_NAME=Company data", "Company data"),
        ("SITE_NAME=Company data         # what people see", "Company data"),
        ("SITE_NAME=              # default: the issuer's host", ""),
        ("SITE_NAME= # x", ""),
        ("SITE_NAME=", ""),
        ("SITE_NAME=a#b", "a#b"),
        ('SITE_NAME="a # b"   # why', "a # b"),
        ("SITE_NAME='a # b'", "a # b"),
        ('SITE_NAME="a \\"b\\""', 'a "b"'),
        ("SITE_NAME = spaced out ", "spaced out"),
        ("export SITE_NAME=exported", "exported"),
        ("SITE_NAME=${HOME}", "${HOME}"),
        ("SITE_NAME=it's", "it's"),
        ("SITE_NAME=a=b", "a=b"),
        ("#SITE_NAME=commented out", ""),
    ],
)
def test_a_line_written_by_hand_means_what_it_says(tmp_path: Path, line: str, value: str) -> None:
    assert environment(tmp_path, f"PORT=1\n{line}\nDEBUG=1\n").text("SITE_NAME") == value


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_the_file_may_come_from_any_editor(tmp_path: Path, mark: bytes, newline: str) -> None:
    lines = ["PORT=9000", "", "# a comment", "SITE_NAME=Größe", "DEBUG=yep"]
    env = environment(tmp_path, mark + newline.join(lines).encode())
    assert env.read("PORT", whole(1, 65_535), 8788) == 9000
    assert env.text("SITE_NAME") == "Größe"
    assert env.place("DEBUG") == ".env, line 5"


def test_the_environment_comes_before_the_file_even_where_it_is_empty(tmp_path: Path) -> None:
    env = environment(tmp_path, "PORT=1\nSITE_NAME=file\n", PORT="2", SITE_NAME="")
    assert env.read("PORT", whole(1, 9), 5) == 2
    assert env.text("SITE_NAME", "default") == "default"


def test_what_is_empty_has_its_default(tmp_path: Path) -> None:
    env = environment(tmp_path, "PORT=\nSITE_NAME='  '\n", DEBUG=" ")
    assert env.read("PORT", whole(1, 9), 5) == 5
    assert env.read("DEBUG", flag, True)
    assert env.text("SITE_NAME", "default") == "default"
    env.finish()


def refusal(env: Environment, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The sentences that `env` ends with."""
    with pytest.raises(SystemExit) as exit_:
        env.finish()
    assert exit_.value.code == 2
    head, *sentences = capsys.readouterr().err.splitlines()
    assert head == "The site cannot start because of its settings:"
    return [sentence.strip() for sentence in sentences]


def test_all_mistakes_are_told_together_with_their_places(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def forbid(_: str) -> None:
        raise ImproperlyConfigured("DEBUG and SITE_NAME do not go together.")

    env = environment(tmp_path, "\n\nPORT=abc\nSITE_NAME=x\n", DEBUG="yep", MCP_THREADS="0")
    assert env.read("PORT", whole(1, 65_535), 8788) == 8788
    assert env.read("MCP_THREADS", whole(1, 1000), 8) == 8
    env.text("DEBUG")
    env.derive(None, forbid, env.text("SITE_NAME"))
    assert refusal(env, capsys) == [
        ".env, line 3: PORT is 'abc'; it has to be a whole number from 1 to 65535.",
        "environment: MCP_THREADS is '0'; it has to be a whole number from 1 to 1000.",
        "environment and .env, line 4: DEBUG and SITE_NAME do not go together.",
    ]


def test_a_mistake_that_follows_from_another_is_not_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def forbid() -> None:
        raise ImproperlyConfigured("PORT is 8788, which is taken.")

    env = environment(tmp_path, "PORT=abc")
    env.read("PORT", whole(1, 65_535), 8788)
    env.derive(None, forbid)
    assert len(refusal(env, capsys)) == 1


@pytest.mark.parametrize("name", ["SECRET_KEY", "OIDC_RP_CLIENT_SECRET", "OPENAI_API_KEY", "MCP_TOKEN"])
def test_a_secret_is_never_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    env = environment(tmp_path, **{name: "hunter2 # the password"})
    env.text(name)
    (sentence,) = refusal(env, capsys)
    assert name in sentence
    assert "comment" in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("AUTH0_ISSUER", "https://user:hunter2@id.example"),
        ("AUTH0_ISSUER", "https://hun/ter2:hunter2@id.example"),
        ("OPENAI_BASE_URL", "ftp://gateway.example/v1?api-key=hunter2"),
        ("CACHE_URL", "redis://:hunter2@cache:6379/0"),
        ("CACHE_URL", "redis://hunter2:hunter2"),
        ("DATABASE_URL", "postgres://u:hunter2@db/site"),
        ("DATABASE_URL", "postgres://u:hunter2/site"),
        ("DATABASE_URL", "u:hunter2"),
        ("DATABASE_URL", "host=db password=hunter2"),
    ],
)
def test_a_password_inside_an_address_is_never_shown(name: str, text: str) -> None:
    assert "hunter2" not in masked(name, text)


def test_a_value_is_shown_in_one_short_line() -> None:
    assert masked("PORT", "a\nb\x1b[31m") == "'a\\nb\\x1b[31m'"
    assert len(masked("PORT", "x" * 10_000)) < 100


def test_a_comment_that_became_part_of_a_value_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Docker and systemd hand over all that stands behind the equals sign."""
    env = environment(tmp_path, SITE_NAME="# what people see", SUPPORT_CONTACT="the #data channel")
    env.text("SITE_NAME")
    assert env.text("SUPPORT_CONTACT") == "the #data channel"
    (sentence,) = refusal(env, capsys)
    assert sentence.startswith("environment: SITE_NAME is '# what people see'; it contains a comment")


@pytest.mark.parametrize(
    "line", ["PORT 8788", "PORT: 8788", "PORT", "SITE NAME=x", 'SITE_NAME="x', "PORT=1\0"]
)
def test_a_line_that_says_nothing_is_told_and_never_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    (sentence,) = refusal(environment(tmp_path, f"DEBUG=1\n\n{line}"), capsys)[:1]
    assert sentence.startswith(".env, line 3: this line cannot be read; write NAME=value")
    assert "8788" not in sentence


@pytest.mark.parametrize("content", ["PORT=8788".encode("utf-16"), "SITE_NAME=Größe".encode("latin-1")])
def test_a_file_in_another_encoding_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    assert refusal(environment(tmp_path, content), capsys) == [
        ".env: the file cannot be read; it is not UTF-8."
    ]


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(Environment(tmp_path, {}), capsys) == [
        f"{tmp_path}: the file cannot be read; Is a directory."
    ]


def test_a_file_that_is_not_there_is_no_mistake(tmp_path: Path) -> None:
    Environment(tmp_path / "none", {}).finish()


def test_a_name_in_the_file_that_is_almost_ours_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env = environment(tmp_path, "SITENAME=x\nRESOURCE_SERVER_UR=x\nport=1\nOPENAI_APIKEY=hunter2\n")
    for name in ("SITE_NAME", "RESOURCE_SERVER_URL", "PORT", "OPENAI_API_KEY"):
        env.text(name)
    assert refusal(env, capsys) == [
        ".env, line 1: SITENAME is not a setting of this site; did you mean SITE_NAME?",
        ".env, line 2: RESOURCE_SERVER_UR is not a setting of this site; did you mean RESOURCE_SERVER_URL?",
        ".env, line 3: port is not a setting of this site; did you mean PORT?",
        ".env, line 4: OPENAI_APIKEY is not a setting of this site; did you mean OPENAI_API_KEY?",
    ]


FOREIGN = (
    "PORTAGE",
    "HOSTNAME",
    "LOGNAME",
    "DEBUGINFOD_URLS",
    "SITE_PACKAGES",
    "OPENAI_API_TYPE",
    "DATABASE",
)


def test_a_name_in_the_environment_that_is_almost_ours_is_told_and_refuses_nothing(tmp_path: Path) -> None:
    env = environment(tmp_path, SITENAME="x", **dict.fromkeys(FOREIGN, "x"))
    for name in ("SITE_NAME", "PORT", "HOST", "DEBUG", "LOG_LEVEL", "OPENAI_API_KEY", "DATABASE_URL"):
        env.text(name)
    env.finish()
    assert env.warnings == ["environment: SITENAME is not a setting of this site; did you mean SITE_NAME?"]


def test_other_programs_may_have_variables_in_the_file(tmp_path: Path) -> None:
    process = {"HTTPS_PROXY": "http://first"}
    file = tmp_path / ".env"
    file.write_text("POSTGRES_DB=x\nHTTPS_PROXY=http://second\nPGSSLMODE=require\nPORT=1\n")
    env = Environment(file, process)
    env.text("PORT")
    env.finish()
    assert env.warnings == [".env, line 1: POSTGRES_DB is not a setting of this site."]
    assert process == {"HTTPS_PROXY": "http://first", "POSTGRES_DB": "x", "PGSSLMODE": "require"}


def test_a_name_that_stands_twice_is_told_and_the_last_one_counts(tmp_path: Path) -> None:
    env = environment(tmp_path, "PORT=1\nPORT=2\n")
    assert env.text("PORT") == "2"
    assert env.warnings == [".env, line 2: PORT is set twice; this line is used."]
