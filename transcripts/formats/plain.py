"""Bytes → text: UTF-8, UTF-16 and UTF-32 with their marks, and Windows-1252, which is reported."""

import codecs
import re

from transcripts.formats.base import BadFile

MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    # Before UTF-16, because this one's mark begins with the mark of UTF-16.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
MOST_WESTERN = 0.15
"""The largest share of a Windows-1252 text that is not ASCII; more is another alphabet."""
MOST_CONTROLS = 0.02
"""The largest share of a text that is control characters; more is no text."""
FEW = 8
"""So many control characters prove nothing about a short text."""
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_SHIFTED = re.compile(rb"\x1b\$[@B)]")
"""How Japanese or Korean begins in what e-mail used."""
_WESTERN = re.compile("[\u00a0-\u00ff‘’“”–—…•€™Œœ Ÿ‚„†‡‰Šš‹›Žžƒˆ˜]")


def decoded(data: bytes) -> tuple[str, list[str]]:
    """Return the text of `data`, and a sentence if its encoding was guessed. Raises BadFile."""
    for mark, encoding in MARKS.items():
        if data.startswith(mark):
            try:
                return data.decode(encoding), []
            except UnicodeDecodeError as error:
                raise BadFile(
                    f"It is marked as {encoding.upper().removesuffix('-SIG')}, but is not (byte "
                    f"{error.start}); save it as UTF-8 text."
                ) from None
    if b"\x00" in data:
        return _without_mark(data)
    if _SHIFTED.search(data):
        raise BadFile("It is ISO-2022 text; save it as UTF-8 text.")
    if len(_CONTROLS.findall(data)) > max(FEW, MOST_CONTROLS * len(data)):
        raise BadFile("It contains control characters, so it is not a text file; save it as UTF-8 text.")
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError as error:
        wrong = error
    try:
        text = data.decode("windows-1252")
    except UnicodeDecodeError:
        text = ""
    beyond = [letter for letter in text if ord(letter) > 127]
    letters = sum(map(str.isalpha, text))
    if not beyond or len(beyond) > max(1, MOST_WESTERN * letters) or not all(map(_WESTERN.match, beyond)):
        raise BadFile(f"It is not UTF-8 (byte {wrong.start}); save it as UTF-8 text.")
    return text, [
        f"It is not UTF-8 (byte {wrong.start}) and was read as Windows-1252; if letters are wrong, save it "
        "as UTF-8 text."
    ]


def _without_mark(data: bytes) -> tuple[str, list[str]]:
    """Return UTF-16 without its mark, recognized by a zero in every other place. Raises BadFile."""
    for encoding, zeros in (("utf-16-le", data[1::2]), ("utf-16-be", data[::2])):
        if len(data) % 2 == 0 and zeros.count(0) > 0.4 * len(zeros):
            try:
                text = data.decode(encoding)
            except UnicodeDecodeError:
                continue
            if "\x00" not in text and not any("\ud800" <= each <= "\udfff" for each in text):
                return text, [f"It was read as {encoding.upper()}, although it is not marked as such."]
    raise BadFile("It contains NUL bytes, so it is not a text file; save it as UTF-8 text.")
