"""What is drawn beside scratches: nothing that anybody would take for one."""

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.pipeline.core.arrays import Float32Array
from darkscan.pipeline.core.frame_results import SHORTEST_PX
from darkscan.simulation.element import _clutter, _sensor_faults
from darkscan.simulation.element.kinds import Kind, KindMap
from darkscan.simulation.element.looks import WindowPreset, draw_look
from darkscan.simulation.element.strokes import SIGMA_PER_FWHM, Strokes
from darkscan.simulation.element.training_images import draw_image

SIDE = 256
MOST_ELONGATED = 3.0
STRAIGHTEST = 0.9  # a line whose ends lie no farther apart, in its lengths, is bent


class Recorded:
    """Keeps the strokes that are drawn, in the place of drawing them."""

    def __init__(self) -> None:
        self.spots: list[Strokes] = []
        self.lines: list[Strokes] = []

    def add_spots(self, image: Float32Array, strokes: Strokes) -> None:
        del image
        self.spots.append(strokes)

    def add_line(self, image: Float32Array, strokes: Strokes, canvas: Float32Array) -> None:
        del image, canvas
        self.lines.append(strokes)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    recorded = Recorded()
    monkeypatch.setattr(_clutter, "add_spots", recorded.add_spots)
    monkeypatch.setattr(_clutter, "add_line", recorded.add_line)
    return recorded


@pytest.mark.parametrize("preset", ["optic", "wide"])
def test_no_short_straight_bright_line_is_drawn_as_dirt(
    recorded: Recorded, preset: WindowPreset
) -> None:
    rng = np.random.default_rng(11)
    for _ in range(60):
        assert not draw_image(rng, 1.0, preset, SIDE, 0).lines
    specks = recorded.spots[0]
    for more in recorded.spots[1:]:
        specks = specks.and_those(more)
    assert len(specks) > 5000
    width = specks.sigma / SIGMA_PER_FWHM
    length = np.hypot(*(specks.end - specks.start).T) + width
    assert not ((length >= SHORTEST_PX) & (length / width >= MOST_ELONGATED)).any()
    assert len(recorded.lines) > 10
    for hair in recorded.lines:
        steps = np.hypot(*(hair.end - hair.start).T).sum()
        assert np.hypot(*(hair.end[-1] - hair.start[0])) < STRAIGHTEST * steps


def test_fixed_specks_of_the_sensor_are_of_a_few_pixels() -> None:
    rng = np.random.default_rng(12)
    for _ in range(20):
        look = draw_look(rng, 1.0, "optic")
        image = np.zeros((SIDE, SIDE), np.float32)
        _sensor_faults._add_fixed_specks(image, look, KindMap(SIDE), rng)
        density = (image != 0).sum() / SIDE**2
        if density < 0.005:  # where specks do not touch each other
            assert longest_run(image > 0) < SHORTEST_PX
            assert longest_run(image < 0) < SHORTEST_PX


def longest_run(pixels: npt.NDArray[np.bool_]) -> int:
    """The longest row or column of neighbouring pixels."""
    longest = 0
    for view in (pixels, pixels.T):
        run = np.zeros(view.shape[1], np.intp)
        for row in view:
            run = (run + 1) * row
            longest = max(longest, int(run.max()))
    return longest


@pytest.mark.parametrize("preset", ["optic", "wide", "mixed"])
def test_a_clean_image_has_no_cell_of_a_scratch(preset: WindowPreset) -> None:
    rng = np.random.default_rng(13)
    for _ in range(20):
        drawn = draw_image(rng, 1.0, preset, SIDE, 0)
        assert not (drawn.kinds.kinds == Kind.SCRATCH).any()
        assert not drawn.kinds.directions.any()
        assert drawn.rarest


def test_clean_images_show_all_that_is_no_scratch() -> None:
    rng = np.random.default_rng(14)
    shown: set[int] = set()
    named: set[str] = set()
    for _ in range(250):
        drawn = draw_image(rng, 1.0, "mixed", SIDE, 0)
        shown |= set(np.unique(drawn.kinds.kinds).tolist())
        named.add(drawn.rarest)
    assert shown == set(Kind) - {Kind.SCRATCH}
    assert {"dust", "digs", "dig", "hair", "tap steps", "fixed specks"} <= named
