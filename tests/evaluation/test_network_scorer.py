import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from darkscan.network.evaluation.network_scorer import NetworkScorer
from darkscan.network.evaluation.tables import OURS
from darkscan.network.training import Checkpoint, TrainingOptions
from darkscan.network.variants import OURS as OUR_NETWORK
from darkscan.network.variants import build
from darkscan.pipeline.core.errors import InputError

OPTIONS = TrainingOptions(network="resnet18", width=0.125, seed=3, steps=20, batch=4)


class Brightness(nn.Module):
    """Its logit is the mean grey level as a part of full scale."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(3))

    def classify(self, windows: Tensor, full_scale: float = 255.0) -> Tensor:
        return self.gain[0] * windows.mean(dim=(1, 2)) / full_scale


def checkpoint(options: TrainingOptions = OPTIONS) -> Checkpoint:
    """Of a training that was stopped at half its steps."""
    weights = build("resnet18", 0.125).state_dict()
    return Checkpoint(options, 10, "sha256:0b", {}, weights, {}, {})


def test_scores_are_probabilities_of_grey_levels_at_their_full_scale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint().save(tmp_path / "a.pt")
    monkeypatch.setattr(Checkpoint, "averaged_network", lambda _: Brightness())
    scorer = NetworkScorer(tmp_path / "a.pt", threads=1)
    windows = np.full((3, 256, 256), 1000, np.uint16)
    np.testing.assert_allclose(scorer(windows, 4000.0), 1 / (1 + np.exp(-0.25)), rtol=1e-6)
    assert scorer(windows, 1e-9).tolist() == [1, 1, 1]


def test_a_checkpoint_says_what_it_was_trained_on_and_how_long(tmp_path: Path) -> None:
    checkpoint().save(tmp_path / "a.pt")
    about = NetworkScorer(tmp_path / "a.pt", threads=1).about
    parameters = sum(weights.numel() for weights in build("resnet18", 0.125).parameters())
    assert about == {
        "checkpoint": "a.pt", "network": "resnet18", "width": 0.125, "parameters": parameters,
        "seed": 3, "steps": 10, "steps_planned": 20, "batch": 4, "samples": 40,
        "started_from": "", "training_data": "sha256:0b",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("network", "problem"),
    [
        pytest.param("vgg", "a.pt: network: is unknown: 'vgg'", id="unknown"),
        pytest.param("afn", "a.pt: network: its weights are not those of", id="another's weights"),
    ],
)
def test_refuses_a_network_that_cannot_be_built(tmp_path: Path, network: str, problem: str) -> None:
    checkpoint(dataclasses.replace(OPTIONS, network=network)).save(tmp_path / "a.pt")
    with pytest.raises(InputError, match=problem):
        NetworkScorer(tmp_path / "a.pt", threads=1)


def test_refuses_what_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_text("no checkpoint")
    with pytest.raises(InputError, match="is not a training checkpoint"):
        NetworkScorer(tmp_path / "a.pt", threads=1)


def test_tables_know_our_network_by_its_name() -> None:
    assert OURS == OUR_NETWORK
