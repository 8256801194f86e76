"""Frames of an instrument that does not exist: a tap step, fixed specks, noise and lines."""

import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

SIDE, STEP = 512, 256
LEVEL, SIGMA, STEP_LEVELS = 60.0, 1.5, 4
LINES = {
    "a.png": {"clear": [[[40, 60], [200, 110]]], "unsure": [[[400, 400], [440, 410]]]},
    "b.png": {"clear": [[[300, 300], [470, 390]]]},
    "c.png": {"clear": [[[60, 380], [210, 330]]], "faint": [[[330, 40], [400, 90]]]},
    "d.png": {"clear": [[[420, 120], [350, 230]]]},
    "e.png": {},
}
BRIGHTNESS = {"clear": 30.0, "faint": 6.0, "unsure": 6.0}


def write_frames(folder: Path) -> Path:
    """Writes the frames and their polylines.json into a new folder, which it gives back."""
    folder.mkdir()
    for number, (name, lines) in enumerate(LINES.items()):
        levels = pattern() + np.random.default_rng(number).normal(0, SIGMA, (SIDE, SIDE))
        for kind, drawn in lines.items():
            for line in drawn:
                levels += BRIGHTNESS[kind] * stroke(line)
        whole = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        assert cv2.imwrite(str(folder / name), whole)
    (folder / "polylines.json").write_text(json.dumps(LINES))
    return folder


def pattern() -> npt.NDArray[np.float64]:
    """What the sensor and the lamp make of an even surface, (512, 512)."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    levels = LEVEL - 8 * (y**2 + x**2)
    levels[:, STEP:] -= STEP_LEVELS
    specks = np.random.default_rng(99).integers(0, SIDE, (60, 2))
    levels[specks[:, 0], specks[:, 1]] -= 15
    return np.asarray(levels)


def stroke(line: list[list[int]]) -> npt.NDArray[np.float64]:
    """A line 2 px wide between pixels (x, y), of brightness 1."""
    drawn = np.zeros((SIDE, SIDE), np.float32)
    cv2.polylines(drawn, [np.array(line, np.int32)], isClosed=False, color=1.0, thickness=1)
    return np.asarray(np.minimum(cv2.GaussianBlur(drawn, (0, 0), 0.8) * 2, 1.0), np.float64)
