"""Answers: JSON and bytes, packed where that pays, and not sent again where they are known."""

import gzip
import hashlib
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import anyio
import anyio.to_thread
from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel

from darkscan.host.web._host import Host, host_of

JSON = "application/json"
COLUMNS = "application/octet-stream"

_SMALLEST_PACKED = 2048
_GZIP_LEVEL = 1
"""Higher ones take several times as long for a few per cent."""

P = ParamSpec("P")
T = TypeVar("T")


async def at_work(
    request: Request, work: Callable[Concatenate[Host, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Runs something that reads or writes files in a thread, with the host as first argument."""
    host = host_of(request)
    return await anyio.to_thread.run_sync(
        lambda: work(host, *args, **kwargs), limiter=host.readers
    )
