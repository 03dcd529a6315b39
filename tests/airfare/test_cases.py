"""Files as people have them: each is loaded by the command, and then a model asks for its rows.

`tests/cases/tabular/expected.json` says what is right: what is unambiguous is read, what is not used is told,
the rest is refused, and nothing is wrong without a word. `README.md` beside it says what its keys mean.
"""

import asyncio
import csv
import json
import re
import shutil
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import AsyncClient, Client

from airfare.filters import AskedFilters
from airfare.tools import airfare_trend_insights
from mcpsite.access.caller import Caller
from tests.commands import Commands
from tests.exchange.test_exporting import CSV, ROWS, fields
from tests.site import environment

HERE = Path(__file__).parent.parent / "cases" / "tabular"
CASES: list[dict[str, Any]] = json.loads((HERE / "expected.json").read_text())
EXPECTED_FAILURES: dict[str, str] = {}
"""Cases that do not come out right, with the reason; at most 5 % of them, and none silently wrong."""
NAMED = re.compile(r"\\\.(csv|tsv|json|jsonl|xlsx?|zip|parquet)")
IDENTITY = ("airline", "query", "query~", "provider~", "region", "route")
Row = dict[str, Any]


def cases(*, corrected: bool) -> list[Any]:
    return [
        pytest.param(
            case,
            id=case["file"],
            marks=[pytest.mark.xfail(reason=EXPECTED_FAILURES[case["file"]])]
            if case["file"] in EXPECTED_FAILURES
            else [],
        )
        for case in CASES
        if ("correct" in case) == corrected
    ]


def load(*arguments: object) -> tuple[int, str]:
    """The command's exit code, and what it printed without the lines of its table."""
    out, code = StringIO(), 0
    try:
        call_command("load_airfare", *map(str, arguments), stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, flat(re.sub(r"[─-╿]", " ", out.getvalue()))


def flat(value: object) -> str:
    return re.sub(r"\s+", " ", str(value)).strip()


class Outcome:
    """What became of a case's files."""

    def __init__(self, case: dict[str, Any], folder: Path, caller: Caller) -> None:
        self.case = case
        self.caller = caller
        names: set[str] = set()
        steps = case.get("steps") or [{"put": {case["file"]: case["file"]}, "load": [case["file"]]}]
        for step in steps:
            for name, source in step.get("put", {}).items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if source is None:
                    path.unlink()
                else:
                    shutil.copyfile(HERE / "files" / source, path)
                    names.add(path.name)
            self.code, self.out = load(*(folder / each for each in step["load"]), *step.get("args", []))
        self.every = self.rows()
        self.own = [row for row in self.every if row["source_file"].rpartition("/")[2] in names]
        several = case.get("keeps") or len(steps) > 1
        self.refused = bool(self.code) and (bool(several) or not self.own)
        self.plain = self.out
        for name in sorted(names, key=len, reverse=True):
            # A file's name in the output is no telling.
            self.plain = self.plain.replace(name, "…")

    def rows(self, **filters: Any) -> list[Row]:
        answer = airfare_trend_insights(self.caller, AskedFilters(**filters), limit=200)
        return cast(list[Row], answer["rows"])

    def untold(self, key: str) -> list[str]:
        return [
            f"{pattern} is not told"
            for pattern in self.case.get(key, [])
            if not re.search(pattern, self.out if NAMED.search(pattern) else self.plain, re.I | re.S)
        ]

    def faults(self) -> list[str]:
        case, outcome = self.case, self.case["outcome"]
        faults = self.untold("told")
        if outcome == "refuse" and not self.refused:
            faults.append("was accepted")
        if outcome == "read" and self.refused and not case.get("any_rc"):
            faults.append("was refused")
        if outcome == "either":
            faults += self.untold("told_if_refused" if self.refused else "told_if_read")
        rows = [] if self.refused else self._missing(case.get("rows", []))
        if not self.refused and case.get("row_count", len(self.own)) != len(self.own):
            rows.append(f"{len(self.own)} rows")
        if outcome == "either" and "told_if_unread" in case and not self.untold("told_if_unread"):
            rows = [] if not self._wrong() else rows
        faults += rows + self._missing(case.get("keeps", []))
        return faults + self._present()

    def _missing(self, wanted: list[Row]) -> list[str]:
        return [f"there is no {row}" for row in wanted if not any(self._is(row, own) for own in self.own)]

    def _wrong(self) -> bool:
        """Whether a row that is wanted is there with another value."""
        for wanted in self.case.get("rows", []):
            who = next(name for name in IDENTITY if name in wanted)
            for own in self.own:
                if fits(own, who, wanted[who]) and any(
                    name in own and not fits(own, name, value)
                    for name, value in wanted.items()
                    if name not in ("day", "month", who)
                ):
                    return True
        return False

    def _is(self, wanted: Row, own: Row) -> bool:
        days = [wanted[name] for name in ("day", "month") if name in wanted]
        given = {name: value for name, value in wanted.items() if name not in ("day", "month")}
        return all(fits(own, name, value) for name, value in given.items()) and all(
            own in self.rows(snapshot_date=day) for day in days
        )

    def _present(self) -> list[str]:
        """What is there and must not be."""
        case = self.case
        faults = [
            f"{text} is there" for text in case.get("absent", []) if any(shows(r, text) for r in self.own)
        ]
        for day in case.get("absent_days", []):
            faults += [f"a row counts as {day}" for row in self.own if row in self.rows(snapshot_date=day)]
        for sign in case.get("no_chars", []):
            faults += [
                f"{sign!r} is there" for row in self.own if sign in json.dumps(row, ensure_ascii=False)
            ]
        for each in case.get("count_by", []):
            if sum(row.get("airline") == each["airline"] for row in self.every) > each["most"]:
                faults.append(f"{each['airline']} is there too often")
        return faults


def fits(row: Row, name: str, value: Any) -> bool:
    have = row.get(name.rstrip("~"))
    if name.endswith("~"):
        return value in flat(have)
    if value is None or isinstance(value, int | float):
        return bool(have == value)
    return flat(have) == flat(value)


def shows(row: Row, text: str) -> bool:
    name, _, value = text.partition("=")
    if value and name.isidentifier():
        have = row.get(name)
        return str(have) == value or (isinstance(have, float) and have == float(value))
    said = {name: have for name, have in row.items() if name not in ("source_file", "query")}
    return text in json.dumps(said, ensure_ascii=False)


@pytest.mark.django_db
@pytest.mark.parametrize("case", cases(corrected=False))
def test_a_file_is_read_told_or_refused(case: dict[str, Any], tmp_path: Path, caller: Caller) -> None:
    outcome = Outcome(case, tmp_path, caller)
    assert not outcome.faults(), f"{case['why']}: {outcome.out}"
    if case.get("strict_too"):
        assert load(tmp_path / case["file"], "--strict", "--force", "--dry-run")[0] == 0


@pytest.mark.e2e
def test_the_command_in_a_process_of_its_own_says_the_same(tmp_path: Path) -> None:
    wrong = []
    with environment() as env, closing(Commands(env)) as commands:
        for number, case in enumerate(CASES):
            if "correct" in case or "steps" in case:
                continue
            path = tmp_path / str(number) / case["file"]
            path.parent.mkdir()
            shutil.copyfile(HERE / "files" / case["file"], path)
            done = commands.run("load_airfare", str(path), check=False)
            said = flat(re.sub(r"[─-╿]", " ", done.stdout)).replace(case["file"], "…")
            codes = {"refuse": [1], "read": [0, 1] if case.get("any_rc") else [0]}
            right = done.returncode in codes.get(case["outcome"], [0, 1])
            untold = [each for each in case.get("told", []) if not NAMED.search(each)]
            if not right or not all(re.search(each, said, re.I | re.S) for each in untold):
                wrong.append((case["file"], done.returncode, said[:300], done.stderr[-300:]))
    assert wrong == []


# A file that was loaded, exported, changed in a spreadsheet program and brought back


def exported(user: User) -> list[dict[str, str]]:
    async def get() -> bytes:
        client = AsyncClient()
        await client.aforce_login(user)
        answer: Any = await client.post(f"{ROWS}export/", {"format": CSV, **fields(ROWS)})
        return b"".join([part async for part in answer.streaming_content])

    return list(csv.DictReader(StringIO(asyncio.run(get()).decode("utf-8-sig"), newline="")))


def brought_back(user: User, rows: list[dict[str, str]], delimiter: str) -> str:
    file = StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    client = Client()
    client.force_login(user)
    data = SimpleUploadedFile("corrections.csv", file.getvalue().encode("utf-8-sig"))
    answer: Any = client.post(f"{ROWS}import/", {"import_file": data, "format": ""}, follow=True)
    page: str = answer.content.decode()
    form = (answer.context or {}).get("confirm_form")
    if form is not None:
        values = {name: form.initial.get(name, "") for name in form.fields}
        page += client.post(f"{ROWS}process_import/", values, follow=True).content.decode()
    return flat(re.sub(r"<[^>]+>", " ", page))


def edited(rows: list[dict[str, str]], edits: list[dict[str, Any]]) -> list[dict[str, str]]:
    for row in rows:
        for edit in edits:
            if row["airline"] == edit["airline"]:
                row.update(edit["set"])
    return rows


def in_german(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    for row in rows:
        for name, value in row.items():
            if name.endswith(("_usd", "_pct", "_days")):
                row[name] = value.replace(".", ",")
            row[name] = {"FALSE": "FALSCH", "TRUE": "WAHR"}.get(row[name], row[name])
    return rows


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("case", cases(corrected=True))
def test_a_file_that_is_corrected_changes_what_was_meant(
    case: dict[str, Any], tmp_path: Path, caller: Caller
) -> None:
    spec = case["correct"]
    first, second = (User.objects.create_superuser(name) for name in ("first", "second"))
    plain = case | {"steps": [{"put": {case["file"]: spec["base"]}, "load": [case["file"]]}]}
    outcome = Outcome(plain, tmp_path, caller)
    rows = exported(first)
    if "stale" in spec:
        brought_back(second, edited(exported(second), [spec["stale"]]), ",")
    rows = in_german(rows) if spec.get("everywhere") == "german" else rows
    page = brought_back(first, edited(rows, spec["edits"]), spec["delimiter"])
    outcome.own = outcome.rows()
    faults = outcome._missing([*case.get("rows", []), *case.get("keeps", [])])
    told = "page_told" in case and any(re.search(each, page, re.I) for each in case["page_told"])
    assert told or not faults, page[-2_000:]
