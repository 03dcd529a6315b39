"""The rest of `make quick`, behind the linters: types, and the tests that are near to what has changed.

Changed is what differs from where the branch left `main` (BASE names another commit), committed or not; on
`main` itself what is not committed, or else the last commit. A test module is near to a changed file if it is
that file, is named after it (`tokens.py`, `test_tokens.py`), imports it, or has its name in its text, as
tests of documents do. If there is none, all tests of the innermost package that has tests are near. Tests are
begun for SECONDS, those of the nearest modules first, and it is said which were not reached.
"""

import ast
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 30.0
"""For how long tests are begun: the last of them, types and linters too are then done within a minute."""
NAMED = 8
"""Of the modules that were not reached."""
APART = "tests/e2e/"
"""What `make e2e` runs."""


def changed(root: Path = ROOT, base: str = "main") -> list[str]:
    """Return the files that have changed and still exist, by their paths from `root`."""

    def git(*arguments: str) -> list[str]:
        command = ["git", "-c", "core.quotePath=off", *arguments]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True)
        return done.stdout.splitlines() if done.returncode == 0 else []

    def since(commit: str) -> set[str]:
        return {
            *git("diff", "--name-only", "--relative", commit),
            *git("ls-files", "--others", "--exclude-standard"),
        }

    start = git("merge-base", "HEAD", base)
    found = since(start[0] if start else "HEAD")
    if not found and start == git("rev-parse", "HEAD"):
        found = since("HEAD~1")
    return sorted(path for path in found if (root / path).is_file())


def near(files: Iterable[str], root: Path = ROOT) -> list[str]:
    """Return the test modules that are near to the changed `files`, the nearest first."""
    tests = {path.relative_to(root).as_posix(): path for path in root.glob("tests/**/test_*.py")}
    tests = {test: path for test, path in tests.items() if not test.startswith(APART)}
    ranks: dict[str, int] = {}
    for file in files:
        found = {test: rank for test, path in tests.items() if (rank := _rank(path, test, file))}
        if not found and (folder := _folder_of_tests(root, file)):
            found = dict.fromkeys((test for test in tests if test.startswith(folder)), 4)
        for test, rank in found.items():
            ranks[test] = min(rank, ranks.get(test, rank))
    return sorted(ranks, key=lambda test: (ranks[test], test))


def _rank(path: Path, test: str, file: str) -> int:
    """Return how far a test module is from a changed file; 0 if they have nothing to do with each other."""
    other = Path(file)
    if test == file:
        return 1
    if path.stem == f"test_{other.stem}" and path.parent.name in other.parts:
        return 2
    if other.suffix == ".py":
        module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return 3 if module in _imports(path) else 0
    return 3 if other.name in _text(path) else 0


def _folder_of_tests(root: Path, file: str) -> str:
    """Return the folder of the tests of a file's package, or of the innermost around it that has one."""
    for package in reversed(Path(file).parent.parts):
        if (root / "tests" / package).is_dir():
            return f"tests/{package}/"
    return ""


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _imports(path: Path) -> frozenset[str]:
    """Return the modules that a file imports, and what it imports from these, which may be modules."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(_text(path))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return frozenset(found)


class Bound:
    """A plugin of pytest that runs modules in the order given, and begins no test once SECONDS are over."""

    def __init__(self, modules: list[str]) -> None:
        self._places = {module: place for place, module in enumerate(modules)}
        self._end = time.monotonic() + SECONDS
        self._left: Counter[str] = Counter()
        self._session: pytest.Session | None = None
        self.stopped = False
        """Whether that came about."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        # pytest-django has put all that need no database behind all that do.
        items.sort(key=lambda item: self._places.get(_module(item.nodeid), 0))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._session = session
        self._left.update(_module(item.nodeid) for item in session.items)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._left[_module(nodeid)] -= 1
        if self._session is not None and self.left and time.monotonic() > self._end:
            self.stopped = True
            self._session.shouldstop = f"{SECONDS:g} seconds are over"

    @property
    def left(self) -> list[str]:
        """The modules of which not all tests were run."""
        return [module for module, tests in self._left.items() if tests]

    @property
    def failed(self) -> bool:
        """Whether a test has failed, or a module could not be imported."""
        return self._session is None or self._session.testsfailed > 0


def _module(test: str) -> str:
    return test.partition("::")[0]


def run(modules: list[str]) -> bool:
    """Run the tests of these modules while there is time; return whether all that were run passed."""
    if not modules:
        print("No test is near to what has changed.")
        return True
    bound = Bound(modules)
    ended = pytest.main(["-q", *modules], plugins=[bound])
    if bound.stopped:
        more = f" and {len(bound.left) - NAMED} more" if len(bound.left) > NAMED else ""
        print(f"Not run, or not to the end: {' '.join(bound.left[:NAMED])}{more}; make test runs them all.")
        return not bound.failed
    return ended in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


def main() -> int:
    """Run the tests, with mypy beside them; return the exit code."""
    with tempfile.TemporaryFile("w+") as output:
        types = subprocess.Popen([sys.executable, "-m", "mypy"], cwd=ROOT, stdout=output, stderr=output)
        passed = run(near(changed(base=os.environ.get("BASE") or "main")))
        types.wait()
        output.seek(0)
        print(output.read(), end="")
    return 0 if passed and types.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
