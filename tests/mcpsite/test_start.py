"""A start, under somebody's own supervisor too: what must not be served is not, what is missing is told."""

import re
import subprocess
import sys
from contextlib import closing

import pytest

from tests.commands import Commands
from tests.site import ROOT, environment, free_port

PUBLIC = {
    "RESOURCE_SERVER_URL": "https://data.example.com/mcp",
    "AUTHORIZATION_SERVER": "builtin",
    "SECRET_KEY": "not-a-secret-of-anybody" * 3,
}


def started(env: dict[str, str], *command: str) -> tuple[int | None, str]:
    """The exit code of a server and what it said; None where it goes on serving."""
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "Application startup complete" in line:
                process.terminate()
                process.communicate(timeout=30)
                return None, said
        return process.wait(timeout=30), said


@pytest.mark.parametrize("password", ["demo", "thoroughly-unguessable"])
def test_a_public_server_does_not_start_while_an_administrator_has_a_demo_password(password: str) -> None:
    with environment(PUBLIC) as env, closing(Commands(env)) as commands:
        make = f"User.objects.create_superuser('root', '', {password!r})"
        commands.run("shell", "-c", f"from django.contrib.auth.models import User; {make}")
        port = str(free_port())
        code, said = started(env, "-m", "uvicorn", "mcpsite.asgi:application", "--port", port)
    if password == "demo":
        assert code == 3
        assert "manage.py changepassword root" in said
        assert "Traceback" not in said
    else:
        assert code is None


def test_missing_migrations_are_told_with_the_command_that_applies_them() -> None:
    with environment(start_from=None) as env:
        code, said = started(env, "manage.py", "serve")
    assert code is None
    assert "The database lacks migrations of access, admin, airfare, " in said
    assert re.search(r"Apply them: .+ manage\.py migrate\n", said)
    assert "Sample data   not loaded" in said


def test_a_start_that_lacks_nothing_says_nothing_of_migrations() -> None:
    with environment() as env:
        code, said = started(env, "manage.py", "serve")
    assert code is None
    assert "migrations" not in said
    assert f"MCP endpoint  http://localhost:{env['PORT']}/mcp" in said
