"""Files as people have them (`tests/cases`): each is read right or refused with what to do."""

import json
import re
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from tests.site import ROOT
from transcripts import documents
from transcripts.models import Transcript, Turn
from transcripts.stores import local

CASES = ROOT / "tests" / "cases" / "transcripts"
EVERY: list[dict[str, Any]] = json.loads((CASES / "expected.json").read_text())

pytestmark = pytest.mark.django_db


def flat(text: str) -> str:
    return " ".join(text.split())


def upload(paths: list[Path]) -> tuple[int, str]:
    """The exit code of the command and what it tells."""
    out = StringIO()
    code = 0
    try:
        call_command("upload_transcripts", *map(str, paths), stdout=out, stderr=out)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    return code, flat(out.getvalue())


def steps(case: dict[str, Any], folder: Path) -> tuple[int, str]:
    """Run the commands of `case`; returns what the last one did."""
    single = {"put": {case["file"]: case["file"]}, "load": [case["file"]]}
    for step in case.get("steps", [single]):
        for name, source in step.get("put", {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(CASES / "files" / source, folder / name)
        code, told = upload([folder / each for each in step["load"]])
    return code, told


def is_named(label: str, name: str) -> bool:
    return bool(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", label, re.IGNORECASE))


def not_credited(wanted: list[dict[str, str]]) -> list[str]:
    """Words that are not their speaker's, or that a search by speaker does not find."""
    wrong = []
    for credit in wanted:
        words = flat(credit["words"])
        turns = [turn for turn in Turn.objects.all() if words in flat(turn.text)]
        found = local.search_database(words, speaker=credit["speaker"], limit=10)
        if not turns or not found or not all(is_named(turn.speaker, credit["speaker"]) for turn in turns):
            wrong.append(f"{words} → {[turn.speaker for turn in turns]}, not {credit['speaker']}")
    return wrong


def faults(case: dict[str, Any]) -> list[str]:
    """What is not as `case` says, in words."""
    wrong = not_credited([*case.get("credits", []), *case.get("kept_credits", [])])
    transcript = Transcript.objects.order_by("pk").first()
    if transcript is None:
        return ["nothing was loaded"]
    turns = list(transcript.turns.all())
    text = "\n\n".join(documents.transcript_lines(transcript))
    facts = {"title": transcript.title, **documents.facts(transcript)}
    for name in case.get("speakers", []):
        if not any(is_named(turn.speaker, name) for turn in turns):
            wrong.append(f"{name} is no speaker")
    for name in case.get("not_speakers", []):
        lines = [flat(line) for line in text.split("\n") if line.startswith(f"{name}:")]
        said = [flat(credit["words"]) for credit in case.get("credits", [])]
        wrong += [f"{name} seems to say “{words}”" for words in said if any(words in line for line in lines)]
    wrong += [
        f"{name} speaks" for name in case.get("not_speakers", []) if any(t.speaker == name for t in turns)
    ]
    offsets = iter([turn.offset for turn in turns])
    for stamp in case.get("stamps", []):
        minutes, seconds = map(int, stamp.split(":"))
        if minutes * 60 + seconds not in offsets:
            wrong.append(f"no turn begins at {stamp}")
    if wanted := case.get("turns"):
        least, most = wanted if isinstance(wanted, list) else (wanted, wanted)
        named = sum(bool(turn.speaker) for turn in turns)
        if not least <= named <= most:
            wrong.append(f"{named} turns have a speaker, not {wanted}")
    if "soft_date" in case and facts.get("date") not in (None, *case["soft_date"]):
        wrong.append(f"the date is {facts['date']}")
    for name, value in {
        **{k: case[k] for k in ("date", "title") if k in case},
        **case.get("facts", {}),
    }.items():
        if facts.get(name) != value:
            wrong.append(f"the {name} is {facts.get(name)}, not {value}")
    for name in case.get("participants", []):
        if name not in facts.get("participants", ""):
            wrong.append(f"{name} is no participant")
    wrong += [f"“{part}” is lost" for part in case.get("present", []) if flat(part) not in flat(text)]
    wrong += [f"“{part}” is in the text" for part in case.get("absent", []) if part in text]
    this = Transcript.objects.filter(pk=transcript.pk)
    for query in case.get("finds", []):
        if not local.search_database(query, transcripts=this, limit=5):
            wrong.append(f"“{query}” finds nothing")
    return wrong


def untold(patterns: list[str], told: str) -> list[str]:
    return [pattern for pattern in patterns if not re.search(pattern, told, re.IGNORECASE)]


@pytest.mark.parametrize("case", EVERY, ids=lambda case: case["file"])
def test_what_has_to_come_of_the_file_comes_of_it(
    case: dict[str, Any], tmp_path: Path, settings: Settings
) -> None:
    settings.OPENAI_API_KEY = ""
    code, told = steps(case, tmp_path)
    refused = code != 0 and not case.get("any_rc")
    assert untold(case.get("told", []), told) == []
    assert not refused or case["outcome"] != "read", told
    assert refused or case["outcome"] != "refuse", told
    if refused:
        assert untold(case.get("told_if_refused", []), told) == []
        assert not_credited(case.get("kept_credits", [])) == []
        return
    wrong = faults(case)
    unread = case.get("told_if_unread")
    # What is not read and told is as right as what is read.
    assert wrong == [] or (unread and not untold(unread, told)), told
