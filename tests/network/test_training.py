import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from darkscan.network import training
from darkscan.network.batches import Batches, BatchSource, Curriculum, turned
from darkscan.network.training import Checkpoint, TrainingOptions, fit
from darkscan.pipeline.errors import InputError
from tests.network.easy_windows import easy_windows, other_windows

OPTIONS = TrainingOptions(
    width=0.125,
    steps=20,
    batch=8,
    warm_up=2,
    validation_windows=32,
    validate_every=10,
    save_seconds=0.0,
    threads=1,
)


def silent(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("training")
    fit(OPTIONS, directory, easy_windows, silent)
    return directory


def test_twenty_steps_on_easy_windows_reduce_the_loss(trained: Path) -> None:
    with (trained / "log.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows] == ["10", "20"]
    assert float(rows[1]["loss"]) < 0.7 * float(rows[0]["loss"])
    assert float(rows[1]["auc"]) > 0.9


def test_a_killed_training_resumes_and_ends_where_it_would_have(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):  # noqa: N818 - no error of ours
        pass

    whole_step = training._Trainer.train

    def dies_in_step_13(self: training._Trainer, *batch: torch.Tensor) -> float:
        if self.step == 13:
            raise Killed
        return whole_step(self, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(training._Trainer, "train", dies_in_step_13)
        with pytest.raises(Killed):
            fit(OPTIONS, tmp_path, easy_windows, silent)
    assert Checkpoint.load(tmp_path / "checkpoint.pt").step == 13
    resumed = fit(OPTIONS, tmp_path, easy_windows, silent)
    uninterrupted = Checkpoint.load(trained / "checkpoint.pt")
    assert resumed.step == 20
    for name, value in uninterrupted.averaged.items():
        torch.testing.assert_close(resumed.averaged[name], value, rtol=1e-4, atol=1e-5)


def test_a_finished_training_is_not_trained_further(trained: Path) -> None:
    before = (trained / "log.csv").read_bytes()
    assert fit(OPTIONS, trained, easy_windows, silent).step == 20
    assert (trained / "log.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "source", "message"),
    [
        (dataclasses.replace(OPTIONS, seed=2), easy_windows, "seed: belongs to a training with 1"),
        (OPTIONS, other_windows, "belongs to a training on other windows"),
    ],
    ids=["another seed", "a simulator that has changed"],
)
def test_another_trainings_checkpoint_is_refused(
    trained: Path, options: TrainingOptions, source: BatchSource, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        fit(options, trained, source, silent)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda _: None, "there is no such checkpoint"),
        (lambda file: file.write_bytes(b"not torch's"), "is not a training checkpoint"),
        (lambda file: torch.save({"step": 3}, file), "is not a training checkpoint"),
    ],
    ids=["missing", "garbage", "some other torch file"],
)
def test_a_file_that_is_no_checkpoint_is_named(
    tmp_path: Path, write: Callable[[Path], object], message: str
) -> None:
    file = tmp_path / "checkpoint.pt"
    write(file)
    with pytest.raises(InputError, match=message) as raised:
        Checkpoint.load(file)
    assert str(raised.value).startswith(str(file))
    assert "\n" not in str(raised.value)


def test_contrast_hardens_within_the_ramp_and_stays() -> None:
    contrasts = [Curriculum(ramp=4).contrast(step) for step in range(7)]
    assert contrasts == [0, 0.25, 0.5, 0.75, 1, 1, 1]


def test_without_a_ramp_every_batch_is_as_hard_as_they_come() -> None:
    assert Curriculum(ramp=0).contrast(0) == 1


def test_the_learning_rate_warms_up_and_falls_to_nothing() -> None:
    rates = [OPTIONS.rate(step) for step in range(OPTIONS.steps)]
    assert rates[0] == pytest.approx(OPTIONS.learning_rate / 2)
    assert max(rates) == rates[1]
    assert rates[-1] < 0.01 * OPTIONS.learning_rate


def test_turning_gives_all_eight_orientations_and_keeps_the_pixels() -> None:
    window = np.arange(256 * 256, dtype=np.uint32).astype(np.uint8).reshape(256, 256)
    window = np.random.default_rng(1).permuted(window)
    many = turned(np.repeat(window[None], 200, axis=0), np.random.default_rng(0))
    assert len({image.tobytes() for image in many}) == 8
    assert all(np.array_equal(np.sort(image, None), np.sort(window, None)) for image in many)


def test_a_batch_depends_on_its_step_alone() -> None:
    def batches(first: int) -> Batches:
        return Batches(easy_windows, seed=3, size=4, curriculum=Curriculum(0), first=first, last=6)

    *_, from_the_start = batches(0)
    *_, after_a_resume = batches(5)
    assert torch.equal(from_the_start[0], after_a_resume[0])
    assert torch.equal(from_the_start[1], after_a_resume[1])
