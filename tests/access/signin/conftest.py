"""A provider, and a browser that signs in with it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from pytest_django import Settings

from mcpsite.access.signin import conf
from mcpsite.access.signin.provider import provider as provider_in_force
from tests.access.signin.op import CLIENT_ID, CLIENT_SECRET, Provider, provider

CALLBACK = "/accounts/oidc/callback/"
START = "/accounts/oidc/start/"


@pytest.fixture
def op(settings: Settings) -> Iterator[Provider]:
    with provider() as serving:
        settings.OIDC_RP_CLIENT_ID = CLIENT_ID
        settings.OIDC_RP_CLIENT_SECRET = CLIENT_SECRET
        settings.OIDC_ISSUER = settings.AUTH0_ISSUER = serving.issuer
        settings.OIDC_STAFF_GROUP = "curators"
        settings.OIDC_SUPERUSER_GROUP = "operators"
        settings.OIDC_TIMEOUT = 2.0
        settings.AUTHENTICATION_BACKENDS = conf.backends(client_id=CLIENT_ID, password=True)
        yield serving
    provider_in_force.cache_clear()


@dataclass
class Browser:
    """Somebody's browser."""

    op: Provider
    client: Client = field(default_factory=lambda: Client(enforce_csrf_checks=False))

    def start(self, **query: str) -> str:
        """Press the provider's button; where the browser is sent."""
        answer = self.client.get(START, query)
        assert answer.status_code == 302, answer.content.decode()
        return str(answer["Location"])

    def come_back(self, query: str) -> Any:
        return self.client.get(f"{CALLBACK}?{query}")

    def sign_in(self, subject: str = "alice", *, after: str = "", **claims: object) -> Any:
        return self.come_back(self.op.sign_in(self.start(next=after), subject, **claims))

    @property
    def user_id(self) -> str | None:
        value: str | None = self.client.session.get("_auth_user_id")
        return value

    def renew(self, location: str, **claims: object) -> Any:
        """The provider answers a renewal that the site asked for at `location`, without asking the person."""
        to_provider = self.client.get(location)["Location"]
        return self.come_back(self.op.sign_in(to_provider, "alice", **claims))

    def session_age(self, seconds: float) -> None:
        """Let so many seconds pass since the provider vouched for the person."""
        session = self.client.session
        session["oidc_renewed_at"] -= seconds
        session.save()


@pytest.fixture
def browser(op: Provider, db: None) -> Browser:
    Group.objects.get_or_create(name="readers")
    return Browser(op)
