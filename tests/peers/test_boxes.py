import math

import pytest
import torch

from darkscan.network.peers import _boxes as boxes
from darkscan.network.peers._boxes import BACKGROUND, IGNORED, SCRATCH
from darkscan.network.peers._retinanet import focal_loss

GRID = torch.tensor([[0.0, 0, 100, 100], [100, 0, 200, 100], [0, 0, 100, 45], [0, 0, 52, 100]])


def test_anchors_lie_about_the_centres_of_their_cells() -> None:
    grid = boxes.anchors([(32, 32), (2, 2)], [8, 128])
    assert grid.shape == (9 * (32 * 32 + 2 * 2), 4)
    centres = (grid[:, :2] + grid[:, 2:]) / 2
    some = centres[[0, 9, 9 * 32, -1]]  # columns come before rows
    torch.testing.assert_close(some, torch.tensor([[4.0, 4], [12, 4], [4, 12], [192, 192]]))


def test_anchors_have_three_scales_and_three_ratios() -> None:
    grid = boxes.anchors([(1, 1)], [8])
    width, height = (grid[:, 2:] - grid[:, :2]).T
    areas = [(32 * 2 ** (octave / 3)) ** 2 for octave in range(3) for _ in range(3)]
    assert (width * height).tolist() == pytest.approx(areas, rel=1e-5)
    assert (height / width).tolist() == pytest.approx([0.5, 1, 2] * 3, rel=1e-5)


def test_overlap_is_intersection_over_union() -> None:
    found = boxes.overlap(torch.tensor([[50.0, 0, 150, 100]]), GRID)
    expected = [1 / 3, 1 / 3, 2250 / 12250, 200 / 15000]
    assert found[0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("box", "scratched", "expected"),
    [
        pytest.param(
            [0, 0, 100, 100], True, [SCRATCH, BACKGROUND, IGNORED, SCRATCH], id="by overlap"
        ),
        pytest.param([0, 0, 100, 100], False, [BACKGROUND] * 4, id="window without a scratch"),
        pytest.param(
            [150, 0, 152, 100],
            True,
            [BACKGROUND, SCRATCH, BACKGROUND, BACKGROUND],
            id="too thin for any anchor: the best",
        ),
        pytest.param([200, 200, 240, 240], True, [BACKGROUND] * 4, id="beside every anchor"),
    ],
)
def test_match(box: list[float], scratched: bool, expected: list[int]) -> None:
    matched = boxes.match(torch.tensor([box]).float(), torch.tensor([scratched]), GRID)
    assert matched[0].tolist() == expected


def test_offsets_lead_back_to_the_box() -> None:
    sought = torch.tensor([[3.0, 5, 4, 250], [0, 0, 256, 256], [10, 20, 70, 90], [1, 1, 2, 2]])
    torch.testing.assert_close(boxes.decode(boxes.encode(sought, GRID), GRID), sought)


def test_focal_loss_is_equation_5() -> None:
    scores, truth = [0.9, 0.2, 0.6], [1.0, 1.0, 0.0]
    expected = sum(
        -(0.25 if y else 0.75) * (1 - p) ** 2 * math.log(p)
        for y, p in ((y, s if y else 1 - s) for s, y in zip(scores, truth, strict=True))
    )
    found = focal_loss(torch.logit(torch.tensor(scores)), torch.tensor(truth))
    assert found.item() == pytest.approx(expected, rel=1e-5)
