"""The search within a frame: from its positive windows to the lines that are scratches."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.centrelines._cell_kinds import CellKinds
from darkscan.centrelines._chains import Chain, join, trace
from darkscan.centrelines._line_map import LineMap
from darkscan.centrelines._measuring import Line, measure, unbroken
from darkscan.centrelines._ridges import HALVED, find_ridges
from darkscan.centrelines._spots import find_spots
from darkscan.centrelines._straightening import Rows, Strip, straighten
from darkscan.pipeline.core.arrays import Float32Array, Float64Array, Mask, Pixels
from darkscan.pipeline.core.frame_results import (
    KINDS,
    Centrelines,
    Spots,
    Traces,
    how_many_fit,
)

_ROUNDS = 2  # rounds of joining: a joined chain reaches further
_LEAST_EXCESS = 26.0  # sigmas: most chains of dust have less, nearly all that are kept more
_LEAST_SEEN = 0.5  # least excess of a path of the line map, in cells a scratch surely crosses
_MOST_CANDIDATES = 100
_NATS_A_CELL = 7.0  # of a cell seen with certainty: ln(0.9 / 0.1) more than ln(0.01 / 0.99)
_SHORTEST = 5.0  # from end to end of a chain, pixels of the halved frame
_END = 12  # points at the end of a chain that show where it goes on
_FURTHER, _FURTHER_THAN_SEEN = 4, 12  # pixels it goes on: a chain of crests, a path of the map
_LEAST_FREE = 0.5  # share of a chain that no line found before has claimed
_CLAIM = 5  # width of what a line claims, pixels of the halved frame
_FINENESS = 64  # places are given in so many parts of a pixel, so that rounding cannot differ


class Windows(NamedTuple):
    """The windows of a frame and what the model saw in them.

    ``origins`` (N, 2), the first pixel (y, x) of each window of ``window`` pixels; ``positive``
    (N,) those in which scratches are sought; ``lines`` (N, cells, cells) float32, the probability
    that a scratch crosses a cell, None if the model has no line map; ``kinds`` (N, cells, cells)
    float32, the number of each cell's likeliest kind plus its probability, None if the model
    does not tell kinds.
    """

    origins: npt.NDArray[np.int32]
    window: int
    positive: Mask
    lines: Float32Array | None = None
    kinds: Float32Array | None = None


def trace_frame(frame: Pixels, full_scale: float, windows: Windows) -> Traces:
    """The scratches within a frame's positive windows; and if the model tells kinds, all others.

    frame: (H, W) uint8 or uint16, full_scale: the camera's largest grey level. The same
    arguments give the same traces.
    """
    kinds = None
    if windows.kinds is not None and len(windows.kinds):
        shape = (frame.shape[0], frame.shape[1])
        kinds = CellKinds.of(windows.origins, windows.kinds, windows.window, shape)
    lines = find_centrelines(frame, full_scale, windows, kinds)
    return Traces(
        lines=lines, spots=Spots.none() if kinds is None else find_spots(frame, full_scale, kinds)
    )


def find_centrelines(
    frame: Pixels, full_scale: float, windows: Windows, kinds: CellKinds | None = None
) -> Centrelines:
    """The scratches within positive windows of a frame, and all fibres that the model sees.

    frame: (H, W) uint8 or uint16, full_scale: the camera's largest grey level; kinds: of all the
    frame's cells, None if the model does not tell them. Outside of the windows only fibres are
    sought; with line maps, which make it many times faster, nothing away from what they show.
    The same arguments give the same lines. Where more are found than a frame may have, the
    strongest stay, and the others are counted.
    """
    origins, window = windows.origins[windows.positive], windows.window
    lines = None if windows.lines is None else windows.lines[windows.positive]
    search = _Search(frame, full_scale, origins, window)
    if len(origins) and lines is None:
        search.follow_crests(search.mask)
    elif len(origins) and lines is not None:
        line_map = LineMap.of(origins, lines, window, search.shape)
        search.follow(line_map.paths(), near=False)
        rest = line_map.unexplained([line.points / HALVED - 0.5 for line in search.found])
        if rest is not None:
            search.follow_crests(search.mask & rest[: len(search.mask), : search.mask.shape[1]])
    if kinds is not None and kinds.where("fibre").any():
        fibres = LineMap(kinds.probability_of("fibre"), kinds.cell // HALVED)
        search.mask[:] = 1
        search.follow(fibres.paths(), near=False, bent=True)
    return _packed(search.found, kinds)


class _Search:
    """The lines found within windows so far; a chain along an earlier line adds no new one."""

    def __init__(
        self, frame: Pixels, full_scale: float, origins: npt.NDArray[np.int32], window: int
    ) -> None:
        height, width = self.shape = frame.shape
        self.found: list[Line] = []
        self.mask = np.zeros((height // HALVED, width // HALVED), np.uint8)
        firsts, ends = -(-origins // HALVED), (origins + window) // HALVED
        for top, left, bottom, right in np.concatenate([firsts, ends], axis=1).tolist():
            self.mask[top:bottom, left:right] = 1
        self._frame = frame
        self._full_scale = full_scale
        self._claimed = np.zeros_like(self.mask)

    def follow_crests(self, mask: npt.NDArray[np.uint8]) -> None:
        """Adds the lines along crests of the frame's brightness within a mask."""
        chains = trace(find_ridges(self._frame, mask))
        self.follow(chains, near=True)

    def follow(self, chains: list[Chain], *, near: bool, bent: bool = False) -> None:
        """Adds the lines along chains, the most promising first.

        near: whether they are chains of crests, and not paths of the line map; bent: whether
        they may have kinks, as fibres have.
        """
        further = _FURTHER if near else _FURTHER_THAN_SEEN
        wanted, seen = [], []
        for chain in _candidates(chains, _LEAST_EXCESS if near else _LEAST_SEEN):
            rest = chain.points
            if self.found:
                rest = rest[_free_part(rest, self._claimed)]
            if len(rest) and math.dist(rest[0], rest[-1]) >= _SHORTEST:
                # The middle of a pixel of the halved frame is the corner of four of the frame's.
                wanted.append(HALVED * (_extended(rest, self.mask, further) + 0.5))
                seen.append(0.0 if near else _NATS_A_CELL * chain.excess)
        strips = straighten(self._frame, wanted, self._full_scale, near=near)
        for strip, nats in zip(strips, seen, strict=True):
            self._add(strip, nats, whole=bent)

    def _add(self, strip: Strip, seen: float, *, whole: bool) -> None:
        strip = strip.part(_on_frame(strip.points, self.shape))
        free = strip.part(_free_part(strip.points / HALVED - 0.5, self._claimed))
        stretches = [slice(0, len(free.points))] if whole else list(unbroken(free.points))
        for stretch in stretches:
            share = seen * (stretch.stop - stretch.start) / max(len(free.points), 1)
            for line in measure(free.part(stretch), self._full_scale, share):
                path = np.rint(line.points / HALVED - 0.5).astype(np.int32)
                if _is_claimed(path, self._claimed):  # the chain has moved onto a brighter line
                    continue
                cv2.polylines(self._claimed, [path], isClosed=False, color=1, thickness=_CLAIM)
                self.found.append(line)


def _candidates(chains: list[Chain], least_excess: float) -> list[Chain]:
    """The chains worth a closer look, the most promising first."""
    for _ in range(_ROUNDS):
        chains = join(chains)
    promising = [chain for chain in chains if chain.excess >= least_excess]
    return sorted(promising, key=lambda chain: -chain.excess)[:_MOST_CANDIDATES]


def _on_frame(points: Float64Array, shape: tuple[int, int]) -> slice:
    """The longest stretch of a polyline (K, 2) on a frame of (height, width).

    A chain is smoothed, and may end a little beyond the border.
    """
    inside = ((points >= 0) & (points <= shape[::-1])).all(axis=1)
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False)).reshape(-1, 2)
    first, end = max(edges.tolist(), key=lambda run: run[1] - run[0], default=(0, 0))
    return slice(first, end)


def _free_part(points: Float64Array, claimed: npt.NDArray[np.uint8]) -> slice:
    """A polyline (K, 2) from its first to its last free pixel; nothing if most are claimed."""
    height, width = claimed.shape
    x, y = np.rint(points).astype(np.intp).T
    free = np.flatnonzero(claimed[y.clip(0, height - 1), x.clip(0, width - 1)] == 0)
    if not len(free) or len(free) < _LEAST_FREE * len(points):
        return slice(0)
    return slice(int(free[0]), int(free[-1]) + 1)


def _extended(chain: Float64Array, mask: npt.NDArray[np.uint8], further: int) -> Float64Array:
    """The chain extended a little at both ends, within the mask: filters and map end early."""
    step = min(len(chain), _END) - 1
    ends = []
    for end, inner in ((chain[0], chain[step]), (chain[-1], chain[-1 - step])):
        heading = (end - inner) / math.dist(end, inner)
        ahead = end + np.arange(1, further + 1)[:, None] * heading
        x, y = np.rint(ahead).astype(np.intp).T
        inside = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
        inside[inside] = mask[y[inside], x[inside]] > 0
        ends.append(ahead[inside])
    return np.concatenate([ends[0][::-1], chain, ends[1]])


def _is_claimed(path: npt.NDArray[np.int32], claimed: npt.NDArray[np.uint8]) -> bool:
    """Whether a polyline (K, 2) runs for the most part where earlier lines do."""
    low = np.maximum(path.min(axis=0) - 1, 0)
    high = path.max(axis=0) + 2
    around = claimed[low[1] : high[1], low[0] : high[0]]
    own = np.zeros_like(around)
    cv2.polylines(own, [path - low], isClosed=False, color=1)
    taken = cv2.countNonZero(own & around)
    return taken > (1 - _LEAST_FREE) * cv2.countNonZero(own)


def _packed(found: Sequence[Line], kinds: CellKinds | None) -> Centrelines:
    kept = found[: how_many_fit(len(line.points) for line in found)]
    if not kept:
        return Centrelines.none()
    places = np.concatenate([line.points for line in kept])
    seen = np.full((len(kept), KINDS), np.nan, np.float32)
    if kinds is not None:
        finely, rows = Rows.of([line.points for line in kept]).resampled(places)
        seen = np.stack([kinds.under(finely[own]) for own in rows.strips])
    return Centrelines(
        points=(np.rint(places * _FINENESS) / _FINENESS).astype(np.float32),
        counts=np.array([len(line.points) for line in kept], np.int32),
        measures=np.round(np.array([line.measures for line in kept]), 4).astype(np.float32),
        kinds=np.round(seen, 3),
        left_out=len(found) - len(kept),
    )
