"""What the log says, as lines or as JSON: little about strangers' requests, and never what a caller asked."""

import json
import logging
import traceback
import uuid
from contextvars import ContextVar
from datetime import UTC, datetime

from opentelemetry import trace

from mcpsite.core.outage import chain, is_outage

LONGEST = 300

call_id: ContextVar[str] = ContextVar("call_id", default="")
"""Hexadecimal digits of the audit event of the call that is being answered."""


class Json(logging.Formatter):
    """Writes each record as a JSON object on one line, with the reference that the caller gets.

    If the call is traced, the ids of its trace and span are included.
    """

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if call := call_id.get():
            line["reference"] = str(uuid.UUID(call))
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            line["trace_id"], line["span_id"] = f"{span.trace_id:032x}", f"{span.span_id:016x}"
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class OneLine(logging.Filter):
    """Shortens a record to one bounded line, without its traceback, which says no more than the line."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage()[:LONGEST], None
        record.exc_info = record.exc_text = None
        return True


class Outage(logging.Filter):
    """Shortens a record about a database that is away to one line; a fault of ours keeps its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if is_outage(error):
            record.msg = f"{record.getMessage()} ({type(error).__name__}: {error})".partition("\n")[0]
            record.args = record.exc_info = record.exc_text = None
        return True


def where(error: BaseException) -> str:
    """Return the traceback of `error` without the errors' own words, which may quote what a caller asked."""
    parts = [
        f"{''.join(traceback.format_tb(each.__traceback__))}{type(each).__module__}.{type(each).__qualname__}"
        for each in chain(error)
    ]
    return "\nwhile handling:\n".join(parts)
