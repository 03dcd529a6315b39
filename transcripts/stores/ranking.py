"""What a database's ranking of passages gives."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ranking:
    """Passages that match a query, best first."""

    passages: list[tuple[int, float]]
    """Id and score."""
    every_word: bool
    """Whether each word was looked for; else the commonest were left out, and what holds no other one."""
