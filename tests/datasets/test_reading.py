"""What a file may hold, and which files are refused."""

import json
import math
import random
import tracemalloc
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airfare.weekly import WeeklyRegions
from mcpsite.datasets import reading
from mcpsite.datasets.columns import Column, Said
from mcpsite.datasets.encodings import READ
from mcpsite.datasets.formats import objects
from mcpsite.datasets.headings import Headings
from mcpsite.datasets.refusals import RefusedFile
from mcpsite.datasets.tables import Table

TEXTS = ("date", "snapshot_date", "route", "query", "region", "week", "week_id", "provider", "airline")
COLUMNS = Headings(
    [
        *(Column(name=name, names=(name,), kind="text") for name in TEXTS),
        *(Column(name=name, names=(name,), kind="prose") for name in ("notes", "channel_checks")),
        Column(name="avg_fare_usd", names=("avg_fare_usd",), kind="number", unit="USD"),
    ]
)


def open_table(path: Path, **said: Any) -> AbstractContextManager[Table]:
    return reading.open_table(path, COLUMNS, layout=WeeklyRegions(), said=Said(**said))


def read(folder: Path, name: str, content: str | bytes) -> list[dict[str, str]]:
    """The rows of a file, without empty cells."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with open_table(path) as table:
        return [
            {name: cell for name, cell in zip(table.header, row, strict=True) if cell}
            for batch in table.batches
            for row in batch.cells
        ]


def cells_of(path: Path) -> list[dict[str, str]]:
    with open_table(path) as table:
        return [dict(zip(table.header, row, strict=True)) for each in table.batches for row in each.cells]


def refusal(folder: Path, name: str, content: str | bytes) -> str:
    """Why a file is refused."""
    with pytest.raises(RefusedFile) as caught:
        read(folder, name, content)
    return str(caught.value)


def test_comments_and_blank_lines_outside_quotes_are_skipped(tmp_path: Path) -> None:
    text = "# a comment\n\ndate,query\n  # another\n2025,a\n \n,,\n2026,b\n# last, one\n"
    assert read(tmp_path, "a.csv", text) == [{"date": "2025", "query": "a"}, {"date": "2026", "query": "b"}]


def test_quoted_cells_hold_newlines_hashes_blank_lines_and_delimiters(tmp_path: Path) -> None:
    text = 'date,query\n2025,"one, two\n# not a comment\n\nend"\n2026,b\n'
    assert read(tmp_path, "a.csv", text)[0]["query"] == "one, two\n# not a comment\n\nend"


def test_a_doubled_quote_stands_for_one(tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", 'date,query\n2025,"say ""#hi"""\n')[0]["query"] == 'say "#hi"'


def test_a_first_comment_with_columns_is_the_header(tmp_path: Path) -> None:
    text = "# week_id\tprovider\n2024-W36\tAlpha\n# provider\tweek_id\n2024-W37\tBeta\n"
    assert read(tmp_path, "a.tsv", text) == [
        {"week_id": "2024-W36", "provider": "Alpha"},
        {"week_id": "2024-W37", "provider": "Beta"},
    ]


def test_a_comment_that_names_no_column_is_no_header(tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", "# exported by hand, see the wiki\ndate,query\n2025,a\n") == [
        {"date": "2025", "query": "a"}
    ]


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", b"\xef\xbb\xbfdate,query\n2025,a\n") == [{"date": "2025", "query": "a"}]
    assert read(tmp_path, "a.json", b'\xef\xbb\xbf[{"query": "a"}]') == [{"query": "a"}]


@pytest.mark.parametrize("again", ["{}", "\ufeff{}", "{}  ", "\ufeff# a note\n{}"])
@pytest.mark.parametrize("quoted", ["route,airline", '"route","airline"'])
def test_a_header_that_comes_again_is_no_row(tmp_path: Path, quoted: str, again: str) -> None:
    text = f"\ufeff{quoted}\nA,B\n{again.format(quoted)}\nC,D\n"
    assert read(tmp_path, "a.csv", text) == [{"route": "A", "airline": "B"}, {"route": "C", "airline": "D"}]


def test_a_header_that_comes_again_beside_ragged_rows_is_no_row(tmp_path: Path) -> None:
    assert [row["route"] for row in read(tmp_path, "a.csv", "route\nA,\nroute\nB\n")] == ["A", "B"]


def test_a_header_within_quotes_is_text(tmp_path: Path) -> None:
    rows = read(tmp_path, "a.csv", 'route\n"A\nroute\nB"\n')
    assert rows == [{"route": "A\nroute\nB"}]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_any_newline_ends_a_line(tmp_path: Path, newline: str) -> None:
    text = newline.join(["date,query", "2025,a", "# comment", "2026,b", ""])
    assert [row["query"] for row in read(tmp_path, "a.csv", text)] == ["a", "b"]


def test_header_names_may_have_capitals_and_spaces(tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", "Week ID, Provider\n2024-W36,x\n") == [
        {"week_id": "2024-W36", "provider": "x"}
    ]


def test_empty_cells_beyond_the_header_are_dropped(tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", "date,query\n2025,a,,\n") == [{"date": "2025", "query": "a"}]


def test_nul_is_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", "date,query\n2025,a\0b\n")[0]["query"] == "ab"
    assert read(tmp_path, "a.json", '[{"query": "a\\u0000b"}]')[0]["query"] == "ab"


def test_a_large_file_is_read_in_batches_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("date,query\n" + "".join(f"2025,{n}\n# x\n" for n in range(12_345)))
    with open_table(path) as table:
        batches = list(table.batches)
    assert sum(len(batch.cells) for batch in batches) == 12_345
    assert batches[-1].lines[-1] == 2 * 12_345


def test_rows_of_every_kind_come_back_from_a_file_of_many_blocks(tmp_path: Path) -> None:
    chance = random.Random(3)
    expected: list[list[str]] = []
    ends: list[int] = []
    path = tmp_path / "a.csv"
    with path.open("w", newline="") as file:
        number = file.write("date,query\n") and 1
        while file.tell() < 5 * READ:
            kind = chance.choice(["plain"] * 50 + ["quoted", "lines", "comment", "blank", "long"])
            if chance.random() < 0.001:  # A stretch that is all plain, as most files are.
                kind = "stretch"
            if kind in ("comment", "blank"):
                number += file.write({"comment": '# it"s\n', "blank": "\n"}[kind]) and 1
                continue
            for _ in range(30_000 if kind == "stretch" else 1):
                cell = {"quoted": 'a, "b"', "lines": "a\n\n# b\n", "long": "x" * 9_000}.get(kind, str(number))
                file.write(f"2025,{cell}\n" if cell.isalnum() else '2025,"' + cell.replace('"', '""') + '"\n')
                number += 1 + cell.count("\n")
                expected.append(["2025", cell])
                ends.append(number)
    with open_table(path) as table:
        batches = list(table.batches)
    assert [row for batch in batches for row in batch.cells] == expected
    assert [line for batch in batches for line in batch.lines] == ends


@settings(deadline=None)
@given(
    cells=st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=20),
            st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20),
        ),
        max_size=20,
    ),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_quoted_cells_come_back_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], newline: str
) -> None:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""').replace("\n", newline) + '"'

    lines = ["date,query", *(f"{quoted(a)},{quoted(b)}" for a, b in cells)]
    path = tmp_path_factory.mktemp("given") / "a.csv"
    path.write_bytes((newline.join(lines) + newline).encode())
    with open_table(path) as table:
        assert [tuple(row) for batch in table.batches for row in batch.cells] == cells


def test_json_lists_skip_what_is_no_object(tmp_path: Path) -> None:
    assert read(tmp_path, "a.json", '[{"query": "a"}, 3, null, ["b"], "c", {"query": "d"}]') == [
        {"query": "a"},
        {"query": "d"},
    ]


def test_json_values_become_cells(tmp_path: Path) -> None:
    document = [{"query": 0, "notes": ["DAL", "UAL"], "region": None, "week": 1.5, "provider": True}]
    assert read(tmp_path, "a.json", json.dumps(document)) == [
        {"query": "0", "notes": "DAL, UAL", "week": "1.5", "provider": "true"}
    ]


def test_json_numbers_that_json_does_not_know_are_read_too(tmp_path: Path) -> None:
    document = '[{"query": "a"}, {"query": NaN, "week": -Infinity}, {"query": 1e999}, {"query": 1%s}]'
    assert [row["query"] for row in read(tmp_path, "a.json", document % ("0" * 30))] == [
        "a",
        "NaN",
        "1E+999",
        "1" + "0" * 30,
    ]
    assert [row["query"] for row in read(tmp_path, "a.json", '[{"query": 1e999}, {"query": 1.10}]')] == [
        "1E+999",
        "1.10",
    ]


def test_a_json_object_is_one_row(tmp_path: Path) -> None:
    assert read(tmp_path, "a.json", '{"query": "a", "week": "2024-W36", "other": {"x": []}}') == [
        {"query": "a", "week": "2024-W36"}
    ]


def test_nested_queries_inherit_from_their_region_whatever_the_order(tmp_path: Path) -> None:
    document = {
        "regions": {
            "US": {"top_queries": [{"query": "a"}, 7, {"query": "b", "region": "CA"}], "channel_checks": "c"},
            "EU": {"channel_checks": "d", "query": "whole"},
            "UK": {"top_queries": []},
            "XX": None,
        },
        "week": "2024-W36",
    }
    assert read(tmp_path, "a.json", json.dumps(document)) == [
        {"query": "a", "region": "US", "week": "2024-W36", "channel_checks": "c"},
        {"query": "b", "region": "CA", "week": "2024-W36", "channel_checks": "c"},
        {"query": "whole", "region": "EU", "week": "2024-W36", "channel_checks": "d"},
    ]


def test_a_query_with_a_note_does_not_inherit_the_checks_of_its_region(tmp_path: Path) -> None:
    query = {"query": "a", "notes": "its own"}
    document = {"week": "2024-W36", "regions": {"US": {"top_queries": [query], "channel_checks": "c"}}}
    (tmp_path / "a.json").write_text(json.dumps(document))
    [row] = cells_of(tmp_path / "a.json")
    assert (row["notes"], row["channel_checks"]) == ("its own", "")


def test_an_undecodable_file_is_refused_with_its_line(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a.csv", b"date,query\n2025,a\n2025,\xff\n") == (
        "line 3: is not UTF-8 text; save the file as UTF-8, or give its encoding (--encoding)"
    )
    assert refusal(tmp_path, "a.csv", b"date,query\r2025,a\r2025,\xff\r2025,b\r").startswith("line 3: ")
    assert "line 2: is not UTF-8" in refusal(tmp_path, "a.json", b'[\n{"query": "\xff"}]')


def test_malformed_json_is_refused_with_its_line(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a.json", '[{"query": "a"},\n{"query": }]').startswith("line 2: is not JSON")
    assert refusal(tmp_path, "a.json", '{"query": "a"} x\n{"query": "b"}').startswith("line 1: is not JSON")
    assert refusal(tmp_path, "a.json", "").startswith("line 1: is not JSON")
    assert refusal(tmp_path, "a.json", '[{"query": "a"}').startswith("line 1: is not JSON")
    assert refusal(tmp_path, "a.json", "3") == "contains neither a list nor an object"


def test_a_file_nested_without_end_is_refused(tmp_path: Path) -> None:
    assert "nested too deeply" in refusal(tmp_path, "a.json", '{"query": ' + "[" * 5000 + "]" * 5000 + "}")


def test_a_file_without_a_usable_header_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a.csv", "") == "has no header and no rows"
    assert refusal(tmp_path, "a.csv", "# only a comment\n") == "has no header and no rows"
    assert refusal(tmp_path, "a.csv", "\n1,2,3\n4,5,6\n").startswith("line 2: is not a usable header")


def test_a_header_that_names_a_column_twice_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a.csv", "date,query,Date\n1,2,3\n") == (
        "line 1: the header has two columns for date; rename one of them"
    )


def test_a_row_with_a_cell_too_many_is_refused_with_its_line(tmp_path: Path) -> None:
    text = 'date,query\n2025,"x\ny"\n# c\n2025,a,b\n'
    assert refusal(tmp_path, "a.csv", text).startswith("line 5: has 3 cells where the header has 2")


def test_a_row_without_its_last_cells_is_filled_up(tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", "date,query,region\n2025,a,US\n2026\n2027,c\n") == [
        {"date": "2025", "query": "a", "region": "US"},
        {"date": "2026"},
        {"date": "2027", "query": "c"},
    ]


def test_a_row_in_which_the_file_ends_is_refused(tmp_path: Path) -> None:
    text = "date,query,region\n2025,a,US\n2026,b"
    assert refusal(tmp_path, "a.csv", text).startswith(
        "line 3: has 2 cells where the header has 3, and the file"
    )


def test_an_unclosed_quote_is_refused_with_the_line_of_its_row(tmp_path: Path) -> None:
    expected = "line 3: a quote opens here and is never closed"
    assert refusal(tmp_path, "a.csv", 'date,query\n2025,a\n2025,"b\n2025,c\n') == expected


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a.doc", "PK").startswith("is not one of .csv, .tsv, .json, ")
    assert refusal(tmp_path, "a.xlsx", "PK").startswith("is not an Excel workbook")


def test_keys_of_json_are_read_as_headers_are(tmp_path: Path) -> None:
    assert read(tmp_path, "a.json", '[{"Snapshot Date": "2026-07-01", "Avg_Fare-USD": 612.5}]') == [
        {"snapshot_date": "2026-07-01", "avg_fare_usd": "612.5"}
    ]
    document = '{"Week": "2024-W36", "Regions": {"US": {"Top Queries": [{"Query": "a"}]}}}'
    assert read(tmp_path, "a.json", document) == [{"query": "a", "region": "US", "week": "2024-W36"}]


def test_two_keys_of_one_column_with_different_values_are_refused(tmp_path: Path) -> None:
    assert "item 1 has two different values for date" in refusal(
        tmp_path, "a.json", '[{"Date": "2026", "date": "2025"}]'
    )
    assert read(tmp_path, "a.json", '[{"Date": "", "date": "2025", "query": "a"}]') == [
        {"date": "2025", "query": "a"}
    ]


@pytest.mark.parametrize(
    "document",
    [
        '{"error": "unauthorized", "message": "token expired"}',
        '{"meta": {"date": "2026-07-01"}}',
        '{"columns": ["a", "b"], "data": [["2026-07-01", "BOS-LIS"]]}',
        '[{"a": 1}, {"b": 2}, {}]',
    ],
)
def test_a_json_file_in_which_nothing_is_known_is_refused(tmp_path: Path, document: str) -> None:
    assert refusal(tmp_path, "a.json", document) == "has no known column"


def test_an_object_in_the_place_of_a_value_is_refused_with_its_item(tmp_path: Path) -> None:
    document = '[{"query": "a"}, {"query": "b", "avg_fare_usd": {"value": 612.5}}]'
    assert refusal(tmp_path, "a.json", document).startswith("avg_fare_usd of item 2 is an object")
    columns = '{"date": {"from": "2026-07-01"}, "route": {"to": "BOS-LIS"}}'
    assert "is an object" in refusal(tmp_path, "a.json", columns)


ROWS = [{"date": "2026-07-01", "route": "BOS-LIS"}, {"date": "2026-07-02", "route": "LIS-BOS"}]


@pytest.mark.parametrize(
    "document",
    [
        {"data": ROWS},
        {"count": 2, "next": None, "results": ROWS},
        {"errors": [], "rows": ROWS, "links": [{"a": 1}]},
        {"response": {"items": ROWS}},
        {"columns": ["date", "route"], "index": [0, 1], "data": [list(row.values()) for row in ROWS]},
        {"data": [list(row.values()) for row in ROWS], "columns": ["date", "route"]},
        {"0": ROWS[0], "1": ROWS[1]},
        {name: {str(n): row[name] for n, row in enumerate(ROWS)} for name in ROWS[0]},
        {name: [row[name] for row in ROWS] for name in ROWS[0]},
        {"schema": {"fields": [{"name": "date", "type": "string"}]}, "data": ROWS},
    ],
)
def test_a_table_is_read_in_each_shape_that_programs_write(tmp_path: Path, document: object) -> None:
    assert read(tmp_path, "a.json", json.dumps(document)) == ROWS


def test_two_lists_of_rows_in_one_document_are_refused(tmp_path: Path) -> None:
    document = json.dumps({"east": ROWS, "west": ROWS})
    assert refusal(tmp_path, "a.json", document).startswith("contains several lists of rows (east, west)")


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.ndjson"])
def test_an_object_in_each_line_is_a_row(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, name, "\ufeff" + "\n\n".join(map(json.dumps, ROWS))) == ROWS


def test_a_line_that_is_no_json_is_refused_with_its_number(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a.jsonl", '{"date": "2026"}\n\n{"date": \n').startswith("line 3: is not JSON")


def test_a_single_line_of_json_lines_is_a_row(tmp_path: Path) -> None:
    assert read(tmp_path, "a.jsonl", json.dumps(ROWS[0])) == ROWS[:1]


def test_nested_notes_with_fractions_are_kept_as_they_stand(tmp_path: Path) -> None:
    document = (
        '[{"query": "a", "notes": [{"t": "x", "w": 0.5}]}, {"query": "b", "channel_checks": {"up": 1.5}}]'
    )
    (tmp_path / "a.json").write_text(document)
    assert [row["notes"] or row["channel_checks"] for row in cells_of(tmp_path / "a.json")] == [
        '{"t": "x", "w": "0.5"}',
        '{"up": "1.5"}',
    ]


@pytest.mark.parametrize("where", ["%s", '{"query": %s}', '[{"query": "a", "x": %s}]', '{"regions": %s}'])
def test_nesting_without_end_is_refused_in_little_memory(tmp_path: Path, where: str) -> None:
    document = where % ("[" * 100_000 + "]" * 100_000)
    tracemalloc.start()
    refusal(tmp_path, "a.json", document)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


def test_a_number_without_end_is_refused(tmp_path: Path) -> None:
    assert "too many digits" in refusal(tmp_path, "a.json", '[{"query": %s}]' % ("9" * 100_000))


@given(
    texts=st.lists(st.text(st.sampled_from('NaInfity-"\\ x'), max_size=12), max_size=6),
    size=st.integers(1, 40),
)
def test_words_for_no_number_are_replaced_outside_texts_alone(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], size: int
) -> None:
    path = tmp_path_factory.mktemp("given") / "a.json"
    path.write_text(json.dumps([texts, math.nan, -math.inf, math.inf]))
    with path.open("rb") as file:
        source = objects._Finite(file)
        whole = b"".join(iter(lambda: source.read(size), b""))
    assert json.loads(whole) == [texts, "NaN", "-Infinity", "Infinity"]
