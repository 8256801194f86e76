"""Making the map of a whole side: 1100 frames, 247 500 windows, 810 x 460 mm at 10 um.

    python benchmarks/mapping.py [--positive 0.002] [--rotation-mrad 1]

Scores are drawn at random; what is timed is all that merging does after the last frame.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from figures import machine

from darkscan.pipeline.core.frame_results import FrameResult, Inspected, LedgerSums, ModelInfo
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo
from darkscan.stages.merging import write_map

COLUMNS, ROWS = 44, 25
SIZE_MM = (810.0, 460.0)


def main() -> None:
    """Prints seconds, defects and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--positive", type=float, default=0.002, help="share of the windows")
    parser.add_argument("--rotation-mrad", type=float, default=0.0, help="of the camera")
    arguments = parser.parse_args()
    inspected = _side(arguments.positive, arguments.rotation_mrad)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        defect_map = write_map(inspected, Path(folder), 2048)
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(machine())
    areas, lines = len(defect_map.areas), len(defect_map.defects)
    print(f"{seconds:.1f} s to all files, {areas} areas, {lines} defects, peak {peak:.0f} MiB")


def _side(positive: float, rotation_mrad: float) -> Inspected:
    rng = np.random.default_rng(0)
    origins = window_origins((2048, 2048), 256, 128)
    xs = np.linspace(0, SIZE_MM[0] - 20.48, COLUMNS)
    ys = np.linspace(0, SIZE_MM[1] - 20.48, ROWS)
    results = []
    for number in range(COLUMNS * ROWS):
        x, y = float(xs[number % COLUMNS]), float(ys[number // COLUMNS])
        meta = FrameMeta(
            frame=number, strip=number // COLUMNS, position_mm=(x, y, 0.0), exposure_ns=0
        )
        scores = np.where(rng.random(len(origins)) < positive, 0.9, 0.1).astype(np.float32)
        thumbnail = rng.integers(10, 30, (51, 51), dtype=np.uint8)
        results.append(FrameResult(meta=meta, origins=origins, scores=scores, thumbnail=thumbnail))
    scan = ScanInfo(
        element="whole side",
        element_size_mm=SIZE_MM,
        region_mm=(0.0, 0.0, *SIZE_MM),
        pitch_um=10.0,
        pixel_to_stage=PixelToStage.from_pitch(10.0, rotation_mrad=rotation_mrad),
        frame_shape=(2048, 2048),
        pixel_type="uint8",
        bit_depth=8,
        frames_planned=len(results),
    )
    model = ModelInfo(
        name="random", hash="-", window=256, stride=128, threshold=0.5, grow_threshold=0.5
    )
    count = len(results)
    return Inspected(
        scan=scan,
        recipe_name="default",
        recipe_hash="-",
        model=model,
        results=tuple(results),
        not_inspected=(),
        sums=LedgerSums(captured=count, mapped=count, quarantined=0, lost=0, in_flight=0),
    )


if __name__ == "__main__":
    main()
