"""Keys of an issuer that is slow, down, hostile or changes them, over a real HTTP server."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mcpsite.access import discovery, keys
from mcpsite.access.discovery import DiscoveryFailed
from mcpsite.access.keys import Keys, KeysUnavailable, key_set
from mcpsite.access.tokens import InvalidToken, Verifier
from tests.access.issuer import (
    Clock,
    Provider,
    claims,
    ec_key,
    mint,
    provider,
    public_jwk,
    rsa_key,
    verifier,
)


@pytest.fixture
def issuer() -> Iterator[Provider]:
    with provider() as serving:
        yield serving


@pytest.fixture
def clock() -> Clock:
    return Clock()


def keys_of(issuer: Provider, clock: Clock, *, time_limit: float = 5.0) -> Keys:
    load = partial(discovery.fetch_keys, issuer.issuer)
    return Keys(load, max_stale=6 * 3600, time_limit=time_limit, clock=clock)


def trusting(issuer: Provider, clock: Clock, **options: Any) -> Verifier:
    """A verifier of the issuer's tokens whose keys come over HTTP."""
    return verifier(keys=keys_of(issuer, clock, **options), issuer=issuer.issuer)


def token(issuer: Provider, name: str = "first", **changes: object) -> str:
    return mint(claims(iss=issuer.issuer, **changes), key=rsa_key(name), header={"kid": name})


async def refetch_over(by: Verifier) -> None:
    """Wait for the background refresh, if one is under way."""
    await by._keys._wait()


async def outcome(call: Awaitable[object]) -> str:
    try:
        await call
    except (InvalidToken, KeysUnavailable) as error:
        return type(error).__name__
    return "accepted"


def test_a_rotated_key_is_picked_up_by_the_first_token_that_names_it(issuer: Provider, clock: Clock) -> None:
    async def story() -> None:
        by = trusting(issuer, clock)
        await by.verify(token(issuer))
        issuer.publish(public_jwk(rsa_key()), public_jwk(rsa_key("second"), "second"))
        clock.now += keys.PAUSE
        assert (await by.verify(token(issuer, "second"))).subject
        assert (await by.verify(token(issuer))).subject

    asyncio.run(story())


def test_a_flood_of_unknown_kids_makes_one_fetch(issuer: Provider, clock: Clock) -> None:
    async def story() -> None:
        by = trusting(issuer, clock)
        await by.verify(token(issuer))
        clock.now += keys.PAUSE
        flood = [mint(claims(iss=issuer.issuer), header={"kid": f"unknown {n}"}) for n in range(50)]
        for _ in range(2):
            outcomes = await asyncio.gather(*(outcome(by.verify(each)) for each in flood))
            assert set(outcomes) == {"InvalidToken"}
        assert issuer.fetches() == 2

    asyncio.run(story())


def test_a_foreign_token_makes_no_fetch_at_all(issuer: Provider, clock: Clock) -> None:
    async def story() -> None:
        by = trusting(issuer, clock)
        assert await outcome(by.verify(mint(claims(iss="https://elsewhere.example.com/")))) == "InvalidToken"
        assert issuer.requests == []

    asyncio.run(story())


def test_many_first_calls_share_one_fetch(issuer: Provider, clock: Clock) -> None:
    async def story() -> None:
        by = trusting(issuer, clock)
        tokens = [token(issuer, jti=str(n)) for n in range(20)]
        assert {await each for each in map(outcome, map(by.verify, tokens))} == {"accepted"}
        assert issuer.fetches() == 1

    async def at_once() -> None:
        by = trusting(issuer, clock)
        await asyncio.gather(*(by.verify(token(issuer, jti=str(n))) for n in range(20)))
        assert issuer.fetches() == 2

    asyncio.run(story())
    asyncio.run(at_once())


def test_a_slow_key_endpoint_blocks_neither_the_loop_nor_tokens_with_known_keys(
    issuer: Provider, clock: Clock
) -> None:
    async def story() -> None:
        by = trusting(issuer, clock)
        good = token(issuer)
        await by.verify(good)
        issuer.delay = 0.5
        clock.now += keys.PAUSE
        waiting = asyncio.create_task(outcome(by.verify(token(issuer, "second"))))
        longest = 0.0
        while not waiting.done():
            started = time.perf_counter()
            await by.verify(token(issuer, jti=str(started)))
            await asyncio.sleep(0.01)
            longest = max(longest, time.perf_counter() - started)
        assert waiting.result() == "InvalidToken"
        assert longest < 0.4

    asyncio.run(story())


def test_an_outage_keeps_good_tokens_passing_with_one_fetch_and_ends_after_six_hours(
    issuer: Provider, clock: Clock
) -> None:
    async def story() -> None:
        by = trusting(issuer, clock)
        await by.verify(token(issuer))
        issuer.answer("/keys", {}, status=500)
        clock.now += 3600
        fetched = issuer.fetches()
        for number in range(50):
            await by.verify(token(issuer, jti=str(number), exp=int(clock.now) + 86_400 // 2))
            await refetch_over(by)
        assert issuer.fetches() == fetched + 1
        clock.now += 5 * 3600 + 1
        assert await outcome(by.verify(token(issuer, exp=int(clock.now)))) == "KeysUnavailable"

    asyncio.run(story())


def test_an_unknown_kid_during_an_outage_is_not_called_invalid(issuer: Provider, clock: Clock) -> None:
    async def story() -> None:
        by = trusting(issuer, clock)
        await by.verify(token(issuer))
        issuer.answer("/keys", {}, status=500)
        clock.now += keys.PAUSE
        assert await outcome(by.verify(token(issuer, "second"))) == "KeysUnavailable"

    asyncio.run(story())


def test_keys_that_were_never_fetched_are_a_503_with_a_time_to_come_back(clock: Clock) -> None:
    with provider() as gone:
        pass  # Nobody listens there any more.

    async def story() -> None:
        by = trusting(gone, clock)
        with pytest.raises(KeysUnavailable) as first:
            await by.verify(token(gone))
        assert first.value.retry_after == keys.PAUSE
        clock.now += keys.PAUSE
        with pytest.raises(KeysUnavailable) as second:
            await by.verify(token(gone))
        assert second.value.retry_after == 2 * keys.PAUSE
        assert not await by.ready()

    asyncio.run(story())


def test_a_start_while_the_issuer_is_down_recovers_by_itself(issuer: Provider, clock: Clock) -> None:
    async def story() -> None:
        by = trusting(issuer, clock)
        metadata = issuer.answers.pop("/.well-known/openid-configuration")
        assert await outcome(by.verify(token(issuer))) == "KeysUnavailable"
        issuer.answers["/.well-known/openid-configuration"] = metadata
        assert await outcome(by.verify(token(issuer))) == "KeysUnavailable"  # Too early for another try.
        clock.now += keys.PAUSE
        assert await outcome(by.verify(token(issuer))) == "accepted"

    asyncio.run(story())


def test_attempts_become_rarer_while_they_fail(issuer: Provider, clock: Clock) -> None:
    async def story() -> None:
        by = trusting(issuer, clock)
        issuer.answer("/keys", {}, status=500)
        for _ in range(600):
            await outcome(by.verify(token(issuer)))
            clock.now += 1
        # After 0, 5, 15 and 35 seconds, then from 75 to 555 once a minute.
        assert issuer.fetches() == 4 + 9

    asyncio.run(story())


def test_an_endpoint_that_never_ends_is_given_up(issuer: Provider, clock: Clock) -> None:
    issuer.delay = 2.0

    async def story() -> None:
        by = trusting(issuer, clock, time_limit=0.1)
        started = time.perf_counter()
        assert await outcome(by.verify(token(issuer))) == "KeysUnavailable"
        assert time.perf_counter() - started < 1.5

    asyncio.run(story())


def test_a_callers_deadline_does_not_end_the_fetch_that_others_wait_for(
    issuer: Provider, clock: Clock
) -> None:
    issuer.delay = 0.1

    async def story() -> None:
        by = trusting(issuer, clock)
        impatient = asyncio.create_task(by.verify(token(issuer)))
        patient = asyncio.create_task(outcome(by.verify(token(issuer))))
        await asyncio.sleep(0.05)
        impatient.cancel()
        assert await patient == "accepted"
        assert impatient.cancelled()
        assert issuer.fetches() == 1

    asyncio.run(story())


def test_known_tokens_are_judged_anew_when_the_key_set_changes(issuer: Provider, clock: Clock) -> None:
    async def story() -> None:
        by = trusting(issuer, clock)
        good = token(issuer)
        await by.verify(good)
        issuer.publish(public_jwk(rsa_key("second"), "second"))
        clock.now += keys.REFRESH_AFTER + 1
        assert await outcome(by.verify(good)) == "accepted"  # The refresh runs in the background.
        await refetch_over(by)
        assert await outcome(by.verify(good)) == "InvalidToken"

    asyncio.run(story())


def test_after_a_quiet_time_a_withdrawn_key_does_not_serve_even_once(issuer: Provider, clock: Clock) -> None:
    async def story() -> None:
        by = trusting(issuer, clock)
        good = token(issuer)
        await by.verify(good)
        issuer.publish(public_jwk(rsa_key("second"), "second"))
        clock.now += keys.MAX_AGE + 1
        assert await outcome(by.verify(good)) == "InvalidToken"

    asyncio.run(story())


def test_a_quiet_time_that_began_in_an_outage_makes_no_difference(issuer: Provider, clock: Clock) -> None:
    async def story() -> None:
        by = trusting(issuer, clock)
        good = token(issuer, exp=int(clock.now) + 20_000)
        await by.verify(good)
        issuer.answer("/keys", {}, status=500)
        clock.now += keys.REFRESH_AFTER + 1
        await by.verify(good)
        await refetch_over(by)
        issuer.publish(public_jwk(rsa_key("second"), "second"))
        clock.now += 3600
        assert await outcome(by.verify(good)) == "InvalidToken"

    asyncio.run(story())


def test_a_fault_of_ours_while_reading_keys_is_not_repeated_at_once(clock: Clock) -> None:
    attempts: list[float] = []

    async def load() -> list[dict[str, Any]]:
        attempts.append(clock.now)
        raise ZeroDivisionError

    async def story() -> None:
        broken = Keys(load, max_stale=3600, clock=clock)
        with pytest.raises(ZeroDivisionError):
            await broken.current()
        for _ in range(5):
            with pytest.raises(KeysUnavailable):
                await broken.current()

    asyncio.run(story())
    assert len(attempts) == 1


def test_a_refresh_that_brings_the_same_keys_forgets_no_token(issuer: Provider, clock: Clock) -> None:
    async def story() -> None:
        by = trusting(issuer, clock)
        good = token(issuer)
        first = await by.verify(good)
        clock.now += keys.REFRESH_AFTER + 1
        await by.verify(good)
        await refetch_over(by)
        assert issuer.fetches() == 2
        assert await by.verify(good) is first

    asyncio.run(story())


def test_a_verifier_outlives_the_event_loop_that_it_was_first_used_on(issuer: Provider, clock: Clock) -> None:
    by = trusting(issuer, clock)
    issuer.delay = 0.3

    async def abandoned() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(by.verify(token(issuer)), 0.05)

    asyncio.run(abandoned())
    issuer.delay = 0.0
    clock.now += keys.PAUSE
    assert asyncio.run(by.verify(token(issuer))).subject


def test_a_probe_starts_the_first_fetch(issuer: Provider, clock: Clock) -> None:
    assert asyncio.run(trusting(issuer, clock).ready())


# Discovery


def read(issuer: Provider) -> list[dict[str, Any]]:
    return asyncio.run(discovery.fetch_keys(issuer.issuer))


def test_an_issuer_without_openid_is_found_by_rfc_8414(issuer: Provider) -> None:
    issuer.answers.pop("/.well-known/openid-configuration")
    issuer.answer("/.well-known/oauth-authorization-server", issuer.metadata())
    assert [jwk["kid"] for jwk in read(issuer)] == ["first"]


def test_the_two_addresses_of_an_issuer_with_a_path_are_the_standards() -> None:
    assert discovery.metadata_urls("https://id.example.com/realms/one/") == (
        "https://id.example.com/realms/one/.well-known/openid-configuration",
        "https://id.example.com/.well-known/oauth-authorization-server/realms/one",
    )


@pytest.mark.parametrize("wrong", ["/", "x", "#"])
def test_an_issuer_that_calls_itself_otherwise_is_refused_with_the_remedy(
    issuer: Provider, wrong: str
) -> None:
    issuer.answer("/.well-known/openid-configuration", issuer.metadata(issuer=issuer.issuer + wrong))
    with pytest.raises(DiscoveryFailed, match="set AUTH0_ISSUER to exactly that text"):
        read(issuer)
    assert issuer.fetches() == 0


def oversize(issuer: Provider) -> None:
    issuer.answer("/keys", {"keys": [public_jwk(rsa_key())], "padding": "x" * discovery.MAX_BYTES})


def redirected(issuer: Provider) -> None:
    issuer.answer("/elsewhere", {"keys": [public_jwk(rsa_key())]})
    issuer.answer("/keys", {}, status=302, Location=f"{issuer.origin}/elsewhere")


def not_json(issuer: Provider) -> None:
    issuer.answer("/keys", b"<html>sign in</html>")


def not_a_set(issuer: Provider) -> None:
    issuer.answer("/keys", [public_jwk(rsa_key())])


def without_keys(issuer: Provider) -> None:
    issuer.answer("/keys", {"jwks": []})


def compressed(issuer: Provider) -> None:
    issuer.answer("/keys", b"\x1f\x8b", content_encoding="gzip")


def nested(issuer: Provider) -> None:
    issuer.answer("/keys", b"[" * 100_000)


BROKEN: dict[str, Callable[[Provider], None]] = {
    "more than 256 KiB": oversize,
    "answered 302": redirected,
    "did not answer with a JSON object": not_json,
    "JSON object": not_a_set,
    "not a JWK set": without_keys,
    "compressed": compressed,
    "answer with a JSON": nested,
}


@pytest.mark.parametrize("reason", BROKEN)
def test_an_unfit_key_document_is_refused_in_words(issuer: Provider, reason: str) -> None:
    BROKEN[reason](issuer)
    with pytest.raises(DiscoveryFailed, match=reason):
        read(issuer)
    assert "/elsewhere" not in issuer.requests


@pytest.mark.parametrize(
    "jwks_uri",
    [
        "http://keys.example.com/keys",
        "http://localhost.attacker.example/keys",
        "http://localhost@attacker.example/keys",
        "http://[::1].attacker.example/keys",
        "https://user@keys.example.com/keys",
        "file:///etc/passwd",
        "ftp://127.0.0.1/keys",
        "http://[::1/keys",
        "//keys.example.com/keys",
        "",
        None,
        7,
    ],
)
def test_keys_are_fetched_from_https_or_this_machine_alone(issuer: Provider, jwks_uri: object) -> None:
    issuer.answer("/.well-known/openid-configuration", issuer.metadata(jwks_uri=jwks_uri))
    with pytest.raises(DiscoveryFailed, match=r"not an https address|not a URL|no jwks_uri"):
        read(issuer)


def test_an_outside_issuer_cannot_send_us_to_this_machine(issuer: Provider) -> None:
    async def story() -> None:
        async with httpx2.AsyncClient() as client:
            with pytest.raises(DiscoveryFailed, match="not an https address"):
                await discovery._get_json(client, f"{issuer.origin}/keys", "https://tenant.example.com/")

    asyncio.run(story())
    assert issuer.requests == []


# Key sets


UNUSABLE: dict[str, dict[str, Any]] = {
    "symmetric": {"kty": "oct", "k": "c2VjcmV0", "kid": "s", "alg": "HS256"},
    "for encryption": public_jwk(rsa_key(), use="enc"),
    "for signing only": public_jwk(rsa_key(), key_ops=["sign"]),
    "too short": public_jwk(rsa_key("short", 1024)),
    "on another curve": public_jwk(ec_key()) | {"crv": "secp256k1"},
    "not on its curve": public_jwk(ec_key()) | {"x": public_jwk(ec_key())["y"]},
    "of an algorithm that does not fit": public_jwk(ec_key(), alg="RS256"),
    "of an unknown algorithm": public_jwk(rsa_key(), alg="RSA-OAEP"),
    "with a kid that is a number": public_jwk(rsa_key(), 7),  # type: ignore[arg-type]
    "without a modulus": {"kty": "RSA", "e": "AQAB", "kid": "n"},
    "not base64": public_jwk(rsa_key()) | {"n": "!"},
    "of no type": {},
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_an_unusable_key_is_left_out_and_the_others_serve(kind: str) -> None:
    with pytest.raises(DiscoveryFailed, match="no key that can verify"):
        key_set([UNUSABLE[kind]])
    assert len(key_set([UNUSABLE[kind], public_jwk(rsa_key(), "good")]).keys) == 1


def test_sixty_five_keys_are_refused() -> None:
    with pytest.raises(DiscoveryFailed, match="more than 64"):
        key_set([public_jwk(rsa_key(), str(n)) for n in range(65)])


@hypothesis_settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["kty", "kid", "alg", "use", "key_ops", "n", "e", "crv", "x"]),
        st.none() | st.text(max_size=5) | st.integers() | st.lists(st.text(max_size=3)) | st.just("RSA"),
    )
)
def test_a_key_of_any_shape_is_used_or_left_out(changes: dict[str, Any]) -> None:
    assert len(key_set([public_jwk(rsa_key()) | changes, public_jwk(rsa_key("second"))]).keys) in (1, 2)
