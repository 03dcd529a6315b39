"""A text as the words it is found by, the same for what is indexed and what is asked, on either database.

The words consist only of letters and digits, so that no tokenizer divides them; the databases stem and count
them. A word that different spellings have in common is in both: `low-cost` is low, cost and lowcost;
`A320neo` is a320neo and a320; `$1,900` is 1900; `4.5%` is 4point5 and 4point5percent; `Zürich` is zurich and
zuerich. What may be read in two ways is both: `1.900` is 1900 and 1point9. Texts in Chinese, Japanese, Korean
and Thai are pairs of characters; German ones have stems beside their words (`transcripts.stores.german`). If
any of this changes, a migration has to rebuild the index.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from functools import lru_cache

from mcpsite.core.texts import clean
from transcripts.stores import german
from transcripts.stores.stopwords import STOP_WORDS

COMMON, CAPITAL = "0q", "1q"
"""Endings of a stop word, which PostgreSQL would leave out, and of its letters in capitals: IT, WHO, US."""

LONGEST_PHRASE = 4
"""In stop words: The Who, to be or not."""

CACHED = 50
"""Characters of a token whose words are remembered."""

_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    r"\u1100-\u11ff\u3005-\u3007\u3031-\u3035\u3041-\u3096\u3099-\u30fa\u30fc-\u318f\u31a0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Letters of scripts whose words have no spaces between them, or in Korean particles attached."""
UNSPACED = re.compile(f"[{_UNSPACED}]+")

_JOINING = re.compile(r"[\u180b-\u180f\u200c\u200d\ufe00-\ufe0f]+")
"""Joiners and variation selectors, which `clean` keeps if a script needs them."""
_MARKS = (
    r"\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    r"\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
)
"""Marks on Latin, Greek, Cyrillic, Hebrew and Arabic letters; in other scripts they distinguish words."""
_DIACRITICS = re.compile(f"[{_MARKS}]+")
_LETTERS = str.maketrans(
    dict.fromkeys("‘’ʼ′＇`´", "'")
    | dict.fromkeys("‐‑﹣－", "-")
    | {"٫": ".", "٬": ",", "٪": "%"}
    | {"ı": "i", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "æ": "ae", "Æ": "AE"}
    | {"œ": "oe", "Œ": "OE", "ß": "ss", "ẞ": "SS", "ð": "d", "Ð": "D", "þ": "th", "Þ": "TH"}
)
_DIGRAPHS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "Ä": "AE", "Ö": "OE", "Ü": "UE"}
    | {"Ø": "OE", "Å": "AA"}
)
_DIGRAPHED = re.compile(r"(?<![^\W\d_])[^\W\d_äöüøåÄÖÜØÅ]*+[äöüøåÄÖÜØÅ][^\W\d_]*")
"""Words that people without such a letter on their keyboards write with two: Zuerich, Tromsoe."""
_SPACED_THOUSANDS = re.compile(r"(?<=\d)[\u00a0\u2007\u2009\u202f](?=\d{3}(?!\d))")
_FRACTION = re.compile(r"(\d{0,5})([\u00bc-\u00be\u2150-\u215e\u2189])")

_LETTER = r"[^\W_]|[\u0900-\u0963\u0966-\u0dff\u0f71-\u0fbc]"
_WORD = rf"(?:{_LETTER})+"
_PERCENT = r"\s?(?:%|(?i:percent|per\ cent|pct|prozent)(?!\w))"
_NUMBER = re.compile(
    rf"""
    (?: (?P<continental> \d{{1,3}} (?:\.\d{{3}})+ ,\d{{1,2}} (?!\d) | \d+,\d{{1,2}} (?={_PERCENT}) )
      | (?P<spaced> \d{{1,3}} (?:[ ]\d{{3}})+ ) (?!\d|[.,]\d)
      | (?P<pointed> \d{{1,3}} (?:\.\d{{3}})+ ) (?!\d|\.\d)
      | (?P<comma> \d+,\d{{1,2}} ) (?!\d|,\d)
      | (?P<whole> \d{{1,3}} (?:,\d{{3}})+ (?!\d) | \d{{1,2}} (?:,\d{{2}})+ ,\d{{3}} (?!\d)
          | \d{{1,3}} (?:'\d{{3}})+ (?!\d) | \d+ )
        (?P<part> \.\d+ (?!\.?\d) )?
      | (?<![\d.]) (?P<small> \.\d+ (?!\.?\d) )
    )
    (?: (?P<suffix> [^\W\d_] (?:{_LETTER})* ) | (?P<percent> {_PERCENT}) )?
    """,
    re.VERBOSE,
)
_TOKEN = re.compile(
    rf"""
    [A-Za-z]?[a-z]++ (?![\w'&+#-])  # Nearly every word of English, and the quickest to tell.
    | [{_UNSPACED}]+
    | (?<!\w) [A-Z] \. [A-Z] (?: \.[A-Z] )* (?!\w)  # U.S.
    | (?! \d{{1,3}} (?:\.\d{{3}})+ (?![.\d]) ) \d+ (?: \.\d+ ){{2,}}  # 27.11.2026
    | {re.sub(r"[?]P<[a-z]+>", "?:", _NUMBER.pattern)}
    | (?: (?<!\w) [A-Z][ ](?=\d{{3}}(?!\w)) )? {_WORD} (?: [-'&]{_WORD} )* (?: (?:\+\+?|\#) (?!\w) )?
    """,
    re.VERBOSE,
)
_PART = rf"(?:(?![{_UNSPACED}])(?:{_LETTER}|[{_MARKS}\u00ad]))+"
_GROUPS = r"\d{1,3}(?:[ \u00a0\u2007\u2009\u202f]\d{3})+(?!\w)"
_PIECE = re.compile(rf"([{_UNSPACED}]|{_GROUPS}|{_PART}(?:[-.,'’&‐‑]{_PART})*(?:[%％#]|\+\+?)?)")
_BEGINNING = re.compile(r"[^\W\d_]*\d+(?=[^\W\d_])")


def indexed(text: str) -> list[str]:
    """Return the words of `text` to be indexed, in order."""
    text = _visible(text)
    return _split_words(text, alone=True) + (german.stems(text) if german.is_german(text) else [])


def asked(query: str) -> list[str]:
    """Return the distinct words of `query` to be searched for; stop words only if there are no others."""
    query = _visible(query)
    stems = german.stems(query) if german.may_be_german(query) else []
    if german.is_german(query):
        query = german.without_function_words(query)
    words = list(dict.fromkeys(_split_words(query, alone=False)))
    if only_common(words):
        return words
    return list(dict.fromkeys([*(word for word in words if not is_common(word)), *stems]))


def pieces(text: str) -> Iterator[tuple[str, Collection[str]]]:
    """Yield `text` in pieces as written, each with the words it is found by, or none between words."""
    parts = [part for part in _PIECE.split(text) if part]
    is_german = german.is_german(text)
    for before, part, after in zip(["", *parts], parts, [*parts[1:], ""], strict=False):
        if UNSPACED.fullmatch(part):
            neighbours = (part, before[-1:] + part, part + after[:1])
            yield part, {word for pair in neighbours for word in _of_pair(pair)}
        else:
            part_words = _split_words(_visible(part), alone=True)
            yield part, part_words + (german.stems(_visible(part)) if is_german else [])


def is_common(word: str) -> bool:
    """Return whether `word` is a stop word."""
    return word.endswith(COMMON) and word.removesuffix(COMMON) in STOP_WORDS


def only_common(words: list[str]) -> bool:
    """Return whether `words` are only stop words, in capitals or not."""
    return all(word.endswith((COMMON, CAPITAL)) for word in words)


def phrases(words: list[str]) -> list[str]:
    """Return the stop words among `words` as a phrase, or nothing if they are one or many."""
    together = [word for word in words if is_common(word)]
    return [" ".join(together)] if 2 <= len(together) <= LONGEST_PHRASE else []


def _visible(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", _JOINING.sub("", clean(text)))


def _split_words(text: str, *, alone: bool) -> list[str]:
    """Return the words of visible `text`; with `alone` single letters of unspaced scripts, too."""
    words: list[str] = []
    for line in _folded(text).split("\n"):
        if line.isupper() and line.count(" ") > 2:
            # Capitals throughout distinguish nothing.
            line = line.lower()
        for token in _TOKEN.findall(line):
            words += _of(token, alone) if len(token) <= CACHED else _of.__wrapped__(token, alone)
    if written := [] if text.isascii() else _DIGRAPHED.findall(text):
        words += _split_words(" ".join(written).translate(_DIGRAPHS), alone=alone)
    return words


@lru_cache(maxsize=20_000)
def _of_pair(letters: str) -> tuple[str, ...]:
    return tuple(_split_words(letters, alone=True))


def _folded(text: str) -> str:
    """Return `text` without accents and invisible characters, its signs and digits in ASCII."""
    if not text.isascii():
        text = _SPACED_THOUSANDS.sub("", text)
        text = _FRACTION.sub(_as_decimal, text)
        text = unicodedata.normalize("NFKD", text.translate(_LETTERS))
        text = unicodedata.normalize("NFKC", _DIACRITICS.sub("", text)).translate(_LETTERS)
        if not text.isascii():
            text = UNSPACED.sub(r" \g<0> ", text)
            text = re.sub(r"[^\D0-9]", lambda digit: str(int(digit[0])), text)
    return text


def _as_decimal(found: re.Match[str]) -> str:
    return f"{int(found[1] or 0) + unicodedata.numeric(found[2]):.6g}"


@lru_cache(maxsize=20_000)
def _of(token: str, alone: bool) -> tuple[str, ...]:
    """Return the words that `token` is found by; with `alone` single letters of unspaced scripts, too."""
    if UNSPACED.match(token):
        pairs = [token[place : place + 2] for place in range(len(token) - 1)]
        return (*token, *pairs) if alone or not pairs else tuple(pairs)
    if number := _NUMBER.fullmatch(token):
        return tuple(_of_number(number))
    if token[-1] != "." and "." in token:
        parts = token.split(".")
        return _of("".join(parts), alone) if parts[0].isalpha() else tuple(parts)
    parts = re.findall(_WORD, token)
    words = [word for part in parts for word in _of_part(part)]
    if len(parts) > 1 and _is_joined(parts, token):
        words.append(_index_term("".join(parts).casefold()))
    if signs := token[len(token.rstrip("+#")) :]:
        words.append(parts[-1].casefold() + signs.replace("+", "plus").replace("#", "sharp"))
    return tuple(words)


def _of_part(part: str) -> list[str]:
    """Return the words of letters and digits without anything between."""
    word = part.casefold()
    words = [_index_term(word)]
    if len(part) > 1 and part.isupper() and (word in STOP_WORDS or word == "us"):
        words.append(word + CAPITAL)
    if beginning := _BEGINNING.match(word):
        words.append(beginning[0])
    return words


def _is_joined(parts: list[str], token: str) -> bool:
    """Return whether people also write `token` as one word: low-cost, AT&T, O'Hare; not airline's, 4-5."""
    if "'" in token:
        return len(parts) == 2 and len(parts[0]) <= 2 < len(parts[1]) and parts[0].isalpha()
    return not all(part.isdigit() for part in parts)


def _of_number(number: re.Match[str]) -> list[str]:
    if number["spaced"]:
        parts = number["spaced"].split(" ")
        words = [*parts, "".join(parts)]
    elif number["pointed"]:
        words = [number["pointed"].replace(".", "")]
        if number["pointed"].count(".") == 1:
            words.append(_figure(*number["pointed"].split(".")))
    elif number["comma"]:
        parts = number["comma"].split(",")
        words = [*parts, _figure(*parts)]
    elif number["continental"]:
        words = [_figure(*number["continental"].replace(".", "").split(","))]
    else:
        whole = re.sub("[,']", "", number["whole"] or "0")
        words = [_figure(whole, (number["part"] or number["small"] or ".")[1:])]
    if number["suffix"]:
        words.insert(0, words[-1] + number["suffix"].casefold())
    if spelled := (number["percent"] or "").strip().casefold():
        words.append(f"{words[-1]}percent")
        if spelled != "%":
            words.append("prozent" if spelled == "prozent" else "percent")
    return words


def _figure(whole: str, part: str) -> str:
    part = part.rstrip("0")
    return f"{whole}point{part}" if part else whole


def _index_term(word: str) -> str:
    return word + COMMON if word in STOP_WORDS else word
