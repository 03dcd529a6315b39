"""What a table as a whole decides: dates, decimal marks, encodings, and the rows that are none."""

from pathlib import Path
from typing import Any

import pytest

from mcpsite.datasets.columns import Column, Said
from mcpsite.datasets.findings import Findings
from mcpsite.datasets.headings import Headings
from mcpsite.datasets.reading import open_table
from mcpsite.datasets.records import Reader
from mcpsite.datasets.refusals import RefusedFile

COLUMNS = (
    Column(name="day", names=("day",), kind="day"),
    Column(name="hotel", names=("hotel",), kind="category"),
    Column(name="city", names=("city",), kind="category"),
    Column(name="usd", names=("usd", "price"), kind="number", unit="USD", least=0, most=1e6),
    Column(name="full", names=("full",), kind="number", unit="%", least=0, most=100),
    Column(name="note", names=("note",), kind="prose"),
)
Rows = list[tuple[str, str, float | None]]


def read(folder: Path, content: str | bytes, *, name: str = "a.csv", **said: Any) -> tuple[Rows, str]:
    """Day, hotel and price of each row, and all that is told."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with open_table(path, Headings(COLUMNS), said=Said(**said)) as table:
        reader = Reader.of(table, COLUMNS, Said(**said))
        rows: Rows = []
        for batch in reader.read_all(table.batches):
            none = [None] * batch.size
            empty = [""] * batch.size
            hotels = batch.texts.get("hotel", empty)
            rows += zip(batch.days.get("day", empty), hotels, batch.numbers.get("usd", none), strict=True)
        return rows, ". ".join(Findings.of(table, reader).sentences())


def refusal(folder: Path, content: str | bytes, **said: Any) -> str:
    with pytest.raises(RefusedFile) as refused:
        read(folder, content, **said)
    return str(refused.value)


def days(rows: Rows) -> list[str]:
    return [day for day, _, _ in rows]


def prices(rows: Rows) -> list[float | None]:
    return [price for _, _, price in rows]


def test_one_date_decides_for_its_column(tmp_path: Path) -> None:
    rows, _ = read(
        tmp_path, "day,hotel\n03/04/2024,A\n5/6/2024,B\n" + "7/7/2024,C\n" * 20_000 + "13/04/2024,D\n"
    )
    assert days(rows)[:2] == ["2024-04-03", "2024-06-05"]
    assert days(rows)[-1] == "2024-04-13"


def test_dates_that_nothing_decides_are_refused_until_somebody_says(tmp_path: Path) -> None:
    table = "day,hotel\n2024-04-01,A\n03/04/2024,B\n"
    assert refusal(tmp_path, table).startswith(
        "line 3: day is '03/04/2024', in which the day or the month may come first"
    )
    assert days(read(tmp_path, table, dates="dmy")[0]) == ["2024-04-01", "2024-04-03"]
    assert days(read(tmp_path, table.replace("day,", "day (MM/DD/YYYY),"))[0]) == ["2024-04-01", "2024-03-04"]


def test_dates_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    table = "day,hotel\n13/04/2024,A\n04/13/2024,B\n{}\n"
    assert days(read(tmp_path, table.format("2024-04-13,C"))[0]) == ["2024-04-13"] * 3
    assert "others differ ('13/04/2024' in line 2, '04/13/2024' in 3)" in refusal(
        tmp_path, table.format("03/04/2024,C")
    )


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("hotel;usd\nA;1.234\nB;405,50\n", [1_234, 405.5]),
        ('hotel,usd\nA,"1,234"\nB,405.50\n', [1_234, 405.5]),
        ("hotel,usd\nA,1.234\nB,0.5\n", [1.234, 0.5]),
        ('hotel,usd\nA,"1,234"\nB,405\n', [1_234, 405]),
    ],
)
def test_a_decimal_mark_is_decided_by_its_column(tmp_path: Path, table: str, expected: list[float]) -> None:
    assert prices(read(tmp_path, table)[0]) == expected


def test_thousands_that_could_be_decimals_are_refused_until_somebody_says(tmp_path: Path) -> None:
    table = "hotel;usd\nA;1.234\nB;2.345\n"
    assert refusal(tmp_path, table).startswith("line 2: usd is '1.234', which may mean thousands or decimals")
    assert prices(read(tmp_path, table, decimal=",")[0]) == [1_234, 2_345]
    assert prices(read(tmp_path, table, decimal=".")[0]) == [1.234, 2.345]


def test_fractions_of_json_and_workbooks_are_never_thousands(tmp_path: Path) -> None:
    rows = read(tmp_path, '[{"hotel": "A", "usd": 1.234}, {"hotel": "B", "usd": 2.345}]', name="a.json")[0]
    assert prices(rows) == [1.234, 2.345]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_unicode_is_read_in_each_of_its_encodings(tmp_path: Path, encoding: str) -> None:
    rows, _ = read(tmp_path, "day,hotel,usd\n2024-06-03,Ĝardena,5\n".encode(encoding))
    assert rows == [("2024-06-03", "Ĝardena", 5)]


@pytest.mark.parametrize(("encoding", "name"), [("cp1252", "Windows-1252"), ("mac_roman", "Mac Roman")])
def test_other_encodings_are_guessed_and_told(tmp_path: Path, encoding: str, name: str) -> None:
    text = "hotel,usd,note\nCafé Ünlü,5,Ireland’s “best” – so far\nSeñor,6,x\n"
    rows, told = read(tmp_path, text.encode(encoding))
    assert [hotel for _, hotel, _ in rows] == ["Café Ünlü", "Señor"]
    assert f"is not UTF-8; it was read as {name}" in told


def test_an_encoding_that_cannot_be_guessed_is_named_by_a_person(tmp_path: Path) -> None:
    data = "hotel,usd\nАэрофлот,5\n".encode("cp1251")
    assert refusal(tmp_path, data).startswith("line 2: is not UTF-8 text")
    assert read(tmp_path, data, encoding="cp1251")[0] == [("", "Аэрофлот", 5)]
    assert "is not the name of an encoding" in refusal(tmp_path, data, encoding="zip")


def test_rows_that_are_none_are_left_out_and_told(tmp_path: Path) -> None:
    rows, told = read(
        tmp_path,
        "Prices,,,\n,,,\nday,hotel,city,usd\n(date),,,US$\n2024-06-03,A,Lisbon,5\nSubtotal,,,5\nday,hotel,city,usd\n"
        "2024-06-04,Total Comfort,Porto,6\n2024-06-05,Total,Porto,7\nGrand total:,,,18\nSource: the hotels\n",
    )
    assert [hotel for _, hotel, _ in rows] == ["A", "Total Comfort", "Total"]
    assert told == (
        "6 rows are not data and were left out: line 1: 'Prices' (above the heading); line 4: '(date) "
        "US$' (units); line 6: 'Subtotal 5' (a total); line 7: 'day,hotel,city,usd' (the heading again); "
        "line 10: 'Grand total: 18' (a total); line 11: 'Source: the hotels' (a footer)"
    )


def test_a_hotel_called_total_stays_where_it_is_the_only_column_of_texts(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, "day,hotel,usd\n2024-06-03,Total,5\n2024-06-04,B,6\n,Total,11\n")
    assert [hotel for _, hotel, _ in rows] == ["Total", "B"]


@pytest.mark.parametrize(
    ("cells", "is_told"),
    [
        (["0.87", "0.9", "1"], True),
        (["0.87", "0.9", "12"], False),
        (["0", "1", "1"], False),
        (["0.5 %", "0.9 %"], False),
        (["87 %", "0.9", "0.85"], True),
        (["", "0.5"], False),
    ],
)
def test_per_cents_that_look_like_shares_of_one_are_told(
    tmp_path: Path, cells: list[str], is_told: bool
) -> None:
    rows = "".join(f"2024-06-0{place},A,{cell}\n" for place, cell in enumerate(cells, 1))
    _, told = read(tmp_path, f"day,hotel,full\n{rows}")
    assert told == (
        "full has no value above 1 (without %) and was read as per cent; if 0.87 means 87 %, write 87"
        if is_told
        else ""
    )


def test_another_table_below_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "day,hotel,usd\n2024-06-03,A,5\nhotel,day,usd\nB,2024-06-03,6\n").startswith(
        "line 3: is another heading"
    )


def test_figures_in_unknown_columns_alone_are_refused(tmp_path: Path) -> None:
    assert "has no known column of numbers" in refusal(tmp_path, "hotel,2024-06-03\nA,5\n")
    assert read(tmp_path, "hotel,guest\nA,Ann\n")[0] == [("", "A", None)]


def test_words_for_nothing_are_empty_and_errors_are_told(tmp_path: Path) -> None:
    rows, told = read(tmp_path, "day,hotel,usd\nN/A,A,-\n#N/A,#REF!,#DIV/0!\n")
    assert rows == [("", "A", None), ("", "", None)]
    assert "2 values cannot be read: line 3: hotel is '#REF!'" in told
    assert "2 rows have no day" in told


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (
            'hotel,city,usd\n"A,x,5\nB,y,6\nC,z",v,7\n',
            "line 2: a quote opens here and is only closed in line 4",
        ),
        ('hotel,city,usd\n"say "hi", he said",x,5\n', "line 2: there is a quote inside a quoted cell"),
        ('hotel,city,usd\n"A,x,5\n', "line 2: a quote opens here and is never closed"),
    ],
)
def test_quotes_that_can_mean_two_things_are_refused(tmp_path: Path, text: str, rows: str) -> None:
    assert refusal(tmp_path, text).startswith(rows)


def test_quotes_between_tabs_are_letters_unless_they_stand_around_a_cell(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, 'hotel\tcity\tusd\n"Best" inn\tx\t5\n"B ""b"""\ty\t6\nC"\tz\t7\n', name="a.tsv")
    assert [hotel for _, hotel, _ in rows] == ['"Best" inn', 'B "b"', 'C"']


def test_a_number_sign_begins_a_row_that_has_all_its_cells(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, "hotel,city,usd\n#1 Inn,x,5\n# left, out, here\n#N/A,y,6\n# note\n")
    assert [(hotel, price) for _, hotel, price in rows] == [("#1 Inn", 5), ("", 6)]
