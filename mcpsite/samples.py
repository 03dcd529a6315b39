"""The sample data that comes with the site, recognised by what a file holds, wherever it lies."""

from functools import cache
from pathlib import Path

from django.conf import settings

LIST = Path(__file__).with_name("samples.sha256")
"""As `sha256sum` writes it in the folder `data`. Not in there, because that may be deleted."""


def folder(kind: str) -> Path:
    """Return where the samples of `kind` lie: the default of the setting that names a data folder."""
    return Path(settings.BASE_DIR, "data", kind)


@cache
def digests(kind: str) -> dict[str, str]:
    """Return the SHA-256 of each sample file of `kind`, by its path below `folder(kind)`."""
    lines = (line.split("  ", 1) for line in LIST.read_text().splitlines())
    files = ((Path(path), digest) for digest, path in lines)
    return {path.relative_to(kind).as_posix(): digest for path, digest in files if path.parts[0] == kind}
