"""Tiles of a scan's picture: a page asks for hundreds of them a second."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from darkscan.host.web._answers import is_known, painting, reading
from darkscan.host.web._host import Host
from darkscan.host.web._models import Problem
from darkscan.host.web._refusal import not_found
from darkscan.pipeline.host_link.messages import MOST_LEVELS

_FOR_EVER = "private, max-age=31536000, immutable"
_MOST_TILES = 2**20
_SCAN_DIGITS = 32

_PARAMETERS = [
    {
        "name": "scan",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
    {
        "name": "level",
        "in": "path",
        "required": True,
        "schema": {"type": "integer", "minimum": 0, "maximum": MOST_LEVELS - 1},
        "description": "0 is the finest",
    },
    *(
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 0, "maximum": _MOST_TILES - 1},
            "description": f"{what} of tiles",
        }
        for name, what in (("x", "column"), ("y", "row"))
    ),
    {
        "name": "r",
        "in": "query",
        "schema": {"type": "integer"},
        "description": "the revision, as an event told it: then the answer is kept for ever",
    },
    {
        "name": "missing",
        "in": "query",
        "schema": {"type": "string", "enum": ["204"]},
        "description": "204: no content where there is no tile, which a browser reports nowhere",
    },
]

router = APIRouter(tags=["scans"])


@router.get(
    "/api/scans/{scan}/tiles/{level}/{x}/{y}",  # noqa: FAST003 - read by hand, see below
    response_class=Response,
    openapi_extra={"parameters": _PARAMETERS},
    responses={
        200: {"content": {"image/jpeg": {}}, "description": "The tile, grey, 512 x 512 or less."},
        204: {"description": "There is none, and `missing=204` was asked for."},
        404: {"model": Problem, "description": "There is none."},
    },
)
async def tile(request: Request) -> Response:
    """A tile of the scan's picture.

    One of level 0 that was not sent is cut from the scan's recording, where this host can read
    it.
    """
    # Read by hand: declared parameters would take longer than the tile.
    scan, level, x, y = _asked(request)
    found = await reading(request, lambda host: host.store.tile(scan, level, x, y))
    if found is not None:
        etag = f'"r{found.revision}"'
        named = request.query_params.get("r", "") == str(found.revision)
        headers = {"etag": etag, "cache-control": _FOR_EVER if named else "no-cache"}
        if is_known(request, etag):
            return Response(status_code=304, headers=headers)
        return Response(found.jpeg, headers=headers, media_type="image/jpeg")
    if level == 0:

        def cut(host: Host) -> bytes | None:
            with host.metrics.cutting():
                return host.pictures.tile(scan, x, y)

        jpeg = await painting(request, cut)
        if jpeg is not None:
            headers = {"cache-control": "private, max-age=60"}
            return Response(jpeg, headers=headers, media_type="image/jpeg")
    if request.query_params.get("missing") == "204":
        return Response(status_code=204, headers={"cache-control": "no-store"})
    raise not_found("there is no such tile")


def _asked(request: Request) -> tuple[str, int, int, int]:
    """The scan, level, column and row in a path. Raises Refusal."""
    parameters = request.path_params
    scan = parameters["scan"]
    if len(scan) != _SCAN_DIGITS or not set(scan) <= set("0123456789abcdef"):
        raise not_found("there is no such scan")
    bounds = (("level", MOST_LEVELS), ("x", _MOST_TILES), ("y", _MOST_TILES))
    level, x, y = (_number(parameters[name], most) for name, most in bounds)
    return scan, level, x, y


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < len(str(most)) + 1):
        raise not_found("there is no such tile")
    number = int(text)
    if number >= most:
        raise not_found("there is no such tile")
    return number
