"""Settings of the store pgvector that cannot work are told before it is asked."""

import pytest
from pytest_django import Settings

from transcripts.checks import check_store


@pytest.mark.parametrize("missing", ["OPENAI_API_KEY", "PGVECTOR_URL"])
def test_a_setting_that_pgvector_lacks_is_named(settings: Settings, missing: str) -> None:
    settings.TRANSCRIPT_STORE = "pgvector"
    settings.OPENAI_API_KEY, settings.PGVECTOR_URL = "sk-x", "postgres://127.0.0.1/vectors"
    assert check_store() == []
    setattr(settings, missing, "")
    (warning,) = check_store()
    assert (warning.id, missing in warning.msg) == ("transcripts.W001", True)
