"""Scratches drawn by eye: their file, and the windows that they make positive."""

import json
from pathlib import Path

import numpy as np
import pytest

from darkscan.network.evaluation.polylines import Polylines, read_polylines, steps_of
from darkscan.pipeline.core.errors import InputError

ORIGINS = np.array([[0, 0], [0, 256], [256, 0], [256, 256]])


def lines(*places: tuple[float, float]) -> tuple[np.ndarray, ...]:
    return (np.array(places, np.float64),)


def test_vertices_name_pixels_and_lie_in_their_middle(tmp_path: Path) -> None:
    file = tmp_path / "polylines.json"
    file.write_text(json.dumps({"a.png": {"clear": [[[3, 4], [5, 6], [7, 9]]], "unsure": []}}))
    found = read_polylines(file)["a.png"]
    np.testing.assert_array_equal(found.clear[0], [[3.5, 4.5], [5.5, 6.5], [7.5, 9.5]])
    assert (found.faint, found.unsure) == ((), ())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("{", ": is not JSON: ", id="no JSON"),
        pytest.param("[]", ": must be a table of at least one image", id="a list"),
        pytest.param("{}", ": must be a table of at least one image", id="nothing"),
        pytest.param('{"a.png": []}', ": a.png: must be a table", id="no table of an image"),
        pytest.param(
            '{"a.png": {"claer": []}}',
            ": a.png.claer: unknown key; did you mean 'clear'?",
            id="another kind",
        ),
        pytest.param('{"a.png": {"faint": [[[1, 2]]]}}', ": a.png.faint.0: ", id="one vertex"),
        pytest.param(
            '{"a.png": {"clear": [[[1, 2], [3]]]}}', ": a.png.clear.0.1", id="half a vertex"
        ),
        pytest.param(
            '{"a.png": {"clear": [[[1, 2], [3, NaN]]]}}', ": a.png.clear.0.1.1: ", id="no number"
        ),
    ],
)
def test_a_bad_file_is_refused_by_name_and_field(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "polylines.json"
    file.write_text(content)
    with pytest.raises(InputError) as raised:
        read_polylines(file)
    assert str(raised.value).startswith(f"{file}{said}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("drawn", "touched", "visible"),
    [
        pytest.param(Polylines(), [0, 0, 0, 0], [0, 0, 0, 0], id="nothing"),
        pytest.param(
            Polylines(clear=lines((20, 20), (44, 20))), [1, 0, 0, 0], [1, 0, 0, 0], id="24 px"
        ),
        pytest.param(
            Polylines(faint=lines((20, 20), (43, 20))), [1, 0, 0, 0], [0, 0, 0, 0], id="23 px"
        ),
        pytest.param(
            Polylines(faint=lines((250, 20), (280, 20))),
            [1, 1, 0, 0],
            [0, 1, 0, 0],
            id="over a border",
        ),
        pytest.param(
            Polylines(clear=lines((10, 10), (25, 10)) + lines((10, 99), (25, 99))),
            [1, 0, 0, 0],
            [0, 0, 0, 0],
            id="two short ones do not add up",
        ),
        pytest.param(
            Polylines(unsure=lines((20, 300), (200, 500))), [0, 0, 1, 0], [0, 0, 0, 0], id="unsure"
        ),
    ],
)
def test_windows_are_labelled_by_what_lies_in_them(
    drawn: Polylines, touched: list[int], visible: list[int]
) -> None:
    labels = drawn.labels(ORIGINS)
    assert labels.touched.tolist() == [bool(flag) for flag in touched]
    assert labels.visible.tolist() == [bool(flag) for flag in visible]


def test_how_much_of_a_line_makes_a_window_positive_can_be_chosen() -> None:
    drawn = Polylines(clear=lines((20, 20), (33, 20)))
    assert drawn.labels(ORIGINS, 12).visible[0]
    assert not drawn.labels(ORIGINS).visible[0]


def test_lines_follow_a_frame_to_another_pitch() -> None:
    drawn = Polylines(clear=lines((20, 20), (40, 20)), unsure=lines((200, 20), (240, 20)))
    labels = drawn.scaled(2).labels(ORIGINS)
    assert labels.visible.tolist() == [True, False, False, False]
    assert labels.touched.tolist() == [True, True, False, False]


def test_a_line_in_steps_is_as_long_as_it_was() -> None:
    steps = steps_of(np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 4.1], [10.0, 4.1]]))
    assert steps.lengths.sum() == pytest.approx(12.1)
    assert steps.lengths.max() <= 0.25
    assert len(steps.middles) == len(steps.lengths)
