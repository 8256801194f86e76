"""Scans as rigs send them to a host, of any size: for tests, benchmarks and a look at the page.

    example = ExampleScan(seed=1, grid=(12, 8), defects=1000)
    parcels = example.parcels()

Equal arguments give equal contents; only the parcels' ids differ.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from darkscan.pipeline.core.arrays import Float64Array, UInt8Array
from darkscan.pipeline.core.defect_map import (
    COORDINATES,
    FORMAT,
    VERSION,
    Area,
    Concentration,
    Coverage,
    Defect,
    DefectMap,
    KindTotal,
    MappedElement,
    MappedModel,
    MappedRecipe,
    MappedScan,
    NotInspectedArea,
    NotInspectedFrame,
    Totals,
    to_json,
)
from darkscan.pipeline.core.frame_results import DEFECT_KINDS, STAGES, LedgerSums
from darkscan.pipeline.core.geometry import PixelToStage, StageToElement
from darkscan.pipeline.host_link.messages import (
    TILE_PX,
    Content,
    FramesSettled,
    MapFinished,
    Parcel,
    Progress,
    Pyramid,
    ScanBegan,
    ScanEnded,
    ScanOutcome,
    Shapes,
    StageHealth,
    Tile,
    encode_content,
    new_id,
)

AWKWARD_NAME = "Optic \"7\" of 'Höhe & Söhne' <script>alert(1)</script> 光学素子 линза Ω"
"""A name of an element as nobody should choose, and somebody will."""

FRAME_PX = 2048
WINDOWS = 225
_MOST_IN_FULL = 5000  # defects whose map is written as merging writes it; more take too long
_SOFTENING = 4.0
_FULL_SCALE = 255
_LONG_MM = (20.0, 120.0)


def parcel(scan: str, content: Content) -> Parcel:
    """A content in an envelope of its own."""
    return Parcel(id=new_id(), scan=scan, content=encode_content(content))


@dataclass(frozen=True)
class ExampleScan:
    """A scan of an element with scratches, fibres, digs and dust at random places."""

    seed: int = 0
    element: str = "plate 7"
    side: str = "front"
    size_mm: tuple[float, float] = (810.0, 460.0)
    pitch_um: float = 10.0
    grid: tuple[int, int] = (6, 4)
    """Columns and rows of frames, spread evenly over the element."""
    defects: int = 100
    quarantined: int = 1
    """The last frames of the scan, which could not be inspected."""
    origin: Literal["run", "replay", "sent"] = "replay"
    began_at: str = "2026-03-01T08:00:00Z"
    finest: int = 1
    recording: str = ""

    @property
    def scan(self) -> str:
        """The scan's id."""
        return sha256(f"example {self.seed}".encode()).hexdigest()[:32]

    @property
    def frames(self) -> int:
        """How many frames are planned."""
        return self.grid[0] * self.grid[1]

    @cached_property
    def places_mm(self) -> Float64Array:
        """(N, 2) x and y of each frame's pixel corner (0, 0), strip by strip, to and fro."""
        columns, rows = self.grid
        frame_mm = FRAME_PX * self.pitch_um / 1000
        x = np.linspace(0, max(self.size_mm[0] - frame_mm, 0), columns)
        y = np.linspace(0, max(self.size_mm[1] - frame_mm, 0), rows)
        strips = [[(place, row) for place in (x, x[::-1])[n % 2]] for n, row in enumerate(y)]
        return np.array([place for strip in strips for place in strip])

    # What a rig sends

    def began(self) -> ScanBegan:
        """The first content of the scan."""
        return ScanBegan(
            element=self.element,
            side=self.side,
            element_size_mm=self.size_mm,
            region_mm=(0.0, 0.0, *self.size_mm),
            pitch_um=self.pitch_um,
            origin=self.origin,
            began=self.began_at,
            rig="bench rig",
            calibration="bench sha256:00",
            recipe="default",
            recipe_hash=f"sha256:{'a' * 64}",
            model="attention-fusion-network",
            model_hash=f"sha256:{'b' * 64}",
            window=256,
            stride=128,
            threshold=0.5,
            grow_threshold=0.3,
            recording=self.recording,
            frame_shape=(FRAME_PX, FRAME_PX),
            pixel_to_stage=PixelToStage.from_pitch(self.pitch_um),
            stage_to_element=StageToElement(xx=1, xy=0, yx=0, yy=1, x=-50.0, y=-20.0),
            frames=np.arange(self.frames, dtype=np.int64),
            strips=np.repeat(np.arange(self.grid[1], dtype=np.int32), self.grid[0]),
            places_mm=self.places_mm,
            picture=self.pyramid,
        )

    def settled(self, batch: int = 8) -> list[FramesSettled]:
        """All frames, some at a time."""
        numbers = np.arange(self.frames)
        return [self._settle(numbers[first : first + batch]) for first in numbers[::batch]]

    def map_finished(self) -> MapFinished:
        """The map; and small files of the run and its timings."""
        raw = self.map_json
        return MapFinished(
            map_zlib=zlib.compress(raw),
            sha256=sha256(raw).hexdigest(),
            run_zlib=zlib.compress(b'{"run": "example"}\n'),
            trace_zlib=zlib.compress(b'{"displayTimeUnit":"ms","traceEvents":[]}\n'),
        )

    def ended(self, outcome: ScanOutcome | None = None, reason: str = "") -> ScanEnded:
        """The last durable content."""
        usual: ScanOutcome = "incomplete" if self.quarantined else "complete"
        why = f"{self.quarantined} frames were not inspected" if self.quarantined else ""
        return ScanEnded(
            outcome=outcome or usual,
            reason=reason if outcome else why,
            ended="2026-03-01T08:40:00Z",
            seconds=2400.0,
            frames_not_pictured=0,
        )

    def tiles(self, *, coarsest: int | None = None, finest: int | None = None) -> Iterator[Tile]:
        """The tiles of the picture, the coarsest level first; JPEGs of noise and the lines."""
        last = self.pyramid.levels - 1
        for level in range(last if coarsest is None else coarsest, -1, -1):
            if level < (self.finest if finest is None else finest):
                return
            columns, rows = (-(-side // TILE_PX) for side in self.level_px(level))
            for y in range(rows):
                for x in range(columns):
                    yield self.tile(level, x, y)

    def tile(self, level: int, x: int, y: int, revision: int = 1, *, final: bool = True) -> Tile:
        """One tile; JPEG of up to 512 x 512."""
        picture = self._drawn(level, x, y)
        jpeg = simplejpeg.encode_jpeg(picture[..., None], quality=85, colorspace="GRAY")
        return Tile(level=level, x=x, y=y, revision=revision, final=final, jpeg=jpeg)

    def progress(self, settled: int) -> Progress:
        """What a rig says of itself while the scan runs, ``settled`` frames later."""
        health = [
            StageHealth(
                stage=stage,
                index=0,
                frames=settled,
                windows=settled * WINDOWS,
                queue=place % 3,
                restarts=0,
                waiting_ms=(0.4 + place, 3.0 + place),
                working_ms=(4.0 + 9 * place, 11.0 + 12 * place),
            )
            for place, stage in enumerate(STAGES)
        ]
        return Progress(
            at="2026-03-01T08:20:00Z",
            sums=LedgerSums(
                captured=self.frames,
                mapped=settled,
                quarantined=0,
                lost=0,
                in_flight=self.frames - settled,
            ),
            frames_per_s=12.5,
            windows_per_s=12.5 * WINDOWS,
            left_s=(self.frames - settled) / 12.5,
            stages=tuple(health),
        )

    def contents(self, *, tiles: bool = False, batch: int = 8) -> Iterator[Content]:
        """All of a scan, in the order in which a rig sends it."""
        yield self.began()
        yield from self.settled(batch)
        if tiles:
            yield from self.tiles()
        yield self.map_finished()
        yield self.ended()

    def parcels(self, *, tiles: bool = False, batch: int = 8) -> list[Parcel]:
        """All of a scan, in envelopes."""
        return [parcel(self.scan, content) for content in self.contents(tiles=tiles, batch=batch)]

    # What it is made of

    @property
    def pyramid(self) -> Pyramid:
        """The picture's levels."""
        width, height = (round(side * 1000 / self.pitch_um) for side in self.size_mm)
        levels = 1
        while max(width, height) > TILE_PX << (levels - 1):
            levels += 1
        return Pyramid(
            width_px=width,
            height_px=height,
            pitch_um=self.pitch_um,
            levels=levels,
            softening=_SOFTENING,
            full_scale=_FULL_SCALE,
            finest=min(self.finest, levels - 1),
        )

    def level_px(self, level: int) -> tuple[int, int]:
        """Width and height of a level, pixels."""
        pyramid = self.pyramid
        return -(-pyramid.width_px >> level), -(-pyramid.height_px >> level)

    @cached_property
    def lines(self) -> list[Float64Array]:
        """The centre line (K, 2) of each scratch and fibre, the contour of each spot, mm."""
        rng = np.random.default_rng(self.seed)
        return [
            _line(rng, self.size_mm, bent=kind == 1, long=number % 97 == 0)
            if kind < 2
            else _spot(rng, self.size_mm)
            for number, kind in enumerate(self.kinds)
        ]

    @cached_property
    def kinds(self) -> UInt8Array:
        """The kind of each defect, a place in DEFECT_KINDS; about half are scratches."""
        rng = np.random.default_rng(self.seed + 1)
        return rng.choice(4, self.defects, p=[0.5, 0.15, 0.1, 0.25]).astype(np.uint8)

    @cached_property
    def map_json(self) -> bytes:
        """defect-map.json."""
        document = self.defect_map
        if self.defects > _MOST_IN_FULL:
            return document.model_dump_json().encode()
        return to_json(document).encode()

    @cached_property
    def defect_map(self) -> DefectMap:
        """The map of the scan."""
        rng = np.random.default_rng(self.seed + 2)
        tops = [float(line[:, 1].min()) for line in self.lines]
        order = np.argsort(tops, kind="stable")
        areas = max(1, self.defects // 20) if self.defects else 0
        defects = tuple(
            self._defect(place, int(number), areas, rng) for place, number in enumerate(order, 1)
        )
        lost = self.quarantined
        return DefectMap(
            format=FORMAT,
            version=VERSION,
            element=MappedElement(
                name=self.element,
                side=self.side,
                size_mm=self.size_mm,
                region_mm=(0.0, 0.0, *self.size_mm),
                coordinates=COORDINATES,
            ),
            scan=MappedScan(pitch_um=self.pitch_um, rig="bench rig", calibration="bench sha256:00"),
            recipe=MappedRecipe(
                name="default", hash=f"sha256:{'a' * 64}", window_px=256, stride_px=128
            ),
            model=MappedModel(
                name="attention-fusion-network",
                hash=f"sha256:{'b' * 64}",
                threshold=0.5,
                grow_threshold=0.3,
                kinds=DEFECT_KINDS,
            ),
            defects=defects,
            areas=_areas(defects, areas),
            totals=_totals(defects, areas),
            coverage=self._coverage(),
            ledger=LedgerSums(
                captured=self.frames,
                mapped=self.frames - lost,
                quarantined=lost,
                lost=0,
                in_flight=0,
            ),
        )

    def _defect(self, place: int, number: int, areas: int, rng: np.random.Generator) -> Defect:
        points, kind = np.round(self.lines[number], 4), int(self.kinds[number])
        width_um = float(np.round(rng.uniform(8, 60), 1)) if kind < 2 else 40.0
        outline = _widened(points, width_um / 1000) if kind < 2 else points
        low, high = outline.min(axis=0), outline.max(axis=0)
        steps = np.hypot(*np.diff(points, axis=0).T)
        extent = max(float(np.hypot(*(high - low))), 0.01)
        x, y = (float(value) for value in points.mean(axis=0).round(4))
        width, height = (max(float(side), 0.001) for side in (high - low).round(4))
        line = kind < 2
        return Defect.model_validate(
            {
                "id": f"D{place:04d}",
                "kind": DEFECT_KINDS[kind],
                "probability": None if number % 11 == 0 else round(float(rng.uniform(0.5, 1)), 4),
                "centreline": points.tolist() if line else [],
                "length_mm": max(round(float(steps.sum()), 4), 0.01),
                "width_um": width_um,
                "width_max_um": round(width_um * 1.3, 1) if line else None,
                "width_uncertainty_um": round(width_um / 12, 2) if line else None,
                "brightness_um": round(width_um * 0.2, 3) if line else None,
                "brightness_um2": None if line else round(width_um * 9, 1),
                "contrast": round(float(rng.lognormal(2, 0.6)), 2),
                "saturated": 0.0,
                "outline": outline.round(4).tolist(),
                "box_mm": [float(low[0].round(4)), float(low[1].round(4)), width, height],
                "extent_mm": [round(extent, 4), round(extent / 10, 4)],
                "orientation_deg": round(float(rng.uniform(0, 179)), 1),
                "centroid_mm": [x, y],
                "frames": [self._frame_at(x, y)],
                "views": 1,
                "area": None if number % 3 == 0 else f"A{number % areas + 1:04d}",
                "touches_region_border": False,
                "touches_not_inspected": False,
                "grade": None,
                "grade_reason": "uncalibrated",
            }
        )

    def _frame_at(self, x_mm: float, y_mm: float) -> int:
        """The frame whose middle is nearest."""
        middle = np.array([x_mm, y_mm]) - FRAME_PX * self.pitch_um / 2000
        distances: Float64Array = ((self.places_mm - middle) ** 2).sum(axis=1)
        return int(distances.argmin())

    @cached_property
    def _by_frame(self) -> dict[int, list[int]]:
        """The defects that each frame shows."""
        found: dict[int, list[int]] = {}
        for number, line in enumerate(self.lines):
            x, y = line.mean(axis=0)
            found.setdefault(self._frame_at(x, y), []).append(number)
        return found

    def _settle(self, numbers: npt.NDArray[np.int_]) -> FramesSettled:
        rng = np.random.default_rng([self.seed, int(numbers[0])])
        lost = numbers >= self.frames - self.quarantined
        positives = np.array(
            [0 if lost[n] else len(self._by_frame.get(int(f), ())) for n, f in enumerate(numbers)]
        )
        scores = rng.integers(0, 60, (len(numbers), WINDOWS)).astype(np.uint8)
        for row, count in enumerate(positives.clip(0, WINDOWS)):
            scores[row, rng.choice(WINDOWS, count, replace=False)] = 240
        scores[lost] = 0
        return FramesSettled(
            frames=numbers.astype(np.int64),
            outcomes=lost.astype(np.uint8),
            reasons=tuple("failed twice: no light" if one else "" for one in lost),
            places_mm=self.places_mm[numbers] + rng.normal(0, 0.002, (len(numbers), 2)),
            positives=positives.astype(np.int32),
            scores=scores,
            shapes=self._shapes(numbers[~lost]),
            stamps=_stamps(numbers[~lost], rng),
        )

    def _shapes(self, numbers: npt.NDArray[np.int_]) -> Shapes:
        pairs = [(int(f), number) for f in numbers for number in self._by_frame.get(int(f), ())]
        if not pairs:
            return Shapes.none()
        lines = [self.lines[number] for _, number in pairs]
        kinds = self.kinds[[number for _, number in pairs]]
        return Shapes(
            points_mm=np.concatenate(lines).astype(np.float32),
            counts=np.array([len(line) for line in lines], np.int32),
            frames=np.array([frame for frame, _ in pairs], np.int64),
            kinds=kinds,
            widths_um=np.where(kinds < 2, 20, 0).astype(np.float32),
            contrasts=np.full(len(pairs), 7.5, np.float32),
        )

    def _coverage(self) -> Coverage:
        whole = self.size_mm[0] * self.size_mm[1]
        parts, frame_mm = [], FRAME_PX * self.pitch_um / 1000
        numbers = range(self.frames - self.quarantined, self.frames)
        for number in numbers:
            x, y = (float(place) for place in self.places_mm[number].round(3))
            width, height = (min(frame_mm, side) for side in self.size_mm)
            parts.append(
                NotInspectedArea(
                    kind="quarantined",
                    reason="failed twice: no light",
                    contour=(_ring(x, y, width, height),),
                    box_mm=(x, y, width, height),
                    area_mm2=round(width * height, 3),
                    frames=(number,),
                )
            )
        seen = max(whole - sum(part.area_mm2 for part in parts), 0.0)
        return Coverage(
            complete=not parts,
            element_area_mm2=whole,
            region_area_mm2=whole,
            inspected_area_mm2=seen,
            inspected_fraction=seen / whole,
            inspected_element_fraction=seen / whole,
            cell_mm=0.16,
            not_inspected=tuple(parts),
            frames_not_inspected=tuple(
                NotInspectedFrame(
                    frame=number, kind="quarantined", reason="failed twice: no light", placed=True
                )
                for number in numbers
            ),
        )

    def _drawn(self, level: int, x: int, y: int) -> UInt8Array:
        """Grey levels (h, w) of a tile: noise, the strips' edges, and the lines."""
        width, height = (
            min(TILE_PX, side - place * TILE_PX)
            for side, place in zip(self.level_px(level), (x, y), strict=True)
        )
        rng = np.random.default_rng([self.seed, level, x, y])
        picture = rng.normal(34 + 3 * level, 7, (height, width)).clip(1, 90).astype(np.uint8)
        scale = 1000 / self.pitch_um / 2**level
        origin = np.array([x, y]) * TILE_PX
        corner, far = origin / scale - 1, (origin + TILE_PX) / scale + 1
        boxes = self._boxes
        near = ((boxes[:, 2:] >= corner) & (boxes[:, :2] <= far)).all(axis=1)
        for number in np.flatnonzero(near):
            points = ((self.lines[number] * scale - origin) * 16).round().astype(np.int32)
            bright = int(110 + 40 * (number % 4))
            thick = max(1, round(2 / 2**level))
            cv2.polylines(picture, [points], self.kinds[number] >= 2, (bright,), thick, shift=4)
        return picture

    @cached_property
    def _boxes(self) -> Float64Array:
        return np.array([[*line.min(axis=0), *line.max(axis=0)] for line in self.lines]).reshape(
            -1, 4
        )


def _line(
    rng: np.random.Generator, size_mm: tuple[float, float], *, bent: bool, long: bool
) -> Float64Array:
    """A centre line: straight or in an arc; fibres curl; a few are very long."""
    length = rng.uniform(*_LONG_MM) if long else np.clip(rng.lognormal(0.8, 0.9), 0.2, 20)
    length = min(length, min(size_mm) * 0.8)
    points = int(np.clip(length * 1.5, 3, 60))
    turn = rng.normal(0, 2.5 if bent else 0.5)
    angles = rng.uniform(0, 2 * np.pi) + turn * np.linspace(-0.5, 0.5, points - 1)
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=1) * length / (points - 1)
    line = np.concatenate([np.zeros((1, 2)), steps.cumsum(axis=0)])
    low, high = line.min(axis=0), line.max(axis=0)
    place: Float64Array = rng.uniform(0.1 - low, np.maximum(np.array(size_mm) - 0.1 - high, 0.1))
    return (line + place).clip(0, size_mm)


def _spot(rng: np.random.Generator, size_mm: tuple[float, float]) -> Float64Array:
    """The contour of a spot of 20 to 200 um."""
    corners = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    radius = rng.uniform(0.01, 0.1) * rng.uniform(0.8, 1.2, 10)
    place = rng.uniform(0.2, np.maximum(np.array(size_mm) - 0.2, 0.3))
    contour: Float64Array = (
        place + np.stack([np.cos(corners), np.sin(corners)], 1) * radius[:, None]
    )
    return contour.clip(0, size_mm)


def _widened(line: Float64Array, width_mm: float) -> Float64Array:
    """A line's outline, closed: to one side there, to the other side back."""
    along = np.gradient(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    across *= width_mm / 2 / np.maximum(np.hypot(*across.T), 1e-9)[:, None]
    return np.concatenate([line - across, (line + across)[::-1]])


def _areas(defects: tuple[Defect, ...], count: int) -> tuple[Area, ...]:
    within: dict[str | None, list[Defect]] = {}
    for defect in defects:
        within.setdefault(defect.area, []).append(defect)
    names = [f"A{number:04d}" for number in range(1, count + 1)]
    return tuple(_area(number, name, within.get(name, [])) for number, name in enumerate(names))


def _area(number: int, name: str, own: list[Defect]) -> Area:
    x, y = own[0].centroid_mm if own else (1.0, 1.0)
    left, top = round(x - 1.28, 3), round(y - 1.28, 3)
    return Area(
        id=name,
        contour=(_ring(left, top, 2.56, 2.56),),
        box_mm=(left, top, 2.56, 2.56),
        area_mm2=6.5536,
        score_max=0.99,
        score_mean=0.8,
        windows=1 + number % 7,
        frames=own[0].frames if own else (0,),
        defects=tuple(defect.id for defect in own),
        touches_region_border=False,
        touches_not_inspected=False,
    )


def _totals(defects: tuple[Defect, ...], areas: int) -> Totals:
    by_kind: dict[str, list[Defect]] = {kind: [] for kind in DEFECT_KINDS}
    for defect in defects:
        by_kind[defect.kind].append(defect)
    kinds = {
        kind: KindTotal(
            count=len(own),
            length_mm=round(sum(defect.length_mm for defect in own), 4),
            longest_mm=max((defect.length_mm for defect in own), default=0.0),
        )
        for kind, own in by_kind.items()
    }
    scratches = by_kind["scratch"]
    x, y = scratches[0].centroid_mm if scratches else (0.0, 0.0)
    crowd = Concentration(
        length_mm=max((defect.length_mm for defect in scratches), default=1.0),
        box_mm=(x, y, 10.0, 10.0),
    )
    return Totals(
        scratch=kinds["scratch"],
        fibre=kinds["fibre"],
        dig=kinds["dig"],
        dust=kinds["dust"],
        areas=areas,
        areas_mm2=6.5536 * areas,
        areas_without_defect=0,
        worst_concentration=crowd if scratches else None,
        not_listed=0,
    )


def _stamps(numbers: npt.NDArray[np.int_], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Each frame passes all stages, one after the other."""
    rows = []
    for frame in numbers:
        at = int(frame) * 80_000_000
        for place in range(len(STAGES)):
            received = at
            started = received + int(rng.lognormal(14, 1))
            at = started + int(rng.lognormal(15 + place % 3, 0.5))
            rows.append(
                (int(frame), place, int(frame) % 2 if place == 2 else 0, received, started, at)
            )
    return np.array(rows, np.int64).reshape(-1, 6)


def _ring(x: float, y: float, width: float, height: float) -> tuple[tuple[float, float], ...]:
    right, bottom = round(x + width, 3), round(y + height, 3)
    return ((x, y), (right, y), (right, bottom), (x, bottom))
