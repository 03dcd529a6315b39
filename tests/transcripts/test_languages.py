"""The labelled set in German and Japanese (`bench/labelled`) is found, on either database."""

import json
from collections import defaultdict
from importlib import import_module

import pytest
from django.apps import apps

from tests.site import ROOT
from transcripts.models import Collection, Passage, Transcript
from transcripts.stores import local

LABELLED = ROOT / "bench" / "labelled"
LEAST = 0.9


def lines(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (LABELLED / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def passages(db: None) -> list[str]:
    """The names of the passages of the set, in the order of their positions."""
    call = Transcript.objects.create(slug="labelled", digest="", collection=Collection.default())
    corpus = lines("corpus.jsonl")
    Passage.objects.bulk_create(
        Passage(transcript=call, position=position, text=each["text"]) for position, each in enumerate(corpus)
    )
    return [each["_id"] for each in corpus]


@pytest.mark.parametrize("language", ["de", "ja"])
def test_nine_of_ten_questions_find_their_passage_among_ten(passages: list[str], language: str) -> None:
    answers: dict[str, set[str]] = defaultdict(set)
    for line in (LABELLED / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        question, passage, _ = line.split("\t")
        answers[question].add(passage)
    asked = [each for each in lines("queries.jsonl") if each["_id"].startswith(language)]
    missed = [
        each["text"]
        for each in asked
        if answers[each["_id"]].isdisjoint(
            passages[hit.position or 0] for hit in local.search_database(each["text"], limit=10)
        )
    ]
    assert len(asked) == 50
    assert len(missed) <= len(asked) * (1 - LEAST), missed


@pytest.mark.django_db
def test_passages_of_earlier_versions_are_indexed_anew() -> None:
    call = Transcript.objects.create(slug="earlier", digest="", collection=Collection.default())
    Passage.objects.create(transcript=call, position=1, text="Die Kerosinpreise sind gefallen.")
    Passage.objects.update(words="die kerosinpreise sind gefallen")
    assert local.search_database("Preis", limit=1) == []
    import_module("transcripts.migrations.0002_words").index_anew(apps, None)
    assert len(local.search_database("Preis", limit=1)) == 1
