"""The result of a database's ranking of passages."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ranking:
    """Passages that match a query, best first."""

    passages: list[tuple[int, float]]
    """Id and score."""
    every_word: bool
    """Whether each word was searched for; else the commonest were left out, and passages with only those."""
