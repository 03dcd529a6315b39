"""Why a file, or one of its cells, cannot be read."""


class RefusedFile(Exception):
    """A file that cannot be loaded, with the reason, what to do and, if there is one, the line."""

    def __init__(self, reason: str, line: int | None = None, *, place: str = "line") -> None:
        super().__init__(reason if line is None else f"{place} {line}: {reason}")


class Open(Exception):
    """A cell that can mean two things until somebody says, or the rest of its column shows, which."""
