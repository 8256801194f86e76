"""Frames as acquisition hands them on: the same surroundings, whatever happens to it."""

from pathlib import Path

import numpy as np
import pytest

from tests.context.acquiring import CONTEXT_PX, recorded, replay_of, surroundings_seen
from tests.context.scene import Scene, scene

pytestmark = pytest.mark.slow

LOST = 6


@pytest.fixture(scope="module")
def scan() -> Scene:
    return scene(margin=CONTEXT_PX, pixel_type="uint16", wander_px=2).without(LOST)


@pytest.fixture(scope="module")
def recording(scan: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(scan, tmp_path_factory.mktemp("recorded") / "scan.h5")


@pytest.mark.parametrize(
    ("held", "kills_at"),
    [
        pytest.param(1, (), id="one worker"),
        pytest.param(3, (), id="three workers, the last done first"),
        pytest.param(1, (2, 7), id="acquisition killed twice"),
        pytest.param(3, (9,), id="acquisition killed with frames in hands"),
    ],
)
def test_every_frame_comes_with_its_neighbours_around_it(
    scan: Scene, recording: Path, tmp_path: Path, held: int, kills_at: tuple[int, ...]
) -> None:
    usable = [meta.frame for meta in scan.frames if meta.usable]
    spec = replay_of(scan, recording, tmp_path / "out")
    seen = surroundings_seen(spec, len(usable), held=held, kills_at=kills_at)
    assert sorted(seen) == usable
    for index, around in seen.items():
        before = [other for other in range(index) if other != LOST]
        np.testing.assert_array_equal(around, scan.taken_around(index, CONTEXT_PX, before))


def test_without_context_frames_come_alone(scan: Scene, recording: Path, tmp_path: Path) -> None:
    usable = [meta.frame for meta in scan.frames if meta.usable]
    spec = replay_of(scan, recording, tmp_path / "out", context_px=0)
    for index, alone in surroundings_seen(spec, len(usable)).items():
        np.testing.assert_array_equal(alone, scan.around(index, 0))
