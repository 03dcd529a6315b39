from typing import Any

from django.apps import AppConfig
from django.db.models.signals import m2m_changed


class AirfareConfig(AppConfig):
    name = "airfare"
    verbose_name = "Airfare"

    def ready(self) -> None:
        from airfare.models import SourceFile

        m2m_changed.connect(_forget_readers, sender=SourceFile.groups.through, dispatch_uid="airfare.readers")


def _forget_readers(*, action: str, **_: Any) -> None:
    """Who may read a file is part of the data's version: the next call sees a change."""
    from airfare import versions

    if action.startswith("post_"):
        versions.bump(counts=False)
