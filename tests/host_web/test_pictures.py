"""Pictures from recordings: the right pixels, and none of files that are not to be read."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
import simplejpeg

from darkscan.drivers.recording import RecordingWriter
from darkscan.host.store import Store
from darkscan.host.web import WebSettings, _recordings, server
from darkscan.host.web._composing import grey_table, level_table
from darkscan.inference import file_hash
from darkscan.pipeline.core.arrays import Pixels, UInt8Array
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.scan import FrameFlag, FrameMeta, ScanInfo
from darkscan.pipeline.host_link.messages import Content, FramesSettled, ScanBegan, Shapes
from tests.conftest import REPOSITORY
from tests.host_examples import ExampleScan, parcel
from tests.host_web.conftest import Served, host_in
from tests.host_web.example_server import RIG

Trick = Callable[[Path, Path], Path]
"""Gives the path that a rig names, of a folder that may be read and a recording beside it."""

FRAME = (600, 700)
SIZE_MM = (16.0, 12.0)
SCAN = ExampleScan(seed=70, element="glass", size_mm=SIZE_MM, grid=(3, 2), defects=40, finest=1)
"""Its defects and scores are drawn anew here, its frames are those below."""


def glass() -> UInt8Array:
    """(1200, 1600) What the element looks like, smooth so that half a pixel matters little."""
    noise = np.random.default_rng(3).integers(0, 255, (60, 80)).astype(np.uint8)
    picture = cv2.resize(noise, (1600, 1200), interpolation=cv2.INTER_CUBIC)
    return np.asarray(picture, np.uint8)


@dataclass
class Taken:
    """How the frames were taken."""

    lie: PixelToStage
    dtype: str = "uint8"
    lost: Sequence[int] = ()
    scene: Callable[[], UInt8Array] = glass

    def frames(self) -> list[FrameMeta]:
        """Six frames that cover the glass and overlap."""
        centres = [(x, y) for y in (3.0, 9.0) for x in (3.0, 8.0, 13.0)]
        half = self.lie.matrix @ (FRAME[1] / 2, FRAME[0] / 2)
        return [
            FrameMeta(
                frame=number,
                strip=number // 3,
                position_mm=(x - half[0], y - half[1], 0.0),
                exposure_ns=number,
                flags=int(FrameFlag.LOST) if number in self.lost else 0,
            )
            for number, (x, y) in enumerate(centres)
        ]

    def pixels(self, meta: FrameMeta) -> Pixels:
        """What the camera saw: the glass, through the frame's placement."""
        matrix = np.hstack([self.lie.matrix / 0.01, np.array(meta.position_mm[:2])[:, None] / 0.01])
        matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen = cv2.warpAffine(self.scene(), matrix, FRAME[::-1], flags=flags)
        return np.asarray(seen).astype(self.dtype) * (16 if self.dtype == "uint16" else 1)

    def info(self) -> ScanInfo:
        return ScanInfo(
            element=SCAN.element,
            side=SCAN.side,
            element_size_mm=SIZE_MM,
            region_mm=(0.0, 0.0, *SIZE_MM),
            pitch_um=10.0,
            pixel_to_stage=self.lie,
            frame_shape=FRAME,
            pixel_type="uint16" if self.dtype == "uint16" else "uint8",
            bit_depth=12 if self.dtype == "uint16" else 8,
            frames_planned=6,
        )

    def record(self, path: Path, info: ScanInfo | None = None) -> Path:
        with RecordingWriter(path, info or self.info(), self.frames()) as writer:
            for meta in self.frames():
                writer.write(meta, None if meta.flags else self.pixels(meta))
        return path

    def began(self, recording: str) -> ScanBegan:
        frames = self.frames()
        example = SCAN.began()
        assert example.picture is not None
        full_scale = self.info().full_scale
        return ScanBegan.model_validate(
            {
                **dict(example),
                "recording": recording,
                "frame_shape": FRAME,
                "pixel_to_stage": self.lie,
                "frames": np.arange(6),
                "strips": np.arange(6, dtype=np.int32) // 3,
                "places_mm": np.array([meta.position_mm[:2] for meta in frames]),
                "picture": example.picture.model_copy(update={"full_scale": full_scale}),
                "window": 64,
                "stride": 32,
            }
        )


STRAIGHT = Taken(PixelToStage.from_pitch(10.0))
DETAILS = f"/api/scans/{SCAN.scan}"


def send(store: Store, began: ScanBegan) -> None:
    """Has a store keep the scan, with a map."""
    contents: list[Content] = [began, SCAN.map_finished(), SCAN.ended()]
    store.receive(RIG, [parcel(SCAN.scan, each) for each in contents])


def tile(client: httpx.Client, x: int, y: int) -> UInt8Array:
    answer = client.get(f"{DETAILS}/tiles/0/{x}/{y}")
    assert answer.status_code == 200
    return np.asarray(simplejpeg.decode_jpeg(answer.content, "GRAY"))[..., 0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where recordings may be read."""
    path = tmp_path / "recordings"
    path.mkdir()
    return path


def serve(tmp_path: Path, folder: Path, began: ScanBegan) -> "Iterator[Served]":
    settings = WebSettings(("127.0.0.1", 0), recordings=[folder])
    with host_in(tmp_path / "store", settings, examples=False) as host:
        send(host.store, began)
        yield host


@pytest.mark.parametrize(
    "taken",
    [
        STRAIGHT,
        Taken(PixelToStage.from_pitch(10.0), "uint16"),
        Taken(PixelToStage.from_pitch(10.0, flip_x=True, flip_y=True)),
        Taken(PixelToStage.from_pitch(10.0, rotation_mrad=20.0)),
        Taken(PixelToStage.from_pitch(10.0, rotation_mrad=1570.796)),
    ],
    ids=["straight", "12 bits", "flipped", "turned a little", "turned by a quarter"],
)
def test_tiles_show_the_element_however_the_camera_stood(
    tmp_path: Path, folder: Path, taken: Taken
) -> None:
    path = taken.record(folder / "scan.h5")
    began = taken.began(str(path))
    assert began.picture is not None
    scale = 16 if taken.dtype == "uint16" else 1
    expected = grey_table(began.picture)[glass().astype(int) * scale + 1]
    for host in serve(tmp_path, folder, began):
        with host.client() as client:
            assert client.get(DETAILS).json()["reads_recording"] is True
            for x, y in ((0, 0), (1, 0), (3, 2)):
                found = tile(client, x, y).astype(int)
                wanted = expected[y * 512 : y * 512 + 512, x * 512 : x * 512 + 512].astype(int)
                assert found.shape == wanted.shape
                seen = found > 0
                assert seen.mean() > 0.85
                assert np.abs(found - wanted)[seen].mean() < 4
            assert client.get(f"{DETAILS}/tiles/0/4/0").status_code == 404


def test_a_place_that_no_frame_shows_is_black_and_a_tile_of_it_is_not_there(
    tmp_path: Path, folder: Path
) -> None:
    taken = Taken(STRAIGHT.lie, lost=(2, 5))
    path = taken.record(folder / "scan.h5")
    for host in serve(tmp_path, folder, taken.began(str(path))):
        with host.client() as client:
            assert (tile(client, 2, 0)[:, 200:] < 8).all()
            assert client.get(f"{DETAILS}/tiles/0/3/0").status_code == 404


@pytest.mark.parametrize("view", ["raw", "equalized"])
def test_defects_are_shown_from_the_recording(tmp_path: Path, folder: Path, view: str) -> None:
    path = STRAIGHT.record(folder / "scan.h5")
    for host in serve(tmp_path, folder, STRAIGHT.began(str(path))):
        with host.client() as client:
            about = client.get(f"{DETAILS}/defects/D0005").json()["picture"]
            answer = client.get(f"{DETAILS}/defects/D0005/picture", params={"view": view})
        assert about["source"] == "recording"
        picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        x, y, width, height = (round(side * 100) for side in about["box_mm"])
        assert picture.shape == (height, width)
        wanted = glass()[y : y + height, x : x + width]
        assert np.corrcoef(picture.ravel(), wanted.ravel())[0, 1] > (0.95 if view == "raw" else 0.5)


def test_attention_shows_where_windows_scored(tmp_path: Path, folder: Path) -> None:
    path = STRAIGHT.record(folder / "scan.h5")
    began = STRAIGHT.began(str(path))
    for host in serve(tmp_path, folder, began):
        with host.client() as client:
            place = f"{DETAILS}/defects/D0005"
            missing = client.get(f"{place}/picture", params={"view": "attention"})
            assert missing.status_code == 404
            assert "scores" in missing.json()["detail"]
            defect = client.get(place).json()
            hot = defect["frames"][0]
            x, y = defect["centroid_mm"]
            corner = STRAIGHT.frames()[hot].position_mm
            origins = window_origins(FRAME, 64, 32)
            near = np.abs(origins + 32 - [(y - corner[1]) * 100, (x - corner[0]) * 100]) <= 32
            scores = np.where(near.all(axis=1), 255, 0).astype(np.uint8)
            host.store.receive(RIG, [parcel(SCAN.scan, _settled(hot, scores))])
            shown = client.get(f"{place}/picture", params={"view": "attention"})
        heat = cv2.imdecode(np.frombuffer(shown.content, np.uint8), cv2.IMREAD_COLOR)
        assert heat is not None
        changed = np.ptp(heat.astype(int), axis=2) > 15
        left, top, _, _ = defect["picture"]["box_mm"]
        row, column = round((y - top) * 100), round((x - left) * 100)
        assert changed[row - 5 : row + 5, column - 5 : column + 5].mean() > 0.9
        assert changed.mean() < 0.7


def scratched() -> UInt8Array:
    """(1200, 1600) Dark glass with noise, and a scratch from D0005's middle to the right."""
    picture = np.random.default_rng(5).normal(20, 3, (1200, 1600)).clip(0, 255).astype(np.uint8)
    x, y = SCAN.defect_map.defects[4].centroid_mm
    start = (round(x * 100), round(y * 100))
    return np.asarray(cv2.line(picture, start, (start[0] + 200, start[1] + 60), (60,), 2))


def test_attention_runs_the_scans_own_model_where_it_is_darkscans(
    tmp_path: Path, folder: Path
) -> None:
    taken = Taken(STRAIGHT.lie, scene=scratched)
    path = taken.record(folder / "scan.h5")
    model = file_hash(REPOSITORY / "darkscan" / "models" / "default.onnx")
    changes = {"window": 256, "stride": 128, "model_hash": model}
    began = taken.began(str(path)).model_copy(update=changes)
    for host in serve(tmp_path, folder, began):
        with host.client() as client:
            place = f"{DETAILS}/defects/D0005"
            about = client.get(place).json()["picture"]
            shown = client.get(f"{place}/picture", params={"view": "attention"})
        assert about["attention"] == "cells"
        colours = cv2.imdecode(np.frombuffer(shown.content, np.uint8), cv2.IMREAD_COLOR)
        assert colours is not None
        hot = np.ptp(colours.astype(int), axis=2) > 60
        left, top = (round(side * 100) for side in about["box_mm"][:2])
        x, y = SCAN.defect_map.defects[4].centroid_mm
        along = [(round(y * 100) - top + n * 3, round(x * 100) - left + n * 10) for n in (3, 5, 7)]
        inside = [(r, c) for r, c in along if r < hot.shape[0] and c < hot.shape[1]]
        assert inside
        assert all(hot[r - 4 : r + 5, c - 4 : c + 5].any() for r, c in inside)
        assert hot.mean() < 0.2


def _settled(frame: int, scores: UInt8Array) -> FramesSettled:
    return FramesSettled(
        frames=np.array([frame]),
        outcomes=np.zeros(1, np.uint8),
        reasons=("",),
        places_mm=np.array([STRAIGHT.frames()[frame].position_mm[:2]]),
        positives=np.array([int((scores > 0).sum())], np.int32),
        scores=scores[None],
        shapes=Shapes.none(),
        stamps=np.empty((0, 6), np.int64),
    )


def _linked(folder: Path, outside: Path) -> Path:
    (folder / "scan.h5").symlink_to(outside)
    return folder / "scan.h5"


def _relative(folder: Path, _outside: Path) -> Path:
    return Path(os.path.relpath(STRAIGHT.record(folder / "scan.h5")))


def _a_folder(folder: Path, _outside: Path) -> Path:
    (folder / "scan.h5").mkdir()
    return folder / "scan.h5"


def _other_bytes(folder: Path, _outside: Path) -> Path:
    (folder / "scan.h5").write_bytes(b"root:x:0:0")
    return folder / "scan.h5"


def _other_scan(**changes: object) -> Trick:
    info = STRAIGHT.info().model_copy(update=changes)
    return lambda folder, _: STRAIGHT.record(folder / "scan.h5", info)


def _fewer_frames(folder: Path, _outside: Path) -> Path:
    info = STRAIGHT.info().model_copy(update={"frames_planned": 5})
    with RecordingWriter(folder / "scan.h5", info, STRAIGHT.frames()[:5]) as writer:
        writer.write(STRAIGHT.frames()[0], STRAIGHT.pixels(STRAIGHT.frames()[0]))
    return folder / "scan.h5"


TRICKS: dict[str, Trick] = {
    "beside the folder": lambda _, outside: outside,
    "up and out again": lambda folder, outside: folder / ".." / outside.name,
    "by a link within the folder": _linked,
    "relative": _relative,
    "nowhere": lambda folder, _: folder / "scan.h5",
    "a folder": _a_folder,
    "not a recording": _other_bytes,
    "with a zero byte": lambda folder, _: folder / "scan\0.h5",
    "of another element": _other_scan(element="other"),
    "of another pitch": _other_scan(pitch_um=11.0),
    "with fewer frames": _fewer_frames,
}


@pytest.mark.parametrize("trick", TRICKS)
def test_a_rigs_word_leads_to_no_other_file(tmp_path: Path, folder: Path, trick: str) -> None:
    named = TRICKS[trick](folder, STRAIGHT.record(tmp_path / "outside.h5"))
    for host in serve(tmp_path, folder, STRAIGHT.began(str(named))):
        with host.client() as client:
            assert client.get(DETAILS).json()["reads_recording"] is False
            assert client.get(f"{DETAILS}/tiles/0/0/0").status_code == 404
            answer = client.get(f"{DETAILS}/defects/D0005/picture")
            assert answer.status_code == 404


def test_without_folders_no_recording_is_read(tmp_path: Path, folder: Path) -> None:
    path = STRAIGHT.record(folder / "scan.h5")
    settings = WebSettings(("127.0.0.1", 0))
    with host_in(tmp_path / "store", settings, examples=False) as host, host.client() as client:
        send(host.store, STRAIGHT.began(str(path)))
        assert client.get(DETAILS).json()["reads_recording"] is False
        assert client.get(f"{DETAILS}/tiles/0/0/0").status_code == 404


def test_recordings_are_closed_when_the_host_ends(tmp_path: Path, folder: Path) -> None:
    path = STRAIGHT.record(folder / "scan.h5")
    for host in serve(tmp_path, folder, STRAIGHT.began(str(path))):
        with host.client() as client:
            tile(client, 0, 0)
    held = [each.resolve() for each in Path("/proc/self/fd").iterdir()]
    assert path.resolve() not in held


def test_a_recording_that_is_not_read_any_more_is_closed(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_recordings, "_IDLE_SECONDS", 0.0)
    monkeypatch.setattr(server, "_TICKS_BETWEEN_IDLE", 1)
    path = STRAIGHT.record(folder / "scan.h5").resolve()
    for host in serve(tmp_path, folder, STRAIGHT.began(str(path))):
        with host.client() as client:
            tile(client, 0, 0)
            until = time.monotonic() + 60
            while path in [each.resolve() for each in Path("/proc/self/fd").iterdir()]:
                assert time.monotonic() < until
            tile(client, 0, 0)


def test_tables_of_greys_and_levels_are_each_others_inverse() -> None:
    picture = STRAIGHT.began("").picture
    assert picture is not None
    greys, levels = grey_table(picture), level_table(picture)
    assert greys[:2].tolist() == [0, 1]
    assert (greys[-1], levels[0], levels[-1]) == (255, 0, 256)
    assert np.abs(levels[greys].astype(int)[2:] - np.arange(2, 257)).max() <= 2
