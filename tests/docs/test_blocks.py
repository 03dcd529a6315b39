"""Every block of code in the documents is run by a test, or says here why it cannot be."""

import ast
import json
import subprocess
import tomllib
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import yaml

from tests.docs.documents import Block, blocks_of, documents, every_block, headings, lines_of
from tests.site import ROOT

OF_A_CLIENT = "for the program of somebody else; test_connecting compares it with the home page"
OF_A_PROVIDER = "for the program of somebody else"
AN_INIT_SYSTEM = "speaks to an init system, which no test has"
A_SYNOPSIS = "how a command is called; test_words compares it with the command"
NOT_RUN = {
    (
        "README.md",
        "make run     # virtual environment",
    ): "sets up, serves, and runs these tests",
    ("README.md", ".venv/bin/python manage.py load_airfare ["): A_SYNOPSIS,
    ("README.md", ".venv/bin/python manage.py upload_transcripts ["): A_SYNOPSIS,
    ("CONTRIBUTING.md", ".venv/bin/python -m tests.mcpsite"): "writes what test_clients compares",
    ("docs/connecting.md", "codex mcp add company-data --url http://localhost:8788/mcp"): OF_A_CLIENT,
    ("docs/connecting.md", "[mcp_servers.company-data]"): OF_A_CLIENT,
    ("docs/connecting.md", "claude mcp add"): OF_A_CLIENT,
    ("docs/connecting.md", '{"servers": {"company-data"'): OF_A_CLIENT,
    ("docs/connecting.md", '{"mcpServers": {"company-data"'): OF_A_CLIENT,
    ("docs/connecting.md", "npx @modelcontextprotocol/inspector"): OF_A_CLIENT,
    ("docs/connecting.md", "cloudflared tunnel"): OF_A_CLIENT,
    ("docs/connecting.md", "ngrok http"): OF_A_CLIENT,
    ("docs/connecting.md", "export CONTROL_PLANE_API_KEY"): OF_A_CLIENT,
    (
        "docs/operating.md",
        "cd /opt/mcpsite && git fetch",
    ): f"{AN_INIT_SYSTEM}; test_balanced restarts",
    ("docs/sign-in.md", "api.idToken.setCustomClaim"): OF_A_PROVIDER,
    ("docs/watching.md", "scrape_configs:"): "for Prometheus; test_watching reads /metrics as it does",
    ("docs/watching.md", ".venv/bin/pip install"): "installs packages, with which test_watching traces calls",
}
"""Blocks that no test runs, by document and how they begin, each with its reason."""


@cache
def run() -> set[tuple[str, str]]:
    """Return the sections whose blocks tests take by `blocks_of`."""
    found: set[tuple[str, str]] = set()
    for path in ROOT.glob("tests/**/test_*.py"):
        text = path.read_text()
        if "blocks_of(" not in text:
            continue
        for call in ast.walk(ast.parse(text)):
            match call:
                case ast.Call(func=ast.Name("blocks_of"), args=[ast.Constant(document), ast.Constant(name)]):
                    found.add((str(document), str(name)))
                case ast.Call(func=ast.Name("blocks_of"), args=[ast.Constant(document)]):
                    found.update((str(document), name) for name in headings(str(document)))
    return found


def reasons(block: Block) -> list[tuple[str, str]]:
    """Return the entries of NOT_RUN that are of a block."""
    return [key for key in NOT_RUN if key[0] == block.document and block.text.startswith(key[1])]


def is_a_picture(block: Block) -> bool:
    return block.language == "mermaid" or (not block.language and "│" in block.text)


@pytest.mark.parametrize("block", every_block(), ids=str)
def test_each_block_is_run_by_a_test_or_says_why_not(block: Block) -> None:
    section = (block.document, block.section)
    assert section in run() or reasons(block) or is_a_picture(block), (
        f"{block} (“{block.section}”): let a test take it by blocks_of{section} and run it, "
        "or give its reason in NOT_RUN."
    )


def test_each_reason_is_one_of_a_block() -> None:
    assert {key for block in every_block() for key in reasons(block)} == NOT_RUN.keys()


@pytest.mark.parametrize("document", documents())
def test_each_block_is_fenced(document: str) -> None:
    blank, indented = True, []
    for number, line in enumerate(documents()[document].splitlines(), start=1):
        if blank and line.startswith("    ") and not line.lstrip().startswith(("-", "*", "1.", "```")):
            indented.append(number)
        blank = not line.strip() or (bool(indented) and indented[-1] == number)
    fenced = {
        block.line + number
        for block in every_block()
        if block.document == document
        for number in range(block.text.count("\n") + 2)
    }
    assert set(indented) <= fenced


def _compiles(code: str) -> None:
    compile(code, "a document", "exec")


def _is_a_shell_script(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def _sets_variables(text: str) -> None:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    # Behind a value a comment would be a part of it.
    assert [line for line in lines if "=" not in line or " #" in line] == []


SHAPES: dict[str, Callable[[str], Any]] = {
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
    "python": _compiles,
    "sh": _is_a_shell_script,
    "ini": _sets_variables,
}
"""By language what fails for a block that is none of it."""


@pytest.mark.parametrize("block", [each for each in every_block() if each.language in SHAPES], ids=str)
def test_each_block_is_of_its_language(block: Block) -> None:
    SHAPES[block.language](block.text)


def test_the_language_of_each_block_is_one_that_is_looked_at() -> None:
    others = {block.language for block in every_block()} - SHAPES.keys()
    # SQL is run by a test, JavaScript by a browser; text is a picture or an output.
    assert others <= {"", "text", "sql", "js", "mermaid"}


@pytest.mark.parametrize("block", [each for each in every_block() if each.language == "python"], ids=str)
def test_each_block_of_python_is_written_as_the_site_is(block: Block) -> None:
    command = [".venv/bin/ruff", "format", "--check", "--stdin-filename=a.py", "-"]
    done = subprocess.run(command, cwd=ROOT, input=block.text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_a_shell_continues_or_comments_is_no_command_of_its_own() -> None:
    assert lines_of("# A comment\n\na b   # why\n    --more\nc 'd#e'\n") == ["a b --more", "c 'd#e'"]


def test_a_section_without_code_cannot_be_taken() -> None:
    with pytest.raises(LookupError):
        blocks_of("README.md", "How it is made")
