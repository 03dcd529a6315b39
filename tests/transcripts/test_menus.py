"""Transcripts as resources, and the briefing: what a person picks from a client's menu."""

import pytest

from mcpsite.access.caller import Caller
from tests.transcripts.conftest import Load, caller_in
from transcripts import prompts, resources
from transcripts.models import Transcript

pytestmark = pytest.mark.django_db

AIRLINE = "2026-02-11-premium-demand-airline"


def test_the_menu_lists_transcripts_latest_first_page_by_page(three: None, caller: Caller) -> None:
    entries = list(resources.entries(caller, 0, 2))
    assert [entry.key for entry in entries] == ["2026-03-18-rates-hotel", AIRLINE]
    assert (entries[1].title, entries[1].description) == (
        "Premium Demand Airline",
        "2026-02-11, Travel - Airlines",
    )
    assert [entry.key for entry in resources.entries(caller, 2, 2)] == ["handler-notes"]


def test_a_resource_is_the_facts_and_the_text(three: None, caller: Caller) -> None:
    text = resources.read_transcript(caller, AIRLINE)
    assert text is not None
    assert text.startswith("Premium Demand Airline\nDate: 2026-02-11\nSector: Travel - Airlines\n")
    assert "[00:12] Expert: Stronger than the headlines say." in text


def test_a_long_resource_names_its_next_part(load_folder: Load, caller: Caller) -> None:
    load_folder({"long.txt": "\n".join(f"[00:{n % 60:02}] Expert: {'x' * 3000}" for n in range(60))})
    first = resources.read_transcript(caller, "long") or ""
    assert "Part: 1 of 2\nNext part: transcript://long#2\n" in first
    assert "Part: 2 of 2" in (resources.read_transcript(caller, "long#2") or "")


def test_what_the_caller_may_not_see_is_no_resource(three: None, caller: Caller) -> None:
    stranger = caller_in([], "airfare.view_farerow")
    assert list(resources.entries(stranger, 0, 9)) == []
    assert resources.read_transcript(stranger, AIRLINE) is None
    assert list(resources.slugs_like(stranger, "")) == []
    Transcript.objects.update(published=False)
    assert resources.read_transcript(caller, AIRLINE) is None
    assert list(resources.slugs_like(caller, "")) == []


@pytest.mark.parametrize("slug", ["", "nope", "../etc/passwd", "a\0b", "handler-notes#9"])
def test_an_unknown_resource_is_none(three: None, caller: Caller, slug: str) -> None:
    assert resources.read_transcript(caller, slug) is None


def test_slugs_are_completed_those_that_begin_so_first(three: None, caller: Caller) -> None:
    assert list(resources.slugs_like(caller, "H")) == ["handler-notes", "2026-03-18-rates-hotel"]


def test_the_briefing_asks_for_the_theme_with_citations(caller: Caller) -> None:
    text = prompts.transcript_briefing("fuel hedging", sector="Airlines")
    assert "fuel hedging" in text
    assert "search_transcripts with sector='Airlines'" in text
    assert "url" in text


def test_sectors_are_completed(three: None, caller: Caller) -> None:
    assert list(prompts.sectors_like(caller, "lodg")) == ["Travel - Lodging"]
