"""Rigs, and scans as they would record them, drawn through a geometry that is known."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from darkscan.drivers.recording import RecordingWriter
from darkscan.drivers.rig import Geometry, Rig, drawn_geometry
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.geometry import PixelToStage, StageToElement
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo
from darkscan.pipeline.core.settings import check

Image = npt.NDArray[np.float32]
Kind = Literal["area", "line"]

PITCH_UM = 10.0
SIZE_MM = (24.0, 18.0)
SPACING_MM = 1.0


def make_rig(kind: Kind = "area", **changes: dict[str, Any]) -> Rig:
    """A rig of 512-pixel frames; ``changes`` go into the tables they name."""
    line = kind == "line"
    content: dict[str, dict[str, Any] | str] = {
        "name": "test rig",
        "element": {"size_mm": list(SIZE_MM)},
        "camera": {
            "producer": "camera.cti",
            "kind": kind,
            "width": 512,
            "height": 128 if line else 512,
            "exposure_us": 20.0,
            "rate_hz": 20_000.0,
        },
        "geometry": {"pitch_um": PITCH_UM, "origin_mm": [3.0, 2.0], "transposed": line},
        "motion": {
            "x": {"record": "X"},
            "y": {"record": "Y"},
            "velocity_mm_s": 100.0,
            "acceleration_mm_s2": 1000.0,
            "positions": "encoder" if line else "readback",
            "encoder_step_um": 1.0,
        },
        "scan": {"mode": "line" if line else "step", "frame_height_px": 512},
    }
    for table, values in changes.items():
        part = content[table]
        assert isinstance(part, dict)
        content[table] = {**part, **values}
    return check(content, Rig, file=None)


def true_geometry(
    rig: Rig, *, turned_mrad: float = 1.0, pitch_error: float = 0.01, skew_mrad: float = 0.2
) -> Geometry:
    """The drawn geometry with a turned camera, larger pixels, and a y axis that leans."""
    drawn = drawn_geometry(rig)
    turn, lean = turned_mrad / 1000, skew_mrad / 1000
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    skew = np.array([[1.0, lean], [0.0, 1.0]])
    pixel = (1 + pitch_error) * rotation @ drawn.pixel_to_stage.matrix
    stage = skew @ drawn.stage_to_element.matrix
    if rig.camera.kind == "line":  # rows follow the axis by the encoder's count
        pixel[:, 1] = stage[:, 0] * PITCH_UM / 1000
    (xx, xy), (yx, yy) = pixel.tolist()
    (sxx, sxy), (syx, syy) = stage.tolist()
    offset = drawn.stage_to_element
    return Geometry(
        pixel_to_stage=PixelToStage(xx=xx, xy=xy, yx=yx, yy=yy),
        stage_to_element=StageToElement(
            xx=sxx, xy=sxy, yx=syx, yy=syy, x=offset.x + 0.07, y=offset.y - 0.11
        ),
    )


def places_of_frame(
    geometry: Geometry, stage_mm: Float64Array, shape: tuple[int, int]
) -> Float64Array:
    """Where pixel centres lie on the element, mm (h, w, 2)."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    corner = geometry.stage_to_element.element_at(stage_mm)
    return geometry.pixel_to_stage.place(np.stack([x, y], axis=-1), corner.tolist())


@dataclass(frozen=True)
class Sensor:
    """What a camera adds of its own: (h, w) or (1, w)."""

    gain: Image | float = 1.0
    dark: Image | float = 0.0
    noise: float = 1.4

    def see(self, light: Image, rng: np.random.Generator, bit_depth: int = 8) -> npt.NDArray[Any]:
        noise = rng.normal(0, self.noise, light.shape).astype(np.float32)
        levels = (light * self.gain + self.dark + noise) * 2.0 ** (bit_depth - 8)
        dtype = np.uint8 if bit_depth == 8 else np.uint16
        return np.asarray(np.clip(np.rint(levels), 0, 2**bit_depth - 1), dtype)


def vignetting(shape: tuple[int, int], share: float = 0.3) -> Image:
    """The light that the lens lets through, 1 in the middle, 1 - ``share`` in the corners."""
    y, x = (np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape)
    squared = x**2 + y[:, None] ** 2
    return np.asarray(1 - share * squared / squared.max(), dtype=np.float32)


def stops(rig: Rig, size_mm: tuple[float, float] = SIZE_MM, overlap: float = 0.1) -> Float64Array:
    """Where the axes stand for frames that cover an element, strip by strip (strips, n, 2)."""
    drawn = drawn_geometry(rig)
    height, width = rig.frame_shape
    step = PITCH_UM / 1000 * (1 - overlap) * np.array([width, height])
    xs, ys = (np.arange(0, side, every) for side, every in zip(size_mm, step, strict=True))
    corners = np.array([[(x, y) for x in xs] for y in ys]) - 0.1
    return drawn.stage_to_element.stage_for(corners)


def record(
    path: Path,
    rig: Rig,
    places_mm: Float64Array,
    frames: list[npt.NDArray[Any]],
    /,
    **changes: Any,
) -> Path:
    """Records frames taken where the axes stood at ``places_mm`` (strips, n, 2)."""
    drawn = drawn_geometry(rig)
    strips = len(places_mm)
    metas = [
        FrameMeta(
            frame=number,
            strip=number // (len(frames) // strips),
            position_mm=(*drawn.stage_to_element.element_at(stage).tolist(), 0.0),
            exposure_ns=number,
        )
        for number, stage in enumerate(places_mm.reshape(-1, 2))
    ]
    content = {
        "element": "target",
        "element_size_mm": SIZE_MM,
        "region_mm": (0.0, 0.0, *SIZE_MM),
        "pitch_um": PITCH_UM,
        "pixel_to_stage": drawn.pixel_to_stage,
        "frame_shape": frames[0].shape,
        "pixel_type": rig.camera.pixel_type,
        "bit_depth": rig.camera.bit_depth,
        "frames_planned": len(metas),
        "rig": rig.name,
        **changes,
    }
    with RecordingWriter(path, check(content, ScanInfo, file=None), metas) as writer:
        for meta, pixels in zip(metas, frames, strict=True):
            writer.write(meta, pixels)
    return path
