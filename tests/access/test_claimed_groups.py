"""Groups that follow a claim: given and taken away as the tokens say, and never more than that."""

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, Permission, User
from pytest_django import DjangoAssertNumQueries, Settings

from mcpsite.access.caller import Caller, Claims
from mcpsite.access.claimed_groups import named
from mcpsite.access.identities import caller_for
from mcpsite.access.models import Identity

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
    claim = django_settings.ACCESS_GROUPS_CLAIM or CLAIM
    said = {"iat": iat, **({} if groups is None else {claim: groups}), **raw}
    return caller_for(
        Claims(issuer=ISSUER, subject=subject, client_id="c", scopes=frozenset(), expires_at=0, raw=said)
    )


def names(caller: Caller) -> set[str]:
    return set(Group.objects.filter(pk__in=caller.groups).values_list("name", flat=True))


@pytest.mark.parametrize(
    "said",
    [
        ["analysts", "energy"],
        ["/analysts", "/energy"],
        [{"id": "1f", "name": "analysts"}, {"id": "energy"}, {"value": "2f", "display": "traders"}],
        '["analysts","energy"]',
        ' [ "analysts" , "energy" ] ',
        '[{"name": "analysts"}, "energy"]',
        "analysts,energy",
        "analysts, energy",
    ],
)
def test_the_first_call_already_has_the_groups_of_the_claim(said: object) -> None:
    assert names(call(said)) == {"readers", "analysts", "energy"}


@pytest.mark.parametrize(
    "name", ["Data Curators", "Sales, EMEA", "Sales, EMEA and APAC", '["quoted"', "/data/curators", "a,b"]
)
def test_one_text_that_is_a_groups_name_is_that_group_alone(name: str) -> None:
    for part in (name, *name.split(), *name.split(","), "curators", "quoted"):
        Group.objects.get_or_create(name=part)
    assert names(call(name)) == {"readers", name}
    assert names(call([name], iat=200)) == {"readers", name}


def test_a_text_with_blanks_is_one_name_and_never_its_words() -> None:
    assert named({"groups": "analysts energy"}, "groups") == {"analysts energy"}
    assert names(call("analysts energy")) == {"readers"}


def test_a_name_with_a_comma_in_a_list_is_one_name_and_never_its_parts() -> None:
    assert names(call(["analysts,energy"])) == {"readers"}


def test_a_group_whose_name_has_a_comma_is_given_once_it_is_made() -> None:
    call("analysts, energy")
    Group.objects.create(name="analysts, energy")
    assert names(call("analysts, energy")) == {"readers", "analysts, energy"}


def test_a_name_with_a_space_is_one_group_where_commas_part_them() -> None:
    Group.objects.create(name="oil and gas")
    assert names(call("oil and gas,energy")) == {"readers", "oil and gas", "energy"}


def test_a_full_path_is_its_group_and_not_the_last_part_of_it() -> None:
    assert names(call(["/contractors/analysts"])) == {"readers"}
    Group.objects.create(name="contractors/analysts")
    assert names(call(["/contractors/analysts"])) == {"readers", "contractors/analysts"}


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["analysts"]}}),
        (
            "resource_access.company.data.roles",
            {"resource_access": {"company.data": {"roles": ["analysts"]}}},
        ),
        ("https://example.com/roles", {"https://example.com/roles": ["analysts"]}),
        ("https://example.com/app.roles", {"https://example.com/app": {"roles": ["analysts"]}}),
        ("a.b", {"a.b": ["analysts"], "a": {"b": ["energy"]}}),
        ("cognito:groups", {"cognito:groups": ["analysts"]}),
    ],
)
def test_a_claim_is_found_by_its_name_or_by_the_path_to_it(
    settings: Settings, claim: str, said: dict[str, Any]
) -> None:
    settings.ACCESS_GROUPS_CLAIM = claim
    assert names(call(**said)) == {"readers", "analysts"}


@pytest.mark.parametrize(
    "said", [{}, {"realm_access": None}, {"realm_access": ["roles"]}, {"realm_access": {"roles": None}}]
)
def test_a_path_that_leads_nowhere_names_no_group(settings: Settings, said: dict[str, Any]) -> None:
    settings.ACCESS_GROUPS_CLAIM = "realm_access.roles"
    assert names(call(**said)) == {"readers"}


OVERAGES: list[dict[str, Any]] = [
    {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example/x"}}},
    {"hasgroups": True},
    {"hasgroups": "true"},
    {"groups:src1": "https://graph.example/x"},
]


@pytest.mark.parametrize("said", OVERAGES)
def test_a_token_with_too_many_groups_to_list_changes_nobodys_groups(
    settings: Settings, said: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    settings.ACCESS_GROUPS_CLAIM = "groups"
    call(["analysts"], subject=str(said))
    for iat in (200, 300):
        assert names(call(**said, subject=str(said), iat=iat)) == {"readers", "analysts"}
    assert caplog.text.count("too many groups to list") == 1
    assert names(call([], subject=str(said), iat=400)) == {"readers"}


@pytest.mark.parametrize("said", OVERAGES)
def test_a_token_with_too_many_groups_to_list_gives_none_either(
    settings: Settings, said: dict[str, Any]
) -> None:
    settings.ACCESS_GROUPS_CLAIM = "groups"
    assert names(call(**said)) == {"readers"}


def test_groups_that_are_listed_count_though_others_are_elsewhere(settings: Settings) -> None:
    settings.ACCESS_GROUPS_CLAIM = "roles"
    assert names(call(["analysts"], hasgroups=True, _claim_names={"groups": "src1"})) == {
        "readers",
        "analysts",
    }
    assert names(call(hasgroups=True, _claim_names={"groups": "src1"}, iat=200)) == {"readers"}


def test_the_log_says_whose_tokens_have_no_claim(caplog: pytest.LogCaptureFixture) -> None:
    call(["analysts"])
    with caplog.at_level("INFO", "mcpsite.access"):
        call(iat=200)
    assert f"none; the token, for the client 'c', has no {CLAIM}" in caplog.text


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
