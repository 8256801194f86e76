"""Windows of a data set, scored where they lie in their images."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from darkscan.cli.options import model_file
from darkscan.inference.scoring import ModelScorer
from darkscan.network.datasets import SimulatedImage
from darkscan.network.evaluation.in_frames import Frames, score_in_frames
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.grid import window_origins
from tests.evaluation.fakes import CutWindows, in_a_plate

Scores = npt.NDArray[np.float32]


class ByPlace:
    """Scores that say where a window lies, and keep the frames that were asked about."""

    def __init__(self, broken: tuple[int, int] | None = None) -> None:
        self.frames: list[Pixels] = []
        self.broken = broken

    def frame(self, pixels: Pixels, origins: npt.NDArray[np.int32], full_scale: float) -> Scores:
        assert full_scale == 255
        self.frames.append(pixels)
        scores = (origins[:, 0] / 1000 + origins[:, 1] / 100000).astype(np.float32)
        if self.broken is not None:
            scores[(origins == self.broken).all(axis=1)] = np.nan
        return scores


def plate(seed: int) -> npt.NDArray[np.uint8]:
    levels = np.random.default_rng(seed).integers(10, 30, (384, 512))
    return levels.astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed in (1, 2):
        assert cv2.imwrite(str(tmp_path / f"plate-{seed}.png"), plate(seed))
    return tmp_path


PLATES = {f"plate-{seed}.png": plate(seed) for seed in (1, 2)}
PLACES = [
    ("plate-1.png", 0, 128), ("plate-2.png", 128, 0), ("plate-1.png", 128, 256),
    ("plate-2.png", 0, 0), ("plate-1.png", 5, 128), ("plate-1.png", 0, 100),
]  # fmt: skip


def test_windows_on_the_grid_have_their_frames_scores_and_others_are_left_out(
    folder: Path,
) -> None:
    windows, scorer = CutWindows(PLATES, PLACES), ByPlace()
    told: list[tuple[int, int]] = []
    scored = score_in_frames(
        windows, scorer, Frames(255, folder), show=lambda *done: told.append(done)
    )
    np.testing.assert_allclose(scored.scores, [0.00128, 0.128, 0.13056, 0.0], atol=1e-6)
    assert scored.source.tolist() == [name for name, _, _ in PLACES[:4]]
    assert scored.labels.tolist() == [False, True, False, True]
    assert told == [(4, 6), (6, 6)]
    for found, expected in zip(scorer.frames, PLATES.values(), strict=True):  # each once
        np.testing.assert_array_equal(found, expected)


def test_a_models_scores_are_those_of_the_frame(tmp_path: Path) -> None:
    windows = in_a_plate(tmp_path / "plate.png")
    with model_file(None) as file:
        scorer = ModelScorer(file, threads=1)
    scored = score_in_frames(windows, scorer, Frames(255, tmp_path))
    levels = cv2.imread(str(tmp_path / "plate.png"), cv2.IMREAD_GRAYSCALE)
    assert levels is not None
    pixels = levels.astype(np.uint8)
    expected = scorer.frame(pixels, window_origins((256, 512), 256, 128), 255)
    np.testing.assert_array_equal(scored.scores, expected[:2])


@pytest.mark.parametrize(("side", "depth"), [(512, 8), (400, 12)])
def test_simulated_images_are_made_again(side: int, depth: int) -> None:
    image = SimulatedImage(3, "dirty", side, depth)
    assert image.name == f"simulated-dirty-3-{side}px"
    again = Frames(2**depth - 1).pixels(image.name)
    np.testing.assert_array_equal(again, image.load().pixels)


def test_a_simulated_image_of_the_usual_side_does_not_tell_it() -> None:
    image = SimulatedImage(7)
    assert image.name == "simulated-optic-7"
    assert SimulatedImage.named(image.name) == image
    assert SimulatedImage.named("simulated-7.png") is None


def test_another_image_of_the_same_name_is_refused(folder: Path) -> None:
    assert cv2.imwrite(str(folder / "plate-2.png"), plate(3))
    with pytest.raises(InputError, match=r"^data: plate-2\.png is not the image that the windows"):
        score_in_frames(CutWindows(PLATES, PLACES), ByPlace(), Frames(255, folder))


def test_images_need_a_folder_unless_simulated(folder: Path) -> None:
    windows = CutWindows(PLATES, PLACES)
    with pytest.raises(InputError, match="--images: is needed"):
        score_in_frames(windows, ByPlace(), Frames(255))
    (folder / "plate-1.png").unlink()
    with pytest.raises(InputError, match=r"plate-1\.png: cannot be read"):
        score_in_frames(windows, ByPlace(), Frames(255, folder))


def test_a_score_that_is_no_number_is_not_taken_for_a_window_off_the_grid(folder: Path) -> None:
    windows = CutWindows(PLATES, PLACES)
    with pytest.raises(InputError, match="gives 1 of 6 windows a score that is no number"):
        score_in_frames(windows, ByPlace(broken=(128, 256)), Frames(255, folder))


def test_a_data_set_off_the_grid_is_refused(folder: Path) -> None:
    windows = CutWindows(PLATES, [("plate-1.png", 0, 0), ("plate-1.png", 5, 128)])
    with pytest.raises(InputError, match="--in-frames: too few windows lie on the grid"):
        score_in_frames(windows, ByPlace(), Frames(255, folder))
