"""Files that people sent: below UPLOAD_DIR, readable by this site's account alone, served by no address."""

from pathlib import Path

from django.conf import settings


def private_folder(name: str = "") -> Path:
    """Return UPLOAD_DIR or the folder `name` in it, made where it is missing."""
    folder = Path(settings.UPLOAD_DIR) / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
