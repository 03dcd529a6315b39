"""Answers for people to read."""

from mcpsite.core.tables import Cell
from mcpsite.web.answers import show


def test_a_list_of_objects_is_a_table_with_every_column_that_a_row_has() -> None:
    (table,) = show({"rows": [{"route": "JFK-LAX"}, {"route": "BOS-MCO", "avg_fare_usd": 1247.5}]}).tables
    assert table.heads == [("Route", ""), ("Average fare (USD)", "number")]
    assert [[str(cell) for cell in row] for row in table.rows] == [["JFK-LAX", ""], ["BOS-MCO", "1,247.5"]]
    assert table.rows[1][1].kind == "number"


def test_a_citation_is_a_link_under_its_title() -> None:
    (table,) = show({"results": [{"id": "a", "title": "A call", "url": "https://x.example/a"}]}).tables
    assert table.rows[0] == [Cell("A call", "https://x.example/a"), Cell("a")]


def test_a_document_is_a_title_with_a_link_and_text_to_read() -> None:
    shown = show({"id": "a", "title": "A call", "url": "https://x.example/a", "text": "word " * 100})
    assert shown.title == Cell("A call", "https://x.example/a")
    assert [name for name, _ in shown.texts] == ["Text"]
    assert shown.facts == [("ID", Cell("a"))]


def test_data_makes_no_link_that_is_not_of_the_web() -> None:
    assert not show({"rows": [{"url": "http://["}]}).tables[0].rows[0][0].url
    rows = [{"title": "A call", "url": "javascript:alert(1)"}]
    shown = show({"results": rows, "page": "javascript:alert(1)"})
    assert not any(cell.url for row in shown.tables[0].rows for cell in row)
    assert shown.facts == [("Page", Cell("javascript:alert(1)"))]


def test_nested_values_stay_readable() -> None:
    shown = show({"filters": {"limit": 5}, "files": ["a.csv", "b.csv"], "truncated": "Go on.", "deep": [[1]]})
    assert shown.notice == "Go on."
    assert [(name, str(cell)) for name, cell in shown.facts] == [
        ("Filters: limit", "5"),
        ("Files", "a.csv, b.csv"),
        ("Deep", "[[1]]"),
    ]
