"""What several processes of this site would not share: reported by `check --deploy` and when it happens."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning  # noqa: A004
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.utils import timezone

from mcpsite.access import private_keys, signing
from mcpsite.access.models import KeySighting
from mcpsite.core import private_files
from mcpsite.core.shared_store import shared_store
from mcpsite.uploads.models import Upload

TELL_SECONDS = 60
"""How often a process announces which key it signs with."""
FRESH_SECONDS = 600
"""A key that nobody has signed with for so long is considered out of use."""


def check_sharing(**_: Any) -> list[CheckMessage]:
    """Return `mcpsite.W002` to `W006` on PostgreSQL; on SQLite all processes are on one machine."""
    return list(_unshared()) if connection.vendor == "postgresql" else []


def _unshared() -> Iterator[CheckMessage]:
    state = Path(settings.STATE_DIR)
    if not settings.ENVIRONMENT.text("SECRET_KEY"):
        yield Warning(
            "SECRET_KEY was generated and stored in STATE_DIR; a process with another STATE_DIR has "
            "another key, and cannot read the signing keys in the database or this process's sessions.",
            hint="Set SECRET_KEY to the same text for every process.",
            id="mcpsite.W002",
        )
    if signing.is_own_issuer() and not settings.SIGNING_KEYS and settings.SIGNING_KEY_FILE is not None:
        path = Path(settings.SIGNING_KEY_FILE)
        if path.is_relative_to(state):
            yield Warning(
                "The signing keys are in a file in STATE_DIR; a process with another STATE_DIR refuses the "
                "tokens of this one.",
                hint="If there is such a process, move the keys: manage.py rotate_signing_key "
                "--into-database.",
                id="mcpsite.W003",
            )
    if private_files.is_local() and Path(settings.UPLOAD_DIR).is_relative_to(state):
        yield Warning(
            "Uploads are kept in a folder in STATE_DIR; a process with another STATE_DIR cannot find them.",
            hint="Set UPLOAD_STORAGE to database or s3://bucket, or UPLOAD_DIR to a folder that all "
            "processes share.",
            id="mcpsite.W004",
        )
    if shared_store() is None:
        yield Warning(
            "Each process counts limits by itself, because CACHE_URL is not set: with N processes a "
            "caller may make N times as many calls as the limits allow.",
            hint="Set CACHE_URL to a Redis server, unless there is only one process.",
            id="mcpsite.W005",
        )
    if signing.is_own_issuer() and isinstance(private_keys.store(), private_keys.InDatabase):
        yield from _needed_fallback()


def _needed_fallback() -> Iterator[CheckMessage]:
    if settings.SECRET_KEY_FALLBACKS and private_keys.InDatabase.needs_fallback():
        yield Warning(
            "Signing keys are still encrypted with one of SECRET_KEY_FALLBACKS.",
            hint="Once every process has the new SECRET_KEY, run manage.py rotate_signing_key.",
            id="mcpsite.W006",
        )


def not_shared() -> list[str]:
    """Return what a process of this site has that this one lacks: `signing_keys`, `uploads`.

    It also announces which key this process signs with, because the others need that to do the same. On
    SQLite all processes are on one machine, and a write may have to wait for a load.
    """
    if connection.vendor != "postgresql":
        return []
    lost = []
    if signing.is_own_issuer() and _foreign_keys():
        lost.append("signing_keys")
    if private_files.is_local() and _foreign_uploads():
        lost.append("uploads")
    return lost


def _foreign_keys() -> bool:
    try:
        own = [signing.key_id(key) for key in signing.private_keys()]
    except (OSError, ImproperlyConfigured):
        return False  # `issuer_keys` reports that.
    now = timezone.now()
    seen = dict(KeySighting.objects.values_list("kid", "seen_at"))
    if own[0] not in seen or seen[own[0]] < now - timedelta(seconds=TELL_SECONDS):
        KeySighting.objects.update_or_create(kid=own[0], defaults={"seen_at": now})
        KeySighting.objects.filter(seen_at__lt=now - timedelta(days=1)).delete()
    fresh = now - timedelta(seconds=FRESH_SECONDS)
    return any(at > fresh for kid, at in seen.items() if kid not in own)


def _foreign_uploads() -> bool:
    waiting = Upload.objects.filter(state=Upload.State.QUEUED).values_list("folder", "files")[:20]
    return any(not private_files.exists(folder, name) for folder, files in waiting for name in files[:1])
