"""Ending what a database connection is doing, from a thread other than the one that waits for it."""

import os
import socket
import sqlite3
from contextlib import suppress
from typing import Any, TypeGuard

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import TransactionStatus

CANCEL_SECONDS = 2.0
"""How long PostgreSQL may take to accept a cancellation."""


def interrupt(wrapper: BaseDatabaseWrapper) -> bool:
    """Cancel the statement that runs on this connection, if any: the thread that waits for it gets an error.

    Waits CANCEL_SECONDS at most; returns False if the database could not be reached.
    """
    driver = wrapper.connection
    try:
        if isinstance(driver, sqlite3.Connection):
            driver.interrupt()
        elif is_busy(driver):
            driver.cancel_safe(timeout=CANCEL_SECONDS)
    except sqlite3.Error:
        return True  # It has been closed: nothing runs.
    except psycopg.Error:
        return not is_busy(driver)
    return True


def is_busy(driver: object) -> TypeGuard["psycopg.Connection[Any]"]:
    """Return whether this is a psycopg connection that waits for its server."""
    return (
        isinstance(driver, psycopg.Connection)
        and driver.pgconn.transaction_status == TransactionStatus.ACTIVE
    )


def sever(driver: "psycopg.Connection[Any]") -> None:
    """Cut off a connection whose server no longer answers: the thread that waits gets an error. Never raises.

    Closing it here would take the socket away from under the thread that waits.
    """
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(driver.fileno())) as copy:
        copy.shutdown(socket.SHUT_RDWR)
