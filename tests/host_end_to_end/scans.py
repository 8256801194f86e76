"""Recordings of small scans that take as long as is wanted."""

from pathlib import Path

from darkscan.drivers.recording import save_recording
from darkscan.simulation.element import SimulatedScan, simulate_element, size_of_patch

FRAME = 512
COLUMNS, ROWS = 6, 4
FRAMES = COLUMNS * ROWS


def record_scan(path: Path, *, frame_s: float = 0.25, seed: int = 3, element: str = "") -> Path:
    """A scan of small frames, 9 windows each; at recorded speed, one each ``frame_s``."""
    size = size_of_patch((COLUMNS, ROWS), frame_px=FRAME)
    truth = simulate_element(size, seed=seed)
    scan = SimulatedScan(truth, frame_px=FRAME, frame_s=frame_s, element=element)
    save_recording(path, scan)
    return path
