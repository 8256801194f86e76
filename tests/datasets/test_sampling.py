"""The three sampling methods, and the dealing of images to splits."""

from dataclasses import dataclass

import numpy as np
import pytest

from darkscan.network.datasets._labelled_image import ImageTruth, polyline_scratch
from darkscan.network.datasets._sampling import Sampling, Shares, draw_windows
from darkscan.network.datasets._splits import TABLE_I, Counts, scaled_counts, split_images
from darkscan.network.datasets.rule import Judge, Labels, Origins

ONLY = {
    "gaussian": Shares(1, 0, 0),
    "uniform": Shares(0, 1, 0),
    "random": Shares(0, 0, 1),
}


def scratched(side: int = 1200, end: tuple[float, float] = (900.0, 700.5)) -> ImageTruth:
    scratch = polyline_scratch(np.array([[100.0, 100.5], end]))
    touched = np.zeros((side, side), bool)
    x, y = scratch.points.astype(int).T
    touched[y, x] = True
    return ImageTruth((scratch,), touched)


def test_windows_are_as_many_as_wanted_and_none_twice() -> None:
    truth = scratched()
    sample = draw_windows(np.random.default_rng(1), truth, 50, 40, Sampling())
    assert (sample.count(1), sample.count(0)) == (50, 40)
    assert len(set(sample.origins)) == 90
    origins = np.array(sample.origins)
    assert (origins >= 0).all()
    assert (origins <= 1200 - 256).all()
    assert Judge(truth).label(origins).tolist() == sample.labels


def test_methods_keep_their_shares() -> None:
    sampling = Sampling(Shares(6, 2, 2), Shares(0, 5, 5))
    sample = draw_windows(np.random.default_rng(1), scratched(), 50, 20, sampling)
    pairs = list(zip(sample.labels, sample.methods, strict=True))
    found = {
        (label, method): sum(pair == (label, method) for pair in pairs)
        for label in (0, 1)
        for method in ONLY
    }
    assert found == {
        (1, "gaussian"): 30, (1, "uniform"): 10, (1, "random"): 10,
        (0, "gaussian"): 0, (0, "uniform"): 10, (0, "random"): 10,
    }  # fmt: skip


def test_uniform_windows_lie_on_the_grid_of_an_inspection() -> None:
    sampling = Sampling(ONLY["uniform"], ONLY["uniform"])
    sample = draw_windows(np.random.default_rng(1), scratched(1280), 5, 5, sampling)
    assert set(sample.methods) == {"uniform"}
    assert not (np.array(sample.origins) % 128).any()


def test_gaussian_windows_are_centred_about_the_scratch() -> None:
    sampling = Sampling(ONLY["gaussian"], ONLY["random"], spread_px=20.0)
    sample = draw_windows(np.random.default_rng(1), scratched(), 100, 0, sampling)
    y, x = (np.array(sample.origins) + 128).T
    distance = np.abs(0.6 * (x - 100) - 0.8 * (y - 100.5))  # of the line, direction (0.8, 0.6)
    assert set(sample.methods) == {"gaussian"}
    assert distance[x > 140].max() < 80
    assert 10 < np.sqrt(np.mean(distance[(x > 200) & (x < 800)] ** 2)) < 30


def test_random_windows_supplement_what_the_grid_cannot_give() -> None:
    sampling = Sampling(ONLY["gaussian"], ONLY["uniform"])
    sample = draw_windows(np.random.default_rng(1), scratched(), 0, 200, sampling)
    assert sample.count(0) == 200
    assert sample.methods.count("random") >= 200 - 81
    assert sample.left_out > 0


def test_more_windows_than_places_are_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[int] = []
    label = Judge.label

    def counting(judge: Judge, origins: Origins) -> Labels:
        judged.append(len(origins))
        return label(judge, origins)

    monkeypatch.setattr(Judge, "label", counting)
    clean = ImageTruth((), np.zeros((260, 260), bool))
    sample = draw_windows(np.random.default_rng(1), clean, 0, 1_000_000, Sampling())
    assert 20 <= sample.count(0) <= 25
    assert sum(judged) < 5000


def test_an_image_too_small_for_more_gives_what_it_has() -> None:
    sample = draw_windows(
        np.random.default_rng(1), scratched(256, (200.0, 150.5)), 10, 10, Sampling()
    )
    assert sample.origins == [(0, 0)]
    assert sample.labels == [1]


@dataclass(frozen=True)
class Image:
    name: int
    scratched: bool = True


def test_the_paper_s_images_are_dealt_as_in_the_paper() -> None:
    images = [Image(number) for number in range(112)]
    splits = split_images(images, {"train": 80, "validation": 12, "test": 20}, seed=1)
    assert {name: len(found) for name, found in splits.items()} == {
        "train": 80, "validation": 12, "test": 20,
    }  # fmt: skip
    dealt = [image.name for found in splits.values() for image in found]
    assert sorted(dealt) == list(range(112))
    again = split_images(images, {"train": 80, "validation": 12, "test": 20}, seed=1)
    other = split_images(images, {"train": 80, "validation": 12, "test": 20}, seed=2)
    assert splits == again != other


@pytest.mark.parametrize("scratches", [3, 4, 10])
def test_every_split_has_a_scratched_image(scratches: int) -> None:
    images = [Image(number, number < scratches) for number in range(40)]
    splits = split_images(images, {"train": 80, "validation": 12, "test": 20}, seed=3)
    assert all(any(image.scratched for image in found) for found in splits.values())


def test_a_split_without_a_share_is_not_made() -> None:
    splits = split_images([Image(1)], {"train": 0, "validation": 0, "test": 1}, seed=1)
    assert splits == {"test": [Image(1)]}


def test_counts_follow_table_one() -> None:
    assert scaled_counts(33377) == TABLE_I
    small = scaled_counts(3338)
    assert small["train"] == Counts(1680, 1412)
    assert min(min(c.scratch, c.background) for c in scaled_counts(6).values()) == 1
