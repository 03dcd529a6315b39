"""What the text of a setting means, and what each kind of setting may not hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcpsite.core.values import (
    choice,
    decimal,
    file,
    flag,
    folder,
    host,
    host_pattern,
    origin,
    url,
    whole,
    words,
)


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (flag, "1", True),
        (flag, "Yes", True),
        (flag, "TRUE", True),
        (flag, "off", False),
        (flag, "0", False),
        (whole(0, 100), "42", 42),
        (whole(-5, 5), "-5", -5),
        (decimal(0, 100), "10", 10.0),
        (decimal(0, 100), "0.5", 0.5),
        (choice("DEBUG", "INFO"), "debug", "DEBUG"),
        (words(str), "a, b,,  c ,a", ["a", "b", "c"]),
        (words(str), "data:read", ["data:read"]),
        (
            words(host_pattern),
            "A.example, .b.example,*,[::1],10.0.0.1",
            ["a.example", ".b.example", "*", "[::1]", "10.0.0.1"],
        ),
        (words(origin), "https://a.example/, http://[::1]:3000", ["https://a.example", "http://[::1]:3000"]),
        (words(origin), "vscode-webview://abc", ["vscode-webview://abc"]),
        (host, "0.0.0.0", "0.0.0.0"),
        (host, "[::1]", "::1"),
        (host, "::", "::"),
        (host, "my_service", "my_service"),
        (url, "http://localhost:8080/v1", "http://localhost:8080/v1"),
        (url, "https://gateway.example/v1?api-version=1", "https://gateway.example/v1?api-version=1"),
        (folder(Path("/srv")), "data", Path("/srv/data")),
        (folder(Path("/srv")), "/data", Path("/data")),
        (file(Path("/srv")), "~/key.pem", Path.home() / "key.pem"),
    ],
)
def test_a_text_is_read(read: Callable[[str], Any], text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "texts", "remedy"),
    [
        (flag, ["yep", "2", "-1", "1.0", "None", "trueish"], "1 or 0"),
        (
            whole(1, 65_535),
            ["abc", "0", "65536", "99999", "-1", "1.5", "1e3", "1_000", "٣", "9" * 400, "0x10"],
            "from 1 to 65535",
        ),
        (
            decimal(0.001, 600),
            ["abc", "0", "-1", "nan", "inf", "1e3", "601", "1,5", "9" * 400],
            "from 0.001 to 600",
        ),
        (choice("INFO", "WARNING"), ["warn", "verbose", "10"], "can be INFO or WARNING"),
        (words(str), ["data:read openid", "a\tb", "a,b c"], "separate values with commas: "),
        (words(str), ['["a", "b"]', "[a,b]", "(a,b)", "{a}", "'a'", "a;b"], "without brackets or quotes"),
        (
            words(host_pattern),
            ["https://a.example", "a.example:8000", "a.example/x", "a@b", "::g"],
            "host names",
        ),
        (words(host_pattern), ["*.example.com"], r"write \.example\.com"),
        (
            words(origin),
            [
                "app.example",
                "https://",
                "https://a.example/path",
                "https://u:p@a.example",
                "https://[::1",
                "https://a.example:x",
                "*",
            ],
            "origins such as",
        ),
        (host, ["http://0.0.0.0", "0.0.0.0:8000", "-x", "a b", "a/b"], "name or the address of a host"),
        (
            url,
            [
                "gateway.example",
                "ftp://x",
                "https://",
                "https://x:99999",
                "https://x:abc",
                "https://u:p@x",
                "https://x#y",
                "https://[::1",
                "https://x y",
            ],
            "https:// or http://",
        ),
        (folder(Path("/")), ["etc/passwd"], "has to be a folder"),
        (folder(Path("/")), ["~nobody-of-this-name/x"], "home"),
        (folder(Path("/")), ["x" * 300], "name too long"),
        (file(Path("/")), ["etc"], "has to be a file"),
    ],
)
def test_a_text_that_cannot_be_meant_is_refused_with_what_may_stand_there(
    read: Callable[[str], Any], texts: list[str], remedy: str
) -> None:
    for text in texts:
        with pytest.raises(ValueError, match=remedy):
            read(text)


def test_a_list_with_blanks_is_told_how_it_is_written() -> None:
    with pytest.raises(ValueError, match=r"data:read,openid,email$"):
        words(str)("data:read openid, email")


def test_a_misspelt_word_is_told_which_is_near() -> None:
    with pytest.raises(ValueError, match="did you mean warning"):
        choice("INFO", "WARNING")("warnin")
