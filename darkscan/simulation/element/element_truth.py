"""The ground truth of a simulated element: what lies where, in pixels and millimetres."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self, get_args

import numpy as np

from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.files import write_atomically
from darkscan.pipeline.core.inputs import read_text
from darkscan.simulation.element.strokes import Strokes

TRUTH_VERSION = 2

ScratchKind = Literal["straight", "curved", "tapered", "gappy", "dashed", "discontinuous", "swirl"]
HairKind = Literal["hair", "fibre"]
TraceKind = ScratchKind | HairKind
SCRATCH_KINDS: tuple[str, ...] = get_args(ScratchKind)
_TRACE_KINDS: tuple[str, ...] = (*SCRATCH_KINDS, *get_args(HairKind))


@dataclass(frozen=True)
class Trace:
    """A scratch, or a hair or fibre that is none.

    ``vertices`` (K, 2) float64 are (x, y) in the element's pixels, (0, 0) the outer
    corner of its first pixel; ``amplitude`` (K,) float64 the grey levels over the
    background, at 8 bit, at each of them; ``fwhm_px`` the width of the cross-section.
    """

    id: int
    kind: TraceKind
    vertices: Float64Array
    amplitude: Float64Array
    fwhm_px: float

    @property
    def is_scratch(self) -> bool:
        """Whether an inspection ought to find it."""
        return self.kind in SCRATCH_KINDS

    @cached_property
    def length_px(self) -> float:
        """The length along the line from end to end, gaps included."""
        return float(np.hypot(*np.diff(self.vertices, axis=0).T).sum())

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        """The box (x0, y0, x1, y1) around the vertices, element pixels."""
        (x0, y0), (x1, y1) = self.vertices.min(axis=0), self.vertices.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)

    @cached_property
    def strokes(self) -> Strokes:
        """The strokes that draw it, in element pixels."""
        return Strokes.along(self.vertices, self.amplitude, self.fwhm_px)


@dataclass(frozen=True)
class Dig:
    """A pit or a large grain: a round bright spot (centre in element pixels) in a halo.

    ``radius_px`` is the Gaussian's sigma, ``amplitude`` its peak in grey levels at 8 bit;
    the halo is ``halo`` times as bright and four times as wide.
    """

    id: int
    x: float
    y: float
    radius_px: float
    amplitude: float
    halo: float = 0.08


@dataclass(frozen=True)
class ElementTruth:
    """Everything needed to render an element of (width, height) pixels, at any place.

    Background and dust follow from ``seed``, ``preset`` and ``dust_per_10k_px`` alone.
    """

    size_px: tuple[int, int]
    seed: int
    preset: str
    dust_per_10k_px: float
    traces: tuple[Trace, ...] = field(default=())
    digs: tuple[Dig, ...] = field(default=())

    @property
    def scratches(self) -> tuple[Trace, ...]:
        """The traces that an inspection ought to find."""
        return tuple(trace for trace in self.traces if trace.is_scratch)

    def save(self, file: Path, *, pitch_um: float) -> None:
        """Writes it as JSON, with places in pixels and, for the reader, in mm.

        Raises StorageError.
        """
        mm = pitch_um / 1000.0
        document = {
            "format": "darkscan-truth",
            "version": TRUTH_VERSION,
            "pitch_um": pitch_um,
            "size_px": list(self.size_px),
            "size_mm": [side * mm for side in self.size_px],
            "seed": self.seed,
            "preset": self.preset,
            "dust_per_10k_px": self.dust_per_10k_px,
            "traces": [_trace_record(trace, mm) for trace in self.traces],
            "digs": [{**vars(dig), "centre_mm": [dig.x * mm, dig.y * mm]} for dig in self.digs],
        }
        if not file.parent.is_dir():
            raise StorageError(file, f"there is no folder {file.parent}")
        write_atomically(file, (json.dumps(document) + "\n").encode())

    @classmethod
    def load(cls, file: Path) -> Self:
        """Reads what ``save`` wrote. Raises InputError."""
        text = read_text(file)
        try:
            document = json.loads(text)
        except ValueError as error:
            raise InputError(f"not a ground truth: {error}", file=file) from error
        if not isinstance(document, dict) or document.get("format") != "darkscan-truth":
            raise InputError("not a ground truth of a simulated element", file=file)
        if document.get("version") != TRUTH_VERSION:
            problem = f"version {document.get('version')} is unknown, expected {TRUTH_VERSION}"
            raise InputError(problem, file=file, field="version")
        try:
            return cls(
                size_px=(int(document["size_px"][0]), int(document["size_px"][1])),
                seed=int(document["seed"]),
                preset=str(document["preset"]),
                dust_per_10k_px=float(document["dust_per_10k_px"]),
                traces=tuple(_trace(record) for record in document["traces"]),
                digs=tuple(_dig(record) for record in document["digs"]),
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise InputError(f"not a whole ground truth: {error!r}", file=file) from error


def _trace_record(trace: Trace, mm: float) -> dict[str, Any]:
    return {
        "id": trace.id,
        "kind": trace.kind,
        "is_scratch": trace.is_scratch,
        "fwhm_px": trace.fwhm_px,
        "length_mm": trace.length_px * mm,
        "box_mm": [side * mm for side in trace.box],
        "vertices_px": trace.vertices.tolist(),
        "vertices_mm": np.round(trace.vertices * mm, 6).tolist(),
        "amplitude": trace.amplitude.tolist(),
    }


def _trace(record: dict[str, Any]) -> Trace:
    if record["kind"] not in _TRACE_KINDS:
        raise ValueError(f"unknown kind of trace {record['kind']!r}")
    vertices = np.array(record["vertices_px"], dtype=np.float64)
    amplitude = np.array(record["amplitude"], dtype=np.float64)
    if vertices.shape != (len(amplitude), 2) or len(amplitude) <= 1:
        raise ValueError(f"trace {record['id']} has no whole polyline")
    return Trace(int(record["id"]), record["kind"], vertices, amplitude, float(record["fwhm_px"]))


def _dig(record: dict[str, Any]) -> Dig:
    numbers = (float(record[name]) for name in ("x", "y", "radius_px", "amplitude", "halo"))
    return Dig(int(record["id"]), *numbers)
