"""A data set with several columns of prose: each of its needles counts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from mcpsite.datasets import loading, queries
from mcpsite.datasets.declaration import DataSet, data_set_of
from mcpsite.datasets.files import find
from mcpsite.datasets.filters import Filters, Part
from mcpsite.datasets.loading import Choices
from mcpsite.datasets.models import Category, Prose, Row

ROOMS = 40


@pytest.fixture
def rooms(transactional_db: Any, tmp_path: Path) -> Iterator[DataSet]:
    """Rooms with a note and a remark: two of three notes say quiet, every fourth remark says sea."""

    class Room(Row):
        city = Category()
        note = Prose()
        remark = Prose()

        class Meta(Row.Meta):
            app_label = "hotel_rates"
            ordering = ["city"]

    with connection.schema_editor() as editor:
        editor.create_model(Room)
    try:
        lines = [
            f"City {n:02},{'quiet' if n % 3 else 'loud'} {n},{'yard' if n % 4 else 'sea'} {n}"
            for n in range(ROOMS)
        ]
        file = tmp_path / "rooms.csv"
        file.write_text("\n".join(["City,Note,Remark", *lines]))
        data_set = data_set_of(Room)
        [outcome] = loading.load(data_set, find([file]), Choices(loaded_by="alice"))
        assert outcome.rows == ROOMS
        yield data_set
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(Room)
        del apps.all_models["hotel_rates"]["room"]
        apps.clear_cache()


def test_a_needle_in_few_texts_does_not_hide_one_in_many(
    rooms: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MOST_TEXTS", 20)
    both = Filters(parts=(Part("remark", "sea"), Part("note", "quiet")))

    page = queries.page(rooms, both, None, limit=50)

    assert [row["city"] for row in page.rows] == [f"City {number:02}" for number in (4, 8, 16, 20, 28, 32)]
    assert page.matched == 6
