"""Transcripts as resources, which a person attaches from a client's menu."""

from collections.abc import Iterable

from mcpsite.access.caller import Caller
from mcpsite.mcp import Entry, Resources, menus
from transcripts import documents
from transcripts.models import TRANSCRIPTS, Transcript


def entries(caller: Caller, offset: int, count: int) -> Iterable[Entry]:
    """Yield the caller's transcripts, latest first."""
    visible = Transcript.objects.visible_to(caller).only("slug", "title", "call_date", "sector")
    for transcript in visible[offset : offset + count]:
        day = transcript.call_date.isoformat() if transcript.call_date else ""
        description = ", ".join(filter(None, (day, transcript.sector)))
        yield Entry(key=transcript.slug, title=transcript.title, description=description)


def read_transcript(caller: Caller, slug: str) -> str | None:
    """Return a transcript as text, its facts first; a long one in parts, of which `slug#2` is the second."""
    part = documents.part(caller, slug)
    if part is None:
        return None
    facts = [
        part.transcript.title,
        *(f"{name.capitalize()}: {value}" for name, value in documents.facts(part.transcript).items()),
    ]
    if part.of > 1:
        facts.append(f"Part: {part.number} of {part.of}")
    if part.next_id:
        facts.append(f"Next part: transcript://{part.next_id}")
    return "\n".join(facts) + f"\n\n{part.text}\n"


def slugs_like(caller: Caller, typed: str) -> Iterable[str]:
    """Return the slugs that contain what was typed, those that begin with it first."""
    wanted = typed.strip().lower()
    slugs = Transcript.objects.visible_to(caller).values_list("slug", flat=True)
    return sorted(
        (slug for slug in slugs if wanted in slug), key=lambda slug: (not slug.startswith(wanted), slug)
    )


menus.add_resources(
    Resources(
        scheme="transcript",
        variable="slug",
        title="Expert-call transcript",
        description="The text of one transcript: who spoke when, and what was said.",
        permission=TRANSCRIPTS.permission,
        mime_type="text/plain",
        read=read_transcript,
        entries=entries,
        complete=slugs_like,
    )
)
