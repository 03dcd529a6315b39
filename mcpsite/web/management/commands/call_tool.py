"""`manage.py call_tool`: ask a running server over HTTP, as a client would."""

import asyncio
import json
import sys
from io import StringIO
from typing import Any

import httpx2
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand, CommandParser
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from rich.console import Console
from rich.table import Table

from mcpsite.access import signing

CELL_CHARACTERS = 60


class Command(BaseCommand):
    help = "Call a tool of the running server over HTTP and print the answer."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the tool, for example airfare_trend_insights; 'list' lists them")
        parser.add_argument(
            "arguments",
            nargs="*",
            metavar="key=value",
            help="arguments of the tool; a list is key=one key=two",
        )
        parser.add_argument(
            "--json", action="store_true", help="print the answer as JSON (default if the output is piped)"
        )
        parser.add_argument("--token", help="an access token (default: MCP_TOKEN, else one issued here)")
        parser.add_argument("--user", help="whom to issue a token for (default: the first superuser)")
        parser.add_argument("--url", default=f"http://localhost:{settings.PORT}/mcp", help="the endpoint")

    def handle(self, *_: str, **options: Any) -> None:
        texts: dict[str, list[str]] = {}
        for name, text in map(_pair, options["arguments"]):
            texts.setdefault(name, []).append(text)
        arguments = {name: each if len(each) > 1 else each[0] for name, each in texts.items()}
        token = options["token"] or settings.MCP_TOKEN or self._issue(options["user"])
        answer = asyncio.run(_call(options["url"], token, options["name"], arguments))
        if options["json"] or not sys.stdout.isatty():
            self.stdout.write(json.dumps(answer, ensure_ascii=False, indent=2))
        else:
            _print(answer)

    def _issue(self, username: str | None) -> str:
        if not signing.is_own_issuer():
            raise CommandError(f"Tokens come from {signing.issuer()}: pass one with --token or MCP_TOKEN.")
        if username is None:
            admin = get_user_model().objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
            if admin is None:
                raise CommandError(
                    "There is no superuser yet: run manage.py createsuperuser, or pass --user."
                )
            username = admin.get_username()
        printed = StringIO()
        call_command("issue_token", username, stdout=printed)
        return printed.getvalue().strip()


async def _call(url: str, token: str, name: str, arguments: dict[str, str | list[str]]) -> Any:
    refused: list[int] = []
    failure = ""

    async def watch(response: httpx2.Response) -> None:
        # The SDK's client reports a refusal by HTTP without its status.
        if response.status_code >= 400:
            refused.append(response.status_code)

    headers, hooks = {"Authorization": f"Bearer {token}"}, {"response": [watch]}
    async with httpx2.AsyncClient(headers=headers, timeout=60, event_hooks=hooks) as http:
        try:
            async with Client(streamable_http_client(url, http_client=http)) as client:
                if name == "list":
                    tools = (await client.list_tools()).tools
                    return {"tools": [{"name": tool.name, "title": tool.title} for tool in tools]}
                # The server converts texts to the values they mean.
                result = await client.call_tool(name, arguments)
        except* (httpx2.HTTPError, MCPError, OSError) as group:
            # Raised from here, an error would stand in a group itself.
            failure = _reason(url, refused, group)
    if failure:
        raise CommandError(failure)
    if result.is_error:
        raise CommandError(" ".join(getattr(part, "text", "") for part in result.content))
    return result.structured_content


def _reason(url: str, refused: list[int], group: BaseExceptionGroup[BaseException]) -> str:
    if 401 in refused or 403 in refused:
        return f"{url} refused the token: is it for this server, and still valid?"
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    if isinstance(first, MCPError):
        return str(first)
    return f"Nothing answers at {url}: start the server with 'make run', or name another with --url."


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise CommandError(f"{text!r} is not of the form key=value.")
    return name, value


def _print(answer: Any) -> None:
    """Print a table of the answer's list of objects, and a line for each of its other parts."""
    console = Console()
    for name, value in answer.items():
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            table = Table(title=name)
            columns = list(dict.fromkeys(column for row in value for column in row))
            for column in columns:
                table.add_column(column, overflow="fold")
            for row in value:
                table.add_row(*(_cell(row.get(column)) for column in columns))
            console.print(table)
        else:
            console.print(f"{name}: {_cell(value)}", markup=False)


def _cell(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= CELL_CHARACTERS else f"{text[: CELL_CHARACTERS - 1]}…"
