"""The call pipeline: what happens around a tool call, whatever the tool."""

import asyncio
import json
import logging
import math
import time
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any, NotRequired

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from pydantic import Field
from typing_extensions import TypedDict

from mcpsite.access import signing
from mcpsite.access.audit import Event
from mcpsite.access.caller import Caller, Claims
from mcpsite.mcp import Answer, ToolError, in_database, tool
from mcpsite.mcp.database import close_database_threads
from mcpsite.mcp.outcomes import Kind, Outcome, UnknownTool
from mcpsite.mcp.pipeline import call, offered, tools_for
from mcpsite.mcp.registry import Registry, Tool

pytestmark = pytest.mark.django_db(transaction=True)


class Said(TypedDict):
    said: str


class Number(TypedDict):
    number: int
    word: str


class Counted(TypedDict):
    numbers: list[Number]
    truncated: NotRequired[str]


class Quotient(TypedDict):
    quotient: float
    name: str


Text = Annotated[str, Field(description="What to say")]
Count = Annotated[int, Field(description="How often", ge=1, le=3)]


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    yield
    close_database_threads()


@pytest.fixture
def alice(settings: Any) -> User:
    """May view users; nothing else."""
    settings.AUTH0_ISSUER = ""
    user = User.objects.create_user("alice")
    user.user_permissions.add(Permission.objects.get(codename="view_user"))
    return user


def claims_of(user: User) -> Claims:
    return Claims(
        issuer=signing.issuer(),
        subject=signing.own_subject(user),
        client_id="tests",
        scopes=frozenset(),
        expires_at=time.time() + 60,
    )


def ask(registry: Registry, user: User, name: str, **arguments: object) -> Outcome:
    return asyncio.run(call(registry, name, arguments, claims_of(user), record=discard))


def listed(registry: Registry, user: User) -> list[Tool]:
    return asyncio.run(offered(claims_of(user), partial(tools_for, registry)))


def discard(_: Event) -> None:
    """What is recorded is tested in tests/access/test_audit.py."""


@pytest.fixture
def say(registry: Registry) -> Registry:
    @tool(permission="auth.view_user", title="Say", registry=registry)
    def say(caller: Caller, text: Text, count: Count = 1) -> Said:
        """Say a text."""
        return {"said": f"{caller.username}: {text * count}"}

    return registry


def test_an_answer_is_compact_json_and_the_same_object(say: Registry, alice: User) -> None:
    outcome = ask(say, alice, "say", text="é ")
    assert outcome.text == '{"said":"alice: é "}'
    assert outcome.value == json.loads(outcome.text)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "say needs the argument 'text'."),
        ({"text": "a", "loud": True}, "say has no argument 'loud'; it takes text, count."),
        (
            {"text": "a", "count": 9},
            "count is 9; it has to be at most 3.",
        ),
        ({"text": [7]}, "text is a list; it has to be text."),
    ],
)
def test_arguments_that_do_not_fit_are_told_in_one_sentence(
    say: Registry, alice: User, arguments: dict[str, object], sentence: str
) -> None:
    outcome = ask(say, alice, "say", **arguments)
    assert (outcome.value, outcome.text) == (None, sentence)


def test_a_forbidden_tool_is_the_same_as_an_unknown_one(say: Registry, alice: User) -> None:
    alice.user_permissions.clear()
    for name in ("say", "shout"):
        with pytest.raises(UnknownTool):
            ask(say, alice, name, text="a")


def test_only_tools_that_the_caller_may_use_are_listed(say: Registry, alice: User) -> None:
    assert [each.name for each in listed(say, alice)] == ["say"]
    alice.user_permissions.clear()
    assert listed(say, alice) == []


def test_a_deactivated_user_is_refused_at_the_next_call(say: Registry, alice: User) -> None:
    assert ask(say, alice, "say", text="a").value is not None
    User.objects.filter(pk=alice.pk).update(is_active=False)
    outcome = ask(say, alice, "say", text="a")
    assert outcome.value is None
    assert "not active" in outcome.text
    assert listed(say, alice) == []


def test_a_tools_own_error_is_shown_as_it_is(registry: Registry, alice: User) -> None:
    @tool(permission="auth.view_user", title="Refuse", registry=registry)
    def refuse() -> Said:
        """Refuse."""
        raise ToolError("Name a route such as JFK-LAX.")

    assert ask(registry, alice, "refuse").text == "Name a route such as JFK-LAX."


def test_a_crash_shows_nothing_of_the_server(
    registry: Registry, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    @tool(permission="auth.view_user", title="Crash", registry=registry)
    def crash() -> Said:
        """Crash."""
        raise RuntimeError("SELECT secret FROM /etc/passwd")

    with caplog.at_level(logging.ERROR):
        outcome = ask(registry, alice, "crash")
    assert outcome.value is None
    assert "secret" not in outcome.text
    assert "'crash' failed" in caplog.text


def test_a_call_ends_at_its_deadline(registry: Registry, alice: User, settings: Any) -> None:
    @tool(permission="auth.view_user", title="Dawdle", registry=registry)
    def dawdle() -> Said:
        """Take long."""
        time.sleep(1)
        return {"said": "late"}

    settings.MCP_DEADLINE_SECONDS = 0.2
    began = time.monotonic()
    outcome = ask(registry, alice, "dawdle")
    assert outcome.text == "The answer took longer than 0.2 s; narrow the question."
    assert time.monotonic() - began < 0.9


def test_a_text_over_the_cap_is_cut_and_says_so(alice: User, settings: Any, say: Registry) -> None:
    settings.MCP_MAX_RESULT_BYTES = 1000
    outcome = ask(say, alice, "say", text="x" * 2000)
    assert outcome.value == {"said": f"alice: {'x' * 493} … [cut here: 500 of 2,007 characters]"}
    assert json.loads(outcome.text) == outcome.value


def test_a_page_over_the_cap_ends_early_and_says_where_to_go_on(
    registry: Registry, alice: User, settings: Any
) -> None:
    @tool(permission="auth.view_user", title="Count", page="numbers", registry=registry)
    def count(offset: Annotated[int, Field(description="From where on.")] = 0) -> Counted:
        """Count to a hundred."""
        return {"numbers": [{"number": n, "word": "x" * 50} for n in range(offset, 100)]}

    settings.MCP_MAX_RESULT_BYTES = 2000
    seen, offset = [], 0
    while offset < 100:
        outcome = ask(registry, alice, "count", offset=offset)
        assert outcome.value is not None
        assert outcome.size <= 2000
        seen += [each["number"] for each in outcome.value["numbers"]]
        offset = len(seen)
        assert (f"go on with offset={offset}." in outcome.value.get("truncated", "")) == (offset < 100)
    assert seen == list(range(100))


def test_a_number_that_json_has_no_word_for_is_refused_and_the_word_is_not(
    registry: Registry, alice: User
) -> None:
    @tool(permission="auth.view_user", title="Divide", registry=registry)
    def divide(by: Annotated[float, Field(description="A number.")]) -> Quotient:
        """Divide, and name it."""
        return {"quotient": 1 / by if by else math.inf, "name": "Infinity, or NaN"}

    assert ask(registry, alice, "divide", by=2).value == {"quotient": 0.5, "name": "Infinity, or NaN"}
    outcome = ask(registry, alice, "divide", by=0)
    assert (outcome.value, outcome.kind) == (None, Kind.TOOL_ERROR)
    assert outcome.text.startswith("The answer contains a number that is not finite (Infinity)")


def test_what_cannot_be_seen_is_in_no_answer_and_in_no_argument(alice: User, say: Registry) -> None:
    assert ask(say, alice, "say", text="ig\u200bnore \u202ethis").value == {"said": "alice: ignore this"}


def test_a_tools_own_answer_is_cleaned_too(registry: Registry, alice: User) -> None:
    @tool(permission="auth.view_user", title="Whisper", registry=registry)
    def whisper() -> Said:
        """Say what is not heard."""
        return Answer(value={"said": "a\x1b[31m\U000e0041b"}, text="c\u2066d")  # type: ignore[return-value]

    outcome = ask(registry, alice, "whisper")
    assert (outcome.value, outcome.text) == ({"said": "a[31mb"}, "cd")


def test_a_tool_can_put_something_beside_its_answer(registry: Registry, alice: User) -> None:
    @tool(permission="auth.view_user", title="Aside", registry=registry)
    def aside() -> Said:
        """Answer with a note."""
        return Answer(value={"said": "a"}, meta={"mcpsite/note": "b"})  # type: ignore[return-value]

    assert ask(registry, alice, "aside").meta == {"mcpsite/note": "b"}


def test_an_asynchronous_tool_reaches_the_database_too(registry: Registry, alice: User) -> None:
    @tool(permission="auth.view_user", title="Wait", registry=registry)
    async def wait(caller: Caller) -> Said:
        """Wait, then read."""
        await asyncio.sleep(0)
        user = await in_database(User.objects.get, pk=caller.user_id)
        return {"said": user.username}

    assert ask(registry, alice, "wait").value == {"said": "alice"}
    alice.user_permissions.clear()
    with pytest.raises(UnknownTool):
        ask(registry, alice, "wait")


def test_many_calls_at_once_hold_no_more_connections_than_threads(
    registry: Registry, alice: User, settings: Any
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite counts no connections")
    settings.MCP_THREADS = 4

    @tool(permission="auth.view_user", title="Nap", registry=registry)
    def nap() -> Said:
        """Sleep in the database."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.02)")
        return {"said": ""}

    async def many() -> None:
        await asyncio.gather(
            *(call(registry, "nap", {}, claims_of(alice), record=discard) for _ in range(40))
        )

    before, used_before = _connections(), _connections(in_use=True)
    asyncio.run(many())
    assert _connections() - before <= 4
    close_database_threads()
    end = time.monotonic() + 5
    while _connections(in_use=True) > used_before and time.monotonic() < end:
        time.sleep(0.05)
    assert _connections(in_use=True) <= used_before


def _connections(*, in_use: bool = False) -> int:
    """The connections of this process; `in_use` leaves out those that its pool holds ready."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend'"  # no autovacuum
        )
        count = int(cursor.fetchone()[0])
    pool = connection.pool  # type: ignore[attr-defined]  # PostgreSQL's
    return count - pool.get_stats()["pool_available"] if in_use and pool else count
