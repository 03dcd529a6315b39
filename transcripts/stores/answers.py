"""A check that OpenAI answers: each answer has what this app relies on, or is an error.

Something between this site and OpenAI (a gateway, a proxy, a mistyped address) may answer 200 with a sign-in
page, with JSON of another kind, or without an end. The SDK accepts almost anything as an answer, and a
missing list as an empty one. So an answer is read here, bounded in size and time, before the SDK sees it.
"""

import asyncio
import re
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit

import httpx2
import openai
from django.conf import settings
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

MEGABYTE = 1024 * 1024

Text: TypeAlias = Annotated[str, Field(min_length=1)]
Attributes: TypeAlias = dict[str, str | float | bool] | None


class _Part(BaseModel):
    # As in JSON, because the SDK passes on what came and does not turn "1" into 1.
    model_config = ConfigDict(strict=True)


class _StoredFile(_Part):
    id: Text
    filename: str
    created_at: float


class _FileError(_Part):
    message: str


class _StoreFile(_Part):
    id: Text
    status: Text
    created_at: float
    attributes: Attributes = None
    last_error: _FileError | None = None


class _FileCounts(_Part):
    total: int


class _Store(_Part):
    id: Text
    status: Text
    file_counts: _FileCounts
    metadata: dict[str, str] | None = None


class _Deleted(_Part):
    deleted: Literal[True]


class _Paged(_Part):
    has_more: bool | None = None


class _StoredFiles(_Paged):
    data: list[_StoredFile]


class _StoreFiles(_Paged):
    data: list[_StoreFile]


class _Stores(_Paged):
    data: list[_Store]


class _TextPart(_Part):
    text: str | None = None


class _Content(_Part):
    data: list[_TextPart]
    next_page: str | None = None


class _ResultText(_Part):
    text: str


class _Result(_Part):
    file_id: Text
    score: FiniteFloat
    attributes: Attributes = None
    content: list[_ResultText]


class _Results(_Part):
    data: list[_Result]


class _Embedding(_Part):
    index: int
    embedding: Annotated[list[FiniteFloat], Field(min_length=1)]


class _Embeddings(_Part):
    data: list[_Embedding]


class _Refusal(_Part):
    """OpenAI's error form. A 404 without it is about a page, not about a file or a store."""

    error: dict[str, Any]


CALLS: tuple[tuple[str, re.Pattern[str], type[_Part]], ...] = tuple(
    (method, re.compile(path), form)
    for method, path, form in (
        ("POST", "/embeddings", _Embeddings),
        ("POST", "/files", _StoredFile),
        ("GET", "/files", _StoredFiles),
        ("GET", "/files/[^/]+", _StoredFile),
        ("DELETE", "/files/[^/]+", _Deleted),
        ("POST", "/vector_stores", _Store),
        ("GET", "/vector_stores", _Stores),
        ("GET", "/vector_stores/[^/]+", _Store),
        ("DELETE", "/vector_stores/[^/]+", _Deleted),
        ("POST", "/vector_stores/[^/]+/search", _Results),
        ("POST", "/vector_stores/[^/]+/files", _StoreFile),
        ("GET", "/vector_stores/[^/]+/files", _StoreFiles),
        ("GET", "/vector_stores/[^/]+/files/[^/]+", _StoreFile),
        ("POST", "/vector_stores/[^/]+/files/[^/]+", _StoreFile),
        ("DELETE", "/vector_stores/[^/]+/files/[^/]+", _Deleted),
        ("GET", "/vector_stores/[^/]+/files/[^/]+/content", _Content),
    )
)
"""The form of the answer to each API call that this app makes."""
MOST_BYTES: dict[type[_Part], int] = {_Content: 64 * MEGABYTE}
"""Bytes of an answer, which is in memory; a page of a file's content may be all of its text."""
MOST_BYTES_ELSE = 8 * MEGABYTE
"""Fifty results of the longest chunks have about two megabytes."""


class NotOpenAI(openai.APIError):
    """The answer is not OpenAI's, or not as OpenAI documents it; `message` says who sent what."""

    def __init__(self, request: httpx2.Request, what: str) -> None:
        super().__init__(f"{request.url.host} {what}; check OPENAI_BASE_URL.", request, body=None)


class BadSetting(openai.APIError):
    """No call can be made with these settings; `message` says which one is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(message, httpx2.Request("GET", "/"), body=None)


def base_url() -> str:
    """Return where OpenAI's API is: OPENAI_BASE_URL, else OpenAI itself."""
    return settings.OPENAI_BASE_URL or "https://api.openai.com/v1"


class CheckedClient(openai.DefaultAsyncHttpxClient):
    """An HTTP client whose answers to the SDK are OpenAI's.

    Follows no redirect: OpenAI's API sends none, and the key must not go where one leads.
    """

    def __init__(self, *, timeout: float, limits: httpx2.Limits) -> None:
        super().__init__(timeout=timeout, limits=limits, follow_redirects=False)
        self._seconds = timeout

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send `request` and return the answer, read and checked. Raises NotOpenAI."""
        form = _form(request)
        response = await super().send(request, **{**options, "stream": True})
        try:
            # The client's own limit applies to each piece of the answer, and an answer may come drop by drop.
            async with asyncio.timeout(self._seconds):
                body = await _bounded_body(response, MOST_BYTES.get(form, MOST_BYTES_ELSE))
        except TimeoutError as error:
            raise httpx2.ReadTimeout("The answer does not end.", request=request) from error
        finally:
            await response.aclose()
        _check_form(response, body, form)
        headers = {
            name: value
            for name, value in response.headers.items()
            if name not in ("content-encoding", "content-length", "transfer-encoding")
        }
        if response.is_success:
            # The SDK compares it to the letter.
            headers["content-type"] = "application/json"
        return httpx2.Response(response.status_code, headers=headers, content=body, request=request)


def _form(request: httpx2.Request) -> type[_Part]:
    """Return the form of the answer to `request`."""
    base = urlsplit(base_url()).path.rstrip("/")
    path = request.url.raw_path.decode("ascii").partition("?")[0].removeprefix(base)
    for method, known, form in CALLS:
        if method == request.method and known.fullmatch(path):
            return form
    raise LookupError(f"CALLS does not say what {request.method} {path} is answered with.")


async def _bounded_body(response: httpx2.Response, most: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > most:
            raise NotOpenAI(response.request, f"answered with more than {most // MEGABYTE} MB")
    return bytes(body)


def _check_form(response: httpx2.Response, body: bytes, form: type[_Part]) -> None:
    """Raise NotOpenAI unless `body` has the form, is OpenAI's error, or says to try again."""
    status, request = response.status_code, response.request
    if status in (408, 429) or status >= 500:
        return  # A gateway before OpenAI says so in its own words.
    if not response.is_success and not response.is_client_error:
        where = f" to {response.next_request.url.host}" if response.next_request else ""
        raise NotOpenAI(request, f"redirects{where} (HTTP {status}) instead of answering as OpenAI does")
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    status_text = "" if response.is_success else f"HTTP {status} and "
    if not body.strip():
        raise NotOpenAI(request, f"answered with {status_text}nothing instead of OpenAI's JSON")
    if not kind.endswith("json"):
        came = "a web page" if "html" in kind else kind[:50] or "something of no stated kind"
        raise NotOpenAI(request, f"answered with {status_text}{came} instead of OpenAI's JSON")
    try:
        read = (form if response.is_success else _Refusal).model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise NotOpenAI(request, f"answered with {status_text}JSON that is broken or cut off") from None
        where = re.sub(r"[^\w.]", "", ".".join(str(part) for part in first["loc"]))[:100]
        of = f" ({where} is missing or of another kind)" if where else ""
        raise NotOpenAI(request, f"answered with {status_text}JSON that is not OpenAI's{of}") from None
    if isinstance(read, _Refusal) and str(read.error.get("message")).startswith("Invalid URL"):
        # OpenAI's own words for a path that is not in its API, as without `/v1`: no file or store is missing.
        raise NotOpenAI(request, "has no API at this address")
