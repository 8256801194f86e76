"""Frames with scratches drawn by eye: read, flat-fielded, and without their lines."""

import json
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from darkscan.network.evaluation.labelled_frames import (
    LabelledFrame,
    flat_fielded,
    read_frames,
    without_lines,
)
from darkscan.pipeline.core.errors import InputError
from tests.evaluation.drawn_frames import LINES, SIDE, STEP, STEP_LEVELS, stroke, write_frames


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_frames(tmp_path_factory.mktemp("drawn") / "frames")


@pytest.fixture(scope="module")
def frames(folder: Path) -> list[LabelledFrame]:
    return read_frames(folder)


def step_of(frame: LabelledFrame) -> float:
    left, right = (frame.grey.levels[:, STEP + side].mean() for side in (-1, 0))
    return float(left - right)


def excess(frame: LabelledFrame, line: list[list[int]]) -> float:
    """How much brighter a line is than what lies 6 to 9 px away."""
    on = stroke(line) > 0.8
    near, far = (dilated(on, side) for side in (6, 9))
    levels = frame.grey.levels
    return float(levels[on].mean() - levels[far & ~near].mean())


def dilated(mask: npt.NDArray[np.bool_], reach: int) -> npt.NDArray[np.bool_]:
    side = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), side) > 0)


def test_frames_come_in_the_order_of_their_names(frames: list[LabelledFrame]) -> None:
    assert [frame.name for frame in frames] == list(LINES)
    assert frames[0].grey.full_scale == 255
    assert len(frames[0].origins) == 9
    assert [len(frame.lines.everything) for frame in frames] == [2, 1, 2, 1, 0]


def test_flat_fielding_leaves_the_lines_and_takes_the_sensor(frames: list[LabelledFrame]) -> None:
    flat = flat_fielded(frames, trim=0.2)
    assert step_of(frames[0]) == pytest.approx(STEP_LEVELS, abs=0.4)
    for before, after, lines in zip(frames, flat, LINES.values(), strict=True):
        assert abs(step_of(after)) < 0.6
        for line in lines.get("clear", []):
            assert excess(after, line) == pytest.approx(2 * excess(before, line), rel=0.1)


def test_lines_are_taken_out_and_the_sensor_is_left(frames: list[LabelledFrame]) -> None:
    blank = without_lines(frames)
    for before, after, lines in zip(frames, blank, LINES.values(), strict=True):
        assert step_of(after) == pytest.approx(step_of(before), abs=0.3)
        assert not after.lines.everything
        for line in (line for kind in lines.values() for line in kind):
            assert abs(excess(after, line)) < 1
        far = np.ones((SIDE, SIDE), np.bool_)
        for line in (line for kind in lines.values() for line in kind):
            far &= ~dilated(stroke(line) > 0, 12)
        np.testing.assert_array_equal(after.grey.levels[far], before.grey.levels[far])
    np.testing.assert_array_equal(blank[-1].grey.levels, frames[-1].grey.levels)


@pytest.mark.parametrize("change", [flat_fielded, without_lines])
def test_a_few_frames_do_not_tell_the_sensor_from_a_scratch(
    frames: list[LabelledFrame], change: type
) -> None:
    with pytest.raises(InputError, match="2 frames are too few, 3 are needed"):
        change(frames[:2])


def test_frames_of_one_sensor_have_one_size(folder: Path, tmp_path: Path) -> None:
    for name in "abc":
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros((300, 300 + 8 * (name == "c"))))
    (tmp_path / "polylines.json").write_text(json.dumps({f"{name}.png": {} for name in "abc"}))
    with pytest.raises(InputError, match=r"c\.png and a\.png differ in size"):
        flat_fielded(read_frames(tmp_path))


@pytest.mark.parametrize(
    ("size", "content", "said"),
    [
        pytest.param(300, {"b.png": {}}, "b.png: cannot be read", id="no such image"),
        pytest.param(200, {"a.png": {}}, "a.png: 200x200 pixels are less than", id="small"),
        pytest.param(
            300,
            {"a.png": {"faint": [[[10, 10], [300, 20]]]}},
            "polylines.json: a.png: a line leaves the frame of 300x300 pixels: "
            "from [10.0, 10.0] to [300.0, 20.0]",
            id="a line beyond",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    tmp_path: Path, size: int, content: dict[str, object], said: str
) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), np.full((size, size), 30, np.uint8))
    (tmp_path / "polylines.json").write_text(json.dumps(content))
    with pytest.raises(InputError) as raised:
        read_frames(tmp_path)
    assert said in str(raised.value)


def test_a_folder_without_polylines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"polylines\.json: cannot be read"):
        read_frames(tmp_path)
