"""What the log says of requests that strangers can send as often as they like."""

import logging

LONGEST = 300


class OneLine(logging.Filter):
    """Keeps a record to one bounded line, without its traceback, which says no more than the line."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage()[:LONGEST], None
        record.exc_info = record.exc_text = None
        return True
