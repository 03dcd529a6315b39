"""In which encoding a file's text is written: what its bytes say, and else what they are likely to mean.

Libraries that guess encodings need more text than a table has letters outside ASCII: for a few names
(charset-normalizer was tried) they distinguish Windows' and the Mac's letters no better than by chance, and
never say that they cannot. So two encodings are tried here, and a text that looks wrong in both is refused.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from mcpsite.datasets.refusals import RefusedFile
from mcpsite.datasets.sources import Source, Stream

READ = 1 << 19
"""Bytes read together: enough to make the work per batch small, and few enough for memory."""
MOST_LOOKED_AT = 1 << 16
"""Bytes of the lines by which an encoding is guessed."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NAMES = {"cp1252": "Windows-1252", "mac_roman": "Mac Roman", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}
_LONE = "àèéìíòóùÀÈÉÍÓ"
"""Letters that are words."""
_RARE = "ƒˆ˜¤¦¨¬¯¸þÞ†‡Ÿ‰‹›ªΩπ∂∑∏∫√≈∆◊≠≤≥∞˘˙˚˝˛ˇıﬁﬂ¶¹³¼¾"
"""Signs that are rare in tables, and common in wrong encodings."""
_MOST_UNLIKELY = 0.1
"""The largest share of the letters outside ASCII that may look wrong."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the text of a file is written."""

    name: str = "utf-8"
    """Python's name for it."""
    note: str = ""
    """What a person has to know if it was guessed."""


def encoding_of(source: Source, said: str = "") -> Encoding:
    """Return the encoding of a file; `said` is the one that a person names. Raises RefusedFile."""
    if said:
        return Encoding(_checked(source, said))
    head = source.head()
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Encoding(_checked(source, name))
    if name := _without_mark(head):
        return Encoding(
            _checked(source, name), f"was read as {_NAMES[name]}, although it does not declare that encoding"
        )
    if _is_utf8(source):
        return Encoding()
    guessed = _guessed(_telling(source))
    if not guessed:
        reason = "is not UTF-8 text; save the file as UTF-8, or give its encoding (--encoding)"
        raise RefusedFile(reason, undecodable_line(source, "utf-8"))
    return Encoding(
        guessed,
        f"is not UTF-8; it was read as {_NAMES[guessed]}. If letters look wrong, save it as UTF-8 or give "
        "its encoding (--encoding)",
    )


def _checked(source: Source, name: str) -> str:
    try:
        text = codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError):
        text = False
    if not text:
        raise RefusedFile(f"{name[:40]!r} is not the name of an encoding; examples are cp1252 and shift_jis")
    line = undecodable_line(source, name)
    if line is not None:
        raise RefusedFile(f"is not {name} text; save the file as UTF-8", line)
    return name


def _without_mark(head: bytes) -> str:
    """Return the UTF-16 of a text that is mostly ASCII and has no byte order mark; empty for other texts."""
    pairs = len(head) // 2
    odd, even = head[1::2].count(0), head[::2].count(0)
    if pairs < 8 or max(odd, even) < 0.6 * pairs or min(odd, even) > 0.02 * pairs:
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def undecodable_line(source: Source, name: str) -> int | None:
    """Return the first line that `name` cannot decode; None if it can decode all."""
    decoder = codecs.getincrementaldecoder(name)()
    line = 1
    with source.open() as stream:
        while True:
            chunk = stream.read(READ)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return line + _ends_in(error.object[: error.start])
            except UnicodeError:
                return line
            if not chunk:
                return None
            line += text.count("\n") + text.count("\r") - text.count("\r\n")


def _is_utf8(source: Source) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with source.open() as stream:
        try:
            while chunk := stream.read(READ):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _ends_in(text: bytes) -> int:
    """Return how many lines end in `text`; a lone carriage return ends one too."""
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def _telling(source: Source) -> bytes:
    """Return the lines of a file with more than ASCII, MOST_LOOKED_AT bytes of them."""
    found: list[bytes] = []
    size = 0
    with source.open() as stream:
        for line in _lines(stream):
            if not line.isascii():
                found.append(line)
                size += len(line)
                if size >= MOST_LOOKED_AT:
                    break
    return b"\n".join(found)[:MOST_LOOKED_AT]


def _lines(stream: Stream) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(READ):
        *lines, rest = (rest[-MOST_LOOKED_AT:] + chunk).replace(b"\r", b"\n").split(b"\n")
        yield from lines
    yield rest


def _guessed(sample: bytes) -> str:
    """Return the likelier of the encodings that are guessed; empty if none is likely."""
    if _has_utf8(sample):
        return ""  # Most of it is UTF-8: so it is damaged, and no other encoding is right.
    unlikely = {name: _unlikely(sample, name) for name in ("cp1252", "mac_roman")}
    best = min(unlikely, key=lambda name: unlikely[name])
    return best if unlikely[best] <= _MOST_UNLIKELY else ""


def _has_utf8(sample: bytes) -> bool:
    whole = sum(not letter.isascii() and letter != "�" for letter in sample.decode("utf-8", "replace"))
    broken = sample.decode("utf-8", "replace").count("�")
    return whole > broken


def _unlikely(sample: bytes, name: str) -> float:
    """Return the share of letters and signs outside ASCII that look wrong in an encoding."""
    try:
        text = f" {sample.decode(name)} "
    except UnicodeDecodeError:
        return 1
    seen = wrong = 0
    for place in range(1, len(text) - 1):
        if not text[place].isascii():
            seen += 1
            wrong += _looks_wrong(text[place - 1], text[place], text[place + 1])
    return wrong / seen if seen else 1


def _looks_wrong(before: str, sign: str, behind: str) -> bool:
    if sign in _RARE or not (sign.isprintable() or sign == "\xa0"):
        return True
    if sign.isalpha():
        if not (before.isalpha() or behind.isalpha()):
            return sign not in _LONE
        foreign = not before.isascii() and before.isalpha() and not behind.isascii() and behind.isalpha()
        return foreign or (sign.isupper() and before.islower())
    if sign in "“‘":
        return before.isalnum()
    if sign == "’":
        return not before.isalnum()
    if sign in "€£¥¢–—…•«»°±×÷§©®™":
        return (before.islower() and behind.islower()) or (sign in "€£¥¢" and behind.isalpha())
    return False
