"""Prose: each distinct text of a data set is stored once, with its casefolded form and a trigram index.

Both databases store the same casefolded text and compare it exactly, so they agree on every needle; the
trigram index only limits which texts are compared.
"""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from django.db import connection, transaction
from django.db.models.expressions import RawSQL

from mcpsite.datasets import bulk
from mcpsite.datasets.declaration import DataSet
from mcpsite.datasets.models import ProseText

_TABLE = "datasets_prosetext"
TRIGRAMS = 6
"""Trigrams of a needle that are looked up in the index; more of them do not limit the texts further."""


def _digest(data_set: DataSet, text: str) -> str:
    return blake2b(f"{data_set.label}\0{text}".encode(), digest_size=16).hexdigest()


class Texts:
    """The numbers of texts, made for new texts by any number of processes at once."""

    def __init__(self, data_set: DataSet, size: int = 100_000) -> None:
        self._data_set = data_set
        self._numbers: dict[str, int | None] = {"": None}
        self._size = size

    def unknown(self, texts: Sequence[str]) -> list[str]:
        """Return those of `texts` whose number is not remembered, each once."""
        return [text for text in dict.fromkeys(texts) if text not in self._numbers]

    def numbers(self, texts: Sequence[str]) -> list[int | None]:
        """Return the number of each text; None for an empty one."""
        if len(self._numbers) > self._size:
            self._numbers = {"": None}
        if unknown := self.unknown(texts):
            self._numbers |= _numbers(
                self._data_set, {_digest(self._data_set, text): text for text in unknown}
            )
        return list(map(self._numbers.__getitem__, texts))


def _numbers(data_set: DataSet, texts: dict[str, str]) -> dict[str, int]:
    """Return the numbers of texts by their digests; new ones are stored."""
    found = bulk.find(_TABLE, list(texts))
    # In the order of their digests, so that no two processes wait for each other.
    if new := sorted(texts.keys() - found.keys()):
        with transaction.atomic():
            _insert(data_set, {digest: texts[digest] for digest in new})
            found |= bulk.find(_TABLE, new)
    return {texts[digest]: number for digest, number in found.items()}


def _insert(data_set: DataSet, texts: dict[str, str]) -> None:
    """Store those texts that are not stored yet."""
    stored = [(data_set.label, digest, text, text.casefold()) for digest, text in texts.items()]
    columns = {"data_set": "text", "digest": "uuid", "text": "text", "folded": "text"}
    conflict = "ON CONFLICT (digest) DO NOTHING"
    if connection.vendor == "postgresql":
        bulk.insert(_TABLE, columns, stored, conflict)
        return
    with connection.cursor() as cursor:
        # Nobody else writes in this transaction: what has a higher number at its end is new.
        cursor.execute("SELECT coalesce(max(id), 0) FROM datasets_prosetext")
        (last,) = cursor.fetchone()
        bulk.insert(_TABLE, columns, stored, conflict)
        cursor.execute(
            "INSERT INTO datasets_trigrams (rowid, folded) "
            "SELECT id, folded FROM datasets_prosetext WHERE id > %s",
            [last],
        )


def forget_unused(data_set: DataSet, after: int, most: int) -> int | None:
    """Delete those of the next `most` texts after the number `after` to which no row points.

    Returns the number of the last of them, and None if there is none. Under `versions.lock`, while no load is
    being written.
    """
    stored = ProseText.objects.filter(data_set=data_set.label, id__gt=after).order_by("id")
    numbers = list(stored.values_list("id", flat=True)[:most])
    if not numbers:
        return None
    used = "".join(
        f" AND NOT EXISTS (SELECT 1 FROM {data_set.sql} "
        f"WHERE {data_set.column(name)} = datasets_prosetext.id)"
        for name in data_set.proses
    )
    unused = f"FROM datasets_prosetext WHERE data_set = %s AND id > %s AND id <= %s{used}"
    between: list[Any] = [data_set.label, after, numbers[-1]]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "INSERT INTO datasets_trigrams (datasets_trigrams, rowid, folded) "
                f"SELECT 'delete', id, folded {unused}",
                between,
            )
        cursor.execute(f"DELETE {unused}", between)
    return numbers[-1]


def matching(data_set: DataSet, needle: str, most: int) -> list[int] | None:
    """Return the numbers of the texts that contain `needle`, in any case; None if more than `most` do."""
    sql, parameters = _holding(data_set, needle.casefold())
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} LIMIT %s", [*parameters, most + 1])
        numbers = [number for (number,) in cursor.fetchall()]
    return numbers if len(numbers) <= most else None


def holding(data_set: DataSet, needle: str) -> RawSQL:
    """Return the same, however many they are, as a subquery."""
    return RawSQL(*_holding(data_set, needle.casefold()))  # noqa: S611 (the needle is a parameter)


def _holding(data_set: DataSet, folded: str) -> tuple[str, list[str]]:
    select, label = "SELECT id FROM datasets_prosetext WHERE data_set = %s AND ", data_set.label
    if not is_storable(folded):
        return f"{select} id IS NULL", [label]
    if connection.vendor != "sqlite":
        return f"{select} folded LIKE %s ESCAPE '\\'", [label, f"%{escaped(folded)}%"]
    exact, trigrams = "instr(folded, %s) > 0", _trigrams(folded)
    if not trigrams:
        return f"{select} {exact}", [label, folded]
    listed = "SELECT rowid FROM datasets_trigrams WHERE datasets_trigrams MATCH %s"
    words = " AND ".join(f'"{each}"' for each in trigrams)
    return f"{select} id IN ({listed}) AND {exact}", [label, words, folded]


def _trigrams(folded: str) -> list[str]:
    """Return some trigrams of `folded`, quoted for a MATCH, spread over its whole length."""
    every = list(dict.fromkeys(folded[i : i + 3] for i in range(len(folded) - 2)))
    step = max(1, -(-len(every) // TRIGRAMS))
    return [each.replace('"', '""') for each in every[::step]]


def escaped(text: str) -> str:
    """Return `text` for a LIKE pattern that matches it literally."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def is_storable(text: str) -> bool:
    """Return whether any stored text can contain `text`: no NUL and no lone surrogate is ever stored."""
    return "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)
