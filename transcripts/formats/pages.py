"""HTML → the lines that a reader sees: no tags, styles or scripts; a table row is one line."""

import re
from html.parser import HTMLParser

HIDDEN = frozenset({"script", "style", "head", "template", "noscript", "svg", "nav", "button", "select"})
PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "article", "section", "blockquote", "div"})
BLOCKS = PARAGRAPHS | {
    *("address", "aside", "body", "dd", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form"),
    *("header", "hr", "li", "main", "ol", "pre", "table", "tbody", "tfoot", "thead", "tr", "ul"),
}
CELLS = frozenset({"td", "th"})
_PAGE = re.compile(
    r"\s*(?:<!--.{0,2000}?-->\s*|<\?xml[^>]{0,200}\?>\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_PART = re.compile(
    r"\s*<(div|p|span|table|article|section|main|dl|ul|ol|h[1-6])(?:\s[^<>]*)?>.*</\1>",
    re.IGNORECASE | re.DOTALL,
)
"""What somebody copied out of a page."""


def is_page(text: str) -> bool:
    """Return whether `text` begins like an HTML page, or like a part of one."""
    return bool(_PAGE.match(text[:5000]) or _PART.match(text))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag in HIDDEN:
            self._hidden.append(tag)
        elif tag == "br":
            self.parts.append("\n")
        elif tag in CELLS:
            self.parts.append("\t")
        elif tag in BLOCKS:
            self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                pass
        elif tag in BLOCKS:
            self._break(tag)
        if tag == "head" or (tag == "body" and self._hidden):
            self._hidden.clear()

    def _break(self, tag: str) -> None:
        self.parts.append("\n\n" if tag in PARAGRAPHS else "\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(re.sub(r"[ \t\r\n\f]+", " ", data))

    def parse_html_declaration(self, i: int) -> int:
        # Python's parser fails at some beginnings of Word's conditions (`<![if …]>`); all are comments.
        if self.rawdata.startswith("<![", i):
            return self.parse_bogus_comment(i)
        return super().parse_html_declaration(i)


def text_of(page: str) -> str:
    """Return the text of `page` in lines, with a blank one between paragraphs."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    lines = [
        re.sub(r" *\t[ \t]*", "\t", line).strip()
        for line in "".join(reader.parts).replace("\xa0", " ").split("\n")
    ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
