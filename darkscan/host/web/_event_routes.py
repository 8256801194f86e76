"""The stream of what is new, as server-sent events."""

from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from darkscan.host.web._host import Host, host_of
from darkscan.host.web._models import Problem
from darkscan.host.web._refusal import Refusal

MOST_STREAMS = 200
ALIVE_SECONDS = 10.0
"""A stream in which nothing happens says so often that it lives."""

_RETRY_MS = 1000
_LONGEST_ID = 16

router = APIRouter(tags=["events"])


@router.get(
    "/api/events",
    response_class=Response,
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "The stream; it has no end."},
        503: {"model": Problem, "description": f"There are {MOST_STREAMS} streams already."},
    },
)
async def events(request: Request) -> Response:
    """What is new from now on, or after the event that the header `Last-Event-ID` names.

    Events: `scan`, `map` and `ended` (ScanSummary), `frames` (revision, frames), `progress`
    (Progress, heard_s_ago), `tiles` (tiles: a list of [level, x, y, revision]), `review`
    (Review); the data of each has the scan's id as `scan`. `reset`: some events are lost, ask
    for everything anew. The first lines of a stream only name its place, for resuming.
    """
    host = host_of(request)
    if host.metrics.streams >= MOST_STREAMS:
        raise Refusal(503, f"{MOST_STREAMS} pages listen already", {"retry-after": "10"})
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    position = _position(request.headers.get("last-event-id", ""))
    return StreamingResponse(
        _stream(host, position), headers=headers, media_type="text/event-stream"
    )


def _position(text: str) -> int | None:
    """The event that a page has seen last; None: it has seen none."""
    if not text.isascii() or not text.isdecimal() or len(text) > _LONGEST_ID:
        return None
    return int(text)


async def _stream(host: Host, seen: int | None) -> AsyncIterator[bytes]:
    hub = host.hub
    position = hub.last if seen is None else seen
    with host.metrics.listening():
        yield f"retry: {_RETRY_MS}\nid: {position}\n\n".encode()
        while not hub.closed:
            batch = hub.after(position)
            if batch is None:
                position = hub.last
                yield f"id: {position}\nevent: reset\ndata: {{}}\n\n".encode()
            elif batch.data:
                position = batch.last
                yield batch.data
            else:
                await hub.wait(position, ALIVE_SECONDS)
                if hub.last == position and not hub.closed:
                    yield b": alive\n\n"
