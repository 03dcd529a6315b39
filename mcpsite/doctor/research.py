"""`search` and `fetch` against the contract of deep research."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
from django.db import DatabaseError

from mcpsite.core import conf
from mcpsite.core.contributions import contributed
from mcpsite.core.findings import Finding, one_line
from mcpsite.doctor.visit import AnswerRefused, Visit


def search_and_fetch(visit: Visit) -> Iterator[Finding]:
    """Yield what is found in `search` and `fetch` as deep research uses them (client-contract 23 to 27)."""
    faults = list(_search_faults(visit))
    yield from faults
    if not faults:
        yield Finding(
            id="search-and-fetch", level="ok", what="search and fetch answer as deep research requires."
        )


def _search_faults(visit: Visit) -> Iterator[Finding]:
    blank = _content(visit.result("tools/call", name="search", arguments={"query": " "}))
    if blank != {"results": []}:
        yield out_of_contract("search", "a blank query has to return no results and no error")
    title = _searchable()
    found = _content(visit.result("tools/call", name="search", arguments={"query": title}))
    results = found.get("results") if found is not None else None
    if not isinstance(results, list):
        yield out_of_contract("search", "it has to return {results: […]} as structured content and as text")
        return
    if not results:
        yield Finding(
            id="search-finds-nothing",
            level="warning",
            what=f"search finds nothing for “{title}”.",
            change="Run manage.py upload_transcripts, and check which collections this user may read.",
        )
        return
    for result in results:
        if not _holds_texts(result, "id", "title", "url"):
            yield out_of_contract("search", "each result has to have an id, a title and a url")
            return
    yield from _fetch_faults(visit, results[0])
    missing = visit.result("tools/call", name="fetch", arguments={"id": "no-such-transcript"})
    if missing.get("isError") is not True:
        yield out_of_contract("fetch", "an unknown id has to be an error")


def _fetch_faults(visit: Visit, result: Mapping[str, Any]) -> Iterator[Finding]:
    document = _content(visit.result("tools/call", name="fetch", arguments={"id": result["id"]}))
    if document is None or not _holds_texts(document, "id", "title", "text", "url"):
        yield out_of_contract("fetch", "a document has to have an id, a title, a text and a url")
        return
    metadata = document.get("metadata")
    if metadata is not None and not (
        isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())
    ):
        yield out_of_contract("fetch", "metadata has to map names to texts")
    page = document["url"]
    if conf.origin_of(page) != conf.origin_of(visit.resource):
        yield Finding(
            id="citations-elsewhere",
            level="error",
            what=f"Citations lead to {one_line(page)}, which is not on {conf.origin_of(visit.resource)}.",
            change=f"Set RESOURCE_SERVER_URL to {visit.resource} and restart the server.",
        )
        return
    # By the address that is checked, which may be this machine's.
    path = page.removeprefix(conf.origin_of(page)).partition("#")[0]
    answer = visit.http.get(f"{visit.origin}{path}", headers={"Accept": "text/html"})
    if answer.status_code >= httpx2.codes.BAD_REQUEST:
        yield Finding(
            id="citations-broken",
            level="warning",
            what=f"A citation leads to {one_line(page)}, which answers {answer.status_code}.",
            change="Let paths under /transcripts/ through to this server.",
        )


def _searchable() -> str:
    try:
        found = [words for searchable in contributed("doctor", "searchable") if (words := searchable())]
    except DatabaseError:
        found = []
    return found[0] if found else "interview with an expert"


def out_of_contract(name: str, rule: str) -> Finding:
    return Finding(
        id=f"{name}-out-of-contract",
        level="error",
        what=f"{name} does not answer as deep research requires: {rule}.",
        change="Update the server, or restart it if it runs older code.",
    )


def _content(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a tool's answer, if its structured content and its only text say the same.

    Raises AnswerRefused with the sentence of a tool error: no access, a limit, a store that is down.
    """
    structured, content = result.get("structuredContent"), result.get("content")
    if result.get("isError"):
        words = content[0].get("text") if isinstance(content, list) and content else ""
        raise AnswerRefused(one_line(str(words or "a tool error without a reason")))
    if (
        not isinstance(structured, dict)
        or not isinstance(content, list)
        or len(content) != 1
        or not isinstance(content[0], dict)
    ):
        return None
    try:
        same = json.loads(content[0].get("text", "")) == structured
    except (ValueError, TypeError):
        same = False
    return structured if same else None


def _holds_texts(value: object, *names: str) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) and value[name] for name in names)
