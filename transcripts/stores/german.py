"""German for searching: words by their stems, and compounds by their parts too.

Function words show whether a passage is German. Its stems end in a mark and so form a separate index, in
effect: a text in another language has none, and a query in another language finds none. Parts are whatever
two syllable boundaries leave, without a dictionary: `Kerosinpreise` is kerosin and preis, and also kero and
sinpreis, which nobody searches for.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from transcripts.stores.stopwords import STOP_WORDS

MARK = "2q"
"""Ends the stem of a German word."""
SHARE = 25
"""In a German text at least one word in so many is a function word."""
COMPOUND, LONGEST = 9, 40
"""The least and most letters of a word that may be a compound."""
FIRST, LAST = 3, 4
"""The fewest letters of a compound's first part, and of its last."""

FUNCTION_WORDS = frozenset(
    """
    aber als auch auf aus bei beim bis damit dann dass daß das dem dessen doch durch ein eine einem
    einen einer eines er euch euer für gegen gibt habe haben hatte hatten ich ihm ihn ihnen ihr ihre ihrem
    ihren ihrer im ist ja jede jedem jeden jeder jedes jetzt kann kein keine keinem keinen keiner können
    mehr mein meine mich mir mit muss müssen nach nicht noch nur oder ohne sehr sein seine seit sich sie sind
    soll sollen sondern über uns und unser unsere unserem unseren unserer unter viel viele vom vor wann warum
    weil welche welchem welchen welcher welches wenn wer werden wie wieder wir wird wo wollen worden wurde
    wurden zu zum zur zwischen
    """.split()  # noqa: SIM905 (a table to read, not to edit)
)
SHARED_WORDS = frozenset("am an da den der des die es hat her in mag man so von war was will".split())  # noqa: SIM905
"""Function words that other languages have too, or names: alone they prove nothing."""
_TELLING = FUNCTION_WORDS | {word.capitalize() for word in FUNCTION_WORDS}
"""Not in capitals: MIT is an institute."""
_COMMON = _TELLING | SHARED_WORDS | {word.capitalize() for word in SHARED_WORDS}
_ENGLISH = STOP_WORDS - _COMMON

_WORD = re.compile(r"[^\W\d_]+")
_LETTERS = str.maketrans({"ß": "ss", "ä": "a", "ö": "o", "ü": "u"})
_DIGRAPH = re.compile(r"ae|oe|(?<![aeq])ue")
_ENDING = re.compile(r"(?<=.{4})(?:em|er|nd)$|(?<=.{3})[tesn]$")
_BEGINNING = (
    r"sch[lmnrw]?|ch|s(?:tr|pr|pl|[tpk])?|p(?:fl?|[hrl])?|t[hr]?|k[rln]?|[bgf][rl]|dr|zw|qu|[bcdfghjlmnrvwz]"
)
_SYLLABLE = re.compile(rf"(?<=[aeiouyäöü])[^aeiouyäöü]*?(?=({_BEGINNING})[aeiouyäöü])")


def is_german(text: str) -> bool:
    """Return whether `text` is written in German, as far as its function words say."""
    words = _WORD.findall(text)
    telling = sum(word in _TELLING for word in words)
    return telling * SHARE >= len(words) and telling > sum(word.lower() in _ENGLISH for word in words)


def may_be_german(query: str) -> bool:
    """Return whether `query` is German or could be: a few words may be in any language."""
    return is_german(query) or not any(word.lower() in _ENGLISH for word in _WORD.findall(query))


def without_function_words(query: str) -> str:
    """Return the German `query` without function words, unless that is all of it."""
    rest = _WORD.sub(lambda word: " " if word[0] in _COMMON else word[0], query)
    return rest if _WORD.search(rest) else query


def stems(text: str) -> list[str]:
    """Return the marked stems of the words of `text` and of their parts, those of a word together."""
    return [stem for word in _WORD.findall(text) if word not in _COMMON for stem in _stems_of(word.lower())]


@lru_cache(maxsize=20_000)
def _stems_of(word: str) -> tuple[str, ...]:
    if not 2 < len(word) <= LONGEST or not re.fullmatch("[a-zäöüß]+", word):
        return ()
    parts = [word]
    if len(word) >= COMPOUND:
        for place in _boundaries(word):
            parts += [word[:place], word[place:]]
    return tuple(dict.fromkeys(_stem(part) + MARK for part in parts))


def _boundaries(word: str) -> Iterator[int]:
    """Yield where `word` may be divided: before what can begin a syllable, and before its vowel."""
    for syllable in _SYLLABLE.finditer(word):
        begin, vowel = syllable.end(), syllable.end(1)
        # Haus-tür, not only Hau-stür.
        for place in {begin, vowel, begin + 1 if syllable[1][0] == "s" else begin}:
            if FIRST <= place <= len(word) - LAST:
                yield place


def _stem(word: str) -> str:
    """Return `word` without endings, umlauts and their other spellings.

    As CISTEM does (Weissweiler and Fraser, 2017), but without the prefix `ge`.
    """
    word = _DIGRAPH.sub(lambda letters: letters[0][0], word.translate(_LETTERS))
    while (shorter := _ENDING.sub("", word)) != word:
        word = shorter
    return word
