"""Settings of the store of transcripts: a system check for `check --deploy` and `doctor`."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning  # noqa: A004


def check_store(**_: Any) -> list[CheckMessage]:
    """Return access.W013, W014 and transcripts.W001, W002: a vector store is named, and cannot be used."""
    return list(_vector_store_problems())


def _vector_store_problems() -> Iterator[CheckMessage]:
    asked = settings.TRANSCRIPT_STORE == "openai"
    missing = [name for name in ("OPENAI_API_KEY", "VECTOR_STORE_ID") if not getattr(settings, name)]
    if asked and missing:
        yield Warning(
            f"TRANSCRIPT_STORE is openai, but {' and '.join(missing)} is not set; search answers from the "
            "local index or not at all.",
            hint="Set both, or leave TRANSCRIPT_STORE out.",
            id="access.W013",
        )
    elif not settings.TRANSCRIPT_STORE and settings.VECTOR_STORE_ID and missing:
        yield Warning(
            "VECTOR_STORE_ID is set without OPENAI_API_KEY, so the store is not used.",
            hint="Set OPENAI_API_KEY, or unset VECTOR_STORE_ID.",
            id="access.W014",
        )
    elif settings.TRANSCRIPT_STORE == "hybrid" and not (
        settings.OPENAI_API_KEY and (settings.PGVECTOR_URL or settings.VECTOR_STORE_ID)
    ):
        yield Warning(
            "TRANSCRIPT_STORE is hybrid, but there is no store to fuse the local index with; search answers "
            "from the local index or not at all.",
            hint="Set OPENAI_API_KEY, and VECTOR_STORE_ID or PGVECTOR_URL, or leave TRANSCRIPT_STORE out.",
            id="transcripts.W002",
        )
    elif settings.TRANSCRIPT_STORE == "pgvector":
        needed = [name for name in ("OPENAI_API_KEY", "PGVECTOR_URL") if not getattr(settings, name)]
        if needed:
            yield Warning(
                f"TRANSCRIPT_STORE is pgvector, but {' and '.join(needed)} is not set; search answers from "
                "the local index or not at all.",
                hint="Set both (your own server takes any key), or leave TRANSCRIPT_STORE out.",
                id="transcripts.W001",
            )
