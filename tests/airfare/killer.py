"""A command that kills itself at a moment: `shell -c` runs this, with `moment` and `arguments` before it."""

PROGRAM = """
import os, signal
from django.core.management import call_command
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from mcpsite.datasets import cleaning, edits, writing

writing.ROWS, cleaning.PIECE, edits.BATCH = 40, 40, 5
passed = 0

def pass_by():
    global passed
    passed += 1
    if passed == moment:
        os.kill(os.getpid(), signal.SIGKILL)

def execute(run, *arguments):
    pass_by()
    return run(*arguments)

def commit(self, original=BaseDatabaseWrapper._commit):
    pass_by()
    original(self)
    pass_by()

BaseDatabaseWrapper._commit = commit
with connection.execute_wrapper(execute):
    call_command(*arguments)
print("moments", passed)
"""
