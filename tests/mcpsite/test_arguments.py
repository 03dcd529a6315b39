"""What clients really send as arguments: what can mean one thing only is taken, the rest is told by name."""

import json
from datetime import date
from typing import Annotated, Any, Literal, NotRequired

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

from mcpsite.mcp import ToolError, tool
from mcpsite.mcp.arguments import checked
from mcpsite.mcp.registry import Registry
from tests.access.test_audit import json_values


class Window(TypedDict):
    first: NotRequired[int]
    words: NotRequired[list[str]]


class Said(TypedDict):
    said: str


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("Only even numbers are taken")
    return value


def described(hint: Any, **bounds: Any) -> Any:
    return Annotated[hint, Field(description="x", **bounds)]


def probe(
    word: described(str),  # type: ignore[valid-type]
    count: described(int, ge=1, le=9) = 3,  # type: ignore[valid-type]
    share: described(float | None) = None,  # type: ignore[valid-type]
    loud: described(bool | None) = None,  # type: ignore[valid-type]
    group: described(Literal["route", "airline"] | list[Literal["route", "airline"]]) = "route",  # type: ignore[valid-type]
    names: described(list[str] | None) = None,  # type: ignore[valid-type]
    numbers: described(list[int] | None) = None,  # type: ignore[valid-type]
    window: described(Window | None) = None,  # type: ignore[valid-type]
    labels: described(dict[str, int] | None) = None,  # type: ignore[valid-type]
    day: described(date | None) = None,  # type: ignore[valid-type]
    either: described(int | list[str] | None) = None,  # type: ignore[valid-type]
    even: Annotated[int, AfterValidator(_even), Field(description="x")] = 2,
    short: described(str, max_length=3) = "",  # type: ignore[valid-type]
) -> Said:
    """Say it."""
    raise NotImplementedError


registry = Registry()
tool(permission="auth.view_user", title="Probe", registry=registry)(probe)
PROBE = registry.all()[0]


def take(sent: Any) -> dict[str, Any]:
    return checked(PROBE, sent)


@pytest.mark.parametrize(
    ("sent", "name", "value"),
    [
        ("5", "count", 5),
        (5.0, "count", 5),
        ("5.0", "count", 5),
        (" 5 ", "count", 5),
        ("0.5", "share", 0.5),
        (1, "share", 1.0),
        ("true", "loud", True),
        ("False", "loud", False),
        (0, "loud", False),
        ("airline", "group", ["airline"]),
        ('["route","airline"]', "group", ["route", "airline"]),
        ("route, airline", "group", ["route", "airline"]),
        ("a, b", "names", ["a, b"]),
        ('["a, b"]', "names", ["a, b"]),
        ('[\n "a"]', "names", ["a"]),
        (["1", 2.0], "numbers", [1, 2]),
        ('[1, "2"]', "numbers", [1, 2]),
        (7, "numbers", [7]),
        ('{"first": "1", "words": "a"}', "window", {"first": 1, "words": ["a"]}),
        ({"first": None}, "window", {}),
        ('{"a": "1"}', "labels", {"a": 1}),
        ("2026-03-31", "day", date(2026, 3, 31)),
        ("4", "either", 4),
        ('["a"]', "either", ["a"]),
        (4, "word", "4"),
    ],
)
def test_what_can_mean_one_thing_only_is_taken(sent: Any, name: str, value: Any) -> None:
    taken = take({"word": "w", name: sent})[name]
    assert (taken, type(taken)) == (value, type(value))


@pytest.mark.parametrize("nothing", [None, "", " ", "null"])
@pytest.mark.parametrize("name", ["count", "share", "loud", "numbers", "window", "either"])
def test_nothing_where_an_argument_may_be_left_out_means_its_default(name: str, nothing: Any) -> None:
    assert take({"word": "w", name: nothing}) == take({"word": "w"})


@pytest.mark.parametrize("sent", ['{"word": "w"}', {"word": "w"}, ' {"word":"w"} '])
def test_all_arguments_may_come_as_json_text(sent: Any) -> None:
    assert take(sent)["word"] == "w"


def test_no_arguments_may_come_in_any_form() -> None:
    forms: list[Any] = [None, {}, [], "", "{}", "null", "[]"]
    for nothing in forms:
        with pytest.raises(ToolError, match=r"^probe needs the argument 'word'\.$"):
            take(nothing)


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"count": "many"}, "count is 'many'; it has to be a whole number."),
        ({"count": 5.5}, "count is 5.5; it has to be a whole number."),
        ({"count": True}, "count is true; it has to be a whole number."),
        ({"count": "1,000"}, "count is '1,000'; it has to be a whole number."),
        ({"count": 10}, "count is 10; it has to be at most 9."),
        ({"count": "9" * 5000}, f"count is '{'9' * 40}…'; it has to be a whole number."),
        ({"count": 1e300}, "count is a number with too many digits."),
        ({"count": [3]}, "count is a list; it has to be a whole number."),
        ({"share": "NaN"}, "share is 'NaN'; it has to be a number."),
        ({"share": float("inf")}, "share is inf; it has to be a number."),
        ({"loud": "perhaps"}, "loud is 'perhaps'; it has to be true or false."),
        ({"loud": 2}, "loud is 2; it has to be true or false."),
        ({"group": ["route", "zzz"]}, "group holds 'zzz'; it takes route, airline."),
        ({"group": "route,zzz"}, "group holds 'route,zzz'; it takes route, airline."),
        ({"group": '["zzz"]'}, "group holds 'zzz'; it takes route, airline."),
        ({"group": "[route"}, 'group begins like a list, but is not JSON; write ["one", "two"].'),
        ({"numbers": ["1", "x"]}, "numbers holds 'x'; it has to be a whole number."),
        ({"numbers": [None]}, "numbers holds null."),
        ({"window": "soon"}, "window is 'soon'; it has to be an object."),
        ({"window": {"first": "x"}}, "window.first is 'x'; it has to be a whole number."),
        (
            {"window": {"frist": 1}},
            "window has no 'frist' (did you mean 'first'?); it takes first, words.",
        ),
        ({"labels": {"a": "x"}}, "labels.a is 'x'; it has to be a whole number."),
        ({"day": "soon"}, "day is 'soon'; it has to be a day, such as 2026-03-31."),
        ({"day": 20260331}, "day is 20260331; it has to be text."),
        (
            {"day": "2026-02-30"},
            "The argument 'day' does not fit: input should be a valid date or datetime, ",
        ),
        ({"either": "x"}, None),
        ({"either": {}}, "either is an object; it has to be a whole number or a list."),
        ({"even": 3}, "The argument 'even' does not fit: only even numbers are taken."),
        ({"short": "long"}, "short has 4 characters; it takes at most 3."),
        ({"word": 1.5}, "word is 1.5; it has to be text."),
        ({"word": None}, "probe needs the argument 'word'."),
    ],
)
def test_what_does_not_fit_is_told_by_the_arguments_name(sent: dict[str, Any], sentence: str | None) -> None:
    if sentence is None:
        assert take({"word": "w", **sent})
        return
    with pytest.raises(ToolError) as told:
        take({"word": "w", **sent})
    assert str(told.value).startswith(sentence)
    assert len(str(told.value)) < len(sentence) + 60


@pytest.mark.parametrize("sent", ["all", "5", [1], 5, True, '["a"]'])
def test_arguments_that_are_no_object_are_told_so(sent: Any) -> None:
    with pytest.raises(
        ToolError, match=r"^The arguments of probe have to be an object with the names word, "
    ):
        take(sent)


def test_several_faults_are_told_together() -> None:
    with pytest.raises(ToolError) as told:
        take({"count": 10, "share": "x", "group": "zzz"})
    assert str(told.value) == (
        "share is 'x'; it has to be a number. group holds 'zzz'; it takes route, airline. "
        "probe needs the argument 'word'. count is 10; it has to be at most 9."
    )


def test_a_flood_of_faults_is_told_in_few_sentences() -> None:
    with pytest.raises(ToolError) as told:
        take({"numbers": ["x"] * 10_000, **{f"name{n}": 1 for n in range(10_000)}})
    text = str(told.value)
    assert text.count("numbers holds 'x'") == 1
    assert "'name4' (did you mean 'names'?), or 9995 others that were sent; it takes word, " in text
    assert text.endswith(" There are 9999 more problems.")
    assert len(text) < 500


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("counts", "count"),
        ("Count", "count"),
        ("group-by", "group"),
        ("windowSize", "window"),
        ("shrt", "short"),
        ("colour", ""),
    ],
)
def test_an_unknown_name_is_told_with_the_one_that_was_meant(name: str, meant: str) -> None:
    with pytest.raises(ToolError) as told:
        take({"word": "w", name: 1})
    begin = f"probe has no argument {name!r}" + (f" (did you mean {meant!r}?)" if meant else "")
    assert str(told.value).startswith(f"{begin}; it takes word, count, ")


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["word", "count", "group", "names", "window", "either", "x"]), json_values
    )
)
def test_whatever_is_sent_is_taken_or_told_in_plain_sentences(sent: dict[str, Any]) -> None:
    for form in (sent, json.dumps(sent)):
        try:
            take(form)
        except ToolError as error:
            text = str(error)
            assert text.endswith(".")
            assert len(text) < 1500
            assert "literal[" not in text
