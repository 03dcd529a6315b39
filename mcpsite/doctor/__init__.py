"""Checks everything that a connector meets, and says in plain words what is wrong and what to change.

Each check is one small function that yields findings, in a module named for its subject. Settings and
database are checked here; the endpoint is called over HTTP, as a client calls it. Apps check their own data
in their modules `doctor`.
"""

from mcpsite.doctor.data import about_database
from mcpsite.doctor.issuer import about_issuer
from mcpsite.doctor.settings import about_settings
from mcpsite.doctor.walk import examine

__all__ = [
    "about_database",
    "about_issuer",
    "about_settings",
    "examine",
]
