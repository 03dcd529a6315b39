"""DATABASE_URL_<ALIAS>: further databases, what is refused of them, and that nothing is written there."""

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured

from mcpsite.core import read_only_databases
from tests.commands import Commands
from tests.postgresql import role, skip_without_postgresql
from tests.site import environment


def database(setting: str, url: str) -> dict[str, Any]:
    config = read_only_databases.database(setting, url)
    assert config is not None
    return config


def test_an_address_of_postgresql_is_opened_for_reading_alone() -> None:
    config = database("DATABASE_URL_ERP", "postgres://u:p@db.example/erp?options=-c%20search_path%3Dsales")
    assert config["NAME"] == "erp"
    assert config["OPTIONS"]["options"] == "-c search_path=sales -c default_transaction_read_only=on"


def test_a_file_of_sqlite_is_opened_for_reading_alone() -> None:
    config = database("DATABASE_URL_ERP", "sqlite:////data/a%20file%3F.sqlite3?timeout=3")
    assert config["NAME"] == "file:///data/a%20file%3F.sqlite3?mode=ro"
    assert config["OPTIONS"] == {"timeout": 3, "init_command": "PRAGMA query_only=ON;"}


@pytest.mark.parametrize(
    ("setting", "url", "remedy"),
    [
        (
            "DATABASE_URL_ERP",
            "mysql://u:hunter2@db/erp",
            "DATABASE_URL_ERP is 'mysql://.*; it has to be like p",
        ),
        ("DATABASE_URL_ERP", "oracle://u:hunter2@db/erp", "it has to be like postgres://"),
        ("DATABASE_URL_ERP", "sqlite://:memory:", "DATABASE_URL_ERP does not name a file; write sqlite:////"),
        ("DATABASE_URL_erp", "postgres://u@db/erp", "DATABASE_URL_erp does not name .* DATABASE_URL_ERP for"),
        ("DATABASE_URL_", "postgres://u@db/erp", "DATABASE_URL_ does not name a database"),
        ("DATABASE_URL_DEFAULT", "postgres://u@db/erp", r"the site's own is DATABASE_URL\)"),
        (
            "DATABASE_URL_ERP",
            "postgres://u@db/erp?pool_min_size=9&pool_max_size=2",
            "DATABASE_URL_ERP has pool",
        ),
    ],
)
def test_what_is_no_further_database_is_refused_with_the_remedy(setting: str, url: str, remedy: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=remedy) as refusal:
        read_only_databases.database(setting, url)
    assert "hunter2" not in str(refusal.value)


def test_a_database_of_another_kind_keeps_the_site_from_starting_with_a_sentence() -> None:
    settings = {"DATABASE_URL_ERP": "mysql://u:hunter2@db/erp"}
    with environment(settings, start_from=None) as env, closing(Commands(env)) as commands:
        done = commands.run("check", check=False)
    assert done.returncode == 2
    assert (
        "environment: DATABASE_URL_ERP is 'mysql://***@db/erp'; it has to be like postgres://" in done.stderr
    )
    assert "hunter2" not in done.stderr


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def erp(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a database with a table, of whose user it is not known what they may do."""
    table = "CREATE TABLE auth_group (id integer PRIMARY KEY, name varchar(150) NOT NULL)"
    row = "INSERT INTO auth_group VALUES (1, 'sales')"
    if request.param == "sqlite":
        file = tmp_path_factory.mktemp("erp") / "erp.sqlite3"
        with closing(sqlite3.connect(file)) as lite:
            lite.execute(table)
            lite.execute(row)
            lite.commit()
            # The journal that a program of its owner may have chosen.
            lite.execute("PRAGMA journal_mode=WAL")
        yield f"sqlite:///{file}"
        return
    skip_without_postgresql()
    with role(limit=20) as owner:
        with psycopg.connect(owner.url) as database:
            database.execute(table)
            database.execute(row)
        yield owner.url


@pytest.fixture(scope="module")
def commands(erp: str) -> Iterator[Commands]:
    """The commands of a site that has it."""
    with environment({"DATABASE_URL_ERP": erp}) as env, closing(Commands(env)) as commands:
        yield commands


def shell(commands: Commands, code: str) -> subprocess.CompletedProcess[str]:
    preamble = "from django.contrib.auth.models import Group\nfrom django.db import connections\n"
    return commands.run("shell", "--no-imports", "-c", preamble + code, check=False)


def test_rows_are_read_there(commands: Commands) -> None:
    assert shell(commands, "print(Group.objects.using('erp').get().name)").stdout == "sales\n"


@pytest.mark.parametrize(
    "statement",
    [
        "Group.objects.using('erp').create(name='x')",
        "Group.objects.using('erp').update(name='x')",
        "connections['erp'].cursor().execute('DELETE FROM auth_group')",
        "connections['erp'].cursor().execute('DROP TABLE auth_group')",
        "connections['erp'].cursor().execute('CREATE TABLE x (id integer)')",
    ],
)
def test_no_statement_writes_there(commands: Commands, statement: str) -> None:
    done = shell(commands, statement)
    assert done.returncode == 1
    assert "read-only" in done.stderr or "readonly" in done.stderr
    assert shell(commands, "print(Group.objects.using('erp').get().name)").stdout == "sales\n"


def test_an_instance_that_was_read_there_is_not_saved(commands: Commands) -> None:
    code = "group = Group(pk=1, name='x')\ngroup._state.db = 'erp'\ngroup.save()"
    done = shell(commands, code)
    assert done.returncode == 1
    assert "NotSupportedError: This site only reads the database 'erp'; it cannot write to it." in done.stderr


def test_a_migration_makes_nothing_there(commands: Commands) -> None:
    done = commands.run("migrate", "--database", "erp", check=False)
    assert done.returncode == 1
    count = "print(connections['erp'].introspection.table_names())"
    assert shell(commands, count).stdout == "['auth_group']\n"


def test_a_migration_of_the_site_does_not_look_there(commands: Commands) -> None:
    assert commands.run("migrate", "--check", check=False).returncode == 0
    assert commands.run("check").stdout == "System check identified no issues (0 silenced).\n"


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    file = tmp_path / "erp.sqlite3"
    with environment({"DATABASE_URL_ERP": f"sqlite:///{file}"}) as env, closing(Commands(env)) as commands:
        done = commands.run("check", check=False)
    assert done.returncode == 1
    assert "unable to open database file" in done.stderr
    assert not file.exists()
