"""Opaque tokens (client-contract 18): the issuer is asked, and believed no further than it must be."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mcpsite.access import claimed_groups, discovery
from mcpsite.access import introspection as module
from mcpsite.access.introspection import CACHE_SECONDS, PAUSE, Introspection
from mcpsite.access.keys import KeysUnavailable
from mcpsite.access.tokens import ExpiredToken, InvalidToken, Verifier
from tests.access import issuer as made
from tests.access.issuer import AUDIENCE, ISSUER, NOW, Clock, Provider, claims, mint, provider
from tests.site import Site, running

OPAQUE = "0paque.t0ken"


@pytest.fixture
def idp() -> Iterator[Provider]:
    with provider() as serving:
        yield serving


def introspection(idp: Provider, clock: Clock | None = None, **changes: Any) -> Introspection:
    settings: dict[str, Any] = {
        "endpoint": f"{idp.origin}/introspect",
        "client_id": "site",
        "client_secret": "s3cret:&",
        "clock": clock or Clock(),
    }
    return Introspection(**settings | changes)


def verifier(idp: Provider, *, audience: bool = True, **changes: Any) -> Verifier:
    clock = Clock()
    simple = made.verifier(clock=clock)
    return Verifier(
        issuer=ISSUER,
        audiences=[AUDIENCE],
        algorithms=["RS256"],
        keys=simple._keys,
        max_lifetime=86_400,
        introspection=introspection(idp, clock, **changes),
        introspected_audience=audience,
        clock=clock,
    )


def verify(idp: Provider, token: str = OPAQUE, **options: Any) -> Any:
    return asyncio.run(verifier(idp, **options).verify(token))


def test_an_active_token_gives_its_claims(idp: Provider) -> None:
    idp.tokens[OPAQUE] = claims()
    said = verify(idp)
    assert (said.subject, said.client_id, said.scopes) == (claims()["sub"], "client", {"read"})
    assert said.expires_at == NOW + 3600


def test_groups_are_read_from_the_answer_as_from_a_token(idp: Provider) -> None:
    idp.tokens[OPAQUE] = claims(realm_access={"roles": ["Data Curators"]}, _claim_names={"groups": "src1"})
    said = verify(idp).raw
    assert claimed_groups.named(said, "realm_access.roles") == {"Data Curators"}
    assert claimed_groups.overflows(said, "groups")


def test_the_question_carries_our_credentials_and_the_token_in_the_body(idp: Provider) -> None:
    idp.tokens[OPAQUE] = claims()
    verify(idp)
    [(authorization, form)] = idp.asked
    assert authorization.startswith("Basic ")
    assert form == {"token": OPAQUE, "token_type_hint": "access_token"}


def test_a_token_that_is_not_active_is_refused(idp: Provider) -> None:
    with pytest.raises(InvalidToken, match="not active"):
        verify(idp)


@pytest.mark.parametrize("active", ["true", 1, "yes", [True], None, {}])
def test_only_true_is_active(idp: Provider, active: object) -> None:
    idp.answer("/introspect", {**claims(), "active": active})
    with pytest.raises(InvalidToken, match="not active"):
        verify(idp)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://other.example"},
        {"aud": None},
        {"iss": "https://other.example/"},
        {"iss": ISSUER.rstrip("/")},
        {"exp": "soon"},
        {"exp": NOW + 90_000},
        {"nbf": NOW + 120},
        {"iat": NOW + 120},
        {"sub": None},
        {"sub": ""},
        {"token_type": "DPoP"},
        {"token_type": "refresh_token"},
        {"typ": "Refresh"},
        {"token_use": "id"},
    ],
)
def test_an_active_token_that_is_not_for_us_is_refused(idp: Provider, changes: dict[str, object]) -> None:
    idp.tokens[OPAQUE] = claims(**changes)
    with pytest.raises(InvalidToken):
        verify(idp)


def test_an_active_token_that_has_expired_is_an_expired_one(idp: Provider) -> None:
    idp.tokens[OPAQUE] = claims(exp=NOW)
    with pytest.raises(ExpiredToken):
        verify(idp)


def test_an_audience_may_be_left_out_only_where_the_setting_says_so(idp: Provider) -> None:
    idp.tokens[OPAQUE] = claims(aud=None)
    assert verify(idp, audience=False).subject == claims()["sub"]


def test_another_audience_is_refused_even_where_it_may_be_left_out(idp: Provider) -> None:
    idp.tokens[OPAQUE] = claims(aud="https://other.example")
    with pytest.raises(InvalidToken, match="not meant for this server"):
        verify(idp, audience=False)


def test_issuer_and_times_may_be_left_out(idp: Provider) -> None:  # RFC 7662 §2.2: they are optional
    idp.tokens[OPAQUE] = claims(iss=None, iat=None, exp=None)
    said = verify(idp)
    assert said.issuer == ISSUER
    assert said.expires_at == NOW + CACHE_SECONDS


@pytest.mark.parametrize("iss", [ISSUER, "https://other.example/"])
def test_a_signed_token_is_never_sent_anywhere(idp: Provider, iss: str) -> None:
    """Not ours, which is checked here, nor somebody else's, which is nobody's business."""
    token = mint(claims(iss=iss), key=made.rsa_key("second"))
    with pytest.raises(InvalidToken):
        verify(idp, token)
    assert idp.asked == []


def test_our_issuers_jwt_takes_the_local_path(idp: Provider) -> None:
    assert verify(idp, mint()).subject == claims()["sub"]
    assert idp.asked == []


@pytest.mark.parametrize("token", ["opaque", "a.b", "a.b.c", "v1.AAAA.BBBB.CCCC", "a.b.c.d.e", "+/=="])
def test_whatever_is_no_jwt_is_asked_about(idp: Provider, token: str) -> None:
    idp.tokens[token] = claims()
    assert verify(idp, token).subject == claims()["sub"]


@pytest.mark.parametrize("token", ["with space", 'quo"te', "line\nbreak", "=first", "x" * 40_000, "tök"])
def test_a_text_that_cannot_be_a_token_is_not_asked_about(idp: Provider, token: str) -> None:
    with pytest.raises(InvalidToken):
        verify(idp, token)
    assert idp.asked == []


def test_without_introspection_an_opaque_token_is_refused_with_the_remedy() -> None:
    with pytest.raises(InvalidToken, match="opaque"):
        asyncio.run(made.verifier().verify("opaque"))


# What is remembered


def ask(asked: Introspection, *tokens: str) -> list[Any]:
    async def together() -> list[Any]:
        return list(await asyncio.gather(*(asked.claims(each) for each in tokens), return_exceptions=True))

    return asyncio.run(together())


def test_the_same_token_at_the_same_time_is_asked_about_once(idp: Provider) -> None:
    idp.tokens[OPAQUE] = claims()
    idp.delay = 0.1
    answers = ask(introspection(idp), *[OPAQUE] * 50)
    assert all(answer["sub"] for answer in answers)
    assert len(idp.asked) == 1


def test_an_answer_counts_for_a_short_time_and_no_longer(idp: Provider) -> None:
    clock = Clock()
    asked = introspection(idp, clock)
    idp.tokens[OPAQUE] = claims()
    ask(asked, OPAQUE)
    del idp.tokens[OPAQUE]
    clock.now += CACHE_SECONDS - 1
    assert ask(asked, OPAQUE) != [None]
    clock.now += 1
    assert ask(asked, OPAQUE) == [None]


def test_an_answer_never_outlives_the_token(idp: Provider) -> None:
    clock = Clock()
    asked = introspection(idp, clock)
    idp.tokens[OPAQUE] = claims(exp=NOW + 5)
    ask(asked, OPAQUE)
    clock.now += 5
    ask(asked, OPAQUE)
    assert len(idp.asked) == 2


def test_a_refused_token_is_not_asked_about_at_once_again(idp: Provider) -> None:
    asked = introspection(idp)
    assert ask(asked, "bad") + ask(asked, "bad") == [None, None]
    assert len(idp.asked) == 1


def test_what_is_remembered_is_bounded_and_holds_no_token(
    idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcpsite.access.introspection.REMEMBERED", 3)
    asked = introspection(idp)
    idp.tokens["good"] = claims()
    ask(asked, "good", *(f"bad{number}" for number in range(8)))
    assert len(asked._inactive) == 3
    assert ask(asked, "good") != [None]
    assert len(idp.asked) == 9
    assert "good" not in repr(vars(asked))


# When the endpoint fails


@pytest.mark.parametrize(
    "break_it",
    [
        lambda idp: idp.answer("/introspect", {}, 500),
        lambda idp: idp.answer("/introspect", {}, 302, Location="https://attacker.example"),
        lambda idp: idp.answer("/introspect", {}, 404),
        lambda idp: idp.answer("/introspect", b"<html>"),
        lambda idp: idp.answer("/introspect", ["active"]),
        lambda idp: idp.answer("/introspect", b"[" * 60_000),
        lambda idp: idp.answer("/introspect", {"active": True, "x": "x" * discovery.MAX_BYTES}),
        lambda idp: idp.answer("/introspect", b"x", Content_Encoding="gzip"),
    ],
    ids=["500", "redirect", "404", "html", "list", "deep", "large", "compressed"],
)
def test_without_a_usable_answer_nobody_can_tell(idp: Provider, break_it: Callable[[Provider], None]) -> None:
    break_it(idp)
    with pytest.raises(KeysUnavailable):
        verify(idp)
    assert len(idp.requests) == 1


def test_wrong_credentials_of_ours_do_not_sign_people_out(
    idp: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    idp.tokens[OPAQUE] = claims()
    with pytest.raises(KeysUnavailable):
        verify(idp, client_secret="wrong")
    assert "INTROSPECTION_CLIENT_SECRET" in caplog.text
    assert OPAQUE not in caplog.text


def test_a_slow_endpoint_is_given_up_in_time(idp: Provider) -> None:
    idp.delay = 1.0
    before = time.monotonic()
    with pytest.raises(KeysUnavailable):
        verify(idp, time_limit=0.1)
    assert time.monotonic() - before < 0.9


def test_during_an_outage_calls_do_not_wait_one_after_another(idp: Provider) -> None:
    clock = Clock()
    idp.delay = 0.5
    asked = introspection(idp, clock, time_limit=0.1)
    ask(asked, "first")
    assert [type(answer) for answer in ask(asked, "second", "third")] == [KeysUnavailable] * 2
    assert len(idp.requests) == 1
    idp.delay = 0
    clock.now += PAUSE
    idp.tokens["second"] = claims()
    assert ask(asked, "second") == [{"active": True, **claims()}]


# The whole site


@pytest.fixture(scope="module")
def behind() -> Iterator[tuple[Site, Provider]]:
    with provider() as idp:
        settings = {
            "AUTH0_ISSUER": idp.issuer,
            "INTROSPECTION_ENDPOINT": f"{idp.origin}/introspect",
            "INTROSPECTION_CLIENT_ID": "site",
            "INTROSPECTION_CLIENT_SECRET": "s3cret:&",
        }
        with running(settings) as site:
            yield site, idp


def active(site: Site, idp: Provider) -> dict[str, object]:
    now = int(time.time())
    return claims(iss=idp.issuer, aud=site.url, iat=now, exp=now + 600)


def test_a_person_with_an_opaque_token_gets_in(behind: tuple[Site, Provider]) -> None:
    site, idp = behind
    idp.tokens["opaque-of-alice"] = active(site, idp)
    answer = site.call("opaque-of-alice", "airfare_trend_insights", {"limit": 1})
    assert answer["structuredContent"]["rows_returned"] == 1


def test_a_person_with_a_jwt_gets_in_beside_them(behind: tuple[Site, Provider]) -> None:
    site, idp = behind
    assert site.rpc(mint(active(site, idp)), "tools/list").status_code == 200


def test_a_revoked_opaque_token_is_a_401(behind: tuple[Site, Provider]) -> None:
    site, _ = behind
    answer = site.rpc("opaque-and-revoked", "tools/list")
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_an_outage_of_the_endpoint_is_a_503(behind: tuple[Site, Provider]) -> None:
    site, idp = behind
    idp.answer("/introspect", {}, 500)
    try:
        answer = site.rpc("opaque-in-the-outage", "tools/list")
    finally:
        del idp.answers["/introspect"]
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "opaque-in-the-outage" not in site.log.read_text()


def test_tokens_that_one_address_makes_up_hold_nobody_else_up(
    idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.5)
    idp.delay = 0.3
    idp.tokens[OPAQUE] = claims()
    asked = introspection(idp)

    async def flood() -> tuple[list[object], object, float]:
        made_up = [asyncio.create_task(asked.claims(f"made-up-{n}", "192.0.2.66")) for n in range(200)]
        await asyncio.sleep(0.05)
        began = time.monotonic()
        good = await asked.claims(OPAQUE, "192.0.2.7")
        took = time.monotonic() - began
        return await asyncio.gather(*made_up, return_exceptions=True), good, took

    answers, good, took = asyncio.run(flood())
    assert good
    assert took < 2
    assert {type(each) for each in answers} == {type(None), KeysUnavailable}
    assert len(idp.asked) < 20


def test_a_flood_from_everywhere_does_not_hold_up_tokens_that_were_active(
    idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.5)
    clock = Clock()
    idp.tokens[OPAQUE] = claims()
    asked = introspection(idp, clock)

    async def flood() -> object:
        await asked.claims(OPAQUE, "192.0.2.7")
        clock.now += CACHE_SECONDS + 1
        idp.delay = 0.3
        made_up = [asyncio.create_task(asked.claims(f"made-up-{n}", f"10.0.0.{n}")) for n in range(200)]
        await asyncio.sleep(0.05)
        good = await asked.claims(OPAQUE, "192.0.2.7")
        await asyncio.gather(*made_up, return_exceptions=True)
        return good

    assert asyncio.run(flood())
