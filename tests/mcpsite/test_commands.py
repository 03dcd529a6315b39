"""The commands a newcomer meets first: serve --prepare, call_tool."""

import json
import re
import socket
import subprocess
from contextlib import closing

import pytest

from tests.commands import Commands
from tests.site import ROOT, Site, environment, free_port, running


def test_a_first_run_prints_the_endpoint_the_account_and_a_ready_command() -> None:
    with running(first=True) as site:
        told = site.log.read_text()
        assert f"MCP endpoint  {site.url}" in told
        assert re.search(r"Account +admin / \S{12,}", told)
        ready = re.search(r"Try it +(.+ manage\.py call_tool .+)", told)
        assert ready is not None
        env = {name: value for name, value in site.env.items() if name != "PORT"}
        pasted = subprocess.run(
            ["sh", "-c", ready[1]], cwd=ROOT, env=env, capture_output=True, text=True, check=True
        )
        assert json.loads(pasted.stdout)["rows_returned"] == 5


def test_the_account_is_printed_once_and_the_data_kept(site: Site) -> None:
    """What a second `make run` prepares, on the first one's database."""
    code = (
        "from mcpsite.web.management.commands.serve import Command; from airfare.models import FareRow; "
        "before = FareRow.objects.count(); Command().prepare(); "
        "print(before == FareRow.objects.count() > 150)"
    )
    told = site.shell(code)
    assert told.endswith("True")
    assert "MCP endpoint" in told
    assert "Account" not in told


def test_a_port_that_is_taken_is_told_before_anything_is_done() -> None:
    with environment(start_from=None) as env, closing(Commands(env)) as commands:
        with socket.create_server(("127.0.0.1", int(env["PORT"]))):
            done = commands.run("serve", "--prepare", check=False)
        assert done.returncode == 2
        assert f"Port {env['PORT']} is in use" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert done.stdout == ""
        assert "[X]" not in commands.run("showmigrations", "--plan").stdout


@pytest.mark.parametrize("port", ["0", "70000", "-1", "eighty"])
def test_a_number_that_is_no_port_is_told(site: Site, port: str) -> None:
    done = site.manage("serve", f"--port={port}", check=False)
    assert done.returncode == 2
    assert f"'{port}' is not a port; ports are whole numbers from 1 to 65535" in done.stderr


def test_call_tool_lists_the_tools(site: Site) -> None:
    names = [tool["name"] for tool in json.loads(site.manage("call_tool", "list").stdout)["tools"]]
    assert names[:2] == ["airfare_trend_insights", "airfare_fare_summary"]


def test_call_tool_reads_each_value_as_the_tool_takes_it(site: Site) -> None:
    done = site.manage("call_tool", "airfare_trend_insights", "snapshot_date=2026", "limit=2")
    answer = json.loads(done.stdout)
    assert answer["filters"]["snapshot_date"] == "2026"
    assert answer["rows_returned"] == 2


@pytest.mark.parametrize(
    "group_by",
    [['group_by=["season","airline"]'], ["group_by=season,airline"], ["group_by=season", "group_by=airline"]],
)
def test_call_tool_takes_a_list_in_each_form(site: Site, group_by: list[str]) -> None:
    done = site.manage("call_tool", "airfare_fare_summary", *group_by, "limit=null")
    answer = json.loads(done.stdout)
    assert answer["filters"]["limit"] == 50
    assert any(group.keys() > {"season", "airline"} for group in answer["groups"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["invented"], "Unknown tool: invented"),
        (["airfare_trend_insights", "limit=900"], "limit is 900; it has to be from 1 to 200."),
        (["airfare_trend_insights", "limit"], "'limit' is not of the form key=value"),
        (["list", "--token", "a.b.c"], "refused the token: is it for this server, and still valid?"),
    ],
)
def test_call_tool_says_what_went_wrong_in_one_line(site: Site, arguments: list[str], sentence: str) -> None:
    done = site.manage("call_tool", *arguments, check=False)
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_call_tool_says_when_nothing_listens(site: Site) -> None:
    url = f"http://localhost:{free_port()}/mcp"
    done = site.manage("call_tool", "list", "--url", url, check=False)
    assert "start the server with 'make run'" in done.stderr
    assert "Traceback" not in done.stderr
