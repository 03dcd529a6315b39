"""Turns as passages."""

from transcripts.parsing import Said
from transcripts.passages import into_passages


def test_a_passage_in_a_script_without_spaces_is_no_longer_than_others() -> None:
    runs = list(into_passages([Said(text="航空運賃は上昇しています。" * 5)] * 12))
    assert [(run.first, run.last) for run in runs] == [(1, 3), (4, 6), (7, 9), (10, 12)]


def test_a_passage_ends_before_it_would_have_more_than_its_words() -> None:
    runs = list(into_passages([Said(text="fare " * 50)] * 5))
    assert [(run.first, run.last) for run in runs] == [(1, 2), (3, 4), (5, 5)]
