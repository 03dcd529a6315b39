"""The JSON-RPC message in the body of a request: parsed once, and well formed before the SDK sees it.

The SDK answers some malformed messages at great length, and others not at all. What it gets is written anew
from what was parsed here, so there is no second reading that could differ. The arguments of a tool call and
its result, which are the only long parts, do not go through it.
"""

from dataclasses import dataclass
from typing import Any

from mcp_types import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR
from pydantic_core import from_json, to_json
from starlette.responses import JSONResponse

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MEMBERS = frozenset({"method", "result", "error"})
"""Every JSON-RPC message has one of these."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message, as far as the code around the SDK has to know it."""

    body: bytes
    """The message for the SDK, without the arguments of a tool call."""
    method: str
    """Empty for an answer to something that was never asked."""
    id: str | int | None
    """None for a message that gets no answer."""
    name: str
    """The tool's name if one is called; otherwise the method."""
    arguments: Any
    """The arguments of a tool call, as they were sent."""

    def answer(self, result: bytes) -> bytes:
        """Return the message with the `result`, given as JSON."""
        return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (to_json(self.id), result)


class Malformed(Exception):
    """A body without a message that can be answered."""

    def __init__(self, code: int, sentence: str, *, method: str = "", id: str | int | None = None) -> None:  # noqa: A002
        """Keep `method` and `id` as far as they could be read."""
        super().__init__(sentence)
        self.method = method
        self.id = id
        self._code = code

    def response(self) -> JSONResponse:
        """Return the JSON-RPC error."""
        error = {"code": self._code, "message": str(self)}
        return JSONResponse({"jsonrpc": "2.0", "id": self.id, "error": error}, 400)


def parse_message(body: bytes) -> Message:
    """Return the message in `body`; raises Malformed."""
    try:
        decoded = from_json(body.removeprefix(BYTE_ORDER_MARK), allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        deep = "recursion limit" in str(error)
        raise Malformed(
            PARSE_ERROR, "The body is nested too deeply." if deep else "The body is not JSON."
        ) from None
    if isinstance(decoded, list):
        raise Malformed(INVALID_REQUEST, "Batches are not supported; send each message in its own request.")
    if not isinstance(decoded, dict) or decoded.get("jsonrpc") != "2.0" or not _MEMBERS & decoded.keys():
        raise Malformed(INVALID_REQUEST, "The body is not a single JSON-RPC message.")
    method = decoded.get("method", "")
    if not isinstance(method, str):
        raise Malformed(INVALID_REQUEST, "The method of a message has to be text.")
    request_id = None
    if "id" in decoded:
        request_id = decoded["id"] = _id(decoded["id"], method)
    params = decoded.get("params")
    if params is None:
        params = {}
        decoded.pop("params", None)
    if not isinstance(params, dict):
        raise Malformed(
            INVALID_PARAMS, "The params of a message have to be an object.", method=method, id=request_id
        )
    arguments = params.pop("arguments", None) if method == "tools/call" else None
    name = params.get("name") if method == "tools/call" else None
    return Message(
        body=to_json(decoded),
        method=method,
        id=request_id,
        name=name if isinstance(name, str) else method,
        arguments=arguments,
    )


def _id(given: Any, method: str) -> str | int:
    """Return the id of a request: text or a whole number, which some clients write as 1.0."""
    if isinstance(given, float) and given.is_integer() and abs(given) <= 1 << 53:
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise Malformed(
            INVALID_REQUEST, "The id of a request has to be text or a whole number.", method=method
        )
    return given
