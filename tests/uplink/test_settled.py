"""What the host is told of settled frames."""

import numpy as np
import pytest

from darkscan.pipeline.core.frame_results import (
    DEFECT_KINDS,
    FrameResult,
    LedgerSums,
    ModelInfo,
    NotInspected,
    Stamp,
    Traces,
)
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.scan import ScanInfo
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.host_link.messages import decode_content, encode_content
from darkscan.pipeline.host_link.outbox import OutboxCounts
from darkscan.pipeline.transport.messages import RunState, Status
from darkscan.stages.uplink._health import Health
from darkscan.stages.uplink._settled import SettledFrames
from tests.builders import frame_meta, scan_info
from tests.mapping.hand_made import lines_of, spots_of

SCAN = scan_info((256, 384))
MODEL = ModelInfo(
    name="model", hash="sha256:0", window=256, stride=128, threshold=0.5, grow_threshold=0.3
)


def stamps(*started_ms: int, worker: int = 1) -> tuple[Stamp, ...]:
    """Each stage works for 10 ms; the frame was received 5 ms before the first began."""
    return tuple(
        Stamp(
            stage=stage,
            worker=worker if stage == "classification" else 0,
            received_ns=(started - 5) * 1_000_000,
            started_ns=started * 1_000_000,
            finished_ns=(started + 10) * 1_000_000,
        )
        for stage, started in zip(
            ("acquisition", "preprocessing", "classification"), started_ms, strict=True
        )
    )


def result(frame: int, scores: tuple[float, float] = (0.1, 0.9), **changes: object) -> FrameResult:
    fields = {
        "meta": frame_meta(frame, 1.5, 2.5),
        "origins": MODEL.origins(SCAN.frame_shape),
        "scores": np.array(scores, np.float32),
        "thumbnail": np.zeros((2, 2), np.uint8),
        "stamps": stamps(100, 130, 200),
    }
    return FrameResult.model_validate(fields | changes)


def test_frames_are_told_with_outcome_reason_place_and_scores() -> None:
    lost = NotInspected(meta=frame_meta(8), kind="lost", reason="the camera\nlost it")
    aside = NotInspected(meta=frame_meta(9), kind="quarantined", reason="x" * 1000)
    told = SettledFrames(SCAN, MODEL).describe([result(7), lost, aside, result(10, (0.5, 1.0))])
    assert told.frames.tolist() == [7, 8, 9, 10]
    assert told.outcomes.tolist() == [0, 2, 1, 0]
    assert told.reasons[1] == "the camera lost it"
    assert [len(reason) for reason in told.reasons] == [0, 18, 300, 0]
    assert told.places_mm[0].tolist() == [1.5, 2.5]
    assert told.positives.tolist() == [1, 0, 0, 2]
    assert told.scores.tolist() == [[26, 230], [0, 0], [0, 0], [128, 255]]
    assert told.stamps[:3, :3].tolist() == [[7, 0, 0], [7, 1, 0], [7, 2, 1]]
    assert decode_content(encode_content(told)).frames.tolist() == [7, 8, 9, 10]  # type: ignore[union-attr]


def test_lines_and_spots_are_told_in_millimetres() -> None:
    scan = updated(SCAN, pixel_to_stage=PixelToStage.from_pitch(10.0, flip_x=True))
    scratch, dig = [(10.0, 20.0), (30.0, 20.0)], [(0.0, 0.0), (4.0, 0.0), (0.0, 4.0)]
    lines = lines_of(scratch, kinds=(0.9, 0.05, 0.0, 0.0))
    fibres = lines_of(scratch, kinds=(0.1, 0.6, 0.0, 0.0))
    spots = spots_of(dig, kinds=(0.0, 0.0, 0.2, 0.7))
    told = SettledFrames(scan, MODEL).describe(
        [
            result(0, traces=Traces(lines=lines, spots=spots)),
            result(1, traces=Traces(lines=fibres)),
        ]
    )
    kinds = [DEFECT_KINDS[kind] for kind in told.shapes.kinds.tolist()]
    assert kinds == ["scratch", "dust", "fibre"]
    assert told.shapes.frames.tolist() == [0, 0, 1]
    assert told.shapes.counts.tolist() == [2, 3, 2]
    assert told.shapes.points_mm[:2] == pytest.approx(np.array([[1.4, 2.7], [1.2, 2.7]]))
    width = float(lines.measures[0, 0])
    assert told.shapes.widths_um.tolist() == pytest.approx([10 * width, 0.0, 10 * width])


def test_found_places_are_positive_windows_and_traces() -> None:
    describe = SettledFrames(SCAN, MODEL)
    assert describe.found_px(result(0, (0.1, 0.2))).shape == (0, 2)
    window = describe.found_px(result(0, (0.1, 0.9)))
    assert sorted(map(tuple, window.tolist())) == [(128, 0), (128, 256), (384, 0), (384, 256)]
    traced = lines_of([(1.0, 2.0), (3.0, 4.0)])
    assert len(describe.found_px(result(0, (0.1, 0.2), traces=Traces(lines=traced)))) == 2


def state(scan: ScanInfo, settled: int, **fields: object) -> RunState:
    sums = LedgerSums(captured=settled, mapped=settled, quarantined=0, lost=0, in_flight=0)
    del scan
    statuses = (
        Status(stage="acquisition", index=0, pid=1, frames=settled, sums=sums, doing="strip 1"),
        Status(stage="classification", index=1, pid=2, frames=settled, windows=9 * settled),
        Status(stage="uplink", index=0, pid=3, frames=0, doing="connected"),
    )
    content = {"statuses": statuses, "restarts": {"classification": 2}, "ended": {}}
    return RunState.model_validate({"stopping": False, "held": False, **content, **fields})


def test_health_has_progress_speed_and_latencies(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("darkscan.pipeline.running.rates.time.monotonic", lambda: clock[0])
    health = Health(frames_planned=100)
    counts = OutboxCounts(parcels=3, tiles=4, bytes=5, tiles_dropped=6, refused=0)
    health.progress(state(SCAN, 10), counts)
    health.note(result(0))
    health.note(NotInspected(meta=frame_meta(1), kind="lost", reason="lost"))
    clock[0] += 10
    told = health.progress(state(SCAN, 30, ended={"recording": "disk\nfull"}), counts)
    assert (told.frames_per_s, told.windows_per_s, told.left_s) == (2.0, 18.0, 35.0)
    assert told.doing == "strip 1"
    assert (told.parcels_waiting, told.tiles_dropped) == (3, 6)
    assert told.ended_early == {"recording": "disk full"}
    acquisition, classification, uplink = told.stages
    assert acquisition.waiting_ms == (5.0, 5.0)
    assert acquisition.working_ms == (10.0, 10.0)
    assert classification.waiting_ms == (60.0, 60.0)
    assert classification.restarts == 2
    assert uplink.waiting_ms is None
