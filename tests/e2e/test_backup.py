"""Back-up and restore as docs/operating.md says: nobody signs in again, and every row is there."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest

from tests.docs.documents import blocks_of
from tests.postgresql import administrator_url, skip_without_postgresql
from tests.site import ROOT, Site, environment, free_port, serving

pytestmark = pytest.mark.e2e

SECRET = "s" * 60
DONE_OTHERWISE = ("cd", "systemctl", "editor", "cp")
QUESTION = {"airline_contains": "a", "limit": 50}


def rows(site: Site, token: str) -> Any:
    return site.call(token, "airfare_trend_insights", QUESTION)["structuredContent"]["rows"]


def type_lines(number: int, names: list[str], folder: Path, env: dict[str, str]) -> str:
    """Type a block of the section, with databases of these names and the account of the tests."""
    block = blocks_of("docs/operating.md", "Back-up and restore")[number]
    server = urlsplit(administrator_url())
    account = server.username or "postgres"
    lines = [line for line in block.splitlines() if not line.startswith(DONE_OTHERWISE)]
    text = "\n".join(lines).replace("runuser -u postgres -- ", "")
    text = re.sub(r"(--owner|--role) mcpsite\b", rf"\1 {account}", text)
    text = text.replace("mcpsite_restored", names[1]).replace("custom mcpsite ", f"custom {names[0]} ")
    text = f'manage() {{ (cd {ROOT} && {sys.executable} manage.py "$@"); }}\n{text}'
    reached = {"PGHOST": server.hostname or "localhost", "PGPORT": str(server.port or 5432)}
    reached |= {"PGUSER": account, "PGPASSWORD": server.password or ""}
    done = subprocess.run(
        ["bash", "-ec", text], cwd=folder, env=env | reached, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_a_dump_of_postgresql_restored_elsewhere_is_the_same_site(tmp_path: Path) -> None:
    skip_without_postgresql()
    if shutil.which("pg_restore") is None:
        pytest.skip("there is no pg_restore here")
    names = [f"site_{uuid4().hex[:12]}" for _ in range(2)]
    parts = urlsplit(administrator_url())
    first, second = (urlunsplit(parts._replace(path=f"/{name}")) for name in names)
    with psycopg.connect(administrator_url(), autocommit=True) as admin:
        try:
            admin.execute(f"CREATE DATABASE {names[0]}")
            settings = {
                "DATABASE_URL": first,
                "SECRET_KEY": SECRET,
                "RESOURCE_SERVER_URL": "http://localhost:8788",
            }
            with environment(settings, start_from=None) as env, serving(env) as site:
                token = site.prepared()
                site.manage("load_airfare")
                before = rows(site, token)
                type_lines(0, names, tmp_path, env)  # While the site runs.
            with environment({**settings, "DATABASE_URL": second}, start_from=None) as env:
                told = type_lines(1, names, tmp_path, env)
                assert "No migrations to apply." in told
                assert re.search(r"No problems found. Files: 5, rows: \d\d", told)
                with serving(env) as site:
                    assert before
                    assert rows(site, token) == before
        finally:
            for name in names:
                admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def test_a_copy_of_sqlite_and_its_folder_is_the_same_site(tmp_path: Path) -> None:
    if os.environ.get("DATABASE_URL", "").startswith("postgres"):
        pytest.skip("the database is PostgreSQL")
    copy = tmp_path / "copy"
    copy.mkdir()
    with environment(start_from="bundled") as env, serving(env) as site:
        token = site.token()
        before = rows(site, token)
        state = Path(env["STATE_DIR"])
        databases = (sqlite3.connect(folder / "db.sqlite3") for folder in (state, copy))
        with closing(next(databases)) as source, closing(next(databases)) as target:
            source.backup(target)
        for name in ("secret_key", "signing_key.pem"):
            shutil.copy(state / name, copy / name)
        url = env["PORT"]
    moved = {
        **env,
        "STATE_DIR": str(copy),
        "PORT": str(free_port()),
        "RESOURCE_SERVER_URL": f"http://localhost:{url}",
    }
    with serving(moved) as site:
        assert before
        assert rows(site, token) == before
