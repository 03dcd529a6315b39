"""Walks the way a connector walks and says in plain words what is wrong and what to change.

Each check is one small function that yields findings, in a module named for what it looks at. The settings
and the database are looked at here; the endpoint is met over HTTP, as a client meets it. What is to be
said of their data the apps say in their modules `doctor`.
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
