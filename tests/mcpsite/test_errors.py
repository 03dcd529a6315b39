"""The pages for what went wrong."""

import pytest
from django.test import Client, RequestFactory

from mcpsite.web.errors import server_error
from tests.mcpsite import people


def test_a_fault_of_ours_is_said_without_the_database() -> None:
    page = server_error(RequestFactory().get("/"))
    assert page.status_code == 500
    assert b"Something went wrong" in page.content
    assert b"Company data" in page.content


def test_a_view_that_fails_shows_that_page_and_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("mcpsite.web.home.connecting.values", fail)
    page = Client(raise_request_exception=False).get("/")
    assert page.status_code == 500
    assert b"Something went wrong" in page.content
    assert b"secret detail" not in page.content


@pytest.mark.django_db
def test_a_page_that_is_not_there_says_so() -> None:
    page = people.browser(people.charlie()).get("/nothing/")
    assert page.status_code == 404
    assert b"This page does not exist, or your account may not see it." in page.content
