"""A bucket of S3 or of a compatible service, for files that people sent; needs requirements-s3.txt."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage


@contextmanager
def _faults_as_os_errors() -> Iterator[None]:
    """Raise every failure as an OSError, as every other storage does."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise OSError(f"the bucket of UPLOAD_STORAGE cannot be used: {error}") from error


class Bucket(S3Storage):
    """Files below a prefix of a bucket: private whatever the bucket's default is, served at no address."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            default_acl=None,
            file_overwrite=True,  # Names are made by the site, and looking first would be one more request.
            querystring_auth=True,
            client_config=Config(
                connect_timeout=5,
                read_timeout=30,
                retries={"max_attempts": 3},
                # Providers other than AWS do not all know its newer checksums.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
            **options,
        )

    def _save(self, name: str, content: Any) -> str:
        with _faults_as_os_errors():
            return str(super()._save(name, content))

    def _open(self, name: str, mode: str = "rb") -> Any:
        with _faults_as_os_errors():
            return super()._open(name, mode)

    def delete(self, name: str) -> None:
        with _faults_as_os_errors():
            super().delete(name)

    def listdir(self, name: str) -> Any:
        with _faults_as_os_errors():
            return super().listdir(name)
