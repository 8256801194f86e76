"""Simulated elements as sources: pixels, truth and figures belong together."""

import numpy as np
import pytest

from darkscan.network.datasets import SimulatedImage
from darkscan.network.datasets._labelled_image import LabelledImage
from darkscan.network.datasets._thinning import mask_scratches
from darkscan.network.datasets.facts import Witness
from darkscan.network.datasets.rule import Judge
from darkscan.pipeline.core.grid import window_origins
from darkscan.simulation.element import SimulatedScan, simulate_element
from darkscan.simulation.element.element_truth import SCRATCH_KINDS

SIDE = 700


@pytest.fixture(scope="module")
def element() -> LabelledImage:
    return SimulatedImage(seed=4, preset="dirty", frame_px=SIDE).load()


def test_it_shows_the_frame_that_a_simulated_scan_shows(element: LabelledImage) -> None:
    scan = SimulatedScan(simulate_element((SIDE, SIDE), 4, "dirty"), frame_px=SIDE)
    frame = np.empty((SIDE, SIDE), np.uint8)
    scan.read_into(0, frame)
    assert (element.pixels == frame).all()


def test_scratch_light_lies_along_the_centre_lines(element: LabelledImage) -> None:
    near = np.zeros((SIDE, SIDE), bool)
    for scratch in element.truth.scratches:
        for x, y in scratch.points.astype(int):
            near[max(y - 6, 0) : y + 7, max(x - 6, 0) : x + 7] = True
    assert element.truth.touched.any()
    assert not (element.truth.touched & ~near).any()


def test_scratched_windows_are_brighter_along_the_lines(element: LabelledImage) -> None:
    truth = element.truth
    assert truth.power is not None
    levels = element.pixels.astype(float)
    clearly = truth.power > 4.0
    assert levels[clearly].mean() > levels[~truth.touched].mean() + 3.0


def test_figures_of_windows_are_told_and_sound(element: LabelledImage) -> None:
    origins = window_origins((SIDE, SIDE), 256, 64).astype(np.int64)
    labels = Judge(element.truth).label(origins)
    kept = labels >= 0
    origins, labels = origins[kept], labels[kept]
    assert set(labels.tolist()) == {0, 1}
    facts = Witness(element.truth).tell(origins, labels)
    positive = labels == 1
    assert (facts.length_px[positive] >= 12).all()
    assert (facts.cnr[positive] > 1).all()
    assert (facts.snr[positive] > 2).all()
    assert (facts.lines[positive].sum(axis=(1, 2)) >= 2).all()
    assert set(facts.kind[positive]) <= set(SCRATCH_KINDS)
    assert set(facts.kind[~positive]) <= {"dust", "hair", "fibre", "dig"}
    for column in (facts.length_px, facts.cnr, facts.snr, facts.boxes.sum(axis=1)):
        assert not column[~positive].any()
    x0, y0, x1, y1 = facts.boxes[positive].T
    assert ((x1 - x0 > 8) | (y1 - y0 > 8)).all()


def test_signal_to_noise_is_that_of_the_matched_filter() -> None:
    # Without noise but with a known one, the filter's answer over its own spread is the SNR.
    element = SimulatedImage(seed=9, frame_px=512).load()
    power = element.truth.power
    assert power is not None
    origins = window_origins((512, 512), 256, 128).astype(np.int64)
    labels = np.ones(len(origins), np.int8)
    snr = Witness(element.truth).tell(origins, labels).snr
    for (y, x), found in zip(origins, snr, strict=True):
        template = np.sqrt(power[y : y + 256, x : x + 256].astype(float))
        assert found == pytest.approx(np.sqrt((template**2).sum()), rel=1e-4, abs=1e-3)


def test_a_mask_of_its_light_has_the_same_scratches_as_its_truth() -> None:
    truth = SimulatedImage(seed=2, preset="clean", frame_px=SIDE).load().truth
    assert truth.power is not None
    traced = sum(scratch.lengths.sum() for scratch in truth.scratches)
    drawn = sum(scratch.lengths.sum() for scratch in mask_scratches(truth.power > 0.5))
    assert drawn == pytest.approx(traced, rel=0.2)


def test_deeper_cameras_see_the_same_light() -> None:
    shallow = SimulatedImage(seed=3, frame_px=400).load().pixels
    deep = SimulatedImage(seed=3, frame_px=400, bit_depth=12).load().pixels
    assert deep.dtype == np.uint16
    assert np.abs(deep / 16.0 - shallow).max() <= 0.5 + 1 / 16
