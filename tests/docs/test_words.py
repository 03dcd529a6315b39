"""What the documents name is there: commands and options, settings, files, links."""

import re
import shlex
from argparse import Action
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
from django.core.management import CommandParser, get_commands, load_command_class
from django.core.management.base import BaseCommand

from mcpsite import settings
from mcpsite.core.environment import _OTHERS
from tests.docs.documents import documents, every_block, headings, lines_of, spans
from tests.site import ROOT

EVERY_DOCUMENT = pytest.mark.parametrize("document", documents())
OURS = ("mcpsite", "airfare", "transcripts")
MANAGE = re.compile(r"\bmanage(?:\.py)? ([a-z].*)")
SEPARATOR = re.compile(r"&&|;|\)| [<>|] ")
"""Between commands of a line; without blanks a bar stands between the values of an option."""
PLACEHOLDER = re.compile(r"[A-Z][A-Z_-]*")
NO_FILES_OF_OURS = {
    "data/curators": "a group at a provider",
    "deploy/.env": "its reader makes it",
    "deploy/.env.production": "its reader makes it",
    "deploy/certificates": "its reader makes it",
}
"""Words like paths of the repository that are none, each with what it is."""
NO_NAMES_OF_OURS = {
    "CLIENT_ID": "a reader's own value",
    "CONTROL_PLANE_API_KEY": "read by OpenAI's tunnel",
    "POSTGRES_PASSWORD": "read by deploy/compose.yaml",
    "RUNTIME_KEY": "a reader's own value",
    "SPEAKER_00": "how services name a speaker",
    "STORE_ID": "an argument",
    "TUNNEL_ID": "a reader's own value",
}
"""Words like the names of settings that are none, each with what it is."""
OF_OTHER_PROGRAMS = {"--http": "uvicorn"}


def code(document: str) -> list[str]:
    """Return what stands as code in a document, in blocks for a shell and within sentences."""
    scripts = (
        block.text
        for block in every_block()
        if block.document == document and block.language in ("", "sh", "text")
    )
    return [*(line for script in scripts for line in lines_of(script)), *spans(document)]


@cache
def parser_of(name: str) -> CommandParser:
    """Return what a management command reads its arguments by."""
    return load_command_class(get_commands()[name], name).create_parser("manage.py", name)


def options_of(name: str) -> dict[str, Action]:
    return parser_of(name)._option_string_actions


def commands(document: str) -> Iterator[list[str]]:
    """Yield the words of each management command in a document, its name first."""
    for part in (part for text in code(document) for part in SEPARATOR.split(text)):
        if found := MANAGE.search(part):
            yield found[1].split()
        elif " -" in part and part.split()[0] in get_commands():
            yield part.split()


def problems(words: list[str]) -> Iterator[str]:
    """Yield what is wrong with a management command as a document writes it."""
    name, *arguments = words
    if name not in get_commands():
        yield f"there is no command {name}"
        return
    known = options_of(name)
    plain = [word.strip("[]") for word in arguments]
    for word, following in pairwise([*plain, ""]):
        option = word.partition("=")[0]
        if option.startswith("-") and option != "-":
            if option not in known:
                yield f"{name} has no option {option}"
            elif (choices := known[option].choices) and "|" in following:
                wrong = {*following.split("|")} - {*map(str, choices)}
                yield from (f"{option} of {name} cannot be {each}" for each in wrong)
    if not get_commands()[name].startswith(OURS):
        return
    if any(word.startswith("[") for word in arguments):
        left_out = {
            action.option_strings[-1] for action in parser_of(name)._actions if action.option_strings
        } - {action.option_strings[-1] for action in BaseCommand().create_parser("", "")._actions}
        yield from (f"{option} of {name} is left out" for option in left_out - {*plain})
    elif arguments and "…" not in "".join(arguments):
        given = ["1" if PLACEHOLDER.fullmatch(word) else word for word in shlex.split(" ".join(arguments))]
        last = known.get(given[-1])
        if last and last.nargs is None:  # An option that a sentence names without its value.
            given.append("1")
        try:
            parser_of(name).parse_args(given)
        except Exception as error:  # noqa: BLE001 (the sentence is what is asserted)
            yield f"{' '.join(words)}: {error}"


@EVERY_DOCUMENT
def test_every_management_command_is_called_as_it_takes_it(document: str) -> None:
    assert [each for words in commands(document) for each in problems(words)] == []


def test_a_command_that_is_written_wrongly_is_told() -> None:
    for words, told in (
        ("load_fares", "there is no command load_fares"),
        ("migrate --prnue", "migrate has no option --prnue"),
        ("issue_token --ttl 1h", "issue_token --ttl 1h: Error: the following arguments are required: USER"),
        ("daily [--deploy]", "daily has no option --deploy"),
        ("prune_audit [PATH]", "--days of prune_audit is left out"),
        ("load_data NAME [--dates ymd|dmy]", "--dates of load_data cannot be ymd"),
    ):
        assert told in list(problems(words.split()))


@EVERY_DOCUMENT
def test_every_option_that_stands_alone_is_one_of_a_command(document: str) -> None:
    known = {option for name in get_commands() for option in options_of(name)} | OF_OTHER_PROGRAMS.keys()
    asked = {found[0] for span in spans(document) if (found := re.match(r"--[a-z][\w-]+", span))}
    benches = "".join(text for path, text in sources().items() if path.parent.name == "bench")
    assert {option for option in asked - known if f'"{option}"' not in benches} == set()


@EVERY_DOCUMENT
def test_every_setting_is_one(document: str) -> None:
    words = set(re.findall(r"(?<![\w-])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w-])", documents()[document]))
    words -= {word for word in words if _OTHERS.fullmatch(word) or word.startswith("DATABASE_URL_")}
    assert {
        word for word in words - settings.env.names - NO_NAMES_OF_OURS.keys() if not constant(word)
    } == set()


@cache
def sources() -> dict[Path, str]:
    """Return the source of the site and of its tests."""
    folders = (*OURS, "bench", "tests", "examples")
    return {path: path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py")}


def constant(name: str) -> bool:
    """Whether a module defines a name, or looks one up."""
    ours = (text for path, text in sources().items() if path.relative_to(ROOT).parts[0] in OURS)
    return any(re.search(rf'^{name}\b|"{name}"', text, re.MULTILINE) for text in ours)


@EVERY_DOCUMENT
def test_every_file_is_there(document: str) -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"own", "var", ".venv"}
    missing = set()
    for word in (word.strip("(),;:\"'") for text in code(document) for word in text.split()):
        top, slash, _ = word.partition("/")
        if slash and top in folders and word.rstrip("/") not in NO_FILES_OF_OURS and not any(ROOT.glob(word)):
            missing.add(word)
    assert missing == set()


@EVERY_DOCUMENT
def test_every_module_that_is_named_without_its_folder_is_there(document: str) -> None:
    names = {span for span in spans(document) if re.fullmatch(r"\w+\.py", span)}
    assert names - {path.name for path in sources()} == {"manage.py"} & names


@EVERY_DOCUMENT
def test_every_target_of_make_is_there(document: str) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = {found[1] for text in code(document) if (found := re.match(r"make ([\w-]+)", text))}
    assert asked <= targets


@EVERY_DOCUMENT
def test_every_module_that_python_runs_is_there_and_takes_what_it_is_given(document: str) -> None:
    for text in code(document):
        if found := re.search(r"python3? -m ([\w.]+)(.*)", text):
            spec = find_spec(found[1])
            assert spec, text
            if found[1].startswith("bench."):
                source = Path(str(spec.origin)).read_text()
                assert [each for each in re.findall(r"--[\w-]+", found[2]) if f'"{each}"' not in source] == []


@EVERY_DOCUMENT
def test_every_link_leads_somewhere(document: str) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", documents()[document]):
        path, _, anchor = target.partition("#")
        if path.startswith("https://"):
            continue
        there = (ROOT / document).parent / path if path else ROOT / document
        if not there.exists() or (anchor and anchor not in anchors(str(there.resolve().relative_to(ROOT)))):
            broken.append(target)
    assert broken == []


def anchors(document: str) -> set[str]:
    """Return the anchors that GitHub gives the headings of a document."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings(document)}
