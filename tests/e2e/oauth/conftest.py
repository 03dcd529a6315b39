"""The two sign-ins that clients meet, the built-in one and the company's, and a person who uses them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.access.oauth.person import Person
from tests.e2e.provider import Provider, password, providing
from tests.site import Site, running


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """A server, and who signs people in to it."""

    site: Site
    issuer: str
    provider: Provider | None = None
    """The company's identity provider; None where the site does it itself."""


@pytest.fixture(scope="package", params=["builtin", "provider"])
def sign_in(
    request: pytest.FixtureRequest, node: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SignIn]:
    if request.param == "builtin":
        with running() as site:
            site.shell(
                "from django.contrib.auth.models import User, Group\n"
                f"alice = User.objects.create_user('alice', 'alice@example.com', {password('alice')!r})\n"
                "alice.groups.add(Group.objects.get(name='readers'))"
            )
            yield SignIn(site=site, issuer=site.origin)
        return
    log = tmp_path_factory.mktemp("provider") / "provider.log"
    # The site knows nobody yet: people become users when their first token is seen.
    with providing(node, log) as provider:
        # A scope has to be asked for: this provider refuses a request that names none.
        settings = {"AUTH0_ISSUER": provider.issuer, "REQUIRED_SCOPES": "data:read"}
        with running(settings) as site:
            provider.set(resources=[site.url])
            yield SignIn(site=site, issuer=provider.issuer, provider=provider)


@pytest.fixture
def server(sign_in: SignIn) -> Site:
    return sign_in.site


@pytest.fixture
def alice(sign_in: SignIn) -> Iterator[Person]:
    with httpx2.Client(timeout=60) as browser:
        yield Person(sign_in.issuer, "alice", password("alice"), browser)
