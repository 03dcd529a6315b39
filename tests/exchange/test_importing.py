"""Fare rows that are exported, corrected in a spreadsheet, and brought back."""

import asyncio
import csv
import resource
import time
import zipfile
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import AsyncClient, Client
from openpyxl import Workbook, load_workbook
from openpyxl.styles import PatternFill

from airfare.models import FareRow
from mcpsite.core import storages
from mcpsite.datasets import curation, keys
from mcpsite.datasets.models import Edit
from mcpsite.exchange import sheets
from mcpsite.exchange import workbook as workbook_reader
from mcpsite.history.models import Change
from mcpsite.uploads import corrections
from mcpsite.uploads.models import Upload
from mcpsite.uploads.queue import work_off
from tests.airfare.conftest import Load, fare, table
from tests.exchange.test_exporting import CSV, ROWS, XLSX, fields

pytestmark = pytest.mark.django_db(transaction=True)

IMPORT = f"{ROWS}import/"
Row = dict[str, str]


@pytest.fixture(autouse=True)
def _private_folder(settings: Any, tmp_path: Path) -> None:
    settings.UPLOAD_DIR = tmp_path / "uploads"
    settings.STORAGES = {**settings.STORAGES, "private": {"BACKEND": storages.FOLDER}}


FILE = table(
    fare(note='=HYPERLINK("x")'),
    fare(airline="United", fare=99.5, note="Lines\none"),
    fare(airline="Alaska", fare="", note="-5 seats"),
)


@pytest.fixture
def loaded(load_folder: Load) -> None:
    load_folder({"a.csv": FILE})


def exported(user: User, format_: str = CSV) -> bytes:
    async def get() -> bytes:
        client = AsyncClient()
        await client.aforce_login(user)
        answer: Any = await client.post(f"{ROWS}export/", {"format": format_, **fields(ROWS)})
        if answer.streaming:
            return b"".join([part async for part in answer.streaming_content])
        return bytes(answer.content)

    return asyncio.run(get())


def rows_of(data: bytes) -> list[Row]:
    return list(csv.DictReader(StringIO(data.decode("utf-8-sig"), newline="")))


def written(rows: list[Row], **options: Any) -> bytes:
    file = StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]), **options)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def preview(client: Client, data: bytes, name: str = "fares.csv") -> Any:
    answer = client.post(IMPORT, {"import_file": SimpleUploadedFile(name, data), "format": ""})
    assert answer.status_code == 200
    return answer


def confirm(client: Client, answer: Any) -> str:
    """Confirm what `answer` previews; the page that comes of it."""
    form = answer.context["confirm_form"]
    values = {name: form.initial.get(name, "") for name in form.fields}
    return client.post(f"{ROWS}process_import/", values, follow=True).content.decode()


def corrected(user: User, airline: str, **values: str) -> bytes:
    rows = rows_of(exported(user))
    for row in rows:
        if row["airline"] == airline:
            row.update(values)
    return written(rows)


@pytest.mark.parametrize(("format_", "name"), [(CSV, "fares.csv"), (XLSX, "fares.xlsx")])
def test_an_export_that_nobody_touched_changes_nothing(
    client: Client, curator: User, loaded: None, format_: str, name: str
) -> None:
    text = preview(client, exported(curator, format_), name).content.decode()
    assert "Nothing would change" in text


def test_a_corrected_fare_is_previewed_and_then_changed(client: Client, curator: User, loaded: None) -> None:
    answer = preview(client, corrected(curator, "Delta", avg_fare_usd="460", season="Winter"))
    assert [change[1:] for change in answer.context["changes"]] == [
        ("Season", "Summer", "Winter"),
        ("Average fare (USD)", "452", "460"),
    ]
    assert FareRow.objects.get(airline="Delta").avg_fare_usd == 452
    assert "Imported 2 changed values in 1 rows." in confirm(client, answer)
    assert FareRow.objects.get(airline="Delta").avg_fare_usd == 460


def test_what_was_imported_outlives_a_reload_and_stands_in_the_history(
    client: Client, curator: User, loaded: None, load_folder: Load
) -> None:
    confirm(client, preview(client, corrected(curator, "Delta", avg_fare_usd="460")))
    load_folder({"a.csv": FILE + fare(airline="Breeze")})
    assert FareRow.objects.get(airline="Delta").avg_fare_usd == 460
    change = Change.objects.get(action="import")
    assert (change.user, change.reason) == (curator, "Import of fares.csv")


def test_rows_are_hidden_and_published_by_their_column(client: Client, curator: User, loaded: None) -> None:
    confirm(client, preview(client, corrected(curator, "United", hidden="true")))
    assert FareRow.objects.get(airline="United").hidden
    row = FareRow.objects.get(airline="United")
    confirm(client, preview(client, f"id,hidden\n{keys.written(row.key)},no\n".encode()))
    assert not FareRow.objects.get(airline="United").hidden


def test_a_workbook_as_excel_saves_it_is_imported(client: Client, curator: User, loaded: None) -> None:
    book = load_workbook(BytesIO(exported(curator, XLSX)))
    sheet = book.worksheets[0]
    header = [cell.value for cell in next(sheet.iter_rows())]
    sheet.cell(3, header.index("avg_fare_usd") + 1).value = 101
    made = BytesIO()
    book.save(made)
    answer = preview(client, made.getvalue(), "fares.xlsx")
    assert [change[1:] for change in answer.context["changes"]] == [("Average fare (USD)", "99.5", "101")]


def test_semicolons_as_excel_writes_them_are_understood(client: Client, curator: User, loaded: None) -> None:
    rows = rows_of(corrected(curator, "Delta", avg_fare_usd="460"))
    answer = preview(client, written(rows, delimiter=";"))
    assert answer.context["changed_fields"] == 1


def test_a_number_is_taken_out_by_an_empty_cell(client: Client, curator: User, loaded: None) -> None:
    confirm(client, preview(client, corrected(curator, "Delta", avg_fare_usd="")))
    assert FareRow.objects.get(airline="Delta").avg_fare_usd is None


def test_columns_that_no_import_changes_are_named_and_left_alone(
    client: Client, curator: User, loaded: None
) -> None:
    answer = preview(client, corrected(curator, "Delta", source_file="b.csv", avg_fare_usd="1"))
    assert "These columns are never imported: vanished, source_file, position." in answer.content.decode()
    confirm(client, answer)
    assert FareRow.objects.get(airline="Delta").load.name == "a.csv"


def test_one_bad_cell_refuses_the_whole_file_with_its_row(
    client: Client, curator: User, loaded: None
) -> None:
    rows = rows_of(exported(curator))
    rows[0]["avg_fare_usd"], rows[1]["avg_fare_usd"] = "1", "12,5"
    rows[2]["hidden"] = "perhaps"
    answer = preview(client, written(rows))
    text = answer.content.decode()
    assert "confirm_form" not in answer.context
    assert (
        "Row 3: average fare (USD) is &#x27;12,5&#x27;, which is not a number from 0 to 10,000,000, with a "
        "point for the decimals." in text
    )
    assert "Row 4: hidden is &#x27;perhaps&#x27;; it can be TRUE or FALSE." in text
    assert not Edit.objects.exists()


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ("id,airline\nk0000000000000000,Delta\n", "Row 2: there is no row with the id k0000000000000000"),
        ("id,airline\n,Delta\n", "Row 2: id is empty; an import corrects existing rows"),
        ("id,airline\nnew,Delta\n", "Row 2: id is &#x27;new&#x27;, which is not the id of a row"),
        ("airline\nDelta\n", "The file has no column “id”"),
        ("id,avg_fare\n1,2\n", "The column &#x27;avg_fare&#x27; is not known"),
        ("id,id\n1,2\n", "The header contains id twice."),
        ("id,airline\n1,2,3\n", "Row 2 has more cells than the header."),
        ("", "The submitted file is empty."),
    ],
)
def test_a_file_that_fits_no_rows_is_refused_with_a_sentence(
    client: Client, curator: User, loaded: None, cells: str, sentence: str
) -> None:
    assert sentence in preview(client, cells.encode()).content.decode()
    assert FareRow.objects.count() == 3


def test_the_same_row_twice_is_refused(client: Client, curator: User, loaded: None) -> None:
    id_ = keys.written(FareRow.objects.all()[0].key)
    text = preview(client, f"id,airline\n{id_},A\n{id_},B\n".encode()).content.decode()
    assert f"Row 3: the id {id_} is already used in an earlier row." in text


def test_what_changed_since_the_preview_is_not_overwritten(
    client: Client, curator: User, loaded: None
) -> None:
    answer = preview(client, corrected(curator, "Delta", avg_fare_usd="460"))
    FareRow.objects.filter(airline="Delta").update(avg_fare_usd=455)
    assert "The rows have changed since the preview, so nothing was imported." in confirm(client, answer)
    assert FareRow.objects.get(airline="Delta").avg_fare_usd == 455


def test_nobody_confirms_a_file_of_somebody_else(client: Client, curator: User, loaded: None) -> None:
    answer = preview(client, corrected(curator, "Delta", avg_fare_usd="460"))
    mallory = User.objects.create_superuser("mallory")
    client.force_login(mallory)
    assert "The preview has expired; choose the file again." in confirm(client, answer)
    assert not Edit.objects.exists()


def test_a_path_for_the_name_of_a_previewed_file_opens_nothing(
    client: Client, curator: User, loaded: None
) -> None:
    values = {
        "import_file_name": "../../etc/passwd",
        "original_file_name": "x",
        "format": "0",
        "digest": "x",
    }
    text = client.post(f"{ROWS}process_import/", values, follow=True).content.decode()
    assert "The preview has expired" in text


def test_who_may_only_view_cannot_import(client: Client, loaded: None) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_farerow"))
    client.force_login(viewer)
    assert client.get(IMPORT).status_code == 403
    assert client.post(f"{ROWS}process_import/").status_code == 403
    assert "Import corrections" not in client.get(ROWS).content.decode()


def bomb() -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (workbook_reader.MOST_UNPACKED + 1))
    return made.getvalue()


def empty_book() -> bytes:
    made = BytesIO()
    Workbook().save(made)
    return made.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.xlsx", bomb, "The workbook is too large; export"),
        ("a.xlsx", lambda: b"junk" * 100, "The file is not a readable Excel workbook (.xlsx)"),
        ("a.xlsx", empty_book, "The file has no header and no rows."),
        ("a.csv", lambda: b"id,airline\n1,\xff\n", "The file is not UTF-8 text"),
        ("a.csv", lambda: "id,airline\n1,x\n".encode("utf-16"), "The file is not UTF-8 text"),
        ("a.csv", lambda: b"id,air\0line\n1,x\n", "The file contains NUL bytes"),
        ("a.exe", lambda: b"MZ", "The file has to end in .csv or .xlsx."),
    ],
)
def test_malicious_and_broken_files_are_refused_with_a_sentence(
    client: Client, curator: User, name: str, data: Any, sentence: str
) -> None:
    assert sentence in preview(client, data(), name).content.decode()


def test_too_many_rows_are_refused(
    client: Client, curator: User, loaded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "MOST_ROWS", 2)
    assert "more than 2 rows; split it." in preview(client, exported(curator)).content.decode()


def test_a_long_text_that_excel_cuts_is_no_change(client: Client, curator: User, load_folder: Load) -> None:
    load_folder({"a.csv": table(fare(note="x" * 40_000))})
    text = preview(client, exported(curator, XLSX), "fares.xlsx").content.decode()
    assert "Nothing would change" in text


Sheet = Any
"""openpyxl's worksheet."""


def workbook(rows: list[list[Any]], change: Any = lambda _: None) -> bytes:
    book = Workbook()
    sheet: Any = book.active
    for row in rows:
        sheet.append(row)
    change(sheet)
    made = BytesIO()
    book.save(made)
    return made.getvalue()


def delta() -> FareRow:
    found: FareRow = FareRow.objects.get(airline="Delta")
    return found


def delta_id() -> str:
    return keys.written(delta().key)


def colour_a_far_row(sheet: Sheet) -> None:
    sheet.cell(60_001, 1).fill = PatternFill("solid", fgColor="FFFF00")


def raise_a_far_row(sheet: Sheet) -> None:
    sheet.row_dimensions[70_000].height = 20


@pytest.mark.parametrize("change", [colour_a_far_row, raise_a_far_row])
def test_rows_of_a_workbook_that_hold_nothing_do_not_count(
    client: Client, curator: User, loaded: None, change: Any
) -> None:
    data = workbook([["id", "avg_fare_usd"], [delta_id(), 701.5]], change)
    assert preview(client, data, "a.xlsx").context["changed_rows"] == 1


def test_rows_that_hold_nothing_take_next_to_no_time() -> None:
    def colour_a_very_far_row(sheet: Sheet) -> None:
        sheet.cell(200_000, 1).fill = PatternFill("solid", fgColor="FFFF00")

    data = workbook([["id", "season"], [1, "Summer"]], colour_a_very_far_row)
    began = time.process_time()
    _, *rows = workbook_reader.read_rows(data)
    # It was nine seconds where a hundred cells were made for each of them.
    assert time.process_time() - began < 4
    assert ([row for row in rows if row], len(rows)) == ([["id", "season"], ["1", "Summer"]], 200_000)


def test_lines_of_commas_alone_do_not_count(client: Client, curator: User, loaded: None) -> None:
    data = f"id,season\n{delta_id()},Winter\n" + ",\n" * 50_005
    assert preview(client, data.encode()).context["changed_rows"] == 1


def test_a_problem_names_its_row_as_the_spreadsheet_counts(
    client: Client, curator: User, loaded: None
) -> None:
    data = f"id,avg_fare_usd\n,\n,\n{delta_id()},much\n"
    assert "Row 4: average fare (USD) is" in preview(client, data.encode()).content.decode()


def test_a_formula_without_its_result_is_refused_with_its_cell(
    client: Client, curator: User, loaded: None
) -> None:
    data = workbook([["id", "avg_fare_usd"], [delta_id(), "=700+1.5"]])
    assert "Cell B2 contains a formula" in preview(client, data, "a.xlsx").content.decode()


@pytest.mark.parametrize("typed", ["5E200", "1_234", "inf", "-1"])
def test_a_number_that_no_file_may_hold_is_refused_in_a_correction_too(
    client: Client, curator: User, loaded: None, typed: str
) -> None:
    answer = preview(client, corrected(curator, "Delta", avg_fare_usd=typed))
    assert "confirm_form" not in answer.context
    assert "which is not a number from 0 to 10,000,000" in answer.content.decode()


def test_what_cannot_be_seen_does_not_come_in_by_a_correction(
    client: Client, curator: User, loaded: None
) -> None:
    confirm(client, preview(client, corrected(curator, "Delta", season="Sum\u00admer\u202e 27")))
    assert delta().season == "Summer 27"


def test_a_percentage_is_not_read_as_a_part_of_one(client: Client, curator: User, loaded: None) -> None:
    def as_percentage(sheet: Sheet) -> None:
        sheet.cell(2, 2).number_format = "0%"

    data = workbook([["id", "load_factor_pct"], [delta_id(), 0.9]], as_percentage)
    text = preview(client, data, "a.xlsx").content.decode()
    assert (
        "Row 2: load factor (%) is &#x27;90%&#x27;, which is not a number from 0 to 200; write it without"
        in text
    )


def test_an_amount_is_read_whatever_sign_its_format_shows(
    client: Client, curator: User, loaded: None
) -> None:
    def as_dollars(sheet: Sheet) -> None:
        sheet.cell(2, 2).number_format = '"$"#,##0.00'

    data = workbook([["id", "avg_fare_usd"], [delta_id(), 450.5]], as_dollars)
    confirm(client, preview(client, data, "a.xlsx"))
    assert delta().avg_fare_usd == 450.5


@pytest.mark.parametrize("quote", ['"Summer\n2,Winter\n', 'Sum"mer\n"'])
def test_a_quote_that_is_not_closed_is_refused_with_its_line(
    client: Client, curator: User, loaded: None, quote: str
) -> None:
    data = f"id,season\n{delta_id()},Winter\n{delta_id()},{quote}"
    text = preview(client, data.encode()).content.decode()
    assert "Line 3 cannot be read as CSV" in text or "Line 4 cannot be read as CSV" in text


@pytest.mark.parametrize("day", ["2026-13-45", "10/12/2025", "tomorrow"])
def test_what_is_no_day_is_refused_with_its_row(
    client: Client, curator: User, loaded: None, day: str
) -> None:
    text = preview(client, corrected(curator, "Delta", snapshot_date=day)).content.decode()
    assert "Row 2: snapshot date is" in text


def test_a_day_in_another_form_is_no_change(client: Client, curator: User, loaded: None) -> None:
    day = delta().snapshot_date.replace("-", "/")
    assert (
        "Nothing would change"
        in preview(client, corrected(curator, "Delta", snapshot_date=day)).content.decode()
    )


@pytest.mark.parametrize("word", ["#N/A", "#DIV/0!", "########"])
def test_a_word_for_a_value_that_cannot_be_shown_is_refused(
    client: Client, curator: User, loaded: None, word: str
) -> None:
    assert "Row 2: season is" in preview(client, corrected(curator, "Delta", season=word)).content.decode()


def test_what_somebody_else_changed_since_the_export_is_a_conflict(
    client: Client, curator: User, loaded: None
) -> None:
    rows = rows_of(exported(curator))
    curation.edit(delta(), {"avg_fare_usd": 777.0}, None)
    rows[1]["avg_fare_usd"] = "460"
    text = preview(client, written(rows)).content.decode()
    assert (
        "Row 2: somebody has changed this row since it was exported (average fare (USD) is 777.0 now" in text
    )
    assert "Row 3" not in text
    assert delta().avg_fare_usd == 777


def test_an_old_export_of_a_row_that_says_the_same_is_no_conflict(
    client: Client, curator: User, loaded: None
) -> None:
    rows = rows_of(exported(curator))
    curation.edit(delta(), {"avg_fare_usd": 777.0}, None)
    rows[0]["avg_fare_usd"] = "777"
    assert "Nothing would change" in preview(client, written(rows)).content.decode()


def test_without_versions_the_preview_says_what_it_cannot_tell(
    client: Client, curator: User, loaded: None
) -> None:
    data = f"id,avg_fare_usd\n{delta_id()},460\n".encode()
    assert "The file has no column “version”" in preview(client, data).content.decode()


@pytest.mark.parametrize("shown", ["0.1", "0.123456789", "333.333333333", "1234567.891"])
def test_digits_that_a_spreadsheet_program_does_not_show_are_no_change(
    client: Client, curator: User, loaded: None, shown: str
) -> None:
    curation.edit(delta(), {"avg_fare_usd": float(shown) * (1 + 1e-13)}, None)
    text = preview(client, corrected(curator, "Delta", avg_fare_usd=shown)).content.decode()
    assert ("Nothing would change" in text) == (len(shown) > 3)


def test_a_file_as_a_german_spreadsheet_program_saves_it_is_understood(
    client: Client, curator: User, loaded: None
) -> None:
    rows = rows_of(corrected(curator, "Delta", avg_fare_usd="1.455,25"))
    for row in rows:
        row["hidden"] = {"FALSE": "FALSCH", "TRUE": "WAHR"}[row["hidden"]]
        row["load_factor_pct"] = row["load_factor_pct"].replace(".", ",")
    rows[1]["avg_fare_usd"] = "99,5"
    answer = preview(client, written(rows, delimiter=";"))
    assert [change[1:] for change in answer.context["changes"]] == [("Average fare (USD)", "452", "1455.25")]


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """More than one row is many; the test itself works the queue off."""
    monkeypatch.setattr(corrections, "MOST_AT_ONCE", 1)
    settings.UPLOAD_AUTOSTART = False


def changed_by_two(client: Client, user: User) -> Any:
    rows = rows_of(exported(user))
    for row in rows[:2]:
        row["avg_fare_usd"] = "460"
    return preview(client, written(rows))


@pytest.mark.usefixtures("many", "loaded")
def test_many_corrections_are_imported_in_the_background(client: Client, curator: User) -> None:
    page = confirm(client, changed_by_two(client, curator))
    assert "Waiting to start." in page
    assert not Edit.objects.exists()
    work_off()
    upload = Upload.objects.get()
    assert upload.read_summaries()[0].rows == [["fares.csv", "2", "2"]]
    assert FareRow.objects.filter(avg_fare_usd=460).count() == 2
    assert Change.objects.get(action="import").user == curator
    assert "fares.csv" in client.get(f"/admin/uploads/upload/{upload.pk}/change/").content.decode()


@pytest.mark.usefixtures("many", "loaded")
def test_rows_that_change_before_the_background_import_are_not_overwritten(
    client: Client, curator: User
) -> None:
    confirm(client, changed_by_two(client, curator))
    curation.edit(delta(), {"avg_fare_usd": 777.0}, None)
    work_off()
    (summary,) = Upload.objects.get().read_summaries()
    assert summary.failed
    assert "have changed since the preview" in summary.notes[0]
    assert delta().avg_fare_usd == 777


@pytest.mark.usefixtures("loaded")
def test_corrections_have_no_form_without_a_preview(client: Client, curator: User) -> None:
    assert client.get("/admin/uploads/upload/new/airfare-corrections/").status_code == 404
    assert "Upload corrected" not in client.get("/admin/uploads/upload/").content.decode()


def rewritten(data: bytes, change: Any) -> bytes:
    """A workbook whose parts `change` has written anew, compressed."""
    with zipfile.ZipFile(BytesIO(data)) as made:
        parts = {name: made.read(name) for name in made.namelist()}
    change(parts)
    book = BytesIO()
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return book.getvalue()


def one_text_in_many_cells(parts: dict[str, bytes]) -> None:
    sheet = parts["xl/worksheets/sheet1.xml"]
    row = sheet[sheet.index(b'<row r="2"') : sheet.index(b"</sheetData>")]
    numbered = (row.replace(b'"2"', b'"%d"' % n).replace(b"A2", b"A%d" % n) for n in range(2, 4_500))
    rows = b"".join(each.replace(b"B2", b"B%d" % n) for n, each in enumerate(numbered, 2))
    parts["xl/worksheets/sheet1.xml"] = sheet.replace(row, rows)


def one_huge_text(parts: dict[str, bytes]) -> None:
    name = "xl/worksheets/sheet1.xml"
    parts[name] = parts[name].replace(b"x" * 32_000, b"x" * 140_000_000)


@pytest.mark.parametrize("change", [one_text_in_many_cells, one_huge_text])
def test_a_small_workbook_that_unpacks_to_gigabytes_is_refused_in_bounded_memory(
    client: Client, curator: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: Any
) -> None:
    data = rewritten(workbook([["id", "note"], [1, "x" * 32_000]]), change)
    assert len(data) < 500_000
    program = tmp_path / "workbook.py"
    text = Path(workbook_reader.__file__).read_text()
    program.write_text(text.replace("MOST_MEMORY = 1024**3", "MOST_MEMORY = 256 * 1024**2"))
    monkeypatch.setattr(workbook_reader, "__file__", str(program))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "too much memory or time" in preview(client, data, "a.xlsx").content.decode()
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 400_000_000


def test_a_workbook_that_takes_too_long_is_refused(
    client: Client, curator: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "workbook.py"
    program.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(workbook_reader, "__file__", str(program))
    monkeypatch.setattr(workbook_reader, "MOST_SECONDS", 0.2)
    assert "too much memory or time" in preview(client, workbook([["id"]]), "a.xlsx").content.decode()
    monkeypatch.undo()
    assert "has no" in preview(client, empty_book(), "a.xlsx").content.decode()
