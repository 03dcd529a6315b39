"""A server on this machine that behaves as OpenAI's Files and Vector Stores do, for the tests.

It keeps everything in memory and does what OpenAI documents or was widely seen to do where this
project's code branches: files and attachments are two things, indexing takes a while and may fail,
a POST that was performed stays performed although its answer got lost. Faults, latency, expired
stores and a full quota are there on demand:

    with running() as openai:
        openai.fail("POST", r"/files", status=429, headers={"Retry-After": "1"}, times=2)
        AsyncOpenAI(base_url=openai.base_url, api_key=openai.key)

Set OPENAI_SPEC to OpenAI's OpenAPI document (JSON) and each body that comes in or goes out is
checked against it; what does not fit is collected in `violations`, which `running` asserts to be empty.
"""

import asyncio
import itertools
import json
import os
import re
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

JSON = dict[str, Any]
PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")


class ApiError(Exception):
    """An answer in OpenAI's error form."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        kind = {401: "authentication_error", 429: "rate_limit_error", 500: "server_error"}.get(
            status, "invalid_request_error"
        )
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


@dataclass
class StoredFile:
    """A file in the project's storage."""

    id: str
    filename: str
    purpose: str
    content: bytes
    created_at: int

    def json(self) -> JSON:
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created_at,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
        }


@dataclass
class Attachment:
    """A file in a vector store."""

    file: StoredFile
    store_id: str
    attributes: JSON
    created_at: int
    ready_at: float
    """Seconds of the monotonic clock at which indexing ends."""
    error: JSON | None
    """What indexing ends with, where it fails."""

    @property
    def status(self) -> str:
        if time.monotonic() < self.ready_at:
            return "in_progress"
        return "failed" if self.error else "completed"

    def json(self) -> JSON:
        status = self.status
        return {
            "id": self.file.id,
            "object": "vector_store.file",
            "usage_bytes": len(self.file.content) * 3 if status == "completed" else 0,
            "created_at": self.created_at,
            "vector_store_id": self.store_id,
            "status": status,
            "last_error": self.error if status == "failed" else None,
            "chunking_strategy": {
                "type": "static",
                "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
            },
            "attributes": self.attributes,
        }

    def chunks(self) -> list[str]:
        words = self.file.content.decode("utf-8", "replace").split()
        return [" ".join(words[at : at + 120]) for at in range(0, len(words), 100)]


@dataclass
class VectorStore:
    id: str
    name: str
    metadata: dict[str, str]
    created_at: int
    expired: bool = False
    files: dict[str, Attachment] = field(default_factory=dict)

    def json(self) -> JSON:
        counts = dict.fromkeys(("in_progress", "completed", "failed", "cancelled"), 0)
        for attachment in self.files.values():
            counts[attachment.status] += 1
        return {
            "id": self.id,
            "object": "vector_store",
            "created_at": self.created_at,
            "name": self.name,
            "usage_bytes": sum(len(each.file.content) * 3 for each in self.files.values()),
            "file_counts": {**counts, "total": len(self.files)},
            "status": "expired" if self.expired else "in_progress" if counts["in_progress"] else "completed",
            "last_active_at": self.created_at,
            "metadata": self.metadata,
        }


@dataclass
class Fault:
    """What goes wrong with the next `times` requests that match."""

    method: str
    path: re.Pattern[str]
    times: int
    skip: int
    status: int | None
    headers: Mapping[str, str]
    code: str | None
    message: str
    performed: bool
    """Whether the work is done before the answer goes wrong."""
    dropped: bool
    delay: float
    """Seconds before the answer (after the work, where it is performed)."""
    body: bytes | None
    """What is sent instead of the answer."""
    endless: bool
    """Whether `body` is sent again and again until the client has enough."""


@dataclass(frozen=True)
class Seen:
    """One request as it came in."""

    method: str
    path: str
    at: float


class LoopbackOpenAI:
    """The state of the server, and the knobs a test turns; safe to read from another thread."""

    def __init__(self) -> None:
        self.key = "sk-loopback"
        self.base_url = ""
        self.latency = 0.0
        """Seconds that each answer takes."""
        self.indexing = 0.0
        """Seconds that a file is `in_progress`."""
        self.poll_after_ms: int | str = 20
        self.page_size = 100
        """Most items of a page of vector store files or stores (OpenAI: 100)."""
        self.content_page = 2
        """Parts on a page of a file's content."""
        self.quota_bytes: int | None = None
        self.refusals: dict[str, tuple[str, str]] = {}
        """Text in a file that makes its indexing fail → (code, message)."""
        self.files: dict[str, StoredFile] = {}
        self.stores: dict[str, VectorStore] = {}
        self.requests: list[Seen] = []
        self.at_once = 0
        self.most_at_once = 0
        self.checks_requests = True
        """Whether requests are held against OPENAI_SPEC; not where a test sends nonsense on purpose."""
        self.violations: list[str] = []
        self._faults: list[Fault] = []
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        spec = os.environ.get("OPENAI_SPEC")
        self._spec = Specification(json.loads(Path(spec).read_text())) if spec else None

    # What a test does

    def fail(
        self,
        method: str,
        path: str,
        *,
        status: int | None = None,
        times: int = 1,
        skip: int = 0,
        headers: Mapping[str, str] | None = None,
        code: str | None = None,
        message: str = "The server had an error while processing your request.",
        performed: bool = False,
        dropped: bool = False,
        delay: float = 0.0,
        body: bytes | None = None,
        endless: bool = False,
    ) -> None:
        """Let the next `times` requests with `method` and a path that `path` matches fully go wrong.

        `skip` of them are served first. `status`: the answer is that error. `dropped`: the connection is
        cut. `delay` alone: the answer is right and late. `performed`: the work is done all the same,
        before the delay, and the answer is lost. `body`: somebody else answers that, with `status` (200)
        and `headers`; `endless`: without an end, a piece every `delay` seconds.
        """
        pattern = re.compile(path)
        fault = Fault(
            method,
            pattern,
            times,
            skip,
            status,
            headers or {},
            code,
            message,
            performed,
            dropped,
            delay,
            body,
            endless,
        )
        with self._lock:
            self._faults.append(fault)

    def recover(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._faults.clear()

    def add_store(self, name: str = "store", *, expired: bool = False) -> VectorStore:
        store = VectorStore(self._id("vs_"), name, {}, int(time.time()), expired)
        self.stores[store.id] = store
        return store

    def add_file(
        self, store: VectorStore, filename: str, text: str, attributes: JSON | None = None
    ) -> StoredFile:
        """A file that somebody else put into `store`."""
        file = self._keep(filename, "assistants", text.encode())
        store.files[file.id] = self._attachment(store, file, attributes or {})
        return file

    def count(self, method: str, path: str) -> int:
        """How many requests came with `method` and a path that `path` matches fully."""
        return sum(seen.method == method and bool(re.fullmatch(path, seen.path)) for seen in self.requests)

    # What the server does

    def take_fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.method in (method, "*") and fault.path.fullmatch(path):
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    if fault.times:
                        fault.times -= 1
                        return fault
        return None

    def app(self) -> Starlette:
        routes: list[tuple[str, str, Callable[[Request], Awaitable[JSON]]]] = [
            ("GET", "/files", self.list_files),
            ("POST", "/files", self.create_file),
            ("GET", "/files/{file_id}", self.get_file),
            ("DELETE", "/files/{file_id}", self.delete_file),
            ("GET", "/files/{file_id}/content", self.download_file),
            ("GET", "/vector_stores", self.list_stores),
            ("POST", "/vector_stores", self.create_store),
            ("GET", "/vector_stores/{store_id}", self.get_store),
            ("DELETE", "/vector_stores/{store_id}", self.delete_store),
            ("GET", "/vector_stores/{store_id}/files", self.list_attachments),
            ("POST", "/vector_stores/{store_id}/files", self.attach),
            ("GET", "/vector_stores/{store_id}/files/{file_id}", self.get_attachment),
            ("POST", "/vector_stores/{store_id}/files/{file_id}", self.update_attachment),
            ("DELETE", "/vector_stores/{store_id}/files/{file_id}", self.detach),
            ("GET", "/vector_stores/{store_id}/files/{file_id}/content", self.content),
            ("POST", "/vector_stores/{store_id}/search", self.search),
        ]
        return Starlette(
            routes=[
                Route(f"/v1{path}", self._endpoint(method, path, handle), methods=[method])
                for method, path, handle in routes
            ]
        )

    def _endpoint(
        self, method: str, template: str, handle: Callable[[Request], Awaitable[JSON]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            headers = {"x-request-id": self._id("req_"), "openai-poll-after-ms": str(self.poll_after_ms)}
            try:
                if request.headers.get("authorization") != f"Bearer {self.key}":
                    raise ApiError(401, "Incorrect API key provided.", code="invalid_api_key")
                is_json = "json" in request.headers.get("content-type", "") and await request.body()
                if self._spec and self.checks_requests and is_json:
                    self._check(method, template, "request", await request.json())
                body, status = await handle(request), 200
            except ApiError as error:
                body, status = error.body, error.status
            if self._spec:
                self._check(method, template, "error" if status != 200 else "answer", body)
            return JSONResponse(body, status, headers)

        return endpoint

    def _check(self, method: str, template: str, part: str, body: object) -> None:
        assert self._spec
        problem = self._spec.problem(method, template, part, body)
        if problem:
            self.violations.append(f"{method} {template} {part}: {problem}")

    def _id(self, prefix: str) -> str:
        return f"{prefix}{next(self._numbers):06d}"

    def _keep(self, filename: str, purpose: str, content: bytes) -> StoredFile:
        file = StoredFile(self._id("file-"), filename, purpose, content, int(time.time()))
        self.files[file.id] = file
        return file

    def _attachment(self, store: VectorStore, file: StoredFile, attributes: JSON) -> Attachment:
        text = file.content.decode("utf-8", "replace")
        refusal = next((why for marker, why in self.refusals.items() if marker in text), None)
        if refusal is None and not text.strip():
            refusal = ("invalid_file", "The file is empty.")
        error = {"code": refusal[0], "message": refusal[1]} if refusal else None
        return Attachment(
            file, store.id, attributes, int(time.time()), time.monotonic() + self.indexing, error
        )

    # Files

    async def list_files(self, request: Request) -> JSON:
        purpose = request.query_params.get("purpose")
        files = [file for file in self.files.values() if purpose in (None, file.purpose)]
        return _page(request, [file.json() for file in files], default=10_000, most=10_000)

    async def create_file(self, request: Request) -> JSON:
        async with request.form() as form:
            upload, purpose = form.get("file"), form.get("purpose")
            if upload is None or isinstance(upload, str):
                raise ApiError(400, "'file' is a required property", param="file")
            if purpose not in PURPOSES:
                raise ApiError(400, f"'{purpose}' is not one of {PURPOSES}", param="purpose")
            content, filename = await upload.read(), upload.filename or "upload"
        stored = sum(len(file.content) for file in self.files.values())
        if self.quota_bytes is not None and stored + len(content) > self.quota_bytes:
            raise ApiError(
                429,
                "You exceeded your current quota, please check your plan and billing details.",
                code="insufficient_quota",
            )
        return self._keep(filename, str(purpose), content).json()

    def _file(self, request: Request) -> StoredFile:
        file_id = request.path_params["file_id"]
        try:
            return self.files[file_id]
        except KeyError:
            raise ApiError(404, f"No such File object: {file_id}", param="id") from None

    async def get_file(self, request: Request) -> JSON:
        return self._file(request).json()

    async def delete_file(self, request: Request) -> JSON:
        file = self._file(request)
        del self.files[file.id]
        for store in self.stores.values():
            store.files.pop(file.id, None)
        return {"id": file.id, "object": "file", "deleted": True}

    async def download_file(self, request: Request) -> JSON:
        file = self._file(request)
        raise ApiError(400, f"Not allowed to download files of purpose: {file.purpose}")

    # Stores

    def _store(self, request: Request, *, usable: bool = False) -> VectorStore:
        store_id = request.path_params["store_id"]
        store = self.stores.get(store_id)
        if store is None:
            raise ApiError(404, f"Vector store with id '{store_id}' not found.")
        if usable and store.expired:
            raise ApiError(400, f"Vector store {store_id} is expired.", code="vector_store_expired")
        return store

    async def list_stores(self, request: Request) -> JSON:
        return _page(
            request, [store.json() for store in self.stores.values()], default=20, most=self.page_size
        )

    async def create_store(self, request: Request) -> JSON:
        body = await request.json()
        store = self.add_store(body.get("name") or "")
        store.metadata = body.get("metadata") or {}
        for file_id in body.get("file_ids", []):
            store.files[file_id] = self._attachment(store, self.files[file_id], {})
        return store.json()

    async def get_store(self, request: Request) -> JSON:
        return self._store(request).json()

    async def delete_store(self, request: Request) -> JSON:
        store = self._store(request)
        del self.stores[store.id]
        return {"id": store.id, "object": "vector_store.deleted", "deleted": True}

    # Files in a store

    def _attached(self, request: Request) -> Attachment:
        store, file_id = self._store(request), request.path_params["file_id"]
        try:
            return store.files[file_id]
        except KeyError:
            message = f"No file found with id '{file_id}' in vector store '{store.id}'."
            raise ApiError(404, message) from None

    async def list_attachments(self, request: Request) -> JSON:
        status = request.query_params.get("filter")
        files = [each.json() for each in self._store(request).files.values()]
        chosen = [each for each in files if status in (None, each["status"])]
        return _page(request, chosen, default=20, most=self.page_size)

    async def attach(self, request: Request) -> JSON:
        store, body = self._store(request, usable=True), await request.json()
        attributes = _valid_attributes(body.get("attributes"))
        file = self.files.get(body.get("file_id"))
        if file is None:
            raise ApiError(404, f"No such File object: {body.get('file_id')}", param="file_id")
        store.files[file.id] = self._attachment(store, file, attributes)
        # The first answer never tells the outcome, however fast the indexing is.
        return {**store.files[file.id].json(), "status": "in_progress", "last_error": None, "usage_bytes": 0}

    async def get_attachment(self, request: Request) -> JSON:
        return self._attached(request).json()

    async def update_attachment(self, request: Request) -> JSON:
        attachment, body = self._attached(request), await request.json()
        if "attributes" not in body:
            raise ApiError(400, "Missing required parameter: 'attributes'.", param="attributes")
        # All of them are replaced: what is not named is gone.
        attachment.attributes = _valid_attributes(body["attributes"])
        return attachment.json()

    async def detach(self, request: Request) -> JSON:
        attachment = self._attached(request)
        del self.stores[attachment.store_id].files[attachment.file.id]
        return {"id": attachment.file.id, "object": "vector_store.file.deleted", "deleted": True}

    async def content(self, request: Request) -> JSON:
        text = self._attached(request).file.content.decode("utf-8", "replace")
        parts = [{"type": "text", "text": text[at : at + 1000]} for at in range(0, len(text), 1000)]
        start = int(request.query_params.get("page", "0"))
        end = start + self.content_page
        return {
            "object": "vector_store.file_content.page",
            "data": parts[start:end],
            "has_more": end < len(parts),
            "next_page": str(end) if end < len(parts) else None,
        }

    async def search(self, request: Request) -> JSON:
        store, body = self._store(request, usable=True), await request.json()
        most = body.get("max_num_results", 10)
        if not isinstance(most, int) or not 1 <= most <= 50:
            raise ApiError(400, "max_num_results has to be between 1 and 50.", param="max_num_results")
        queries = [body["query"]] if isinstance(body["query"], str) else body["query"]
        words = {word for query in queries for word in re.findall(r"\w+", query.lower())}
        _valid_filter(body.get("filters"))
        hits: list[JSON] = []
        for attachment in store.files.values():
            if attachment.status != "completed" or not _passes(body.get("filters"), attachment.attributes):
                continue
            for chunk in attachment.chunks():
                score = len(words & set(re.findall(r"\w+", chunk.lower()))) / (len(words) or 1)
                hits.append(
                    {
                        "file_id": attachment.file.id,
                        "filename": attachment.file.filename,
                        "score": score,
                        "attributes": attachment.attributes,
                        "content": [{"type": "text", "text": chunk}],
                    }
                )
        threshold = (body.get("ranking_options") or {}).get("score_threshold", 0)
        hits = sorted((hit for hit in hits if hit["score"] >= threshold), key=lambda hit: -hit["score"])
        return {
            "object": "vector_store.search_results.page",
            "search_query": queries,
            "data": hits[:most],
            "has_more": False,
            "next_page": None,
        }


def _page(request: Request, items: list[JSON], *, default: int, most: int) -> JSON:
    """A page of `items` (oldest first as given) by OpenAI's `order`, `limit` and `after`."""
    limit = int(request.query_params.get("limit", default))
    if not 1 <= limit <= max(most, 100):
        raise ApiError(400, f"limit has to be between 1 and {most}.", param="limit")
    if request.query_params.get("order", "desc") == "desc":
        items = items[::-1]
    after = request.query_params.get("after")
    if after:
        ids = [item["id"] for item in items]
        items = items[ids.index(after) + 1 :] if after in ids else []
    page = items[: min(limit, most)]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else "",
        "last_id": page[-1]["id"] if page else "",
        "has_more": len(page) < len(items),
    }


def _valid_attributes(attributes: object) -> JSON:
    """The attributes, or a 400 where they break OpenAI's rules."""
    if attributes is None:
        return {}
    if not isinstance(attributes, dict) or len(attributes) > 16:
        raise ApiError(400, "attributes may hold at most 16 keys.", param="attributes")
    for key, value in attributes.items():
        if len(key) > 64:
            raise ApiError(400, "The keys of attributes are at most 64 characters.", param="attributes")
        if isinstance(value, str) and len(value) > 512:
            raise ApiError(400, "The values of attributes are at most 512 characters.", param="attributes")
        if not isinstance(value, str | int | float | bool):
            raise ApiError(400, "attributes hold strings, numbers and booleans.", param="attributes")
    return attributes


MOST_DEEP = 20
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}


def _valid_filter(condition: object, depth: int = 0) -> None:
    """A 400 where a filter is none by OpenAI's rules, whatever the store holds."""
    if condition is None and not depth:
        return
    if not isinstance(condition, dict) or depth > MOST_DEEP:
        raise ApiError(400, "A filter has to be an object.", param="filters")
    kind = condition.get("type")
    if kind in ("and", "or"):
        parts = condition.get("filters")
        if set(condition) != {"type", "filters"} or not isinstance(parts, list) or not parts:
            raise ApiError(400, f"A filter '{kind}' has 'filters', and nothing else.", param="filters")
        for part in parts:
            _valid_filter(part, depth + 1)
        return
    if kind not in ("eq", "ne", "in", "nin", *COMPARISONS):
        raise ApiError(400, f"Unknown filter type '{kind}'.", param="filters")
    if set(condition) != {"type", "key", "value"} or not isinstance(condition["key"], str):
        raise ApiError(400, f"A filter '{kind}' has 'key' and 'value', and nothing else.", param="filters")
    value = condition["value"]
    several = kind in ("in", "nin")
    if several != isinstance(value, list):
        raise ApiError(400, f"The value of '{kind}' is of the wrong kind.", param="filters")
    for each in value if several else [value]:
        if not isinstance(each, str | int | float):
            raise ApiError(400, f"The value of '{kind}' is of the wrong kind.", param="filters")


def _passes(condition: JSON | None, attributes: JSON) -> bool:
    """Whether `attributes` meet a filter, nested or not; a missing key meets `ne` and `nin` alone."""
    if condition is None:
        return True
    kind = condition["type"]
    if kind in ("and", "or"):
        parts = [_passes(each, attributes) for each in condition["filters"]]
        return all(parts) if kind == "and" else any(parts)
    held, value = attributes.get(condition["key"]), condition["value"]
    values = value if isinstance(value, list) else [value]
    # In JSON `true` is not 1.
    equal = any(held == each and isinstance(held, bool) == isinstance(each, bool) for each in values)
    if kind in ("ne", "nin"):
        return not equal
    if kind in ("eq", "in"):
        return held is not None and equal
    comparable = isinstance(held, str) == isinstance(value, str) and not isinstance(held, bool)
    return held is not None and comparable and COMPARISONS[kind](held, value)


class Specification:
    """OpenAI's OpenAPI document, for checking single bodies."""

    def __init__(self, document: JSON) -> None:
        self._document = document

    def problem(self, method: str, template: str, part: str, body: object) -> str | None:
        """What is wrong with `body`, or None."""
        paths = {re.sub(r"{\w+}", "{}", path): item for path, item in self._document["paths"].items()}
        operation = paths[re.sub(r"{\w+}", "{}", template)][method.lower()]
        if part == "request":
            content = operation["requestBody"]["content"]["application/json"]
        elif part == "answer":
            content = operation["responses"]["200"]["content"]["application/json"]
        else:
            content = {"schema": {"$ref": "#/components/schemas/ErrorResponse"}}
        schema = {**content["schema"], "components": self._document["components"]}
        error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(body))
        return str(error.message) if error else None


class _Network:
    """What lies between client and server: latency, faults, lost connections."""

    def __init__(self, server: LoopbackOpenAI) -> None:
        self._server, self._app = server, server.app()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix("/v1")
        self._server.requests.append(Seen(scope["method"], path, time.monotonic()))
        # Read first: once the client has hung up, its body could not be had any more.
        body = await _body(receive)
        if body is None:
            return
        replay = _replay(body)
        async with self._counted():
            await asyncio.sleep(self._server.latency)
            fault = self._server.take_fault(scope["method"], path)
            if fault is None:
                await self._app(scope, replay(), send)
                return
            if fault.performed:
                await self._app(scope, replay(), _swallow)
            await asyncio.sleep(fault.delay)
            if fault.dropped or (fault.performed and fault.status is None and fault.body is None):
                # The transport is uvicorn's own; nothing in ASGI lets an app hang up.
                receive.__self__.transport.abort()  # type: ignore[attr-defined]
                await asyncio.sleep(0.01)
            elif fault.body is not None:
                await self._other(fault)(scope, receive, send)
            elif fault.status is None:
                await self._app(scope, replay(), send)
            else:
                error = ApiError(fault.status, fault.message, code=fault.code)
                headers = {"x-request-id": "req_fault", **fault.headers}
                await JSONResponse(error.body, fault.status, headers)(scope, replay(), send)

    @staticmethod
    def _other(fault: Fault) -> Response:
        """What stands between, and answers itself."""
        assert fault.body is not None
        status, headers = fault.status or 200, {"Content-Type": "application/json", **fault.headers}
        if not fault.endless:
            return Response(fault.body, status, headers)
        piece, delay = fault.body, fault.delay

        async def pieces() -> AsyncIterator[bytes]:
            while True:
                yield piece
                await asyncio.sleep(delay)

        return StreamingResponse(pieces(), status, headers)

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        self._server.at_once += 1
        self._server.most_at_once = max(self._server.most_at_once, self._server.at_once)
        try:
            yield
        finally:
            self._server.at_once -= 1


async def _body(receive: Receive) -> bytes | None:
    """A request's whole body; None where the client hung up before its end."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


def _replay(body: bytes) -> Callable[[], Receive]:
    """A request's body to be received again, as often as wanted."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return lambda: receive


async def _swallow(message: Message) -> None:
    """The answer that never arrives."""


@contextmanager
def running() -> Iterator[LoopbackOpenAI]:
    """A server of its own in a thread, on a free port, until the block ends."""
    server = LoopbackOpenAI()
    config = uvicorn.Config(
        _Network(server),
        host="127.0.0.1",
        port=0,
        log_level="critical",
        lifespan="off",
        timeout_keep_alive=60,
    )
    machine = uvicorn.Server(config)
    thread = threading.Thread(target=machine.run, name="loopback-openai", daemon=True)
    thread.start()
    until = time.monotonic() + 10
    while not machine.started:
        assert time.monotonic() < until, "the loopback server did not start"
        time.sleep(0.01)
    port = machine.servers[0].sockets[0].getsockname()[1]
    server.base_url = f"http://127.0.0.1:{port}/v1"
    try:
        yield server
    finally:
        machine.should_exit = machine.force_exit = True
        thread.join(10)
    assert server.violations == []
