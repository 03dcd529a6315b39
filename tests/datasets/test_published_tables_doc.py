"""docs/published-tables.md as its reader follows it: each command and each snippet, in a copy of the site."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from tests.commands import Commands
from tests.docs.documents import blocks_of, lines_of
from tests.postgresql import administrator_url, role, skip_without_postgresql
from tests.site import ROOT, Site, environment, wait_for

[TABLES] = blocks_of("docs/published-tables.md", "Publishing a table of your own database")
GRANTS, ADDRESS, MAKE, MODELS, PUBLISHED, PERMISSIONS, ASK = blocks_of(
    "docs/published-tables.md", "Step by step"
)
[VISIBILITY] = blocks_of("docs/published-tables.md", "Some of the rows for some of the people")
ROWS = """
INSERT INTO sale (sold_on, region, channel, net_usd, units, remark, margin_usd) VALUES
    ('2025-01-06', 'North', 'web', 100.50, 1, 'First', 7), ('2025-01-31', 'North', NULL, 250, 2, NULL, 7),
    ('2025-01-31', 'South', 'web', NULL, 3, NULL, 7), ('2024-12-31', 'North', 'web', 9, 4, NULL, 7);
"""


GRANT = """
from django.contrib.auth.models import Group, Permission, User
sellers = Group.objects.create(name="sellers")
sellers.permissions.add(Permission.objects.get(name="Can view sale"))
for name in ("alice", "north-bob"):
    User.objects.create_user(name).groups.add(sellers)
"""


@dataclass
class Reader:
    """Somebody who does what the page says, in a folder of their own."""

    folder: Path
    env: dict[str, str]

    def commands(self) -> "closing[Commands]":
        """The commands of the site as its files are now."""
        return closing(Commands(self.env, self.folder))

    def writes(self, snippet: str) -> None:
        """Save a snippet of the page under the name in its first line."""
        (self.folder / snippet.splitlines()[0].removeprefix("# ")).write_text(snippet)


def runs(commands: Commands, line: str) -> str:
    """What a command of the page prints."""
    words = line.split()
    assert words[:2] == [".venv/bin/python", "manage.py"]
    return commands.run(*words[2:]).stdout


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader with a copy of the site and a database `erp`, whose names are a test's own."""
    skip_without_postgresql()
    for name in ("mcpsite", "airfare", "transcripts"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", tmp_path)
    with role(limit=20) as owner, environment() as env:
        user = f"{owner.name}_reader"
        parts = urlsplit(administrator_url())
        admin = urlunsplit(parts._replace(path=urlsplit(owner.url).path))
        with psycopg.connect(owner.url) as database:
            database.execute(f"{TABLES}{ROWS}")
        with psycopg.connect(admin, autocommit=True) as database:
            database.execute(
                GRANTS.replace("DATABASE erp", f"DATABASE {owner.name}").replace("erp_reader", user)
            )
        name, _, url = ADDRESS.strip().partition("=")
        host = parts.netloc.rpartition("@")[2]
        url = url.replace("erp_reader", user).replace("db.example.com:5432/erp", f"{host}/{owner.name}")
        try:
            yield Reader(tmp_path, env | {name: url, "APPS_DIR": "own"})
        finally:
            with psycopg.connect(admin, autocommit=True) as database:
                database.execute(f"DROP OWNED BY {user}; DROP ROLE {user}")


def test_the_page_leads_from_a_table_to_an_answer(reader: Reader) -> None:
    ask = lines_of(ASK)
    with reader.commands() as commands:
        *make, inspect = lines_of(MAKE)
        subprocess.run(["sh", "-ec", "\n".join(make)], cwd=reader.folder, check=True)
        line, _, file = inspect.partition(" > ")
        found = runs(commands, line)
    (reader.folder / file).write_text(found)
    for field in re.findall(r"^    (\w+) = models", MODELS, re.MULTILINE):
        assert f"    {field} = models." in found
    limited = PUBLISHED.replace("    name=", "    visible_to=own_region,\n    name=").replace(
        "from erp.models", "from erp.visibility import own_region\nfrom erp.models"
    )
    for snippet in (MODELS, limited, VISIBILITY):
        reader.writes(snippet)
    with reader.commands() as commands:
        *_, checked = [runs(commands, command) for command in lines_of(PERMISSIONS)]
        assert "no issues" in checked
        commands.run("shell", "--no-imports", "-c", GRANT)
        with served(reader):
            rows, groups = (json.loads(runs(commands, f"{command} --user alice")) for command in ask)
            of_north = json.loads(runs(commands, f"{ask[1]} --user north-bob"))
    assert rows["rows"] == [
        {"sold_on": "2025-01-31", "region": "North", "net_usd": 250, "units": 2},
        {
            "sold_on": "2025-01-06",
            "region": "North",
            "channel": "web",
            "net_usd": 100.5,
            "units": 1,
            "remark": "First",
        },
    ]
    assert groups["groups"] == [
        {"region": "North", "rows": 3, "net_usd_sum": 359.5, "net_usd_median": 100.5},
        {"region": "South", "rows": 1},
    ]
    assert of_north["groups"] == groups["groups"][:1]


@contextmanager
def served(reader: Reader) -> Iterator[None]:
    """The reader's site runs."""
    log = reader.folder / "server.log"
    with log.open("w") as output:
        command = [sys.executable, "manage.py", "serve"]
        process = subprocess.Popen(
            command, cwd=reader.folder, env=reader.env, stdout=output, stderr=output, text=True
        )
    try:
        wait_for(Site(port=int(reader.env["PORT"]), env=reader.env, process=process, log=log))
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)
