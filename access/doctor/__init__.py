"""Walks the way a connector walks and says in plain words what is wrong and what to change.

Each check is one small function that yields findings, in a module named for what it looks at. The settings
and the database are looked at here; the endpoint is met over HTTP, as a client meets it.
"""

from access.doctor.data import about_database
from access.doctor.findings import Finding, Level, stops_clients
from access.doctor.issuer import about_issuer
from access.doctor.settings import about_settings
from access.doctor.vector_store import about_vector_store
from access.doctor.walk import examine

__all__ = [
    "Finding",
    "Level",
    "about_database",
    "about_issuer",
    "about_settings",
    "about_vector_store",
    "examine",
    "stops_clients",
]
