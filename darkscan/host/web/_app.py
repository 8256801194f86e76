"""The web application: routes behind the guard, and errors as one line of JSON."""

import json
from importlib.metadata import version
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from darkscan.host.store import NotKept
from darkscan.host.web import (
    _event_routes,
    _operations,
    _page_routes,
    _scan_routes,
    _session_routes,
    _tile_routes,
)
from darkscan.host.web._guard import Guard
from darkscan.host.web._host import Host
from darkscan.host.web._refusal import Refusal
from darkscan.pipeline.core.errors import InputError, StorageError

_log = structlog.get_logger(__name__)

_DESCRIPTION = """\
What a darkscan host keeps: scans, their frames, defect maps and pictures, and what people say
of them. All lengths say their unit; places are mm from the element's top left corner, seen from
the inspected side, x to the right, y down. Errors are `{"detail": "one line"}`.
"""


def make_app(host: Host) -> Guard:
    """The ASGI application of a host."""
    app = _bare_app()
    app.state.host = host
    return Guard(app, host.access, host.metrics)


def description() -> str:
    """What every route takes and gives, in OpenAPI; docs/reference/host-api.openapi.json has it."""
    return json.dumps(_bare_app().openapi(), indent=1, ensure_ascii=False) + "\n"


def _bare_app() -> FastAPI:
    """The routes, without a host to answer from and without a guard."""
    app = FastAPI(
        title="darkscan host",
        version=version("darkscan"),
        description=_DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={
            Refusal: _refused,
            NotKept: _not_kept,
            StorageError: _not_stored,
            InputError: _not_usable,
            RequestValidationError: _not_valid,
            HTTPException: _not_routed,
            Exception: _failed,
        },
    )
    # Tiles come first: they are asked for most.
    for part in (
        _tile_routes,
        _scan_routes,
        _event_routes,
        _session_routes,
        _operations,
        _page_routes,
    ):
        app.include_router(part.router)
    return app


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(
        {"detail": detail}, status, headers={"cache-control": "no-store", **(headers or {})}
    )


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _problem(error.status, error.detail, error.headers)


async def _not_kept(_request: Request, error: Exception) -> Response:
    return _problem(404, str(error))


async def _not_stored(_request: Request, error: Exception) -> Response:
    _log.error("could not be stored", reason=str(error))
    return _problem(503, str(error))


async def _not_usable(_request: Request, error: Exception) -> Response:
    return _problem(400, str(error))


async def _not_valid(_request: Request, error: Exception) -> Response:
    """The first thing that is wrong, and where; a path that cannot be is one that is not there."""
    assert isinstance(error, RequestValidationError)
    first: dict[str, Any] = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    if where[0] == "path":
        return _problem(404, f"there is no such {where[-1]}")
    words = f"{'.'.join(where[1:]) or where[0]}: {first['msg']}"
    return _problem(422, " ".join(words.split())[:300])


async def _not_routed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = {404: "there is nothing here", 405: "this is not done here"}.get(error.status_code)
    return _problem(error.status_code, detail or str(error.detail), dict(error.headers or {}))


async def _failed(_request: Request, _error: Exception) -> Response:
    return _problem(500, "this host failed; its log says why")
