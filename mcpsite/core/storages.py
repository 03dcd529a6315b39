"""Where files that people sent are stored: what UPLOAD_STORAGE means, and the storage of a folder.

The database's storage is `mcpsite.uploads.database_storage`, because it has tables.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage

FOLDER = "mcpsite.core.storages.PrivateFolder"
DATABASE = "mcpsite.uploads.database_storage.DatabaseStorage"
BUCKET = "mcpsite.core.buckets.Bucket"
MOST_MEGABYTES_IN_DATABASE = 1000
BUCKET_OPTIONS = {"endpoint": "endpoint_url", "region": "region_name"}

_REMEDY = (
    "it can be folder (UPLOAD_DIR), database, or s3://bucket/prefix, with "
    "?endpoint=https://host&region=name if the provider is not AWS"
)


def upload_storage(text: str, *, otherwise: str, megabytes: int) -> dict[str, Any]:
    """Return Django's STORAGES entry for an UPLOAD_STORAGE; `otherwise` is used if none is set.

    `megabytes` is the most that one upload may have. Raises ImproperlyConfigured.
    """
    chosen = text or otherwise
    if chosen == "folder":
        return {"BACKEND": FOLDER}
    if chosen == "database":
        if megabytes > MOST_MEGABYTES_IN_DATABASE:
            raise ImproperlyConfigured(
                f"UPLOAD_MAX_MB is {megabytes}, and uploads are kept in the database, where "
                f"{MOST_MEGABYTES_IN_DATABASE} is the most; lower it, or set UPLOAD_STORAGE to folder or "
                "s3://bucket."
            )
        return {"BACKEND": DATABASE}
    parts = urlsplit(chosen)
    asked = dict(parse_qsl(parts.query))
    if (
        parts.scheme != "s3"
        or not parts.hostname
        or "@" in parts.netloc
        or not asked.keys() <= BUCKET_OPTIONS.keys()
    ):
        raise ImproperlyConfigured(
            f"UPLOAD_STORAGE is not valid; {_REMEDY}. Put the keys into AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY."
        )
    if find_spec("storages") is None or find_spec("boto3") is None:
        raise ImproperlyConfigured(
            "UPLOAD_STORAGE names a bucket, for which two more packages are needed; install them: "
            "pip install -r requirements-s3.txt"
        )
    options = {BUCKET_OPTIONS[name]: value for name, value in asked.items()}
    return {
        "BACKEND": BUCKET,
        "OPTIONS": {"bucket_name": parts.netloc, "location": parts.path.strip("/"), **options},
    }


class PrivateFolder(FileSystemStorage):
    """UPLOAD_DIR, whose files only this site's account can read."""

    def __init__(self) -> None:
        super().__init__(file_permissions_mode=0o600, directory_permissions_mode=0o700)

    @property
    def base_location(self) -> Path:
        return Path(settings.UPLOAD_DIR)

    @property
    def location(self) -> str:
        return str(Path(settings.UPLOAD_DIR).absolute())
