"""A scan whose pixels are drawn, and the map that was made of it."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from darkscan.drivers.recording import save_recording
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.defect_map import DefectMap, to_json
from darkscan.pipeline.core.frame_results import Traces
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo
from darkscan.stages.merging import build_map
from tests.mapping.hand_made import frames_of, inspected, lines_of, result, scan_info, spots_of

SIDE, STEP = 512, 448
GREY, BRIGHT = 40, 220
LONG = [(100, 100), (800, 450)]
SHORT = [(600, 700), (660, 700)]
SPOT = (200, 700)
"""Pixels of the whole element, x and y."""


class Painted:
    """Two by two frames of 512 pixels: two scratches, and a spot; a FrameSource."""

    def __init__(self, **changes: object) -> None:
        size = (STEP + SIDE) / 100
        fields = {
            "element_size_mm": (size, size),
            "region_mm": (0.0, 0.0, size, size),
            "frame_shape": (SIDE, SIDE),
        }
        self.info: ScanInfo = scan_info(**fields | changes)
        self.frames: Sequence[FrameMeta] = frames_of(2, 2, STEP)
        self.element: Pixels = np.full((STEP + SIDE, STEP + SIDE), GREY, np.uint8)
        for first, last in (LONG, SHORT):
            cv2.line(self.element, first, last, BRIGHT, 2)
        cv2.circle(self.element, SPOT, 5, BRIGHT, cv2.FILLED)

    def read_into(self, index: int, out: Pixels) -> None:
        x, y = self._corner(index)
        out[...] = self.element[y : y + SIDE, x : x + SIDE]

    def close(self) -> None:
        """Nothing is held open."""

    def _corner(self, index: int) -> tuple[int, int]:
        x, y = (round(mm * 100) for mm in self.frames[index].position_mm[:2])
        return x, y

    def map(self) -> DefectMap:
        """What an inspection that misses nothing finds."""
        results = []
        for index, meta in enumerate(self.frames):
            corner = np.array(self._corner(index))
            lines = [
                part for line in (LONG, SHORT) if len(part := _within(np.array(line) - corner)) > 1
            ]
            angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
            ring = np.array(SPOT) - corner + 5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
            spots = [ring.tolist()] if (ring > 0).all() and (ring < SIDE).all() else []
            traces = Traces(lines=lines_of(*lines), spots=spots_of(*spots))
            done = result(meta, [(0, 0), (128, 128), (256, 256)], scan=self.info)
            results.append(done.model_copy(update={"traces": traces}))
        return build_map(inspected(results, scan=self.info))

    def save(self, folder: Path) -> tuple[Path, Path]:
        """Writes a folder of results and the recording; returns both."""
        results, recording = folder / "results", folder / "scan.h5"
        results.mkdir()
        (results / "defect-map.json").write_text(to_json(self.map()), encoding="utf-8")
        save_recording(recording, self)
        return results, recording


def _within(line: np.ndarray) -> list[tuple[float, float]]:
    """The part of a straight line that a frame shows, as points a pixel apart."""
    along = np.linspace(0, 1, round(float(np.hypot(*(line[1] - line[0])))))[:, None]
    points = line[0] + along * (line[1] - line[0])
    return [(x, y) for x, y in points.tolist() if 0 <= x <= SIDE and 0 <= y <= SIDE]
