"""The course of the learning rate and the contrast, and the two presets."""

import dataclasses
from typing import Any

import pytest

from darkscan.network.batches import Curriculum
from darkscan.network.training import TrainingOptions, paper, small
from darkscan.pipeline.core.errors import InputError

OPTIONS = TrainingOptions(steps=20, warm_up=2)


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


@pytest.mark.parametrize(
    ("losses", "reductions"),
    [
        ([], 0),
        ([0.7, 0.6, 0.5, 0.4], 0),
        ([0.5, 0.6, 0.6], 0),
        ([0.5, 0.6, 0.6, 0.6], 1),
        ([0.5, 0.5, 0.5, 0.5], 1),
        ([0.5, 0.6, 0.6, 0.4, 0.6, 0.6], 0),
        ([0.5] * 7, 2),
    ],
    ids=[
        "nothing yet", "always better", "two stalled", "three stalled", "three the same",
        "better in time", "stalled twice",
    ],
)  # fmt: skip
def test_a_plateau_of_three_validations_divides_the_rate_by_ten(
    losses: list[float], reductions: int
) -> None:
    options = paper()
    assert options.reductions(losses) == reductions
    assert options.rate(5000, reductions) == pytest.approx(1e-4 / 10**reductions)


def test_the_papers_preset_is_the_papers_protocol() -> None:
    options = paper()
    assert (options.network, options.width, options.batch) == ("afn", 1.0, 32)
    assert (options.optimizer, options.learning_rate, options.weight_decay) == ("adam", 1e-4, 0)
    assert options.validate_every == 30920 // 32
    assert options.steps == 40 * options.validate_every


def test_the_small_preset_is_the_default() -> None:
    assert small() == TrainingOptions()
    assert (small().network, small().width) == ("darkscan", 0.25)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"steps": 0}, "steps"),
        ({"batch": 1}, "batch"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"ramp": 1.5}, "ramp"),
        ({"average_decay": -0.1}, "average_decay"),
        ({"seed": -1}, "seed"),
    ],
    ids=str,
)
def test_options_that_train_nothing_are_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as raised:
        dataclasses.replace(OPTIONS, **change)
    assert raised.value.field == field


def test_fewer_windows_than_a_batch_are_no_epoch() -> None:
    with pytest.raises(InputError, match="training windows: are 20, fewer than a batch of 32"):
        paper(20)
