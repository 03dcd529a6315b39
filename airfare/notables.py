"""Free text: each distinct text is stored once, casefolded beside itself, with a trigram index.

Both databases hold the same casefolded text and compare it exactly, so they agree on every needle;
the trigram index only narrows down which texts are compared.
"""

# ruff: noqa: S608 (SQL is put together from constants of ours alone)

import json
from collections.abc import Sequence
from hashlib import blake2b

from django.db import connection
from django.db.models.expressions import RawSQL

from airfare.models import NotableText

TRIGRAMS = 6
"""Trigrams of a needle that the index is asked for; more of them no longer narrow anything down."""


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), signed=True)


class Texts:
    """The numbers of texts, made for new texts. Used in the transaction of `versions.bump`."""

    def __init__(self, size: int = 100_000) -> None:
        self._numbers: dict[str, int | None] = {"": None}
        self._size = size

    def numbers(self, texts: Sequence[str]) -> list[int | None]:
        """The number of each text; None for an empty one."""
        if len(self._numbers) > self._size:
            self._numbers = {"": None}
        unknown = {text: _digest(text) for text in dict.fromkeys(texts) if text not in self._numbers}
        if unknown:
            self._numbers |= _find(unknown)
            self._numbers |= _insert(
                {text: digest for text, digest in unknown.items() if text not in self._numbers}
            )
        return list(map(self._numbers.__getitem__, texts))


def _find(digests: dict[str, int]) -> dict[str, int]:
    """The numbers of those texts that are stored."""
    parameter: object
    if connection.vendor == "sqlite":
        chosen, parameter = "IN (SELECT value FROM json_each(%s))", json.dumps(list(digests.values()))
    else:
        chosen, parameter = "= ANY(%s)", list(digests.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT text, id FROM airfare_notabletext WHERE digest {chosen}",
            [parameter],
        )
        return {text: number for text, number in cursor.fetchall() if text in digests}


def _insert(digests: dict[str, int]) -> dict[str, int]:
    """Store texts; returns their numbers."""
    if not digests:
        return {}
    last = NotableText.objects.order_by("-id").values_list("id", flat=True).first() or 0
    numbers = {text: number for number, text in enumerate(digests, start=last + 1)}
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO airfare_notabletext (id, digest, text, folded) VALUES (%s, %s, %s, %s)",
            [(number, digests[text], text, text.casefold()) for text, number in numbers.items()],
        )
        if connection.vendor == "sqlite":
            cursor.execute(
                "INSERT INTO airfare_notable_trigrams (rowid, folded) "
                "SELECT id, folded FROM airfare_notabletext WHERE id > %s ORDER BY id",
                [last],
            )
    return numbers


def forget_unused() -> None:
    """Delete the texts that no row points at, so that what was taken out of the data is gone."""
    unused = (
        "FROM airfare_notabletext WHERE NOT EXISTS "
        "(SELECT 1 FROM airfare_farerow WHERE notable_id = airfare_notabletext.id)"
    )
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "INSERT INTO airfare_notable_trigrams (airfare_notable_trigrams, rowid, folded) "
                f"SELECT 'delete', id, folded {unused}"
            )
        cursor.execute(f"DELETE {unused}")


def matching(needle: str, most: int) -> list[int] | None:
    """The numbers of the texts that hold `needle`, in whatever case; None where they are more than `most`."""
    sql, parameters = _holding(needle.casefold())
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} LIMIT %s", [*parameters, most + 1])
        numbers = [number for (number,) in cursor.fetchall()]
    return numbers if len(numbers) <= most else None


def holding(needle: str) -> RawSQL:
    """The same, however many they are, as a subquery."""
    return RawSQL(*_holding(needle.casefold()))  # noqa: S611 (the needle is a parameter)


def _holding(folded: str) -> tuple[str, list[str]]:
    if not is_storable(folded):
        return "SELECT id FROM airfare_notabletext WHERE id IS NULL", []
    if connection.vendor == "sqlite":
        return _sqlite(folded)
    return "SELECT id FROM airfare_notabletext WHERE folded LIKE %s ESCAPE '\\'", [f"%{escaped(folded)}%"]


def _sqlite(folded: str) -> tuple[str, list[str]]:
    exact = "instr(folded, %s) > 0"
    trigrams = _trigrams(folded)
    if not trigrams:
        return f"SELECT id FROM airfare_notabletext WHERE {exact}", [folded]
    return (
        "SELECT id FROM airfare_notabletext WHERE id IN ("
        "SELECT rowid FROM airfare_notable_trigrams WHERE airfare_notable_trigrams MATCH %s"
        f") AND {exact}",
        [" AND ".join(f'"{each}"' for each in trigrams), folded],
    )


def _trigrams(folded: str) -> list[str]:
    """Some trigrams of `folded`, quoted for a MATCH, spread over its whole length."""
    every = list(dict.fromkeys(folded[i : i + 3] for i in range(len(folded) - 2)))
    step = max(1, -(-len(every) // TRIGRAMS))
    return [each.replace('"', '""') for each in every[::step]]


def escaped(text: str) -> str:
    """`text` for a LIKE pattern in which it stands for itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def is_storable(text: str) -> bool:
    """Whether any stored text can hold `text`: no NUL and no lone surrogate is ever stored."""
    return "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)
