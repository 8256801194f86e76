"""Training on real backgrounds, and thresholds that fit them."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from darkscan.network.attention_fusion import AttentionFusionNetwork
from darkscan.network.batches import Batches, Curriculum, in_background
from darkscan.network.operating_point import Look, choose_operating_point, looks_of
from darkscan.network.sources import SimulatedWindows, simulated
from darkscan.pipeline.core.errors import InputError
from darkscan.simulation.element.kinds import UNKNOWN
from darkscan.simulation.element.real_backgrounds import RealBackgrounds
from darkscan.simulation.element.windows import training_batch


@pytest.fixture
def backgrounds(tmp_path: Path) -> RealBackgrounds:
    """A picture with room for windows, not for images of several."""
    drawn = np.random.default_rng(1).normal(40, 3, (300, 300))
    assert cv2.imwrite(str(tmp_path / "frame.png"), drawn.round().astype(np.uint8))
    return RealBackgrounds.of_folder(tmp_path)


def test_a_source_says_what_it_lies_on(backgrounds: RealBackgrounds) -> None:
    plain, real = SimulatedWindows(), simulated(dense=False, backgrounds=backgrounds)
    assert plain == simulated(dense=False)
    assert real.description == (f"{plain.description}, a share of 0.5 on crops of 1 picture")
    less = dataclasses.replace(backgrounds, share=0.25)
    other = simulated(dense=False, backgrounds=less)
    assert len({source.fingerprint(1) for source in (plain, real, other)}) == 3


def test_images_need_larger_pictures_than_windows(backgrounds: RealBackgrounds) -> None:
    for refused in (
        lambda: simulated(dense=True, backgrounds=backgrounds),
        lambda: looks_of(dense=True, backgrounds=backgrounds),
    ):
        with pytest.raises(
            InputError, match=r"frame\.png: --backgrounds: is 300x300 pixels; crops"
        ):
            refused()


@pytest.mark.slow
def test_another_process_draws_the_same_windows(backgrounds: RealBackgrounds) -> None:
    source = simulated(dense=False, backgrounds=backgrounds)
    batches = Batches(source, 1, 6, Curriculum(0), first=0, last=2, share=range(6))
    here, there = (list(in_background(batches, workers)) for workers in (0, 1))
    for one, other in zip(here, there, strict=True):
        for mine, theirs in zip(one.tensors(), other.tensors(), strict=True):
            assert torch.equal(mine, theirs)
    unknown = torch.cat([batch.kinds.flatten(1) == UNKNOWN for batch in here]).any(1)
    assert 0 < int(unknown.sum()) < 12
    _, labels = source.validation(1, 1)
    assert set(labels) == {0.0, 1.0}


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_the_threshold_keeps_false_windows_rare_on_the_backgrounds(
    backgrounds: RealBackgrounds, rate: float
) -> None:
    torch.manual_seed(1)
    looks = looks_of(dense=False, backgrounds=backgrounds)
    assert set(looks) == {"optic", "wide", "backgrounds"}
    optic, own = looks["optic"], looks["backgrounds"]
    assert (own.false_positive_rate, own.grow_rate) == (optic.false_positive_rate, optic.grow_rate)
    assert (own.source(1, 0, 8, 1.0).kinds == UNKNOWN).any(axis=(1, 2)).all()
    judged = {
        "easily passed": Look(training_batch, 1.0, 1.0),
        "backgrounds": dataclasses.replace(own, false_positive_rate=rate),
    }
    network = AttentionFusionNetwork(0.0625).eval()
    point = choose_operating_point(network, judged, seed=5, count=64)
    assert point.figures["backgrounds"].false_positive_rate <= rate
    assert "| backgrounds |" in point.table()
