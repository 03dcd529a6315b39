"""Turns → passages: runs of whole turns of about 120 words, the unit that is searched and cited."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from transcripts.parsing import Said
from transcripts.stores.words import UNSPACED

WORDS = 120
"""A passage is closed before it would grow beyond this; a longer turn is a passage alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Consecutive turns; `first` and `last` are positions, from 1."""

    first: int
    last: int
    text: str
    """Each turn as `Speaker: text`, one per line."""


def into_passages(turns: Sequence[Said]) -> Iterator[Run]:
    """Yield `turns` as passages, in order: each turn is in exactly one, and undivided."""
    start = 0
    words = 0
    lines: list[str] = []
    for place, turn in enumerate(turns):
        line = f"{turn.speaker}: {turn.text}" if turn.speaker else turn.text
        count = count_words(line)
        if lines and words + count > WORDS:
            yield Run(first=start + 1, last=place, text="\n".join(lines))
            start, words, lines = place, 0, []
        lines.append(line)
        words += count
    if lines:
        yield Run(first=start + 1, last=len(turns), text="\n".join(lines))


def count_words(text: str) -> int:
    """Return how many words `text` has; two letters of a script without spaces count as one."""
    return len(text.split()) + len("".join(UNSPACED.findall(text))) // 2


def anchors(offsets: Iterable[int | None]) -> Iterator[str]:
    """Yield a name for each turn within its page: `t-00-12`, or `t-1-00-12` from an hour on.

    The second turn of the same second is `t-00-12-x2`; a turn without an offset is `turn-7`.
    """
    seen: dict[int, int] = {}
    for position, offset in enumerate(offsets, 1):
        if offset is None:
            yield f"turn-{position}"
            continue
        hours, rest = divmod(offset, 3600)
        name = f"t-{hours}-{rest // 60:02}-{rest % 60:02}" if hours else f"t-{rest // 60:02}-{rest % 60:02}"
        seen[offset] = seen.get(offset, 0) + 1
        yield name if seen[offset] == 1 else f"{name}-x{seen[offset]}"


def digest(texts: Iterable[str]) -> str:
    """Return eight letters that identify the words of consecutive turns, for links that cite them."""
    *_, whole = digests(texts)
    return whole


def digests(texts: Iterable[str]) -> Iterator[str]:
    """Yield the digest of the first of `texts`, of the first two, and so on."""
    words = hashlib.sha256()
    for text in texts:
        words.update(f"{text}\n".encode())
        yield words.hexdigest()[:8]
