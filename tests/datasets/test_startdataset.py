"""From a file of one's own to answers over HTTP, and docs/your-data.md as its reader follows it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Commands
from tests.datasets.unlike import MADE, Unlike, questions
from tests.docs.documents import blocks_of, lines_of
from tests.site import Site, environment, serving

COMMANDS = [line for block in blocks_of("docs/your-data.md") for line in lines_of(block)]


@contextmanager
def site_of_own(folder: Path) -> Iterator[dict[str, str]]:
    """A site whose own apps are in `folder`; no server yet."""
    with environment({"APPS_DIR": str(folder / "own")}) as env:
        yield env


def manage(env: dict[str, str], *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    # Each in a process of its own: what apps there are changes between them.
    with closing(Commands(env)) as commands:
        return commands.run(*arguments, check=check)


def test_names_that_cannot_be_an_apps_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("city,usd\nLisbon,1\nPorto,2\nLisbon,3\n")
    with site_of_own(tmp_path) as env, closing(Commands(env)) as commands:
        for name, reason in (
            ("class", "is not a valid name for an app"),
            ("Room Prices", "is not a valid name for an app"),
            ("airfare", "is the name of an app or a data set"),
            ("json", "is the name of a Python module"),
        ):
            done = commands.run("startdataset", name, str(tmp_path / "a.csv"), check=False)
            assert done.returncode == 1
            assert reason in done.stderr
    assert not (tmp_path / "own").exists()


def test_a_file_that_cannot_be_read_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("")
    with site_of_own(tmp_path) as env:
        done = manage(env, "startdataset", "my_rooms", str(tmp_path / "a.csv"), check=False)
    assert (done.returncode, done.stderr) == (1, "CommandError: a.csv: has no header and no rows.\n")
    assert not (tmp_path / "own").exists()


def answered(site: Site, token: str, name: str, arguments: dict[str, Any]) -> Any:
    result = site.call(token, name, arguments)
    assert not result.get("isError"), result
    return result["structuredContent"]


def picked(unlike: Unlike, answer: Any, wanted: str) -> Any:
    value, _, metric = wanted.partition("/")
    if not metric:
        return answer[wanted]
    return next(each[metric] for each in answer["groups"] if each.get(unlike.category) == value)


CURATE = """
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from mcpsite.datasets import curation
from mcpsite.datasets.declaration import data_set_named
board = Group.objects.create(name="board")
for name, category in {categories}.items():
    data_set = data_set_named(name)
    first, second = data_set.model.objects.order_by("position")[:2]
    curation.edit(first, {{category: "Curated"}}, None)
    curation.hide(data_set.model.objects.filter(pk=second.pk))
    file = data_set.files.get()
    file.groups.add(board)
    call_command("load_data", name, f"{{file.folder}}/{{file.name}}", force=True, verbosity=0)
User.objects.create_user("reader").groups.add(Group.objects.get(name="readers"))
print()
call_command("issue_token", "reader")
"""


@pytest.mark.e2e
def test_ten_unlike_files_are_answered_as_plain_python_does(tmp_path: Path) -> None:
    every = [made() for made in MADE]
    files = {each.name: tmp_path / f"{each.name}{each.suffix}" for each in every}
    with site_of_own(tmp_path) as env:
        for unlike in every:
            files[unlike.name].write_bytes(unlike.data)
            manage(env, "startdataset", unlike.name, str(files[unlike.name]))
        manage(env, "migrate")
        with closing(Commands(env)) as commands:
            for name, file in files.items():
                commands.run("load_data", name, str(file))
            assert "No problems found." in commands.run("check_data").stdout
        with serving(env) as site:
            token = site.prepared().splitlines()[-1]
            for unlike in every:
                asked = list(questions(unlike))
                assert len(asked) >= 5
                for name, arguments, wanted, right in asked:
                    answer = answered(site, token, name, arguments)
                    assert picked(unlike, answer, wanted) == pytest.approx(right), (name, arguments)
            _curated_and_limited(site, token, every)


def _curated_and_limited(site: Site, token: str, every: list[Unlike]) -> None:
    """Check that curation outlives a reload of each file, and a limit to a group hides it from others."""
    code = CURATE.format(categories={each.name: each.category for each in every})
    stranger = site.shell(code).splitlines()[-1]
    for unlike in every:
        asked = {f"{unlike.category}_contains": "Curated", "limit": 1}
        answer = answered(site, token, unlike.name, asked)
        assert (answer["total_rows"], answer["matched_rows"]) == (len(unlike.records) - 1, 1), unlike.name
        assert answered(site, stranger, unlike.name, {})["total_rows"] == 0
    told = {each["name"]: each["rows"] for each in answered(site, stranger, "describe_data", {})["data_sets"]}
    assert [told[unlike.name] for unlike in every] == [0] * len(every)


@pytest.mark.e2e
def test_the_page_about_ones_own_data_is_true_to_the_letter(tmp_path: Path) -> None:
    rows = "".join(f"2026-05-{n % 28 + 1:02},City {n % 5},{100 + n}\n" for n in range(60))
    file = tmp_path / "prices.csv"
    file.write_text(f"Night,City,Price (EUR)\n{rows}")
    assert lines_of(*blocks_of("README.md", "Your own tables")) == COMMANDS[:3]
    lines = [
        line.removeprefix(".venv/bin/python manage.py ").replace("prices.csv", str(file)) for line in COMMANDS
    ]
    calls = [line for line in lines if line.startswith("call_tool")]
    assert (len(lines), len(calls)) == (11, 3)
    before, after = lines[: lines.index(calls[0])], lines[lines.index(calls[-1]) + 1 :]
    with site_of_own(tmp_path) as env:
        for line in before:
            manage(env, *line.split())
        with serving(env) as site:
            site.prepared()
            said = [json.loads(site.manage(*line.split()).stdout) for line in calls]
        assert "room_prices" in [each["name"] for each in said[0]["data_sets"]]
        assert [row["price"] for row in said[1]["rows"]][:1] == [155]
        assert len(said[2]["groups"]) == 5
        for line in after:
            manage(env, *line.split())
