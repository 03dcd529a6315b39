"""What the log says of requests that strangers can send as often as they like."""

import logging

from mcpsite.core.outage import is_outage

LONGEST = 300


class OneLine(logging.Filter):
    """Keeps a record to one bounded line, without its traceback, which says no more than the line."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage()[:LONGEST], None
        record.exc_info = record.exc_text = None
        return True


class Outage(logging.Filter):
    """Keeps a record of a database that is away to one line; one of a fault of ours has its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if is_outage(error):
            record.msg = f"{record.getMessage()} ({type(error).__name__}: {error})".partition("\n")[0]
            record.args = record.exc_info = record.exc_text = None
        return True
