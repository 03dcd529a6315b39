"""Files in the database, for a site whose processes share nothing else."""

from datetime import datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from django.core.files import File
from django.core.files.storage import Storage
from django.db import transaction
from django.utils.deconstruct import deconstructible

from mcpsite.uploads.models import StoredFile, StoredPart

PART_BYTES = 1024 * 1024
"""How much is in memory at a time, and written as one value."""


@deconstructible
class DatabaseStorage(Storage):
    """Private files in two tables: their names, and their content in parts of a megabyte."""

    def _save(self, name: str, content: "File[Any]") -> str:
        with transaction.atomic():
            stored = StoredFile.objects.create(name=name)
            content.seek(0)
            for number, part in enumerate(iter(lambda: content.read(PART_BYTES), b"")):
                StoredPart.objects.create(file=stored, number=number, content=part)
                stored.size += len(part)
            stored.save()
        return name

    def _open(self, name: str, mode: str = "rb") -> "File[Any]":  # noqa: ARG002 (Django's signature)
        stored = self._found(name)
        # Closed by the File that it is given to.
        copy: IO[bytes] = SpooledTemporaryFile(max_size=PART_BYTES)  # noqa: SIM115
        numbers = list(stored.parts.order_by("number").values_list("number", flat=True))
        for number in numbers:
            copy.write(bytes(stored.parts.values_list("content", flat=True).get(number=number)))
        copy.seek(0)
        return File(copy, name)

    def delete(self, name: str) -> None:
        StoredFile.objects.filter(name=name).delete()

    def exists(self, name: str) -> bool:
        return StoredFile.objects.filter(name=name).exists()

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        below = f"{path.strip('/')}/" if path.strip("/") else ""
        names = StoredFile.objects.filter(name__startswith=below).values_list("name", flat=True)
        found = [name.removeprefix(below).partition("/") for name in names]
        folders = dict.fromkeys(first for first, slash, _ in found if slash)
        return list(folders), [first for first, slash, _ in found if not slash]

    def size(self, name: str) -> int:
        return self._found(name).size

    def get_modified_time(self, name: str) -> datetime:
        return self._found(name).created_at

    @staticmethod
    def _found(name: str) -> StoredFile:
        stored = StoredFile.objects.filter(name=name).first()
        if stored is None:
            raise FileNotFoundError(name)
        return stored
