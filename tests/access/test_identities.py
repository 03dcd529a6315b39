"""Who a token's subject is in this site, and what they may do at this very call."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from mcpsite.access import signing
from mcpsite.access.caller import Claims
from mcpsite.access.identities import AccessDenied, caller_for, claims_of_session, username_for
from mcpsite.access.models import Identity

ISSUER = "https://tenant.example.com/"


@pytest.fixture(autouse=True)
def external(settings: Settings) -> None:
    settings.AUTH0_ISSUER = ISSUER
    settings.ACCESS_AUTO_CREATE_USERS = True
    settings.ACCESS_DEFAULT_GROUP = "readers"


@pytest.fixture
def readers(db: None) -> Group:
    group, _ = Group.objects.get_or_create(name="readers")
    group.permissions.set([permission("view_identity")])
    return group


def permission(codename: str) -> Permission:
    return Permission.objects.get(codename=codename)


def claims_of(subject: str = "auth0|alice", issuer: str = ISSUER, **raw: object) -> Claims:
    return Claims(
        issuer=issuer, subject=subject, client_id="client", scopes=frozenset(), expires_at=0, raw=raw
    )


def test_the_first_call_makes_a_user_who_may_read(readers: Group) -> None:
    caller = caller_for(claims_of())
    user = User.objects.get(pk=caller.user_id)
    assert not user.has_usable_password()
    assert not user.is_staff
    assert caller.groups == {readers.pk}
    assert caller.permissions == {"access.view_identity"}
    assert not caller.has_perm("access.delete_identity")


def test_the_next_call_finds_the_same_user(readers: Group) -> None:
    assert caller_for(claims_of()) == caller_for(claims_of())
    assert User.objects.count() == Identity.objects.count() == 1


def test_the_same_subject_at_another_issuer_is_somebody_else(readers: Group) -> None:
    first = caller_for(claims_of())
    other = caller_for(claims_of(issuer="https://other.example.com/"))
    assert first.user_id != other.user_id


def test_subjects_that_look_alike_are_different_people(readers: Group) -> None:
    subjects = ["auth0|alice", "auth0/alice", "AUTH0|alice", "auth0|alice "]
    assert len({caller_for(claims_of(subject)).user_id for subject in subjects}) == 4


def test_nobody_is_recognised_by_e_mail_or_name(readers: Group) -> None:
    admin = User.objects.create_superuser("alice", "alice@example.com")
    caller = caller_for(claims_of(email="alice@example.com", email_verified=True, preferred_username="alice"))
    assert caller.user_id != admin.pk
    assert not caller.is_superuser


def test_a_user_who_bears_the_derived_name_is_not_taken_over(readers: Group) -> None:
    claims = claims_of()
    User.objects.create_superuser(username_for(claims.issuer, claims.subject))
    with pytest.raises(AccessDenied, match="You have no account"):
        caller_for(claims)
    assert not Identity.objects.exists()


def test_an_identity_made_by_hand_speaks_for_its_user(readers: Group) -> None:
    bob = User.objects.create_user("bob")
    Identity.objects.create(issuer=ISSUER, subject="auth0|bob", user=bob)
    caller = caller_for(claims_of("auth0|bob"))
    assert (caller.user_id, caller.username) == (bob.pk, "bob")
    assert not caller.permissions


def test_strangers_stay_out_where_users_are_not_made(readers: Group, settings: Settings) -> None:
    settings.ACCESS_AUTO_CREATE_USERS = False
    with pytest.raises(AccessDenied, match="ask one of its administrators"):
        caller_for(claims_of())
    assert not User.objects.exists()


@pytest.mark.parametrize("group", ["", "no such group"])
def test_without_a_default_group_a_newcomer_may_do_nothing(
    readers: Group, settings: Settings, group: str
) -> None:
    settings.ACCESS_DEFAULT_GROUP = group
    caller = caller_for(claims_of())
    assert not caller.permissions
    assert not caller.groups


def test_a_deactivated_user_is_out_at_the_next_call(readers: Group) -> None:
    caller = caller_for(claims_of())
    User.objects.filter(pk=caller.user_id).update(is_active=False)
    with pytest.raises(AccessDenied, match="not active"):
        caller_for(claims_of())


def test_a_group_taken_away_ends_its_rights_at_the_next_call(readers: Group) -> None:
    User.objects.get(pk=caller_for(claims_of()).user_id).groups.clear()
    caller = caller_for(claims_of())
    assert not caller.permissions
    assert not caller.groups


def test_a_permission_taken_from_the_group_is_gone_at_the_next_call(readers: Group) -> None:
    caller_for(claims_of())
    readers.permissions.clear()
    assert not caller_for(claims_of()).permissions


def test_rights_are_those_that_django_itself_computes(readers: Group) -> None:
    user = User.objects.get(pk=caller_for(claims_of()).user_id)
    user.user_permissions.add(permission("change_identity"), permission("view_identity"))
    other = Group.objects.create(name="curators")
    other.permissions.add(permission("add_identity"), permission("view_identity"))
    user.groups.add(other)
    caller = caller_for(claims_of())
    assert caller.permissions == User.objects.get(pk=user.pk).get_all_permissions()
    assert caller.groups == {readers.pk, other.pk}


def test_a_superuser_may_do_everything(readers: Group) -> None:
    User.objects.filter(pk=caller_for(claims_of()).user_id).update(is_superuser=True)
    assert caller_for(claims_of()).has_perm("access.delete_identity")


def test_a_call_costs_one_statement(
    readers: Group, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    caller_for(claims_of())
    with django_assert_num_queries(1):
        caller_for(claims_of())


def test_last_use_is_written_down_once_an_hour(
    readers: Group, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    caller_for(claims_of())
    long_ago = timezone.now() - timedelta(hours=1, seconds=1)
    Identity.objects.update(last_seen=long_ago)
    caller_for(claims_of(name="Alice", email="alice@example.com"))
    identity = Identity.objects.get()
    assert identity.last_seen is not None
    assert timezone.now() - identity.last_seen < timedelta(minutes=1)
    assert (identity.name, identity.email) == ("Alice", "alice@example.com")
    with django_assert_num_queries(1):
        caller_for(claims_of())


def test_name_and_e_mail_are_read_from_namespaced_claims_too(readers: Group) -> None:
    raw: dict[str, Any] = {"https://example.com/email": "alice@example.com", "name": ["not", "a text"]}
    caller_for(claims_of(**raw))
    identity = Identity.objects.get()
    assert (identity.name, identity.email) == ("", "alice@example.com")


@pytest.mark.parametrize("subject", ["|", "\N{SNOWMAN}", "s" * 255, "a@b.example", "..", "x y"])
def test_any_subject_gives_a_valid_user_name(db: None, subject: str) -> None:
    User(username=username_for(ISSUER, subject), password="!").full_clean()


# Tokens of the site's own


@pytest.fixture
def own(settings: Settings, readers: Group) -> User:
    settings.AUTH0_ISSUER = ""
    user = User.objects.create_user("alice")
    user.groups.add(readers)
    return user


def own_claims(subject: str) -> Claims:
    return claims_of(subject, issuer=signing.issuer())


def test_a_token_of_our_own_speaks_for_its_user_and_makes_no_second(own: User) -> None:
    caller = caller_for(own_claims(signing.own_subject(own)))
    assert (caller.user_id, caller.username) == (own.pk, "alice")
    assert caller.permissions == {"access.view_identity"}
    assert User.objects.count() == 1
    assert not Identity.objects.exists()


@pytest.mark.parametrize("subject", ["999999", "alice", "-1", "1e3", "٣", "9" * 30])
def test_a_token_of_our_own_for_nobody_is_denied(own: User, subject: str) -> None:
    with pytest.raises(AccessDenied, match="You have no account"):
        caller_for(own_claims(subject))
    assert User.objects.count() == 1


def test_a_deactivated_user_of_our_own_is_out_at_the_next_call(own: User) -> None:
    User.objects.update(is_active=False)
    with pytest.raises(AccessDenied, match="not active"):
        caller_for(own_claims(signing.own_subject(own)))


# Several calls at once, each with a connection of its own


Start = Callable[[Callable[[], Any]], Future[Any]]


@pytest.fixture
def in_a_thread(transactional_db: None, tmp_path: Path) -> Start:
    """Run a function on a thread of its own; on SQLite with the test's database as a file.

    Threads would share one cache of a database in memory, whose locks are unlike those of a file.
    """
    file = tmp_path / "db.sqlite3"
    if connection.vendor == "sqlite":
        Group.objects.get_or_create(name="readers")
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(file)])

    def run(function: Callable[[], Any]) -> Any:
        if connection.vendor == "sqlite":
            connection.settings_dict = {**connection.settings_dict, "NAME": str(file)}
        try:
            return function()
        finally:
            connection.close()

    def start(function: Callable[[], Any]) -> Future[Any]:
        return ThreadPoolExecutor(1).submit(run, function)

    return start


def test_first_calls_at_once_make_one_user_and_all_succeed(in_a_thread: Start) -> None:
    together = threading.Barrier(6)

    def call() -> int:
        together.wait(timeout=30)
        return caller_for(claims_of()).user_id

    users = [future.result() for future in [in_a_thread(call) for _ in range(6)]]
    assert len(set(users)) == 1
    assert in_a_thread(User.objects.count).result() == in_a_thread(Identity.objects.count).result() == 1


def test_a_load_that_is_writing_does_not_hold_up_a_call(in_a_thread: Start) -> None:
    writing, done = threading.Event(), threading.Event()

    def yesterday() -> None:
        caller_for(claims_of())
        Identity.objects.update(last_seen=timezone.now() - timedelta(days=1))

    def load() -> None:
        with transaction.atomic():
            Group.objects.create(name="loaded")
            writing.set()
            done.wait(timeout=30)

    in_a_thread(yesterday).result()
    loading = in_a_thread(load)
    writing.wait(timeout=30)
    try:
        assert in_a_thread(lambda: caller_for(claims_of())).result(timeout=5).user_id
    finally:
        done.set()
    loading.result()


def test_waiting_for_a_writer_is_as_it_was_after_a_call(in_a_thread: Start) -> None:
    def timeouts() -> tuple[object, object]:
        before = busy_timeout()
        caller_for(claims_of())
        Identity.objects.update(last_seen=None)
        caller_for(claims_of())
        return before, busy_timeout()

    def busy_timeout() -> object:
        if connection.vendor != "sqlite":
            return None
        with connection.cursor() as cursor:
            return cursor.execute("PRAGMA busy_timeout").fetchone()

    before, after = in_a_thread(timeouts).result()
    assert before == after


# The admin


@pytest.mark.parametrize("page", ["", "add/", "1"])
def test_an_administrator_sees_and_links_identities(admin_client: Client, page: str) -> None:
    bob = User.objects.create_user("bob")
    identity = Identity.objects.create(issuer=ISSUER, subject="auth0|bob", user=bob)
    path = f"/admin/access/identity/{f'{identity.pk}/change/' if page == '1' else page}"
    answer = admin_client.get(path, {"q": "auth0"} if not page else {})
    assert answer.status_code == 200
    assert (b"auth0|bob" in answer.content) == (page != "add/")


def test_a_signed_out_visitor_sees_no_identities(client: Client, db: None) -> None:
    assert client.get("/admin/access/identity/").status_code == 302


def test_no_scope_limits_somebody_who_uses_the_sites_own_pages() -> None:
    assert claims_of_session(User(pk=1), client_id="pages").has_scopes({"airfare:read"})


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite plans at no cost")
@pytest.mark.usefixtures("readers")
def test_a_caller_is_looked_up_by_a_prepared_statement() -> None:
    for _ in range(3):
        caller_for(claims_of())
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%access_identity%'")
        assert cursor.fetchone() == (1,)
