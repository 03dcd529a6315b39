"""A start under a bare uvicorn, as under somebody's own supervisor: what must not be served is not."""

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


def started(env: dict[str, str]) -> tuple[int | None, str]:
    """The exit code of uvicorn and what it said; None where it goes on serving."""
    command = [sys.executable, "-m", "uvicorn", "mcpsite.asgi:application", "--port", str(free_port())]
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
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
        code, said = started(env)
    if password == "demo":
        assert code == 3
        assert "manage.py changepassword root" in said
        assert "Traceback" not in said
    else:
        assert code is None
