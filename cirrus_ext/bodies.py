"""Reads and decodes the bodies of responses, within the time of their call."""

import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial
from typing import Any
from weakref import proxy

import httpx

from .call import Call
from .errors import APIResponseError
from .responses import Gunzip, is_cut_off
from .tasks import finish

Response = httpx.Response

# The keys of a response's extensions for its Call, and for the encoding of a gzip body.
_CALL = "cirrus_call"
_GZIP = "cirrus_gzip"


def prepare_headers(response: Response) -> None:
    """Remove headers that httpx would process in the wrong way.

    It parses the target of a redirect, and an invalid one hides the status. It decodes only the
    first member of a gzip body; `BoundedBody` decodes all of them.
    """
    response.headers.pop("location", None)
    if response.headers.get("content-encoding", "").strip().lower() in {"gzip", "x-gzip"}:
        response.extensions[_GZIP] = response.headers.pop("content-encoding")


class BoundedBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body whose reading ends with the time of its call, and that is decoded if it is gzip."""

    def __init__(self, response: Response, call: Call) -> None:
        self._stream: Any = response.stream
        self._call = call
        self._gunzip = Gunzip() if _GZIP in response.extensions else None
        self._has_length = _has_length(response)

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            yield self._decoded(chunk)
        self._check_end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield self._decoded(chunk)
        self._check_end()

    def _decoded(self, chunk: bytes) -> bytes:
        if self._call.left <= 0:
            raise httpx.ReadTimeout("total_timeout is over, and the answer is not")
        try:
            return chunk if self._gunzip is None else self._gunzip.decode(chunk)
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from error

    def _check_end(self) -> None:
        if self._gunzip is not None and not self._gunzip.is_complete:
            kind = httpx.DecodingError if self._has_length else httpx.RemoteProtocolError
            raise kind("the gzip body is not complete")

    def close(self) -> None:
        """Close the connection, or return it to the pool."""
        self._stream.close()

    async def aclose(self) -> None:
        """Close the connection, or return it to the pool."""
        await self._stream.aclose()


class FinishedBody(httpx.AsyncByteStream):
    """A body whose connection is closed or returned, however often its task is cancelled."""

    def __init__(self, response: Response) -> None:
        self._stream: Any = response.stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = aiter(self._stream)
        with suppress(StopAsyncIteration):
            while True:
                yield await finish(anext(chunks))

    async def aclose(self) -> None:
        """Close the connection, or return it to the pool."""
        await finish(self._stream.aclose(), cancel=False)


def release_stream(response: Response) -> None:
    """Remove the stream of a response, which would keep the body until garbage collection."""
    response.stream = httpx.ByteStream(b"")


def complete(response: Response) -> Response:
    """Return a response if its body, which has been read, is complete.

    Raises:
        httpx.RemoteProtocolError: The body has no declared length, and was cut off.
    """
    if response.is_success and not _has_length(response) and is_cut_off(response.content):
        raise httpx.RemoteProtocolError("the body is not complete")
    return response


def _has_length(response: Response) -> bool:
    """Return whether the headers say where the body ends: then httpx checks that it is complete."""
    return bool({"content-length", "transfer-encoding"} & response.headers.keys())


def without_body(response: Response, call: Call, error: httpx.RequestError) -> Response:
    """Return a response without its body, which cannot be read, if its status is an error.

    Raises:
        APIResponseError: The body of a 2xx cannot be decoded.
        httpx.RequestError: The body of a 2xx is not complete.
    """
    if not response.is_success:
        kept = {name: response.headers.get(name, "") for name in ("date", "retry-after")}
        return Response(response.status_code, headers=kept, request=response.request)
    if isinstance(error, httpx.DecodingError):
        strip_request(error, call)
        problem = f"cannot be decoded: {error}"
        response = Response(response.status_code)
        raise call.body_error(response, "$", problem) from error
    raise error


def strip_request(error: httpx.RequestError, call: Call) -> None:
    """Replace the request of an error, which has the key."""
    error.request = httpx.Request(call.method, call.path)


def finished(call: Call) -> Response:
    """Return a 2xx, whose ``json`` raises an error of ours if the body is not JSON."""
    response: Response = call.response
    response.extensions[_CALL] = call
    call.response = None  # no reference cycle, which would keep the body
    response.json = partial(call.parse_json, proxy(response))  # type: ignore[method-assign]  # httpx has no option for it
    return response


def body_error(response: Response, path: str, problem: str) -> APIResponseError:
    """Return the error for a 2xx of a client of ours whose body does not fit the contract.

    Args:
        response: The response.
        path: Where in the body, as a JSON path.
        problem: What is wrong there, to be read after the path.
    """
    call: Call = response.extensions[_CALL]
    return call.body_error(response, path, problem)
