"""What the log says where no token is given: one line with the reason, and never a secret."""

import logging

import pytest
from oauth2_provider.models import Application

from tests.access.oauth.flow import Flow


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def refusal(log: pytest.LogCaptureFixture) -> str:
    """The one line that was logged last."""
    (record,) = [each for each in log.records if each.levelno >= logging.WARNING]
    log.clear()
    return record.getMessage()


def test_each_refusal_is_one_line_with_its_reason(flow: Flow, log: pytest.LogCaptureFixture) -> None:
    log.clear()
    flow.exchange("made-up-c0de")
    line = refusal(log)
    assert "invalid_grant" in line
    assert "the code is not one of this client" in line
    assert flow.client_id in line
    assert "c0de" not in line

    flow.exchange(flow.code(), redirect_uri="https://client.example.com/other")
    assert "redirect_uri is not the one" in refusal(log)

    flow.exchange(flow.code(), code_verifier="x" * 43)
    assert "invalid_grant" in refusal(log)

    flow.refresh("made-up-t0ken")
    line = refusal(log)
    assert "the refresh token is unknown" in line
    assert "t0ken" not in line

    flow.token(grant_type="password", username="alice", password="hunter2")
    line = refusal(log)
    assert "unsupported_grant_type" in line
    assert "hunter2" not in line

    flow.exchange("x", client_id="nobody")
    assert "the client is not known here" in refusal(log)


def test_a_wrong_secret_is_told_by_its_client(flow: Flow, log: pytest.LogCaptureFixture) -> None:
    flow.register(token_endpoint_auth_method="client_secret_post")
    code = flow.code()
    flow.secret = "wr0ng"
    log.clear()
    assert flow.exchange(code).status_code == 401
    line = refusal(log)
    assert "its secret is not right" in line
    assert "wr0ng" not in line


def test_a_token_that_is_given_leaves_no_reason_behind(flow: Flow, log: pytest.LogCaptureFixture) -> None:
    flow.tokens()
    Application.objects.all().delete()
    log.clear()
    flow.refresh("x")
    assert "the client is not known here" in refusal(log)
