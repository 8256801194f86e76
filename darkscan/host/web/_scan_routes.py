"""Scans: what is kept of them, and what people say of their defects."""

from importlib.metadata import version
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from darkscan.host.store import (
    NewReview,
    Performance,
    Review,
    RigName,
    ScanDetails,
    ScanQuery,
    ScanState,
)
from darkscan.host.web._answers import COLUMNS, JSON, as_bytes, as_json, painting, reading
from darkscan.host.web._host import Host
from darkscan.host.web._models import DefectAnswer, Problem, ReviewsAnswer, ScansAnswer
from darkscan.pipeline.core.defect_map import Area, DefectMap

_LARGEST_NUMBER = 2**53
_VERSION = version("darkscan")
"""Another one may make other columns of a map."""

ScanParam = Annotated[
    str, Path(alias="scan", pattern=r"^[0-9a-f]{32}$", description="32 hexadecimal digits")
]
DefectParam = Annotated[str, Path(alias="defect", pattern=r"^D\d{4,10}$", description="as D0001")]
After = Annotated[
    int, Query(ge=0, lt=_LARGEST_NUMBER, description="0: all; else the revision last seen")
]

router = APIRouter(
    prefix="/api/scans",
    tags=["scans"],
    responses={
        404: {"model": Problem, "description": "There is no such thing."},
        422: {"model": Problem, "description": "A value cannot be; the line begins with its name."},
    },
)


def _bytes_of(kind: str, description: str) -> dict[int | str, dict[str, Any]]:
    schema = {"schema": {"type": "object"}} if kind == JSON else {}
    return {200: {"content": {kind: schema}, "description": description}}


@router.get("", response_model=ScansAnswer)
async def list_scans(  # noqa: PLR0913, PLR0917 - the parameters of the query
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[str, Query(max_length=100, description="`next` of the answer before")] = "",
    element: Annotated[str, Query(max_length=200, description="a part of its name")] = "",
    rig: Annotated[str | None, Query(max_length=200)] = None,
    state: ScanState | None = None,
    side: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """The scans that are kept, the newest first."""
    name = None if rig is None else RigName(rig)
    query = ScanQuery(limit, before, element, name, state, side)

    def work(host: Host) -> ScansAnswer:
        page = host.store.scans(query)
        return ScansAnswer.model_construct(scans=page.scans, next=page.next)

    return await as_json(request, await reading(request, work))


@router.get("/{scan}", response_model=ScanDetails)
async def scan_details(request: Request, scan: ScanParam) -> Response:
    """All about a scan except its frames, defects, areas and tiles."""

    def work(host: Host) -> ScanDetails:
        details = host.store.scan(scan)
        readable = host.pictures.reads_recording(scan)
        return details.model_copy(update={"reads_recording": readable})

    return await as_json(request, await reading(request, work))


@router.get(
    "/{scan}/frames", response_class=Response, responses=_bytes_of(COLUMNS, "Columns of frames.")
)
async def scan_frames(request: Request, scan: ScanParam, after: After = 0) -> Response:
    """The frames that changed after a revision, as columns; the header has `reasons`.

    Columns: number int32, x_mm and y_mm float32 (pixel corner (0, 0), as measured, or as
    planned), strip int32, outcome uint8 (0 mapped, 1 quarantined, 2 lost, 255 not yet),
    reason uint16 (its place in `reasons`), positives int32 (windows over the threshold).
    """
    packed = await reading(request, lambda host: host.store.frames(scan, after).packed())
    return await as_bytes(request, packed, COLUMNS)


@router.get(
    "/{scan}/shapes", response_class=Response, responses=_bytes_of(COLUMNS, "Columns of shapes.")
)
async def scan_shapes(request: Request, scan: ScanParam, after: After = 0) -> Response:
    """The lines and spots that were traced after a revision, frame by frame, as columns.

    Columns: points float32 (x and y in turn, mm), counts int32 (how many points each has),
    frame int32, kind uint8 (0 scratch, 1 fibre, 2 dig, 3 dust), width_um and contrast float32.
    """
    packed = await reading(request, lambda host: host.store.shapes(scan, after).packed())
    return await as_bytes(request, packed, COLUMNS)


@router.get(
    "/{scan}/defects", response_class=Response, responses=_bytes_of(COLUMNS, "Columns of defects.")
)
async def scan_defects(request: Request, scan: ScanParam) -> Response:
    """The defects of the map as columns; the header has the map's `sha256`.

    Columns: number int32 (D0001: 1), kind uint8 (0 scratch, 1 fibre, 2 dig, 3 dust),
    probability (NaN: unknown), length_mm, width_um, contrast, x_mm and y_mm (its middle)
    float32, box float32 (x, y, width, height in turn), points float32 (x and y in turn: the
    centre line, or the outline), counts int32 (how many points each has), area int32 (A0001:
    1; -1: beside all areas).
    """
    found = await reading(request, lambda host: host.store.defects(scan))
    return await as_bytes(request, found.packed, COLUMNS, digest=f"{_VERSION}-{found.sha256[:24]}")


@router.get("/{scan}/defects/{defect}", response_model=DefectAnswer)
async def one_defect(request: Request, scan: ScanParam, defect: DefectParam) -> Response:
    """A defect as the map has it, its reviews, its picture's place, and where to drive to."""

    def work(host: Host) -> DefectAnswer:
        found = host.store.defect(scan, defect)
        reviews = [each for each in host.store.reviews(scan) if each.defect == defect]
        return DefectAnswer.model_construct(
            **{name: getattr(found, name) for name in type(found).model_fields},
            reviews=tuple(reviews),
            stage_mm=host.pictures.stage_place(scan, found.centroid_mm),
            picture=host.pictures.about(scan, found),
        )

    return await as_json(request, await reading(request, work))


@router.get(
    "/{scan}/defects/{defect}/picture",
    response_class=Response,
    responses=_bytes_of("image/png", "The picture."),
)
async def picture_of_defect(
    request: Request,
    scan: ScanParam,
    defect: DefectParam,
    view: Annotated[
        Literal["raw", "equalized", "attention"],
        Query(description="stretched; locally equalized; with what the model saw"),
    ] = "raw",
) -> Response:
    """A defect's surroundings, a pixel of the camera being a pixel of the picture.

    404 where the pixels cannot be had: no recording can be read here and no tiles of level 0
    were sent; or for `attention` where the frames' scores are not kept.
    """
    png = await painting(request, lambda host: host.pictures.of_defect(scan, defect, view))
    return await as_bytes(request, png, "image/png", cache="private, max-age=3600")


@router.get("/{scan}/areas", response_model=list[Area])
async def scan_areas(request: Request, scan: ScanParam) -> Response:
    """The map's areas, as its schema describes them."""
    return await as_bytes(
        request, await reading(request, lambda host: host.store.areas(scan)), JSON
    )


@router.get("/{scan}/map", response_model=DefectMap)
async def scan_map(request: Request, scan: ScanParam) -> Response:
    """The defect map, byte for byte as the rig wrote it; an older rig's is of version 2."""
    content = await reading(request, lambda host: host.store.map_bytes(scan))
    return await as_bytes(request, content, JSON, attached="defect-map.json")


@router.get("/{scan}/run", response_class=Response, responses=_bytes_of(JSON, "run.json"))
async def scan_run(request: Request, scan: ScanParam) -> Response:
    """What the run was told to do, byte for byte as the rig wrote it."""
    content = await reading(request, lambda host: host.store.run_bytes(scan))
    return await as_bytes(request, content, JSON, attached="run.json")


@router.get("/{scan}/trace", response_class=Response, responses=_bytes_of(JSON, "trace.json"))
async def scan_trace(request: Request, scan: ScanParam) -> Response:
    """When each stage worked on each frame; opens in ui.perfetto.dev."""
    content = await reading(request, lambda host: host.store.trace_bytes(scan))
    return await as_bytes(request, content, JSON, attached="trace.json")


@router.get("/{scan}/performance", response_model=Performance)
async def scan_performance(request: Request, scan: ScanParam) -> Response:
    """How long frames waited for each stage, and how long it worked on them."""
    return await as_json(
        request, await reading(request, lambda host: host.store.stage_timings(scan))
    )


@router.get("/{scan}/reviews", response_model=ReviewsAnswer)
async def scan_reviews(request: Request, scan: ScanParam, after: After = 0) -> Response:
    """What people said of the scan's defects, with numbers above `after`."""

    def work(host: Host) -> ReviewsAnswer:
        return ReviewsAnswer.model_construct(reviews=host.store.reviews(scan, after))

    return await as_json(request, await reading(request, work))


@router.post("/{scan}/reviews", status_code=201, response_model=Review)
async def add_review(request: Request, scan: ScanParam, review: NewReview) -> Response:
    """Appends what somebody says of a defect to the log of reviews."""
    kept = await reading(request, lambda host: host.store.review(scan, review))
    return await as_json(request, kept, 201)
