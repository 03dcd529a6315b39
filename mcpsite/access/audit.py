"""The audit trail: one row for each tool call, allowed or refused, written outside of the call's path.

Calls over a limit share a row a minute for each caller and tool, which says how many they were: the table
grows no faster than the limits allow.

A call leaves an `Event` in this process's memory; a thread writes the collected ones, in one statement,
`INTERVAL_SECONDS` after the first of them. So a graceful stop (SIGTERM) loses none, and a kill loses the
calls of its last second at most. While the database cannot be written, events wait in memory (up to
CAPACITY) and are written when it can; the log counts those that are given up.

A request that is refused before it is a tool call (no token, a bad one) is only counted in the log.
"""

import json
import logging
import math
import re
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    close_old_connections,
    connection,
)
from pydantic_core import to_json

from mcpsite.access.models import AuditEvent

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 0.5
"""From the first event until it is written; half of the second that a kill may lose."""
BATCH = 1000
CAPACITY = 100_000
RETRY_SECONDS = 1.0
CLOSING_SECONDS = 20.0
"""How long the end of the process waits for a database that cannot be written."""
LOG_SECONDS = 60.0
REPEAT_SECONDS = 60.0
"""For how long calls over a limit share a row."""

MAX_TEXT = 500
MAX_ITEMS = 50
MAX_DEPTH = 4
MAX_ARGUMENTS = 2000
REDACTED = "[redacted]"

RECORD = "mcpsite.record"
"""The key, in a page's ASGI scope, of the function that takes an event for this process's trail."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

_NAMES = (
    "pass(?:word|wd|phrase|code)|secret|token|authori[sz]ation|api.?key|credential|cookie|private.?key|bearer"
)
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
_NAMED_SECRET = re.compile(
    rf"""((?:{_NAMES}|pwd)[\w-]*(?:\\*"|')?\s*[=:]\s*)
    (?: (\\*")(?:(?!\\*").)* | (')[^'"]* | [^\s"',;&\\{{}}\[\]]+ )""",
    re.IGNORECASE | re.VERBOSE,
)
"""A name with its value, in an address, in a text or in JSON that is itself a text."""
_SECRET = re.compile(
    r"""eyJ[\w-]{8,}(?:\.[\w-]*)*                       # a JWT, whole or cut
    | \bsk-[\w-]{8,} | \bgh[pousr]_\w{8,} | \bgithub_pat_\w{8,} | \bxox[a-z]-[\w-]{8,}
    | \bA[KS]IA[0-9A-Z]{12,}
    | (?<=bearer[ ])[\w.~+/=-]{8,} | (?<=basic[ ])[\w+/=]{8,}
    | (?<=://)[^/\s:@"]+:[^/\s@"]+(?=@)                 # user and password of a URL
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----[^"]*
    """,
    re.IGNORECASE | re.VERBOSE,
)


class Origin(NamedTuple):
    """What the protocol's side knows of a call."""

    client_name: str = ""
    """The client's name and version, in its own words: anybody can say anything."""
    protocol: str = ""
    """The revision of MCP, e.g. `2026-07-28`."""
    request_id: str = ""


class Event(NamedTuple):
    """A future row of AuditEvent: its columns, in this order."""

    id: str
    time: float
    """Seconds since the epoch."""
    user_id: int | None
    username: str
    issuer: str
    subject: str
    client_id: str
    client_name: str
    tool: str
    arguments: str
    outcome: str
    note: str
    rows: int
    bytes: int
    milliseconds: float
    protocol: str
    request_id: str
    calls: int = 1


def new_id(now: float) -> str:
    """Return a UUID (RFC 9562, version 7) as hexadecimal digits: those of later events sort after it."""
    random = secrets.randbits(74)
    return f"{int(now * 1000) << 80 | 7 << 76 | random >> 62 << 64 | 2 << 62 | random & (1 << 62) - 1:032x}"


def redacted_arguments(arguments: Any) -> str:
    """Return `arguments` as JSON of at most MAX_ARGUMENTS characters, without what looks like a secret."""
    if not arguments:
        return ""
    return redacted(_encode(_bounded(arguments, MAX_DEPTH)), MAX_ARGUMENTS)


def redacted(text: str, length: int) -> str:
    """Return `text` on one line of at most `length` characters, without what looks like a secret."""
    return printable(_NAMED_SECRET.sub(rf"\1\2\3{REDACTED}", _SECRET.sub(REDACTED, text)), length)


def printable(text: str, length: int) -> str:
    """Return `text` cut to `length`, with characters replaced that a database or a terminal cannot handle."""
    if len(text) > length:
        text = f"{text[: length - 1]}…"
    return text if text.isprintable() else "".join(each if each.isprintable() else "�" for each in text)


def _bounded(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else f"{value[:MAX_TEXT]}…"
    if isinstance(value, Mapping | list):
        if not depth:
            return "…"
        if isinstance(value, list):
            items = [_bounded(each, depth - 1) for each in value[:MAX_ITEMS]]
            return items if len(value) <= MAX_ITEMS else [*items, f"… {len(value) - MAX_ITEMS} more"]
        return {
            name[:64]: REDACTED if _names_secret(name[:64]) else _bounded(each, depth - 1)
            for name, each in list(value.items())[:MAX_ITEMS]
        }
    return value


@lru_cache(maxsize=1000)
def _names_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


class Repeats:
    """Calls over a limit: the first of each minute for each caller and tool, with the number of all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current: dict[tuple[str, str, str], Event] = {}
        self._changed: dict[str, Event] = {}
        """By id: events that are not written yet, or whose number has changed."""

    def __len__(self) -> int:
        return len(self._changed)

    def add(self, event: Event) -> None:
        """Count `event`."""
        key = (event.issuer, event.subject, event.tool)
        with self._lock:
            first = self._current.get(key)
            if first is not None and event.time - first.time < REPEAT_SECONDS:
                event = first._replace(calls=first.calls + 1)
            self._current[key] = self._changed[event.id] = event

    def changed(self) -> list[Event]:
        """Return each event that is new or whose number has changed since this was last called."""
        with self._lock:
            changed = list(self._changed.values())
            self._changed.clear()
            now = time.time()
            self._current = {
                key: event for key, event in self._current.items() if now - event.time < REPEAT_SECONDS
            }
        return changed


class Trail:
    """The collected events, and the thread that writes them. One for each process."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._repeats = Repeats()
        self._some = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._lost = 0
        self._logged_at = -LOG_SECONDS

    @property
    def waiting(self) -> int:
        """How many events are not written yet."""
        return len(self._events) + len(self._repeats)

    @property
    def lost(self) -> int:
        """How many events had to be given up."""
        return self._lost

    def start(self) -> None:
        """Begin to write; events that were recorded before are written too."""
        self._thread.start()

    def record(self, event: Event) -> None:
        """Add an event; costs about a microsecond and never waits."""
        if self.waiting >= CAPACITY:
            self._lost += 1
            return
        if event.outcome == AuditEvent.Outcome.LIMITED:
            self._repeats.add(event)
        else:
            self._events.append(event)
        if not self._some.is_set():
            self._some.set()

    def close(self) -> None:
        """Write the rest and end the thread; waits for at most about CLOSING_SECONDS."""
        self._stopping.set()
        self._some.set()
        if self._thread.is_alive():
            self._thread.join(CLOSING_SECONDS)
        lost = self._lost + len(self._events)
        if lost:
            logger.error("%d tool calls are missing from the audit trail: it could not be written.", lost)

    def _run(self) -> None:
        while True:
            self._some.wait()
            stopping = self._stopping.wait(INTERVAL_SECONDS)
            # Before the events are read, so that one that comes now sets it again.
            self._some.clear()
            try:
                self._write_all()
            except Exception:
                # The thread has to live, and the same events would fail again.
                logger.exception("Tool calls were lost from the audit trail.")
                self._lost += len(self._events)
                self._events.clear()
            if stopping:
                connection.close()
                return

    def _write_all(self) -> None:
        """Write until nothing is left, or until the end of the process has waited long enough."""
        gives_up_at = math.inf
        self._events.extend(self._repeats.changed())
        while self._events:
            batch = [self._events[place] for place in range(min(BATCH, len(self._events)))]
            try:
                close_old_connections()
                self._write(batch)
            except (DatabaseError, InterfaceError) as error:
                connection.close()
                self._note_waiting(error)
                if self._stopping.wait(RETRY_SECONDS):
                    gives_up_at = min(gives_up_at, time.monotonic() + CLOSING_SECONDS - 2 * RETRY_SECONDS)
                    if time.monotonic() >= gives_up_at:
                        return
                    time.sleep(RETRY_SECONDS / 10)
                continue
            for _ in batch:
                self._events.popleft()
        close_old_connections()

    def _write(self, events: Sequence[Event]) -> None:
        try:
            write_events(events)
        except (DataError, IntegrityError):
            logger.exception("A batch of the audit trail was refused; its rows are tried one by one.")
            for event in events:
                try:
                    write_events([event])
                except (DataError, IntegrityError):
                    self._lost += 1

    def _note_waiting(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._logged_at >= LOG_SECONDS:
            self._logged_at = now
            logger.error(
                "The audit trail cannot be written (%s); %d tool calls wait in memory, %d are lost.",
                type(error).__name__,
                len(self._events),
                self._lost,
            )


def write_events(events: Sequence[Event]) -> None:
    """Write `events`, all or none; of existing ones only the number. Raises django.db.DatabaseError.

    So a batch can be written again if it is unknown whether the database wrote it.
    """
    if not events:
        return
    latest = list({event.id: event for event in events}.values())
    with connection.cursor() as cursor:
        cursor.execute(_statement(connection.vendor), [to_json(latest).decode()])


@cache
def _statement(vendor: str) -> str:
    """Return the INSERT of a JSON array of events, given as one parameter.

    Model instances and `bulk_create` would take several times as long while they hold the interpreter's
    lock, which calls need; this way the database unpacks the rows, outside of it.
    """
    quote = connection.ops.quote_name
    fields: list[Any] = [AuditEvent._meta.get_field(name) for name in Event._fields]
    if vendor == "sqlite":
        source = "json_each(%s)"
        values = [f"json_extract(each.value, '$[{place}]')" for place in range(len(fields))]
        # As Django writes and reads a time: UTC, without saying so.
        time = "strftime('%%Y-%%m-%%d %%H:%%M:%%f', {}, 'unixepoch') || '000'"
    else:
        source = "jsonb_array_elements(%s::jsonb)"
        values = [
            f"(each.value->>{place})::{'float8' if field.name == 'time' else field.db_type(connection)}"
            for place, field in enumerate(fields)
        ]
        time = "to_timestamp({})"
    values = [
        time.format(value) if field.name == "time" else value
        for field, value in zip(fields, values, strict=True)
    ]
    # Only names of our own model's columns are put into the text.
    columns = ", ".join(quote(field.column) for field in fields)
    return (
        f"INSERT INTO {quote(AuditEvent._meta.db_table)} ({columns}) "  # noqa: S608
        # Without a condition SQLite reads ON as a part of the source.
        f"SELECT {', '.join(values)} FROM {source} AS each WHERE true "
        f"ON CONFLICT ({quote('id')}) DO UPDATE SET {quote('calls')} = excluded.{quote('calls')}"
    )


class Refusals:
    """Requests that never became a tool call, counted: a line in the log, once a minute at most."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._since = time.monotonic()

    def count(self, reason: str) -> None:
        """Count a refused request; `reason` is in the log's words, e.g. `without a token`."""
        self._counts[reason] += 1
        if time.monotonic() - self._since >= LOG_SECONDS:
            self.log()

    def log(self) -> None:
        """Log what was counted, and begin anew."""
        if self._counts:
            logger.info(
                "Refused in the last %.0f s: %s.",
                time.monotonic() - self._since,
                ", ".join(f"{count} {reason}" for reason, count in sorted(self._counts.items())),
            )
        self._counts.clear()
        self._since = time.monotonic()
