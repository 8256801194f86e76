"""Training windows of a data set in a file: shuffled by epoch, each once, of any depth."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.network.batches import Batches, Curriculum
from darkscan.network.datasets._writer import SourceRow, new_dataset
from darkscan.network.sources import DatasetWindows
from darkscan.network.training import Machine, Reporting, TrainingOptions, fit
from darkscan.pipeline.core.errors import InputError
from darkscan.simulation.element.kinds import UNKNOWN
from tests.network.easy_windows import easy_windows

COUNT = 21


def write(file: Path, *, train_labels: int | None = None, seed: int = 0) -> Path:
    """A data set of windows each of which is known by its first pixel."""
    splits = ("train", "validation")
    with new_dataset(file, splits, "uint16", 2 * COUNT) as writer:
        for number, split in enumerate(splits):
            images, labels, lines, boxes, *_ = easy_windows(seed + number, 0, COUNT, 1.0)
            images[:, 0, 0] = np.arange(COUNT)
            if train_labels is not None and split == "train":
                labels[:] = train_labels
            columns: dict[str, npt.NDArray[Any]] = {
                "labels": labels,
                "origin": np.zeros((COUNT, 2)),
                "method": np.full(COUNT, b"random"),
                "kind": np.full(COUNT, b""),
                "boxes": boxes,
                "lines": lines,
                **dict.fromkeys(("cnr", "length_px", "snr"), np.full(COUNT, np.nan)),
            }
            row = SourceRow(f"{split}.png", "0" * 64, split)
            writer.add(row, images.astype(np.uint16) * 16, columns)
        writer.finish({}, 4095)
    return file


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "easy.h5")


def seen(source: DatasetWindows, seed: int, epoch: int) -> list[int]:
    steps = range(5 * epoch, 5 * epoch + 5)
    drawn = [source.draw(seed, step, 4, range(4), 1.0).images for step in steps]
    return [int(grey) // 16 for images in drawn for grey in images[:, 0, 0]]


def test_an_epoch_shows_every_window_at_most_once_in_an_order_of_its_own(file: Path) -> None:
    source = DatasetWindows(file)
    assert source.steps_an_epoch(4) == 5
    first, second = seen(source, 1, 0), seen(source, 1, 1)
    assert len(set(first)) == len(set(second)) == 20
    assert first != second
    assert seen(source, 1, 0) == first
    assert seen(source, 2, 0) != first


def test_labels_lines_and_boxes_come_with_their_windows(file: Path) -> None:
    drawn = DatasetWindows(file).draw(1, 0, 16, range(16), 1.0)
    for image, label, lines, box in zip(*drawn[:4], strict=True):
        assert image.dtype == np.uint16
        bright = (image[1:] > 35 * 16).any()
        assert bool(label) == bright == lines.any() == box.any()


def test_nobody_said_what_else_its_windows_show(file: Path) -> None:
    drawn = DatasetWindows(file).draw(1, 0, 16, range(16), 1.0)
    assert drawn.kinds.shape == drawn.directions.shape == drawn.lines.shape
    assert (drawn.kinds == UNKNOWN).all()


def test_it_is_known_by_its_hash_and_can_be_sent_to_another_process(file: Path) -> None:
    source = DatasetWindows(file)
    sent = pickle.loads(pickle.dumps(source))  # noqa: S301 - ours
    assert sent.fingerprint(1) == source.fingerprint(1)
    assert len(pickle.dumps(source)) < 1000
    assert seen(sent, 1, 0) == seen(source, 1, 0)


def test_its_windows_are_relit_in_the_range_of_its_camera(file: Path) -> None:
    source = DatasetWindows(file)
    batch = Batches(source, 1, 16, Curriculum(0), first=0, last=1, share=range(16))[0]
    raw = source.draw(1, 0, 16, range(16), 1.0).images
    means = batch.windows.float().mean((1, 2)).numpy()
    assert source.full_scale == 4095
    assert np.abs(means / raw.mean(axis=(1, 2)) - 1).max() > 0.05
    assert batch.full_scale.min() == 4095


def test_validation_takes_no_more_than_asked_always_the_same(file: Path) -> None:
    source = DatasetWindows(file)
    windows, labels = source.validation(1, 10)
    assert len(windows) == len(labels) == 10
    assert np.array_equal(windows, source.validation(1, 10)[0])
    assert len(source.validation(1, 1000)[0]) == COUNT


@pytest.mark.parametrize(("label", "missing"), [(0, "scratch"), (1, "background")])
def test_an_empty_class_is_named(tmp_path: Path, label: int, missing: str) -> None:
    file = write(tmp_path / "half.h5", train_labels=label)
    with pytest.raises(InputError, match=rf"half\.h5: train: has no {missing} window"):
        DatasetWindows(file)


def test_a_batch_that_it_cannot_fill_is_refused(file: Path) -> None:
    with pytest.raises(InputError, match="has 21 training windows, fewer than a batch of 32"):
        DatasetWindows(file).steps_an_epoch(32)


@pytest.mark.slow
def test_a_network_trains_on_it_and_other_data_is_refused(file: Path, tmp_path: Path) -> None:
    options = TrainingOptions(width=0.125, steps=2, batch=4, validate_every=2)
    machine = Machine(threads=1, workers=1)

    def train(source: DatasetWindows) -> int:
        out = tmp_path / "out"
        told: list[str] = []
        fit(options, out, source, machine=machine, reporting=Reporting(told.append, plots=False))
        return len(told)

    assert train(DatasetWindows(file)) == 1
    other = write(tmp_path / "other.h5")
    assert train(DatasetWindows(other)) == 1  # the same content elsewhere: goes on
    with pytest.raises(InputError, match="belongs to a training on other windows"):
        train(DatasetWindows(write(tmp_path / "different.h5", seed=7)))
