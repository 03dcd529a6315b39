"""Whatever a file holds, it is read within bounds or refused with a reason."""

import gzip
import io
import json
import math
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airfare.weekly import WeeklyRegions
from mcpsite.datasets.columns import Said
from mcpsite.datasets.reading import open_table
from mcpsite.datasets.records import Reader
from mcpsite.datasets.refusals import RefusedFile
from mcpsite.exchange import workbook
from tests.airfare.fares import DATA_SET

FEW, MANY = 500, 25_000
PIECES = (
    *(
        "date",
        "route",
        "avg_fare_usd",
        "Load Factor (%)",
        "airline",
        "notes",
        "gate",
        "sep=;",
        "Total",
        "Source: x",
    ),
    *(
        "2024-06-03",
        "6/3/2024",
        "13/06/2024",
        "03.04.2024",
        "Jun-24",
        "45446",
        "2024-W9",
        "2024-02-30",
        "soon",
    ),
    *(
        "438",
        "1,234",
        "1.234",
        "1.234,50",
        "(5.4)",
        "$438.00",
        "5,4",
        "1e400",
        "inf",
        "#N/A",
        "#REF!",
        "-",
        "−5",
    ),
    *(
        '"',
        '""',
        ",",
        ";",
        "\t",
        "|",
        "#",
        "# ",
        "\n",
        "\r\n",
        "\r",
        "\0",
        "\ufeff",
        "\x1a",
        " ",
        "é",
        "’",
        "日本",
    ),
)
pieces = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=40).map("".join)
cells = st.sampled_from(PIECES) | st.text(max_size=8)
tables = st.builds(
    lambda delimiter, rows: "\n".join(
        delimiter.join(row) for row in [["date", "route", "avg_fare_usd"], *rows]
    ),
    st.sampled_from(",;\t|"),
    st.lists(st.lists(cells, min_size=1, max_size=4), max_size=8),
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | cells
keys = st.sampled_from(
    ["date", "route", "Avg Fare (USD)", "notes", "data", "rows", "columns", "regions", "week", "0"]
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(keys | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed")


def read(path: Path, content: bytes, **said: Any) -> None:
    """Read a file to its end: what comes out of it holds together, or it is refused in words."""
    path.write_bytes(content)
    said_of_it = "read to its end"
    try:
        with open_table(path, DATA_SET.headings, layout=WeeklyRegions(), said=Said(**said)) as table:
            reader = Reader.of(table, DATA_SET.read, Said(**said))
            for batch in reader.read_all(table.batches):
                columns: list[Any] = [
                    *batch.texts.values(),
                    *batch.days.values(),
                    *batch.numbers.values(),
                    batch.lines,
                ]
                assert {len(column) for column in columns} == {batch.size}
                given = [
                    number for column in batch.numbers.values() for number in column if number is not None
                ]
                assert all(map(math.isfinite, given))
            assert reader.unreadable >= len(reader.first_unreadable) >= min(reader.unreadable, 1)
    except RefusedFile as refused:
        said_of_it = str(refused)
    assert len(said_of_it) > 10


def as_bytes(text: str, encoding: str) -> bytes:
    return text.encode(encoding, "replace")


encoded = st.builds(
    as_bytes, pieces | tables, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
)
lines = st.lists(values.map(json.dumps) | pieces, max_size=5).map("\n".join)
KINDS: dict[str, tuple[st.SearchStrategy[bytes], tuple[str, ...]]] = {
    "bytes": (st.binary(max_size=200), ("a.csv", "a.tsv", "a.json", "a.jsonl", "a.csv.gz")),
    "text": (encoded, ("a.csv", "a.tsv", "a.json")),
    "tables": (
        tables.map(str.encode) | tables.map(str.encode).map(gzip.compress),
        ("a.csv", "a.tsv", "a.csv.gz"),
    ),
    "objects": (
        values.map(json.dumps).map(str.encode) | lines.map(lambda text: text.encode("utf-8", "replace")),
        ("a.json", "a.jsonl"),
    ),
}


def fuzz(kind: str, folder: Path, examples: int) -> None:
    contents, names = KINDS[kind]

    @settings(max_examples=examples, deadline=2_000, suppress_health_check=list(HealthCheck), database=None)
    @given(
        content=contents,
        name=st.sampled_from(names),
        said=st.fixed_dictionaries(
            {}, optional={"dates": st.just("dmy"), "decimal": st.sampled_from([".", ","])}
        ),
    )
    def read_it(content: bytes, name: str, said: dict[str, str]) -> None:
        read(folder / name, content, **said)

    read_it()


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_anything_is_read_or_refused(kind: str, folder: Path) -> None:
    fuzz(kind, folder, FEW)


@pytest.mark.e2e
@pytest.mark.parametrize("kind", KINDS)
def test_very_many_files_of_anything_are_read_or_refused(kind: str, folder: Path) -> None:
    fuzz(kind, folder, MANY)


def workbook_of(change: Callable[[dict[str, bytes]], None] = lambda _: None) -> bytes:
    """A workbook of one row, with its parts changed."""
    book = openpyxl.Workbook()
    book.active.append(["date", "route", "avg_fare_usd"])
    book.active.append(["2024-06-03", "JFK-LAX", 438.125])
    file = io.BytesIO()
    book.save(file)
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return made.getvalue()


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(data=st.data())
def test_a_workbook_with_anything_in_it_is_read_or_refused(data: st.DataObject) -> None:
    def change(parts: dict[str, bytes]) -> None:
        name = data.draw(st.sampled_from(sorted(parts)))
        place = data.draw(st.integers(0, len(parts[name])))
        parts[name] = parts[name][:place] + data.draw(st.binary(max_size=8)) + parts[name][place + 1 :]

    rows: list[list[Any]] = []
    with suppress(workbook.BadWorkbook):
        _, *rows = workbook.read_rows(workbook_of(change))
    assert all(isinstance(cell, str | float) for row in rows for cell in row)


@pytest.mark.parametrize("content", [b"PK\x03\x04....", b"", workbook_of()[:-300]])
def test_what_is_no_whole_workbook_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.xlsx").write_bytes(content)
    with pytest.raises(RefusedFile), open_table(tmp_path / "a.xlsx", DATA_SET.headings) as table:
        list(table.batches)


def test_a_workbook_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    def change(parts: dict[str, bytes]) -> None:
        parts["xl/worksheets/sheet1.xml"] += b" " * (workbook.MOST_UNPACKED + 1)

    (tmp_path / "a.xlsx").write_bytes(workbook_of(change))
    with pytest.raises(RefusedFile, match="the workbook is too large"):
        open_table(tmp_path / "a.xlsx", DATA_SET.headings).__enter__()
