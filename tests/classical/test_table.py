import csv
import io
import math

import numpy as np
import pytest

from darkscan.network.classical.figure import TILE_PX, Column, draw, marks_tile, raw_tile
from darkscan.network.classical.marked_windows import (
    WindowLabels,
    extent_px,
    label_windows,
    mask_of_lines,
)
from darkscan.network.classical.table import POOLED, Scored, rows, to_csv, to_markdown
from darkscan.network.datasets.rule import VISIBLE_PX
from tests.classical.scenes import noise

_ORIGINS = np.array([[0, 0], [0, 256]])
_LONG = math.ceil(VISIBLE_PX)
_ASIDE = math.ceil(VISIBLE_PX / math.sqrt(2))


def _mask(*places: tuple[int, int]) -> np.ndarray:
    mask = np.zeros((256, 512), dtype=np.bool_)
    for y, x in places:
        mask[y, x] = True
    return mask


@pytest.mark.parametrize(
    ("mask", "touched", "visible"),
    [
        pytest.param(_mask(), False, False, id="nothing"),
        pytest.param(_mask((0, 0)), True, False, id="one pixel in the rim"),
        pytest.param(_mask((100, 50), (100, 50 + _LONG - 2)), True, False, id="too short"),
        pytest.param(_mask((100, 50), (100, 50 + _LONG)), True, True, id="long enough"),
        pytest.param(
            _mask((100, 50), (100 + _ASIDE, 50 + _ASIDE)), True, True, id="along a diagonal"
        ),
        pytest.param(_mask((100, 0), (100, 50)), True, False, id="long only with its rim"),
    ],
)
def test_windows_are_labelled_by_both_rules(mask: np.ndarray, touched: bool, visible: bool) -> None:
    labels = label_windows(mask, _ORIGINS)
    assert labels.touched.tolist() == [touched, False]
    assert labels.visible.tolist() == [visible, False]
    assert labels.decided.tolist() == [visible or not touched, True]


def test_a_polyline_becomes_a_mask_of_its_width() -> None:
    mask = mask_of_lines([(np.array([[10.5, 20.5], [60.5, 20.5]]), 2.3)], (40, 80))
    assert mask[19:22, 10:61].all()
    assert mask.sum() < 1.2 * 3 * 51
    assert extent_px(mask) == pytest.approx(52, abs=2)


def _scored(frame: str, scores: list[float], touched: list[bool], visible: list[bool]) -> Scored:
    labels = WindowLabels(np.array(touched), np.array(visible))
    return Scored(frame, "otsu", 2.0, np.array(scores), labels)


def test_figures_are_right_by_both_rules_and_pooled() -> None:
    one = _scored("a|b", [3, 1, 2, 0], [True, True, False, False], [True, False, False, False])
    two = _scored("empty", [0, 0], [False, False], [False, False])
    first, second, pooled = rows([one, two])
    assert (first.touched.windows, first.touched.scratched, first.touched.auc) == (4, 2, 0.75)
    assert (first.touched.precision, first.touched.recall, first.touched.f1) == (0.5, 0.5, 0.5)
    assert (first.visible.windows, first.visible.scratched, first.visible.auc) == (3, 1, 1.0)
    assert (first.visible.precision, first.visible.recall) == (0.5, 1.0)
    assert np.isnan(second.touched.auc)
    assert np.isnan(second.touched.recall)
    assert (pooled.frame, pooled.touched.windows) == (POOLED, 6)
    assert pooled.touched.auc == pytest.approx((3.5 + 3) / 8 + 0.0, abs=0.07)


def test_the_table_is_written_as_csv_and_markdown() -> None:
    table = rows([_scored("a|b", [3.0, 1.0], [True, False], [True, False])])
    (read,) = csv.DictReader(io.StringIO(to_csv(table)))
    assert read["frame"] == "a|b"
    assert float(read["touched_auc"]) == 1.0
    assert int(read["visible_scratched"]) == 1
    line = to_markdown(table).splitlines()[-1]
    assert line.startswith("| a\\|b | otsu | 2 | 1 of 2 | 1.000 |")
    widths = {text.replace("\\|", "").count("|") for text in to_markdown(table).splitlines()[4:]}
    assert len(widths) == 1


@pytest.mark.parametrize(
    "shape", [(256, 256), (900, 1800)], ids=["smaller than a tile", "larger and not square"]
)
def test_tiles_show_marks_and_outline_the_truth(shape: tuple[int, int]) -> None:
    frame, line = noise(shape), np.zeros(shape, dtype=np.bool_)
    line[shape[0] // 2, 20:-20] = True
    raw, marked = raw_tile(frame, 255, line), marks_tile(frame, line)
    assert max(raw.shape) == TILE_PX
    red = (raw[..., 0] > 150) & (raw[..., 1] < 90)
    assert red.any()
    assert not red[: raw.shape[0] // 3].any()
    middle = marked[marked.shape[0] // 2 - 3 : marked.shape[0] // 2 + 4].astype(int)
    assert (middle[..., 0] - middle[..., 2]).max() > 100
    column = Column("frame $1", [raw, marked], ["", "AUC 0.5"])
    assert draw(["raw", "otsu"], [column, column]).startswith(b"\x89PNG")
