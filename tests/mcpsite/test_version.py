"""The version stands in one place, and whoever tells it reads it there."""

import re
import tomllib

from mcpsite import __version__
from tests.site import ROOT, Site


def test_clients_are_told_the_version(site: Site, token: str) -> None:
    result = site.rpc(token, "server/discover").json()["result"]
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["version"] == __version__


def test_the_project_takes_the_version_from_the_package() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in pyproject["project"]
    assert pyproject["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "mcpsite.__version__"}


def test_the_newest_version_of_the_changelog_is_this_one() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[:2] == ["Unreleased", __version__]
