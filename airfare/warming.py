"""What a process computes of the fares ahead of the next call."""

from airfare.dimensions import warm

__all__ = ["warm"]
