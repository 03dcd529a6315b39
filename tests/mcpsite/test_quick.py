"""`make quick` runs the tests that are near to a change, and whatever is added to the repository is seen."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from mypy.config_parser import parse_config_file
from mypy.find_sources import create_source_list
from mypy.options import Options

from tests import quick
from tests.site import ROOT

FILES = {
    "rates/models.py": "",
    "rates/prices.py": "",
    "rates/templates/rates/list.html": "",
    "docs/rates.md": "",
    "tests/rates/test_prices.py": "def test_it() -> None: ...\n",
    "tests/rates/test_pages.py": "from rates import models\n",
    "tests/other/test_models.py": "import rates.prices\n",
    "tests/other/test_docs.py": 'PAGE = "docs/rates.md"\n',
    "tests/e2e/test_rates.py": "import rates.prices\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        ("tests/other/test_docs.py", ["tests/other/test_docs.py"]),
        ("rates/prices.py", ["tests/rates/test_prices.py", "tests/other/test_models.py"]),
        ("rates/models.py", ["tests/rates/test_pages.py"]),
        ("docs/rates.md", ["tests/other/test_docs.py"]),
        ("rates/templates/rates/list.html", ["tests/rates/test_pages.py", "tests/rates/test_prices.py"]),
        ("Makefile", []),
    ],
)
def test_the_nearest_tests_of_a_changed_file_are_chosen(root: Path, changed: str, tests: list[str]) -> None:
    assert quick.near([changed], root) == tests


@pytest.fixture
def git(root: Path) -> Any:
    def git(*arguments: str) -> None:
        who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
        subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)

    git("init", "--initial-branch=main")
    git("add", ".")
    git("commit", "-m", "All of it")
    return git


def test_a_branch_has_changed_what_main_does_not_have(root: Path, git: Any) -> None:
    git("checkout", "-b", "work")
    (root / "rates/prices.py").write_text("A = 1\n")
    git("commit", "-a", "-m", "A price")
    (root / "rates/models.py").write_text("B = 2\n")
    (root / "rates/new.py").write_text("")
    (root / "docs/rates.md").unlink()
    assert quick.changed(root) == ["rates/models.py", "rates/new.py", "rates/prices.py"]


def test_on_main_itself_the_last_commit_is_what_has_changed(root: Path, git: Any) -> None:
    (root / "rates/prices.py").write_text("A = 1\n")
    git("commit", "-a", "-m", "A price")
    assert quick.changed(root) == ["rates/prices.py"]


def test_no_test_begins_when_the_time_is_over(tmp_path: Path) -> None:
    slow = "import time\ndef test_a(): time.sleep(0.2)\ndef test_b(): assert False\n"
    (tmp_path / "test_slow.py").write_text(slow)
    code = f"quick.SECONDS = 0.1; raise SystemExit(not quick.run(['{tmp_path}', '--rootdir={tmp_path}']))"
    command = [sys.executable, "-c", f"from tests import quick; {code}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True)
    assert "Not run, or not to the end" in done.stdout


# What is added is seen, without a list that somebody has to remember


def tracked(pattern: str) -> set[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.split()
    return {path for path in found if (ROOT / path).exists()} or pytest.skip("this is no git repository")


def test_the_types_of_every_file_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    options = Options()
    parse_config_file(options, lambda: None, "pyproject.toml", sys.stderr, sys.stderr)
    checked = {
        Path(source.path or "").as_posix() for source in create_source_list(options.files or [], options)
    }
    assert {path for path in tracked("*.py") if not path.startswith("bench/peers/")} == checked


def test_every_app_at_the_top_stands_in_a_layer() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    apps = {path.split("/")[0] for path in tracked("*/apps.py") if path.count("/") == 1}
    assert apps | {"mcpsite"} == set(rules["root_packages"])
    layers = {name for layer in rules["contracts"][0]["layers"] for name in layer.replace("|", " ").split()}
    assert apps <= layers
