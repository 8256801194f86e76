"""The page and its files."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from darkscan.host.web._answers import accepts_gzip, is_known
from darkscan.host.web._host import host_of
from darkscan.host.web._page import INDEX, Asset
from darkscan.host.web._refusal import not_found

_FOR_EVER = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@router.get("/")
@router.get("/scan/{scan}")
@router.get("/scan/{scan}/live")
@router.get("/scan/{scan}/performance")
async def index(request: Request) -> Response:
    """The page; what it shows, it finds in its address."""
    found = host_of(request).page.find(INDEX)
    if found is None:
        raise not_found("this darkscan has no page: build it with `make web`")
    return _answer(request, found, "no-cache")


@router.get("/assets/{name:path}")
async def asset(request: Request, name: str) -> Response:
    """A file of the page. Names have a hash in them: a file of a name never changes."""
    found = host_of(request).page.find(name)
    if found is None:
        raise not_found("there is no such file of the page")
    return _answer(request, found, _FOR_EVER)


@router.get("/favicon.ico")
async def favicon(request: Request) -> Response:
    """The page's picture, if it has one."""
    page = host_of(request).page
    found = page.find("favicon.ico") or page.find("favicon.svg")
    if found is None:
        return Response(status_code=204)
    return _answer(request, found, "max-age=3600")


def _answer(request: Request, asset: Asset, cache: str) -> Response:
    headers = {"etag": asset.etag, "cache-control": cache, "vary": "accept-encoding"}
    if is_known(request, asset.etag):
        return Response(status_code=304, headers=headers)
    content = asset.content
    if asset.gzipped is not None and accepts_gzip(request):
        content = asset.gzipped
        headers["content-encoding"] = "gzip"
    return Response(content, headers=headers, media_type=asset.kind)
