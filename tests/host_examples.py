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
    Coverage,
    DefectMap,
    MappedElement,
    MappedModel,
    MappedRecipe,
    MappedScan,
    NotInspectedArea,
    NotInspectedFrame,
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
from tests.host_example_defects import (
    map_areas,
    map_defects,
    map_totals,
    random_kinds,
    random_lines,
    ring,
)

AWKWARD_NAME = "Optic \"7\" of 'Höhe & Söhne' <script>alert(1)</script> 光学素子 линза Ω"
"""A name of an element as nobody should choose, and somebody will."""

FRAME_PX = 2048
WINDOWS = 225
_MOST_IN_FULL = 5000  # defects whose map is written as merging writes it; more take too long
_SOFTENING = 4.0
_FULL_SCALE = 255


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
        return random_lines(self.seed, self.kinds, self.size_mm)

    @cached_property
    def kinds(self) -> UInt8Array:
        """The kind of each defect, a place in DEFECT_KINDS; about half are scratches."""
        return random_kinds(self.seed, self.defects)

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
        areas = max(1, self.defects // 20) if self.defects else 0
        defects = map_defects(self.seed, self.lines, self.kinds, self._frame_at, areas)
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
            areas=map_areas(defects, areas),
            totals=map_totals(defects, areas),
            coverage=self._coverage(),
            ledger=LedgerSums(
                captured=self.frames,
                mapped=self.frames - lost,
                quarantined=lost,
                lost=0,
                in_flight=0,
            ),
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
                    contour=(ring(x, y, width, height),),
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
