"""What the text of a setting means: small readers, each raising ValueError with the permitted values."""

import ipaddress
import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

Item = TypeVar("Item")

TRUE = ("1", "true", "yes", "on", "y", "t")
FALSE = ("0", "false", "no", "off", "n", "f")
TEN_YEARS = 10 * 366 * 24 * 3600
"""The most seconds that anybody could mean."""

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?", re.IGNORECASE)
_NO_WORD = re.compile(r"""["'`;{}()]""")


def flag(text: str) -> bool:
    """Return what a switch is set to."""
    if text.lower() not in TRUE + FALSE:
        raise ValueError("has to be 1 or 0 (true or false, yes or no, on or off)")
    return text.lower() in TRUE


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` to `most`."""

    def number(text: str) -> int:
        # Not `int` alone, which also takes 1_000 and the digits of other scripts.
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text) or not least <= int(text) <= most:
            raise ValueError(f"has to be a whole number from {least} to {most}")
        return int(text)

    return number


def decimal(least: float, most: float) -> Callable[[str], float]:
    """Return a reader of numbers from `least` to `most`, with or without a fraction."""

    def number(text: str) -> float:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?", text) or not least <= float(text) <= most:
            raise ValueError(f"has to be a number from {least:g} to {most:g}")
        return float(text)

    return number


def choice(*names: str) -> Callable[[str], str]:
    """Return a reader of one of `names`, in letters of any case."""

    def name(text: str) -> str:
        found = {each.casefold(): each for each in names}.get(text.casefold())
        if found is None:
            near = get_close_matches(text.casefold(), [each.casefold() for each in names], n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise ValueError(f"can be {', '.join(names[:-1])} or {names[-1]}{hint}")
        return found

    return name


def words(each: Callable[[str], Item]) -> Callable[[str], list[Item]]:
    """Return a reader of lists separated by commas; `each` reads each item."""

    def items(text: str) -> list[Item]:
        found = [item for item in map(str.strip, text.split(",")) if item]
        for item in found:
            if re.search(r"\s", item):
                raise ValueError(
                    f"contains spaces within a value; separate values with commas: {_with_commas(text)}"
                )
            if _NO_WORD.search(item) or (item[0] == "[") != (item[-1] == "]") or not item.isprintable():
                raise ValueError("has to be plain values separated by commas, without brackets or quotes")
        return list(dict.fromkeys(map(each, found)))

    return items


def secrets_between_commas(text: str) -> list[str]:
    """Return secrets, which may contain any character except commas and blanks."""
    found = [item for item in map(str.strip, text.split(",")) if item]
    if any(re.search(r"\s", item) for item in found):
        raise ValueError("contains spaces within a value; separate values with commas")
    return found


def long_secret(text: str) -> str:
    """Return a secret that nobody can guess, of characters that a header may have."""
    if not re.fullmatch(r"[!-~]{20,500}", text):
        raise ValueError("has to be at least 20 random letters, digits and signs without spaces")
    return text


def _with_commas(text: str) -> str:
    return ",".join(filter(None, re.split(r"[\s,]+", text)))


def host(text: str) -> str:
    """Return the name or address of a host, without brackets around one of IPv6."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        if not _HOST.fullmatch(text):
            raise ValueError("has to be the name or the address of a host, without scheme and port") from None
    return text.lower()


def host_pattern(text: str) -> str:
    """Return one of Django's ALLOWED_HOSTS: a host, `.example.com` for all below it, or `*`."""
    if text == "*":
        return text
    if text.startswith("*."):
        raise ValueError(f"contains {text!r}; write {text[1:]} for a host and all its subdomains")
    try:
        name = host(text.removeprefix("."))
    except ValueError:
        raise ValueError("has to be host names separated by commas, without scheme and port") from None
    return f"[{name}]" if ":" in name else text.lower()


def origin(text: str) -> str:
    """Return the origin of a browser: scheme, host and, unless it is the usual one, port."""
    try:
        parts = urlsplit(text.rstrip("/"))
        # `port` raises ValueError for one that is no number or too large.
        sound = parts.port != 0 and parts.scheme and parts.netloc and not (parts.path or parts.query)
    except ValueError:
        sound = False
    if not sound or "@" in text or "#" in text:
        raise ValueError("has to be origins such as https://app.example.com, separated by commas")
    return text.rstrip("/")


def address(text: str) -> SplitResult:
    """Split an http or https address with a valid host and port, and without user and fragment."""
    if not (text.isascii() and text.isprintable()) or re.search(r"[ \\#]", text):
        raise ValueError
    parts = urlsplit(text)
    # `port` raises ValueError too, for one that is no number or too large.
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.port == 0:
        raise ValueError
    host(parts.netloc.removesuffix(f":{parts.port}"))
    return parts


def url(text: str) -> str:
    """Return an http or https address as given."""
    try:
        address(text)
    except ValueError:
        raise ValueError("has to be an https:// or http:// address without user and fragment") from None
    return text


def https_origin(text: str) -> str:
    """Return an https origin: scheme, host and, unless it is the usual one, port."""
    try:
        parts = address(text.rstrip("/"))
        if parts.scheme != "https" or parts.path or parts.query:
            raise ValueError
    except ValueError:
        raise ValueError("has to be an https origin such as https://data.example.com") from None
    return text.rstrip("/")


def folder(base: Path) -> Callable[[str], Path]:
    """Return a reader of paths of folders, which start at `base` unless they are absolute."""
    return _path(base, Path.is_file, "has to be a folder, but is a file")


def file(base: Path) -> Callable[[str], Path]:
    """Return a reader of paths of files, which start at `base` unless they are absolute."""
    return _path(base, Path.is_dir, "has to be a file, but is a folder")


def _path(base: Path, is_other: Callable[[Path], bool], remedy: str) -> Callable[[str], Path]:
    def path(text: str) -> Path:
        try:
            found = base / Path(text).expanduser()
            if is_other(found):
                raise ValueError(remedy)
        except RuntimeError:
            raise ValueError("begins with the home folder of an unknown user") from None
        except OSError as error:
            raise ValueError(f"cannot be used as a path: {error.strerror}") from None
        return found

    return path
