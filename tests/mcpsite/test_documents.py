"""Documents lead where they say: links, files and the numbers of the client contract."""

import re
from itertools import chain
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import User
from django.test import RequestFactory

from mcpsite.core.panels import Panel
from tests.site import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
GUIDES = [
    ROOT / name
    for name in (
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "docs/answers-of-mcp.md",
        "docs/client-contract.md",
    )
]
"""What names files of this repository in code letters."""
THEIRS = ("own/",)
"""What is there only for whoever makes it."""
CONTRACT = (ROOT / "docs/client-contract.md").read_text()
POINTS = [int(number) for number in re.findall(r"^(\d+)\. ", CONTRACT, re.MULTILINE)]
CITATION = re.compile(r"(?:[Cc]lient[- ]contract,? |contract \[|# \[)(\d+(?:(?:, | and | to )\d+)*)")


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading).strip().lower() for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_link_leads_to_a_file_and_a_heading_that_there_are(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), f"{document.name} links to {target}"
        assert not anchor or anchor in anchors(file), f"{document.name} links to {target}"


@pytest.mark.parametrize("document", GUIDES, ids=lambda path: path.name)
def test_each_file_that_a_guide_names_is_there(document: Path) -> None:
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.\w+|(?:[\w-]+/)+)`", document.read_text())
    assert named
    assert not [name for name in named if not (ROOT / name).exists() and name not in THEIRS]


STEPS = re.findall(r"^\d+\. (.+)$", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("step", STEPS)
def test_each_step_of_a_journey_names_what_is_in_its_files(step: str) -> None:
    named = re.findall(r"`([^`]+)`", step)
    files = [name for name in named if name.endswith(".py")]
    text = "".join((ROOT / name).read_text() for name in files)
    names = [part for name in named if "/" not in name for part in name.split(".")]
    assert files
    assert not [name for name in names if not re.search(rf"\b{name}\b", text)]


@pytest.mark.django_db
def test_the_panel_of_the_guide_is_one(rf: RequestFactory, admin_user: User) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    guide: dict[str, Any] = {}
    exec("".join(map(dedent, blocks)), guide)
    request = rf.get("/admin/")
    request.user = admin_user
    [make] = guide["panels"](request)
    panel = make()
    assert isinstance(panel, Panel)
    assert [figure.value for figure in panel.figures] == [0]


def test_the_points_of_the_contract_are_numbered_without_a_gap() -> None:
    assert list(range(1, len(POINTS) + 1)) == POINTS


def test_each_point_that_code_and_tests_cite_is_there() -> None:
    folders = (ROOT / name for name in ("mcpsite", "airfare", "transcripts", "tests"))
    cited: set[int] = set()
    for file in chain.from_iterable(folder.rglob("*.py") for folder in folders):
        for numbers in CITATION.findall(file.read_text()):
            cited |= set(map(int, re.findall(r"\d+", numbers)))
    assert len(cited) > 20
    assert cited <= set(POINTS)
