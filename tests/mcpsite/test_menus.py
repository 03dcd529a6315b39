"""Resources, prompts and completions over the real server, in both eras."""

from typing import Any

import pytest

from tests.site import LEGACY, MODERN, Site

ERAS = pytest.mark.parametrize("era", [MODERN, LEGACY])


def ask(site: Site, token: str, era: str, method: str, **params: Any) -> Any:
    return site.rpc(token, method, params, era=era).json()["result"]


@ERAS
def test_transcripts_can_be_picked_from_a_list_and_read(site: Site, token: str, era: str) -> None:
    listed = ask(site, token, era, "resources/list")["resources"]
    assert len(listed) >= 10
    assert all(each["title"] for each in listed)
    read = site.rpc(
        token, "resources/read", {"uri": listed[0]["uri"]}, era=era, more=name_of(listed[0]["uri"])
    )
    content = read.json()["result"]["contents"][0]
    assert content["uri"] == listed[0]["uri"]
    assert len(content["text"]) > 300


@ERAS
def test_the_template_completes_slugs(site: Site, token: str, era: str) -> None:
    template = ask(site, token, era, "resources/templates/list")["resourceTemplates"][0]["uriTemplate"]
    assert template == "transcript://{slug}"
    reference = {"type": "ref/resource", "uri": template}
    found = ask(
        site, token, era, "completion/complete", ref=reference, argument={"name": "slug", "value": "2026"}
    )
    assert found["completion"]["values"]


@ERAS
def test_prompts_are_listed_with_their_arguments_and_filled_in(site: Site, token: str, era: str) -> None:
    prompts = {each["name"]: each for each in ask(site, token, era, "prompts/list")["prompts"]}
    assert prompts["airfare_movements"]["arguments"][0]["name"] == "route"
    filled = ask(site, token, era, "prompts/get", name="airfare_movements", arguments={"route": "JFK-LAX"})
    assert "JFK-LAX" in filled["messages"][0]["content"]["text"]
    assert len(prompts) >= 2


@ERAS
def test_a_route_is_completed_from_the_data(site: Site, token: str, era: str) -> None:
    reference = {"type": "ref/prompt", "name": "airfare_movements"}
    found = ask(
        site, token, era, "completion/complete", ref=reference, argument={"name": "route", "value": "jfk"}
    )
    assert found["completion"]["values"][0].startswith("JFK")


@ERAS
@pytest.mark.parametrize("uri", ["transcript://no-such-call", "file:///etc/passwd", "transcript", "x://y"])
def test_an_unknown_resource_is_named(site: Site, token: str, era: str, uri: str) -> None:
    error = site.rpc(token, "resources/read", {"uri": uri}, era=era, more=name_of(uri)).json()["error"]
    assert (error["code"], error["message"]) == (-32602, f"Unknown resource: {uri}")


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"name": "invented"}, "Unknown prompt: invented"),
        ({"name": "airfare_movements"}, "airfare_movements needs the argument 'route'."),
        (
            {"name": "airfare_movements", "arguments": {"route": "JFK-LAX", "colour": "red"}},
            "airfare_movements has no argument 'colour'; it takes route, season.",
        ),
    ],
)
def test_a_prompt_that_cannot_be_filled_says_why(
    site: Site, token: str, params: dict[str, Any], sentence: str
) -> None:
    assert site.rpc(token, "prompts/get", params).json()["error"]["message"] == sentence


def test_a_cursor_of_somebody_else_is_refused(site: Site, token: str) -> None:
    error = site.rpc(token, "resources/list", {"cursor": "-1"}).json()["error"]
    assert error["message"].startswith("This server did not issue that cursor")


def test_menus_hold_nothing_for_a_caller_without_rights(site: Site) -> None:
    site.shell("from django.contrib.auth.models import User; User.objects.create_user('charlie')")
    token = site.token("charlie")
    for method, key in (
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
        ("prompts/list", "prompts"),
        ("tools/list", "tools"),
    ):
        assert ask(site, token, MODERN, method)[key] == []
    reference = {"type": "ref/prompt", "name": "airfare_movements"}
    argument = {"name": "route", "value": "J"}
    completed = ask(site, token, MODERN, "completion/complete", ref=reference, argument=argument)
    assert completed["completion"]["values"] == []
    refused = site.rpc(token, "prompts/get", {"name": "airfare_movements", "arguments": {"route": "JFK-LAX"}})
    assert refused.json()["error"]["message"] == "Unknown prompt: airfare_movements"


def name_of(uri: str) -> dict[str, str]:
    return {"Mcp-Name": uri}
