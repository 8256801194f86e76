"""Training as a whole: it learns, resumes, refuses what is not its own, and stops in time."""

import csv
import dataclasses
import math
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from darkscan.network.batches import Batch, Batches, BatchSource, Curriculum
from darkscan.network.sources import SimulatedWindows
from darkscan.network.training import (
    Checkpoint,
    Machine,
    Reporting,
    TrainingOptions,
    fit,
    score,
)
from darkscan.network.training._checkpoint import start_from
from darkscan.network.training._ranks import Ranks
from darkscan.network.training._trainer import Trainer
from darkscan.network.variants import build
from darkscan.pipeline.core.errors import DarkscanError, InputError, StorageError
from tests.network.easy_windows import easy_windows, one_class, other_windows
from tests.rounding import assert_same_but_for_rounding

pytestmark = pytest.mark.slow

OPTIONS = TrainingOptions(
    width=0.125,
    steps=24,
    batch=8,
    warm_up=2,
    validation_windows=32,
    validate_every=12,
    learning_rate=4e-3,
)
SHORT = dataclasses.replace(OPTIONS, steps=6, validate_every=3)
HERE = Machine(threads=1, workers=0, save_seconds=0.0, bfloat16=False)
EASY = SimulatedWindows(easy_windows)


def silent(_: str) -> None:
    pass


def train(
    directory: Path,
    options: TrainingOptions = SHORT,
    source: BatchSource = easy_windows,
    init: Path | None = None,
    report: Callable[[str], None] = silent,
) -> Checkpoint:
    return fit(
        options,
        directory,
        SimulatedWindows(source),
        machine=HERE,
        init=init,
        reporting=Reporting(report, plots=False),
    )


def rows_of(directory: Path) -> list[dict[str, str]]:
    with (directory / "log.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("training")
    machine = dataclasses.replace(HERE, workers=1)
    fit(OPTIONS, directory, EASY, machine=machine, reporting=Reporting(silent))
    return directory


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("short")
    train(directory)
    return directory


def test_two_dozen_steps_on_easy_windows_reduce_the_loss(trained: Path) -> None:
    rows = rows_of(trained)
    assert [row["step"] for row in rows] == ["12", "24"]
    assert float(rows[1]["loss"]) < 0.7 * float(rows[0]["loss"])
    assert float(rows[1]["auc"]) > 0.9


@pytest.mark.parametrize("wanted", [True, False], ids=["bfloat16", "float32"])
def test_it_computes_in_the_numbers_it_is_told(
    monkeypatch: pytest.MonkeyPatch, *, wanted: bool
) -> None:
    seen: list[bool] = []

    def loss_of(network: nn.Module, batch: Batch) -> Tensor:
        product = network.get_parameter("head.weight") @ torch.ones(len(batch.labels), 1)
        seen.append(product.dtype == torch.bfloat16)
        return product.float().sum()

    monkeypatch.setattr("darkscan.network.training._trainer.loss_of", loss_of)
    network = nn.ModuleDict({"head": nn.Linear(8, 1)})
    alone = Ranks(0, 1, torch.device("cpu"))
    trainer = Trainer(OPTIONS, alone, bfloat16=wanted, network=network)
    trainer.train(Batches(EASY, 1, 8, Curriculum(0), first=0, last=1, share=range(8))[0], 1e-3)
    assert seen == [wanted]


def test_the_plots_are_pictures(trained: Path) -> None:
    for name in ("log.png", "pr.png"):
        assert (trained / name).read_bytes().startswith(b"\x89PNG")


def test_the_best_is_that_of_the_lowest_validation_loss(trained: Path) -> None:
    history = Checkpoint.load(trained / "checkpoint.pt").history
    best = min(history, key=lambda row: row["validation_loss"])
    assert Checkpoint.load(trained / "best.pt").step == best["step"]


def test_what_is_kept_scores_as_it_was_validated(trained: Path) -> None:
    checkpoint = Checkpoint.load(trained / "checkpoint.pt")
    windows, labels = EASY.validation(OPTIONS.validation_seed, OPTIONS.validation_windows)
    # The threshold is a window's own logit: rounding must not put it on the other side.
    found = score(checkpoint.averaged_network(), windows) >= checkpoint.figures["threshold"] - 1e-4
    recall = (found & (labels == 1)).sum() / (labels == 1).sum()
    assert recall == pytest.approx(checkpoint.figures["recall"])


def test_the_same_seed_gives_the_same_losses_and_another_seed_others(tmp_path: Path) -> None:
    options = dataclasses.replace(SHORT, steps=2, validate_every=1)
    runs = []
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        train(tmp_path / name, dataclasses.replace(options, seed=seed))
        runs.append([(row["loss"], row["validation_loss"]) for row in rows_of(tmp_path / name)])
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_a_killed_training_resumes_and_ends_where_it_would_have(
    short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):  # noqa: N818 - no error of ours
        pass

    whole_step = Trainer.train

    def dies_in_step_4(self: Trainer, batch: Batch, rate: float) -> float:
        if self.step == 4:
            raise Killed
        return whole_step(self, batch, rate)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train", dies_in_step_4)
        with pytest.raises(Killed):
            train(tmp_path)
    assert Checkpoint.load(tmp_path / "checkpoint.pt").step == 4
    resumed = train(tmp_path)
    uninterrupted = Checkpoint.load(short / "checkpoint.pt")
    assert resumed.step == 6
    assert [row["step"] for row in rows_of(tmp_path)] == ["3", "6"]
    for row, whole in zip(rows_of(tmp_path), rows_of(short), strict=True):
        # The second mean is of the steps before the kill, too.
        assert float(row["loss"]) == pytest.approx(float(whole["loss"]), rel=1e-6)
    for name, value in uninterrupted.averaged.items():
        torch.testing.assert_close(resumed.averaged[name], value, rtol=1e-4, atol=1e-5)


def test_an_interrupted_training_finishes_its_step_and_saves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_step = Trainer.train

    def interrupted_in_step_3(self: Trainer, batch: Batch, rate: float) -> float:
        if self.step == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return whole_step(self, batch, rate)

    monkeypatch.setattr(Trainer, "train", interrupted_in_step_3)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path)
    assert Checkpoint.load(tmp_path / "checkpoint.pt").step == 4
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("broken", [math.nan, math.inf], ids=["not a number", "infinite"])
def test_a_broken_loss_stops_and_leaves_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: float
) -> None:
    whole_step = Trainer.train

    def breaks_in_step_5(self: Trainer, batch: Batch, rate: float) -> float:
        if self.step == 4:
            batch.labels[0] = broken
        return whole_step(self, batch, rate)

    monkeypatch.setattr(Trainer, "train", breaks_in_step_5)
    with pytest.raises(
        DarkscanError, match=r"step 5: the loss is .* learning rate of 0\.00"
    ) as told:
        train(tmp_path)
    assert "\n" not in str(told.value)
    kept = Checkpoint.load(tmp_path / "checkpoint.pt")
    assert kept.step == 4
    assert all(value.isfinite().all() for value in kept.network.values())


def test_a_finished_training_is_not_trained_further(short: Path) -> None:
    before = (short / "log.csv").read_bytes()
    assert train(short).step == 6
    assert (short / "log.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "source", "message"),
    [
        (dataclasses.replace(SHORT, seed=2), easy_windows, "seed: belongs to a training with 1"),
        (
            dataclasses.replace(SHORT, network="afn"),
            easy_windows,
            "checkpoint.pt: network: belongs to a training with darkscan, not afn",
        ),
        (
            dataclasses.replace(SHORT, width=0.25),
            easy_windows,
            "checkpoint.pt: width: belongs to a training with 0.125, not 0.25",
        ),
        (SHORT, other_windows, "belongs to a training on other windows"),
    ],
    ids=["another seed", "another variant", "another width", "a simulator that has changed"],
)
def test_another_trainings_checkpoint_is_refused(
    short: Path, options: TrainingOptions, source: BatchSource, message: str
) -> None:
    before = (short / "checkpoint.pt").read_bytes()
    with pytest.raises(InputError, match=message):
        train(short, options, source)
    assert (short / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize(
    ("areas", "learned"),
    [([], False), ([0.3, 0.6], False), ([0.5, 0.75, 0.5], True)],
    ids=["not validated", "as by chance", "once better"],
)
def test_a_training_learned_if_a_validation_was_better_than_chance(
    areas: list[float], *, learned: bool
) -> None:
    history = [{"auc": area} for area in areas]
    options = dataclasses.replace(OPTIONS, validation_windows=64)
    assert Checkpoint(options, 1, "", {}, {}, {}, {}, history).learned is learned


def test_windows_of_one_class_teach_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="validation windows, all of one class"):
        train(tmp_path, source=one_class)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file/folder: cannot be written"):
        train(tmp_path / "file" / "folder")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda _: None, "there is no such checkpoint"),
        (lambda file: file.write_bytes(b"not torch's"), "is not a training checkpoint$"),
        (lambda file: file.mkdir(), "cannot be read: Is a directory"),
        (lambda file: torch.save({"step": 3}, file), "is not a training checkpoint"),
        (
            lambda file: torch.save({"options": {"width": 0.25}, "step": 3}, file),
            "format: is of another version",
        ),
        (
            lambda file: torch.save({"options": {"network": "afn"}, "format": 9}, file),
            "format: is of another version",
        ),
    ],
    ids=[
        "missing",
        "garbage",
        "a folder",
        "some other torch file",
        "the first kind",
        "of the future",
    ],
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


def test_weights_that_are_not_the_networks_are_named(short: Path, tmp_path: Path) -> None:
    checkpoint = Checkpoint.load(short / "checkpoint.pt")
    options = dataclasses.replace(checkpoint.options, width=0.25)
    dataclasses.replace(checkpoint, options=options).save(tmp_path / "mixed.pt")
    mixed = Checkpoint.load(tmp_path / "mixed.pt")
    with pytest.raises(InputError, match=r"mixed\.pt: network: .* darkscan at width 0\.25"):
        mixed.averaged_network()


def test_weights_alone_can_be_used_but_not_trained_further(short: Path, tmp_path: Path) -> None:
    whole = short / "checkpoint.pt"
    alone = tmp_path / "checkpoint.pt"
    Checkpoint.load(whole).weights_only().save(alone)
    assert alone.stat().st_size < 0.4 * whole.stat().st_size
    windows, _ = EASY.validation(3, 8)
    expected = score(Checkpoint.load(whole).averaged_network(), windows)
    found = score(Checkpoint.load(alone).averaged_network(), windows)
    assert_same_but_for_rounding(found, expected)
    with pytest.raises(InputError, match="holds weights only"):
        train(tmp_path)


def test_a_start_takes_what_fits_and_begins_as_the_other_ended(tmp_path: Path) -> None:
    options = dataclasses.replace(OPTIONS, network="afn", steps=2, validate_every=2)
    train(tmp_path / "afn", options)
    file = tmp_path / "afn" / "best.pt"
    torch.manual_seed(3)
    ours = build("darkscan", OPTIONS.width).eval()
    start = start_from(file, ours)
    assert set(start.padded) == {"stem.0.weight", "head.weight"}
    assert all(name.startswith(("line_head.", "clip.")) for name in start.fresh)
    assert "padded with zeros: stem.0.weight, head.weight, fresh: line_head." in str(start)
    ours.load_state_dict(start.weights)
    windows, _ = EASY.validation(3, 8)
    expected = score(Checkpoint.load(file).averaged_network(), windows)
    assert_same_but_for_rounding(score(ours, windows), expected)


def test_a_started_training_tells_what_it_took_and_is_another_training(
    short: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    options = dataclasses.replace(OPTIONS, steps=2, validate_every=2)
    train(tmp_path, options, init=short / "best.pt", report=told.append)
    assert "tensors taken, fresh: none" in told[0]
    with pytest.raises(InputError, match="init: belongs to"):
        train(tmp_path, options)


def test_a_start_from_another_width_is_refused(short: Path) -> None:
    with pytest.raises(InputError, match=r"best\.pt: --init: .* darkscan at width 0\.125"):
        start_from(short / "best.pt", build("darkscan", 0.5))
