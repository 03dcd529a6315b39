"""Passages with the attributes that limit searches, as document stores keep them, and filters over those."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from transcripts.models import Passage, Transcript
from transcripts.stores.base import Within

Attributes = dict[str, str | int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A passage that a store keeps."""

    id: str
    """The same as long as the passage is at its place in its transcript."""
    text: str
    attributes: Attributes
    """`transcript` (id), `position` (in it), `collection` (slug), `sector`, `day` (20260211; 0 for none)."""


def records(transcript_ids: Collection[int]) -> list[Record]:
    """Return the passages of those of these transcripts that are published, in order."""
    transcripts = (
        Transcript.objects.filter(pk__in=transcript_ids, published=True)
        .only("sector", "call_date", "collection__slug")
        .select_related("collection")
        .in_bulk()
    )
    passages = Passage.objects.filter(transcript__in=transcripts).defer("words")
    return [
        Record(
            id=f"{passage.transcript_id}-{passage.position}",
            text=passage.text,
            attributes={
                **attributes(transcripts[passage.transcript_id]),
                "position": passage.position,
            },
        )
        for passage in passages.order_by("transcript_id", "position")
    ]


def attributes(transcript: Transcript) -> Attributes:
    """Return the attributes of a transcript that limit searches."""
    return {
        "transcript": transcript.pk,
        "collection": transcript.collection.slug,
        "sector": transcript.sector,
        "day": day_number(transcript.call_date) if transcript.call_date else 0,
    }


def day_number(day: date) -> int:
    """Return `day` as a number that stores can compare: 20260211."""
    return int(f"{day:%Y%m%d}")


def conditions(within: Within) -> dict[str, dict[str, Any]]:
    """Return `within` as conditions on the attributes, in the notation of MongoDB and Pinecone."""
    found: dict[str, dict[str, Any]] = {}
    if within.collections is not None:
        found["collection"] = {"$in": sorted(within.collections)}
    if within.sectors is not None:
        found["sector"] = {"$in": sorted(within.sectors)}
    if within.since or within.until:
        found["day"] = {"$gte": day_number(within.since) if within.since else 1}
    if within.until:
        found["day"]["$lte"] = day_number(within.until)
    if within.without:
        found["transcript"] = {"$nin": sorted(within.without)}
    return found
