"""Back-up and restore as docs/operating.md says: nobody signs in again, and every row is there."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest

from tests.mcpsite.test_replicas import serving
from tests.postgresql import administrator_url, skip_without_postgresql
from tests.site import Site, environment, free_port

pytestmark = pytest.mark.e2e

SECRET = "s" * 60
QUESTION = {"airline_contains": "a", "limit": 50}


def rows(site: Site, token: str) -> Any:
    return site.call(token, "airfare_trend_insights", QUESTION)["structuredContent"]["rows"]


def test_a_dump_of_postgresql_restored_elsewhere_is_the_same_site(tmp_path: Path) -> None:
    skip_without_postgresql()
    if shutil.which("pg_restore") is None:
        pytest.skip("there is no pg_restore here")
    names = [f"site_{uuid4().hex[:12]}" for _ in range(2)]
    parts = urlsplit(administrator_url())
    first, second = (urlunsplit(parts._replace(path=f"/{name}")) for name in names)
    dump = tmp_path / "site.dump"
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
                # While the site runs.
                subprocess.run(["pg_dump", "--format=custom", f"--file={dump}", first], check=True)
            admin.execute(f"CREATE DATABASE {names[1]}")
            subprocess.run(["pg_restore", f"--dbname={second}", "--no-owner", dump], check=True)
            with (
                environment({**settings, "DATABASE_URL": second}, start_from=None) as env,
                serving(env) as site,
            ):
                assert before
                assert rows(site, token) == before
                site.manage("migrate")
                assert site.manage("check_data").returncode == 0
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
