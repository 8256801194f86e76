"""Answers: JSON and bytes, packed where that pays, and not sent again where they are known."""

import gzip
import hashlib
from collections.abc import Callable
from typing import TypeVar

from anyio import to_thread
from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel

from darkscan.host.web._host import Host, host_of

JSON = "application/json"
COLUMNS = "application/octet-stream"

_SMALLEST_PACKED = 2048
_GZIP_LEVEL = 1
"""Higher ones take several times as long for a few per cent."""

T = TypeVar("T")


async def reading(request: Request, work: Callable[[Host], T]) -> T:
    """What ``work`` gives, which reads from the store, in a thread."""
    host = host_of(request)
    return await to_thread.run_sync(work, host, limiter=host.readers)


async def painting(request: Request, work: Callable[[Host], T]) -> T:
    """What ``work`` gives, which takes a while to compute, in a thread."""
    host = host_of(request)
    return await to_thread.run_sync(work, host, limiter=host.painters)


async def as_json(request: Request, record: BaseModel, status: int = 200) -> Response:
    """A record as JSON."""
    return await as_bytes(request, record.model_dump_json().encode(), JSON, status=status)


async def as_bytes(  # noqa: PLR0913 - each is a part of the answer
    request: Request,
    content: bytes,
    kind: str,
    *,
    status: int = 200,
    attached: str = "",
    cache: str = "no-cache",
    digest: str = "",
) -> Response:
    """Content with its ETag; only that it is unchanged where the client has it already.

    JSON is packed for clients that unpack it. Columns are not: numbers lose a quarter by that,
    in more time than a network takes to carry it. ``attached``: the name of the file that a
    browser is to save it as; ``digest``: one of the content that is known already.
    """
    etag = f'"{digest or hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    headers = {"etag": etag, "cache-control": cache, "vary": "accept-encoding"}
    if attached:
        headers["content-disposition"] = f'attachment; filename="{attached}"'
    if is_known(request, etag):
        return Response(status_code=304, headers=headers)
    if len(content) >= _SMALLEST_PACKED and kind == JSON and accepts_gzip(request):
        content = await to_thread.run_sync(_packed, content, limiter=host_of(request).readers)
        headers["content-encoding"] = "gzip"
    return Response(content, status, headers=headers, media_type=kind)


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, _GZIP_LEVEL, mtime=0)


def accepts_gzip(request: Request) -> bool:
    """Whether the client unpacks gzip."""
    wanted = request.headers.get("accept-encoding", "").lower()
    return any(part.partition(";")[0].strip() == "gzip" for part in wanted.split(","))


def is_known(request: Request, etag: str) -> bool:
    """Whether the client has what the ETag names."""
    given = request.headers.get("if-none-match", "")
    return etag in {part.strip().removeprefix("W/") for part in given.split(",")}
