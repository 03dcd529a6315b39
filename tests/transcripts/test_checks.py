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


@pytest.mark.parametrize("missing", [["OPENAI_API_KEY"], ["PGVECTOR_URL", "VECTOR_STORE_ID"]])
def test_what_is_to_be_fused_with_the_local_index_has_to_be_named(
    settings: Settings, missing: list[str]
) -> None:
    settings.TRANSCRIPT_STORE, settings.OPENAI_API_KEY = "hybrid", "sk-x"
    settings.PGVECTOR_URL, settings.VECTOR_STORE_ID = "", "vs_1"
    assert check_store() == []
    settings.PGVECTOR_URL, settings.VECTOR_STORE_ID = "postgres://127.0.0.1/vectors", ""
    assert check_store() == []
    for name in missing:
        setattr(settings, name, "")
    (warning,) = check_store()
    assert warning.id == "transcripts.W002"
