"""What is known of a run's scan before its first frame, as the host is told."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from darkscan.pipeline.core.geometry import StageToElement
from darkscan.pipeline.core.scan import FrameMeta
from darkscan.pipeline.host_link.messages import ScanBegan
from darkscan.pipeline.running.specification import RunSpec
from darkscan.stages.uplink._pyramid import pyramid_of
from darkscan.stages.uplink.words import utc, words

_LONGEST_NAME = 200
_LONGEST_PATH = 4096


class Plan(NamedTuple):
    """What a scan sets out to take."""

    frames: Sequence[FrameMeta]
    """All of them, in scan order."""

    stage_to_element: StageToElement | None
    """Where the axes lead; None: no rig's scan."""


def plan_of(run_dir: Path, spec: RunSpec) -> Plan:
    """The plan of a run. Raises InputError if it cannot be read any more."""
    if spec.recording is not None:
        from darkscan.drivers.recording import Recording

        with Recording(spec.recording) as recording:
            return Plan(recording.frames, None)
    from darkscan.drivers.planning import LiveScan

    scan = LiveScan.read(run_dir)
    return Plan([frame.meta for frame in scan.plan.frames], scan.geometry.stage_to_element)


def scan_began(spec: RunSpec, plan: Plan, began: datetime) -> ScanBegan:
    """The beginning of a run's scan."""
    scan, model = spec.scan, spec.model
    recording = str(spec.recording or spec.record or "")
    return ScanBegan(
        element=words(scan.element, _LONGEST_NAME),
        side=words(scan.side, _LONGEST_NAME),
        element_size_mm=scan.element_size_mm,
        region_mm=scan.region_mm,
        pitch_um=scan.pitch_um,
        origin="run" if spec.recording is None else "replay",
        began=utc(began),
        rig=words(scan.rig, _LONGEST_NAME),
        calibration=words(scan.calibration),
        recipe=words(spec.recipe.name, _LONGEST_NAME),
        recipe_hash=spec.recipe_hash,
        model=words(model.name, _LONGEST_NAME),
        model_hash=model.hash,
        window=model.window,
        stride=model.stride,
        threshold=model.threshold,
        grow_threshold=model.grow_threshold,
        recording=recording if len(recording) <= _LONGEST_PATH else "",
        frame_shape=scan.frame_shape,
        pixel_to_stage=scan.pixel_to_stage,
        stage_to_element=plan.stage_to_element,
        picture=pyramid_of(scan),
        **plan_columns(plan.frames),
    )


def plan_columns(frames: Sequence[FrameMeta]) -> dict[str, object]:
    """Numbers, strips and places of planned frames, as ``ScanBegan`` has them."""
    places = [meta.position_mm[:2] for meta in frames]
    return {
        "frames": np.array([meta.frame for meta in frames], np.int64),
        "strips": np.array([meta.strip for meta in frames], np.int32),
        "places_mm": np.array(places, np.float64).reshape(-1, 2),
    }


def scan_facts(run_dir: Path, spec: RunSpec) -> dict[str, object]:
    """What is kept of a scan beside its map, so that a host can be told of it later."""
    stage_to_element = None
    if spec.recording is None:
        stage_to_element = plan_of(run_dir, spec).stage_to_element
    return {
        "scan_id": spec.scan_id,
        "scan": spec.scan.model_dump(mode="json"),
        "stage_to_element": (
            None if stage_to_element is None else stage_to_element.model_dump(mode="json")
        ),
    }
