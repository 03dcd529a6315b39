"""Who may read what, asked of the policy: for one thing and for all of them."""

import time
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User

from mcpsite.access import signing
from mcpsite.access.caller import Claims
from mcpsite.access.identities import caller_for
from mcpsite.access.policies import Principal
from transcripts.models import TRANSCRIPTS, Collection, Transcript

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def transcripts() -> None:
    """One that everybody may read, one of the team's, and one of each that is not published."""
    open_to_all, limited = (Collection.objects.create(name=name, slug=name) for name in ("open", "team"))
    limited.groups.add(Group.objects.create(name="team"))
    for collection in (open_to_all, limited):
        for published in (True, False):
            slug = f"{collection.slug}-{'published' if published else 'draft'}"
            Transcript.objects.create(slug=slug, source_file=slug, collection=collection, published=published)


def person(name: str, *groups: str, reads: bool = True, superuser: bool = False) -> User:
    user = User.objects.create_user(name, is_superuser=superuser)
    user.groups.set(Group.objects.filter(name__in=groups))
    if reads:
        user.user_permissions.add(Permission.objects.get(codename="view_transcript"))
    return User.objects.get(pk=user.pk)  # without remembered permissions


def read_by(principal: Principal) -> set[str]:
    """The slugs that the policy lets `principal` read, of which both its answers have to agree."""
    found = set(Transcript.objects.visible_to(principal).values_list("slug", flat=True))
    one_by_one = [one.slug for one in Transcript.objects.all() if TRANSCRIPTS.is_visible_to(principal, one)]
    assert found == set(one_by_one)
    return found


def test_a_member_reads_what_is_limited_to_the_team() -> None:
    assert read_by(person("alice", "team")) == {"open-published", "team-published"}


def test_somebody_else_reads_what_is_limited_to_nobody() -> None:
    assert read_by(person("charlie")) == {"open-published"}


def test_a_superuser_reads_everything_that_is_published() -> None:
    assert read_by(person("root", reads=False, superuser=True)) == {"open-published", "team-published"}


def test_a_member_without_the_permission_reads_nothing() -> None:
    assert read_by(person("dora", "team", reads=False)) == set()


def test_whoever_is_not_signed_in_reads_nothing() -> None:
    assert read_by(AnonymousUser()) == set()


def test_a_call_reads_what_its_person_reads_on_the_pages(settings: Any) -> None:
    settings.AUTH0_ISSUER = ""
    alice = person("alice", "team")
    claims = Claims(
        issuer=signing.issuer(),
        subject=signing.own_subject(alice),
        client_id="tests",
        scopes=frozenset(),
        expires_at=time.time() + 60,
    )
    assert read_by(caller_for(claims)) == read_by(alice)
