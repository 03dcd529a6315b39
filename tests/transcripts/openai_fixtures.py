"""What the tests of the OpenAI side share: the loopback server, set as OpenAI, and transcripts."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.loopback_openai import LoopbackOpenAI, running
from transcripts.models import Collection, Passage, Transcript


@pytest.fixture
def server(settings: Settings, tmp_path: Path) -> Iterator[LoopbackOpenAI]:
    """A loopback server that the settings name, with answers checked strictly."""
    with running() as loopback:
        settings.OPENAI_API_KEY = loopback.key
        settings.OPENAI_BASE_URL = loopback.base_url
        settings.OPENAI_STRICT_ANSWERS = True
        settings.VECTOR_STORE_ID = ""
        settings.STATE_DIR = tmp_path
        yield loopback


def make_transcript(slug: str, text: str = "", **facts: object) -> Transcript:
    """A transcript with one passage that holds all of `text`."""
    text = text or f"Analyst: What about {slug}?\nExpert: Fares rose by 4% on {slug}."
    values: dict[str, object] = {
        "slug": slug,
        "title": slug.title(),
        "call_date": datetime.date(2026, 2, 11),
        "sector": "Airlines",
        "text": text,
        "digest": "0" * 64,
        "source_file": f"{slug}.txt",
        "collection": Collection.default(),
        **facts,
    }
    transcript = Transcript.objects.create(**values)
    Passage.objects.create(transcript=transcript, position=1, first_turn=1, last_turn=2, text=text)
    return transcript
