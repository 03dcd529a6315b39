"""Whatever is sent, the answer is no server error (the test client raises those)."""

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.access.oauth.flow import REDIRECT, VERIFIER, Flow, challenge

PARAMETERS = [
    *("grant_type", "code", "redirect_uri", "client_id", "client_secret", "code_verifier", "refresh_token"),
    *("scope", "resource", "token", "token_type_hint", "state", "response_type", "response_mode", "nonce"),
    *("code_challenge", "code_challenge_method", "prompt", "claims", "ui_locales", "max_age", "display"),
]
KNOWN = [
    "authorization_code",
    "refresh_token",
    "code",
    "S256",
    "openid",
    "none",
    "login",
    "fragment",
    VERIFIER,
]
VALUES = st.text(max_size=300) | st.sampled_from([*KNOWN, REDIRECT, challenge(), "http://localhost:8788/mcp"])
requests = st.dictionaries(
    st.sampled_from(PARAMETERS) | st.text(max_size=20), VALUES | st.lists(VALUES, max_size=3)
)
anything = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("endpoint", ["token", "revoke", "introspect"])
@anything
@given(sent=requests, as_client=st.booleans(), basic=st.none() | st.text(max_size=40))
@example(sent={"grant_type": "openid", "code": "0"}, as_client=True, basic=None)
def test_any_form_is_answered(
    flow: Flow, endpoint: str, sent: dict[str, Any], as_client: bool, basic: str | None
) -> None:
    body = sent | ({"client_id": flow.client_id} if as_client else {})
    headers = {} if basic is None else {"Authorization": f"Basic {basic.encode('ascii', 'replace').decode()}"}
    assert flow.machine.post(f"/oauth/{endpoint}", body, headers=headers).status_code < 500


@anything
@given(sent=requests)
def test_any_authorization_request_is_answered(flow: Flow, sent: dict[str, Any]) -> None:
    assert flow.authorize(**sent).status_code < 500


@anything
@given(sent=requests)
def test_any_consent_form_is_answered(flow: Flow, sent: dict[str, Any]) -> None:
    page = flow.authorize()
    changes: dict[str, Any] = {name: value for name, value in sent.items() if isinstance(value, str)}
    assert flow.consent(page, **changes).status_code < 500
