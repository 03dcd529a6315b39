"""Several processes that share PostgreSQL and a SECRET_KEY and nothing else: no disk, no memory."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import psycopg
import pytest

from bench.airfare_data import write
from tests.postgresql import role, skip_without_postgresql
from tests.site import ROOT, Site, environment, serving
from tests.uploads.test_over_http import UPLOAD, token_in, upload

pytestmark = pytest.mark.e2e

LOCKS = """
    SELECT relation::regclass::text AS relation, mode FROM pg_locks
    WHERE locktype = 'relation'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND relation IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
"""
"""Of this database's tables as a whole; a row, or the end of a file that grows, is locked for a moment."""
HARMLESS = {"AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock"}
"""Beside these rows are read and written."""
PASSWORD = "correct horse battery"


def start(env: dict[str, str], *command: str) -> "subprocess.Popen[str]":
    command = (sys.executable, "manage.py", *command)
    with Path(env["STATE_DIR"], "server.log").open("a") as log:
        return subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log, text=True)


@pytest.fixture(scope="module")
def environments() -> Iterator[list[dict[str, str]]]:
    """Three empty STATE_DIRs and an empty database, which three processes have migrated at once."""
    skip_without_postgresql()
    with ExitStack() as stack:
        database = stack.enter_context(role(100))
        shared = {
            "DATABASE_URL": database.url,
            "SECRET_KEY": "s" * 60,
            "RESOURCE_SERVER_URL": "http://localhost:8788",
        }
        found = [stack.enter_context(environment(shared, start_from=None)) for _ in range(3)]
        migrating = [start(env, "migrate", "-v0") for env in found]
        codes = [process.wait(timeout=120) for process in migrating]
        said = [Path(env["STATE_DIR"], "server.log").read_text() for env in found]
        assert codes == [0, 0, 0], said
        yield found


@pytest.fixture(scope="module")
def replicas(environments: list[dict[str, str]]) -> Iterator[list[Site]]:
    with ExitStack() as stack:
        sites = [stack.enter_context(serving(env)) for env in environments[:2]]
        sites[0].shell(
            "from django.contrib.auth.models import User\n"
            f"User.objects.create_superuser('admin', password={PASSWORD!r})"
        )
        yield sites


def readiness(site: Site) -> dict[str, object]:
    answer: dict[str, object] = httpx2.get(f"{site.origin}/readyz", timeout=10).json()
    return answer


def test_tokens_of_each_process_are_accepted_by_the_other(replicas: list[Site]) -> None:
    tokens = [site.token() for site in replicas]
    for token in tokens:
        for site in replicas * 4:
            assert site.rpc(token, "tools/list").status_code == 200
    assert [readiness(site)["status"] for site in replicas] == ["ok", "ok"]


def test_what_is_uploaded_to_one_process_is_loaded_by_the_other(replicas: list[Site]) -> None:
    first, second = replicas
    with httpx2.Client(base_url=first.origin, timeout=60, follow_redirects=True) as browser:
        page = browser.get("/accounts/login/")
        form = {"username": "admin", "password": PASSWORD, "csrfmiddlewaretoken": token_in(page)}
        browser.post("/accounts/login/", data=form).raise_for_status()
        # So that it is not the first one that loads it.
        with httpx2.Client(base_url=second.origin, cookies=browser.cookies, timeout=60) as other:
            assert other.get(UPLOAD).status_code == 200
        code = (
            "from django.contrib.auth.models import User\n"
            "from django.core.files.base import ContentFile\n"
            "from mcpsite.uploads.queue import enqueue\n"
            "file = ContentFile(b'route,airline,avg_fare_usd\\nAAA-BBB,Left,1\\n', name='left.csv')\n"
            "print(enqueue('airfare', [file], by=User.objects.get(), check_only=False, options={}).pk)"
        )
        number = first.shell(code)
        second.manage("process_uploads")
        assert "Loaded." in browser.get(f"/admin/uploads/upload/{number}/change/").text
        page = upload(browser, "more.csv", b"route,airline,avg_fare_usd\nAAA-BBB,More,1\n")
        end = time.monotonic() + 60
        while "Loaded." not in page.text and time.monotonic() < end:
            time.sleep(0.3)
            page = browser.get(page.url)
        assert "Loaded." in page.text
    assert not Path(first.env["STATE_DIR"], "uploads").exists()


def test_a_load_takes_no_lock_that_readers_or_curators_wait_for(replicas: list[Site], tmp_path: Path) -> None:
    site, token, found = replicas[0], replicas[0].token(), set()
    with psycopg.connect(site.env["DATABASE_URL"], autocommit=True) as looking:
        for seed in (1, 2):
            write(20_000, tmp_path / "many.csv", seed=seed)
            load = start(site.env, "load_airfare", str(tmp_path))
            while load.poll() is None:
                found |= set(looking.execute(LOCKS).fetchall())
                answer = replicas[1].call(token, "airfare_trend_insights", {"limit": 1})
                assert answer["isError"] is False
            assert load.returncode == 0
    assert ("airfare_farerow", "RowExclusiveLock") in found
    assert {mode for _, mode in found} <= HARMLESS


def test_nothing_of_the_site_is_left_in_state_dir(replicas: list[Site]) -> None:
    for site in replicas:
        assert [path.name for path in Path(site.env["STATE_DIR"]).iterdir()] == ["server.log"]


def test_a_restart_signs_nobody_out(replicas: list[Site], environments: list[dict[str, str]]) -> None:
    token = replicas[0].token()
    with serving(environments[2]) as fresh:
        assert fresh.rpc(token, "tools/list").status_code == 200


def test_a_process_with_keys_of_its_own_is_noticed_by_all(
    replicas: list[Site], environments: list[dict[str, str]], tmp_path: Path
) -> None:
    with serving({**environments[2], "SIGNING_KEY_FILE": str(tmp_path / "own.pem")}) as stranger:
        assert stranger.rpc(replicas[0].token(), "tools/list").status_code == 401
        # Each says which key it signs with when it is looked at.
        for site in (stranger, replicas[0], stranger):
            readiness(site)
        for site in (stranger, replicas[0]):
            assert readiness(site)["status"] == "degraded"
            assert readiness(site)["checks"]["signing_keys"] is False  # type: ignore[index]
    # The other tests of this module look at what processes share.
    replicas[0].shell("from mcpsite.access.models import KeySighting as K; K.objects.all().delete()")


def test_check_deploy_names_what_would_not_be_shared(
    replicas: list[Site], environments: list[dict[str, str]]
) -> None:
    said = replicas[0].manage("check", "--deploy", check=False).stderr
    assert "mcpsite.W005" in said  # no CACHE_URL
    assert not re.search(r"mcpsite\.W00[234]", said)
    state = environments[2]["STATE_DIR"]
    local = {"SIGNING_KEY_FILE": f"{state}/signing_key.pem", "UPLOAD_STORAGE": "folder", "SECRET_KEY": ""}
    said = replicas[0].manage("check", "--deploy", check=False, STATE_DIR=state, **local).stderr
    for number in ("W002", "W003", "W004"):
        assert f"mcpsite.{number}" in said
