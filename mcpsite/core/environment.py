"""Where settings come from: the environment and `.env`, whose mistakes are reported all together.

A mistake neither stops the reading nor becomes a traceback. It is noted in one sentence (which variable, what
it holds, what it may hold, where it was set), the default is used in its place, and at the end
`Environment.finish` reports all of them and ends the process with code 2, however it was started.
"""

import io
import re
import sys
from collections.abc import Callable, MutableMapping
from difflib import get_close_matches
from pathlib import Path
from typing import ParamSpec, TypeVar

from django.core.exceptions import ImproperlyConfigured
from dotenv.parser import parse_stream

P = ParamSpec("P")
R = TypeVar("R")

EXIT_CODE = 2
MOST_CHARACTERS = 80
CLOSE = 0.85
"""How similar a name has to be to one of ours, from 0 to 1: one letter in seven may differ."""

_SECRET = re.compile(r"(.*_)?(KEYS?|SECRET|PASSWORD|TOKEN)(_FALLBACKS)?")
_WITH_PASSWORD = re.compile(r"DATABASE_URL(_.*)?|CACHE_URL")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*:/+)?")
_HARMLESS = re.compile(r"[\w.\[\]-]*(:[0-9]{1,5})?(/[^:@=]*)?")
"""A host and port, a path or a single word: none of them holds a password."""
_NAME = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*\b")
_NEWLINE = re.compile(r"\r\n|\r|\n")
_COMMENT = re.compile(r"(^|\s)#(\s|$)")
_OTHERS = re.compile(
    r"FORWARDED_ALLOW_IPS|WEB_CONCURRENCY|(AWS_|PG|SSL_|OPENAI_|OTEL_|DJANGO_|PYTHON).*|.*_PROXY|TZ",
    re.IGNORECASE,
)
"""Variables that libraries of this site read themselves."""


def masked(name: str, text: str) -> str:
    """Return the value `text` of the variable `name` as a message may show it, on one line.

    Secrets, users, passwords and queries of addresses, and control characters are left out.
    """
    if _SECRET.fullmatch(name):
        return "a secret that is not shown"
    address, question, _ = text.partition("?")
    scheme = address[: len(address) - len(_SCHEME.sub("", address, count=1))]
    _, at, rest = address.removeprefix(scheme).rpartition("@")
    if _WITH_PASSWORD.fullmatch(name) and not _HARMLESS.fullmatch(rest):
        rest = "***"
    safe = f"{scheme}{'***@' if at else ''}{rest}{'?***' if question else ''}"
    return repr(safe if len(safe) <= MOST_CHARACTERS else f"{safe[:MOST_CHARACTERS]}…")


class Environment:
    """The variables of one start, first the process's, then the file's, and their mistakes."""

    def __init__(self, file: Path, process: MutableMapping[str, str]) -> None:
        self.names: set[str] = set()
        """The variables that were read."""
        self.warnings: list[str] = []
        """Sentences about what is odd but does not keep the site from starting."""
        self._process = process
        self._file = file
        self._shown = file.name if file.name == ".env" else str(file)
        self._lines: dict[str, tuple[str, int]] = {}
        self._mistakes: dict[str, str] = {}
        self._read_file()

    def read(self, name: str, reader: Callable[[str], R], default: R) -> R:
        """Return what `reader` makes of the variable, or `default` if it is not set, empty or wrong."""
        self.names.add(name)
        text = self._process.get(name, self._lines.get(name, ("", 0))[0]).strip()
        if not text:
            return default
        try:
            if name in self._process and _COMMENT.search(text):
                raise ValueError("contains a comment (#), which has to be on its own line")
            return reader(text)
        except ValueError as error:
            self._note(f"{name} is {masked(name, text)}; it {error}.", name)
            return default

    def text(self, name: str, default: str = "") -> str:
        """Return the variable's text as it is."""
        return self.read(name, str, default)

    def derive(self, otherwise: R, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what `function` makes of variables that were read, or `otherwise` if they do not fit.

        The function reports that with an ImproperlyConfigured, whose message names the variables.
        """
        try:
            return function(*args, **kwargs)
        except ImproperlyConfigured as error:
            self._note(str(error), *(name for name in _NAME.findall(str(error)) if name in self.names))
            return otherwise

    def beginning_with(self, prefix: str) -> list[str]:
        """Return the names of the variables that begin with `prefix`."""
        return sorted(name for name in {*self._process, *self._lines} if name.startswith(prefix))

    def is_set(self, name: str) -> bool:
        """Return whether the variable is there, even if it is empty."""
        return name in self._process or name in self._lines

    def place(self, name: str) -> str:
        """Return where the variable was set; empty if it was not."""
        if name in self._process:
            return "environment"
        return f"{self._shown}, line {self._lines[name][1]}" if name in self._lines else ""

    def finish(self) -> None:
        """Refuse mistakes, those in names too, and give the process what the file has for other programs."""
        for name in [name for name in self._lines if name not in self.names]:
            if near := self._nearest(name):
                self._note(f"{name} is not a setting of this site; did you mean {near}?", name)
            elif not _OTHERS.fullmatch(name):
                self.warnings.append(f"{self.place(name)}: {name} is not a setting of this site.")
            self._process.setdefault(name, self._lines[name][0])
        # Anybody may have put something there, so a name that is almost ours is only a warning.
        self.warnings += [
            f"environment: {name} is not a setting of this site; did you mean {near}?"
            for name in sorted(self._process.keys() - self.names - self._lines.keys())
            if (near := self._nearest(name))
        ]
        self.refuse()

    def refuse(self) -> None:
        """Report all mistakes and end the process, if there are any."""
        if self._mistakes:
            mistakes = "".join(f"  {sentence}\n" for sentence in [*self._mistakes.values(), *self.warnings])
            sys.stderr.write(f"The site cannot start because of its settings:\n{mistakes}")
            raise SystemExit(EXIT_CODE)

    def _nearest(self, name: str) -> str:
        if name.startswith("OTEL_"):  # Of the many that exist, some differ by a word.
            return ""
        return next(iter(get_close_matches(name.upper(), self.names, n=1, cutoff=CLOSE)), "")

    def _note(self, sentence: str, *names: str) -> None:
        """Note a mistake in `names`; only the first for each of them, because a second may follow from it."""
        places = dict.fromkeys(place for name in names if (place := self.place(name)))
        sentence_with_place = f"{' and '.join(places)}: {sentence}" if places else sentence
        self._mistakes.setdefault(names[0] if names else sentence, sentence_with_place)

    def _read_file(self) -> None:
        try:
            text = self._file.read_bytes().decode().lstrip("\ufeff")
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            self._note(f"{self._shown}: the file cannot be read; {why}.")
            return
        for binding in parse_stream(io.StringIO(text)):
            name, value, source = binding.key, binding.value, binding.original.string
            blank = source[: len(source) - len(source.lstrip())]
            line = binding.original.line + len(_NEWLINE.findall(blank))
            if binding.error or "\0" in source or (name and value is None):
                self._note(
                    f"{self._shown}, line {line}: this line cannot be read; write NAME=value, and put a "
                    "value that contains quotes or # in quotes."
                )
            elif name and value is not None:
                if name in self._lines:
                    self.warnings.append(
                        f"{self._shown}, line {line}: {name} is set twice; this line is used."
                    )
                self._lines[name] = value, line
