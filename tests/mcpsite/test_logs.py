"""What strangers can make the log say."""

import logging

import pytest
from django.test import Client


@pytest.mark.parametrize("host", ["evil.example", "a b", "[::1", "x" * 5000])
def test_a_bad_host_is_one_short_line(
    host: str, caplog: pytest.LogCaptureFixture, client: Client, settings: object
) -> None:
    with caplog.at_level(logging.INFO):
        assert client.get("/", HTTP_HOST=host).status_code == 400
    (record,) = caplog.records
    assert record.exc_info is None
    assert len(record.getMessage()) <= 300
