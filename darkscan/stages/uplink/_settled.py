"""What the host is told of settled frames: their scores, and what was traced, in millimetres."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.frame_results import (
    STAGES,
    FrameResult,
    LineMeasures,
    ModelInfo,
    SpotMeasures,
    Stamp,
)
from darkscan.pipeline.core.scan import ScanInfo
from darkscan.pipeline.core.trace_kinds import line_kinds, spot_kinds
from darkscan.pipeline.host_link.messages import OUTCOMES, FramesSettled, Shapes
from darkscan.pipeline.transport.journal import Settled, outcome
from darkscan.stages.uplink.words import words

_CERTAIN = 255
_CORNERS = ((0, 0), (1, 0), (0, 1), (1, 1))


class SettledFrames:
    """Describes settled frames of one run."""

    def __init__(self, scan: ScanInfo, model: ModelInfo) -> None:
        self._pixel_to_stage = scan.pixel_to_stage
        self._pixel_um = 1000 * float(np.sqrt(scan.pixel_to_stage.pixel_area_mm2))
        self._origins = model.origins(scan.frame_shape)
        self._window = model.window
        self._threshold = model.threshold

    def describe(self, records: Sequence[Settled]) -> FramesSettled:
        """Frames as the host is told of them."""
        count = len(records)
        scores = np.zeros((count, len(self._origins)), np.uint8)
        positives = np.zeros(count, np.int32)
        for row, record in enumerate(records):
            if isinstance(record, FrameResult):
                certainty = np.nan_to_num(record.scores, nan=0.0).clip(0, 1)
                scores[row] = np.rint(_CERTAIN * certainty)
                positives[row] = int((record.scores >= self._threshold).sum())
        results = [record for record in records if isinstance(record, FrameResult)]
        places = [record.meta.position_mm[:2] for record in records]
        return FramesSettled(
            frames=np.array([record.meta.frame for record in records], np.int64),
            outcomes=np.array([OUTCOMES.index(outcome(record)) for record in records], np.uint8),
            reasons=tuple(
                "" if isinstance(record, FrameResult) else words(record.reason)
                for record in records
            ),
            places_mm=np.array(places, np.float64).reshape(count, 2),
            positives=positives,
            scores=scores,
            shapes=self._shapes(results),
            stamps=_stamps(results),
        )

    def found_px(self, result: FrameResult) -> Float64Array:
        """Points (P, 2) of a frame where something was found.

        Those of all lines and spots, and the corners of each positive window.
        """
        origins = self._origins[np.asarray(result.scores) >= self._threshold][:, ::-1]
        corners = [origins + np.multiply(step, self._window) for step in _CORNERS]
        traced = [result.traces.lines.points, result.traces.spots.points]
        return np.concatenate([*corners, *traced]).astype(np.float64)

    def _shapes(self, results: Sequence[FrameResult]) -> Shapes:
        parts = [part for result in results for part in self._of_frame(result)]
        if not parts:
            return Shapes.none()
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        points, counts, frames, kinds, widths, contrasts = columns
        return Shapes(
            points_mm=points.astype(np.float32),
            counts=counts.astype(np.int32),
            frames=frames.astype(np.int64),
            kinds=kinds.astype(np.uint8),
            widths_um=widths.astype(np.float32),
            contrasts=contrasts.astype(np.float32),
        )

    def _of_frame(self, result: FrameResult) -> list[tuple[npt.NDArray[np.generic], ...]]:
        """A frame's lines and its spots: points in mm, counts, frame, kind, width, contrast."""
        lines, spots = result.traces.lines, result.traces.spots
        width = LineMeasures._fields.index("width")
        line_contrast = LineMeasures._fields.index("contrast")
        spot_contrast = SpotMeasures._fields.index("contrast")
        return [
            (
                self._pixel_to_stage.place(shapes.points, result.meta.position_mm),
                shapes.counts,
                np.full(len(shapes.counts), result.meta.frame),
                kinds,
                widths,
                shapes.measures[:, contrast],
            )
            for shapes, kinds, widths, contrast in (
                (
                    lines,
                    line_kinds(lines),
                    lines.measures[:, width] * self._pixel_um,
                    line_contrast,
                ),
                (spots, spot_kinds(spots), np.zeros(len(spots.counts)), spot_contrast),
            )
            if len(shapes.counts)
        ]


def _stamps(results: Sequence[FrameResult]) -> npt.NDArray[np.int64]:
    rows = [
        (
            result.meta.frame,
            STAGES.index(stamp.stage),
            stamp.worker,
            stamp.received_ns,
            stamp.started_ns,
            stamp.finished_ns,
        )
        for result in results
        for stamp in result.stamps
        if stamp.stage in STAGES
    ]
    return np.array(rows, np.int64).reshape(-1, 6)


def waits(stamps: Sequence[Stamp]) -> list[tuple[Stamp, int]]:
    """A frame's stamps in order, each with how long the frame had waited for that stage, ns."""
    found = []
    ready: int | None = None
    for stamp in sorted(stamps, key=lambda each: each.started_ns):
        since = stamp.received_ns if ready is None else ready
        found.append((stamp, max(0, stamp.started_ns - since)))
        ready = stamp.finished_ns
    return found
