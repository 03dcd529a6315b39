"""What `startdataset` makes of files of which nothing is known."""

from pathlib import Path

import pytest

from mcpsite.datasets.generating import writing_app
from mcpsite.datasets.generating.surveying import survey
from mcpsite.datasets.generating.trying import try_reading
from mcpsite.datasets.generating.understanding import Design, understand
from mcpsite.datasets.refusals import RefusedFile
from tests.datasets.unlike import MADE, Unlike

SMALL = [made for made in MADE if made.__name__ != "long"]


def design_of(folder: Path, data: bytes | str, name: str = "a.csv") -> Design:
    file = folder / name
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    return understand(survey([file]))


def kinds(design: Design) -> dict[str, str]:
    return {each.name: each.kind for each in design.columns}


@pytest.mark.parametrize("made", SMALL, ids=lambda made: made.__name__)
def test_columns_of_unlike_files_have_the_kinds_that_they_are(made: object, tmp_path: Path) -> None:
    unlike: Unlike = made()  # type: ignore[operator]
    design = design_of(tmp_path, unlike.data, f"a{unlike.suffix}")
    assert kinds(design) == unlike.kinds


@pytest.mark.parametrize("made", SMALL, ids=lambda made: made.__name__)
def test_a_model_is_short_and_is_python(made: object, tmp_path: Path) -> None:
    unlike: Unlike = made()  # type: ignore[operator]
    design = design_of(tmp_path, unlike.data, f"a{unlike.suffix}")
    text = writing_app.model(unlike.name, design, ["a.csv"], {})
    compile(text, "models.py", "exec")
    assert len(text.splitlines()) <= 60 + len(design.columns)
    assert max(map(len, text.splitlines())) <= 110


def test_units_come_from_headings_and_cells(tmp_path: Path) -> None:
    rows = "\n".join(f"{n},{n}.5,{n} €,{n}%,ab"[:-1] for n in range(20, 40))
    design = design_of(tmp_path, f"Weight (kg),Net USD,Price,Share,Group\n{rows}\n")
    assert [each.unit for each in design.columns] == ["kg", "USD", "EUR", "%", ""]


def test_names_that_mean_something_else_are_changed(tmp_path: Path) -> None:
    rows = "\n".join(f"{number},a,b,c,d" for number in (5, 5, 7, 9))
    design = design_of(tmp_path, f"id,class,limit,2nd,position\n{rows}\n")
    names = ["id_value", "class_value", "limit_value", "c_2nd", "position_value"]
    assert [each.name for each in design.columns] == names
    assert [each.also for each in design.columns] == ["id", "class", "limit", "2nd", "position"]


def test_a_row_is_known_by_a_code_where_there_is_one(tmp_path: Path) -> None:
    rows = "\n".join(f"K{number},2026-01-0{number % 9 + 1},x" for number in range(30))
    assert design_of(tmp_path, f"Code,Date,Kind\n{rows}\n").identity == ["code"]


def test_days_that_may_be_months_are_days(tmp_path: Path) -> None:
    rows = "\n".join(f"0{number % 9 + 1}/0{number % 7 + 1}/2026,{number}" for number in range(30))
    assert kinds(design_of(tmp_path, f"Invoice date,Total\n{rows}\n"))["invoice_date"] == "Day"


def test_categories_that_multiply_are_prose(tmp_path: Path) -> None:
    rows = "\n".join(f"a{n % 300},b{n * 7 % 290},c{n * 11 % 280},{n}" for n in range(60_000))
    found = kinds(design_of(tmp_path, f"A,B,C,N\n{rows}\n"))
    assert sorted(found.values()) == ["Category", "Category", "Number", "Prose"]


@pytest.mark.parametrize(("text", "reason"), [("", "no header"), ("a,b\n", "no rows")])
def test_a_file_of_nothing_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(RefusedFile, match=reason):
        design_of(tmp_path, text)


def rows_of(*headings: str) -> str:
    rows = "\n".join(f"{number % 3 + 0.5},{number % 4},s{number % 5}" for number in range(20))
    return f"{','.join(headings)}\n{rows}\n"


def test_the_numbers_of_rows_that_pandas_writes_are_left_out(tmp_path: Path) -> None:
    assert list(kinds(design_of(tmp_path, rows_of("", "price", "size")))) == ["price", "size"]


def test_columns_without_headings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedFile, match="has no names for columns 1, 3"):
        design_of(tmp_path, rows_of("", "price", ""))


def test_headings_that_differ_by_their_unit_alone_are_two_columns(tmp_path: Path) -> None:
    design = design_of(tmp_path, rows_of("Price (EUR)", "Price (USD)", "Size"))
    assert [(each.name, each.unit) for each in design.columns][:2] == [("price", "EUR"), ("price_2", "USD")]
    rows, told = try_reading([each.column for each in design.columns], [tmp_path / "a.csv"])
    assert (rows, told) == (20, [])


def test_amounts_that_happen_to_count_the_rows_are_numbers(tmp_path: Path) -> None:
    rows = "\n".join(f"{number},{number % 3}" for number in range(1, 20))
    assert kinds(design_of(tmp_path, f"Price (EUR),size\n{rows}\n"))["price"] == "Number"


def test_headings_that_differ_by_signs_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedFile, match="two columns for unit price; rename one"):
        design_of(tmp_path, rows_of("unit price", "unit_price", "size"))


def test_amounts_in_several_currencies_are_no_numbers(tmp_path: Path) -> None:
    rows = "\n".join(f"{'€$'[number % 2]}{number},{number % 3}" for number in range(20))
    assert kinds(design_of(tmp_path, f"price,size\n{rows}\n"))["price"] == "Text"


def test_numbers_of_weeks_are_no_amounts(tmp_path: Path) -> None:
    rows = "\n".join(f"2024{number:02},{number % 3}" for number in range(9, 53))
    assert kinds(design_of(tmp_path, f"Week,size\n{rows}\n"))["week"] != "Number"


def test_what_a_load_will_leave_out_is_known_beforehand(tmp_path: Path) -> None:
    rows = "".join(f"City {n // 5},Product {n % 5},{n}\n" for n in range(20))
    design = design_of(tmp_path, f"city,product,usd\n{rows}City 3 Total,,5\nGrand total,,190\n")
    found, told = try_reading([each.column for each in design.columns], [tmp_path / "a.csv"])
    assert found == 20
    assert "'City 3 Total 5' (a total)" in told[0]
