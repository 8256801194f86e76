"""How the host is: for people who watch over it, and the programs they do it with."""

import os
import shutil
import tempfile
from importlib.metadata import version

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from darkscan.host.web._answers import reading
from darkscan.host.web._host import Host
from darkscan.host.web._models import HealthAnswer

LEAST_FREE = 512 * 2**20
"""With fewer bytes left on the disk the host says that it is failing."""

_PROBE_BYTES = 4096

router = APIRouter(tags=["operations"])


@router.get(
    "/healthz",
    response_model=HealthAnswer,
    responses={503: {"model": HealthAnswer, "description": "Something is wrong."}},
)
async def health(request: Request) -> Response:
    """Whether the store can be written, rigs be heard, and the disk has room; needs no token."""
    problems = await reading(request, problems_of)
    answer = HealthAnswer(
        status="failing" if problems else "ok", problems=problems, version=version("darkscan")
    )
    return JSONResponse(
        answer.model_dump(), 503 if problems else 200, headers={"cache-control": "no-store"}
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "As Prometheus reads them."}},
)
async def metrics(request: Request) -> Response:
    """How many, how long, how much; docs/reference/host-api.md explains each figure."""

    def work(host: Host) -> tuple[bytes, str]:
        return host.metrics.text(host.store, rigs=host.link.rigs)

    content, kind = await reading(request, work)
    return Response(content, headers={"cache-control": "no-store"}, media_type=kind)


def problems_of(host: Host) -> list[str]:
    """What keeps the host from its work, a line each."""
    problems = [host.link.problem] if host.link.problem else []
    try:
        # Only writing shows whether the disk takes anything: not full, not read-only, not gone.
        with tempfile.TemporaryFile(dir=host.folder) as probe:
            probe.write(b"0" * _PROBE_BYTES)
            probe.flush()
            os.fsync(probe.fileno())
        free = shutil.disk_usage(host.folder).free
    except OSError as error:
        return [*problems, f"the store cannot be written: {error.strerror}"]
    if free < LEAST_FREE:
        problems.append(f"the store's disk has {free // 2**20} MiB left")
    return problems
