"""Groups that follow a claim: given and taken away as the tokens say, and never more than that."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from pytest_django import DjangoAssertNumQueries, Settings

from access.caller import Caller, Claims
from access.identities import caller_for
from access.models import Identity

ISSUER = "https://tenant.example.com/"
CLAIM = "https://example.com/groups"


@pytest.fixture(autouse=True)
def following(settings: Settings, db: None) -> None:
    settings.AUTH0_ISSUER = ISSUER
    settings.ACCESS_AUTO_CREATE_USERS = True
    settings.ACCESS_DEFAULT_GROUP = "readers"
    settings.ACCESS_GROUPS_CLAIM = CLAIM
    for name in ("readers", "analysts", "energy"):
        Group.objects.get_or_create(name=name)


def call(groups: object = None, *, subject: str = "alice", iat: float = 100, **raw: object) -> Caller:
    """A call with a token whose claim is `groups`; without the claim where that is None."""
    said = {"iat": iat, **({} if groups is None else {CLAIM: groups}), **raw}
    return caller_for(
        Claims(issuer=ISSUER, subject=subject, client_id="c", scopes=frozenset(), expires_at=0, raw=said)
    )


def names(caller: Caller) -> set[str]:
    return set(Group.objects.filter(pk__in=caller.groups).values_list("name", flat=True))


@pytest.mark.parametrize(
    "said", [["analysts", "energy"], "analysts energy", "analysts,energy", "analysts, energy"]
)
def test_the_first_call_already_has_the_groups_of_the_claim(said: object) -> None:
    assert names(call(said)) == {"readers", "analysts", "energy"}


def test_a_name_with_a_space_is_one_group_where_commas_part_them() -> None:
    Group.objects.create(name="oil and gas")
    assert names(call("oil and gas,energy")) == {"readers", "oil and gas", "energy"}


def test_a_group_that_the_claim_no_longer_names_ends_access_at_this_very_call() -> None:
    Group.objects.get(name="analysts").permissions.add(Permission.objects.get(codename="view_identity"))
    assert call(["analysts"]).has_perm("access.view_identity")
    after = call(["energy"], iat=200)
    assert not after.has_perm("access.view_identity")
    assert names(after) == {"readers", "energy"}


@pytest.mark.parametrize("said", [None, [], "", 7, {"analysts": True}])
def test_a_claim_that_is_missing_or_of_another_kind_names_no_group(said: object) -> None:
    call(["analysts"])
    assert names(call(said, iat=200)) == {"readers"}


def test_an_older_token_does_not_bring_a_group_back() -> None:
    call(["analysts"], iat=100)
    call([], iat=200)
    assert names(call(["analysts"], iat=100)) == {"readers"}


def test_a_group_that_does_not_exist_is_not_made() -> None:
    assert names(call(["strangers"])) == {"readers"}
    assert not Group.objects.filter(name="strangers").exists()


def test_a_group_that_is_made_later_is_given_at_the_next_call() -> None:
    call(["strangers"])
    Group.objects.create(name="strangers")
    assert names(call(["strangers"])) == {"readers", "strangers"}


def test_a_group_given_by_hand_stays_when_the_claim_drops_it() -> None:
    user = User.objects.get(pk=call([]).user_id)
    user.groups.add(Group.objects.get(name="energy"))
    call(["energy"], iat=200)
    assert names(call([], iat=300)) == {"readers", "energy"}


def test_a_group_taken_away_by_hand_stays_away_while_the_claim_is_the_same() -> None:
    user = User.objects.get(pk=call(["analysts"]).user_id)
    user.groups.remove(Group.objects.get(name="analysts"))
    Group.objects.create(name="another")
    assert names(call(["analysts"], iat=200)) == {"readers"}


def test_what_one_identity_of_a_person_was_given_another_one_does_not_take_away() -> None:
    user = User.objects.get(pk=call(["analysts"]).user_id)
    Identity.objects.create(issuer=ISSUER, subject="alice-too", user=user)
    call(["analysts"], subject="alice-too", iat=200)
    assert names(call([], subject="alice-too", iat=300)) == {"readers", "analysts"}


@pytest.mark.parametrize("said", [["superuser", "staff", "admin"], ["is_superuser"], "is_staff"])
def test_no_claim_makes_staff_or_a_superuser(said: object) -> None:
    caller = call(said, is_superuser=True, is_staff=True)
    user = User.objects.get(pk=caller.user_id)
    assert [caller.is_superuser, user.is_superuser, user.is_staff] == [False] * 3


def test_a_claim_that_stayed_the_same_costs_nothing(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    call(["analysts", "energy"])
    with django_assert_num_queries(1):
        call(["energy", "analysts"], iat=200)


def test_without_the_setting_claims_give_nothing(settings: Settings) -> None:
    settings.ACCESS_GROUPS_CLAIM = ""
    assert names(call(["analysts"])) == {"readers"}
