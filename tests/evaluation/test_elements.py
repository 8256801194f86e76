import numpy as np
import numpy.typing as npt
import pytest

from darkscan.cli.options import model_file
from darkscan.inference.scoring import ModelScorer
from darkscan.network.evaluation.elements import contrast_to_noise, measure
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.frame_results import ModelInfo
from darkscan.runs.in_process import by_windows, inspect
from darkscan.simulation.element import SimulatedScan, simulate_element
from darkscan.simulation.element.render import Scene

MODEL = ModelInfo(name="oracle", hash="", window=256, stride=128, threshold=0.5, grow_threshold=0.5)
TRUTH = simulate_element((896, 896), seed=3, preset="clean")
SCAN = SimulatedScan(TRUTH, frame_px=512)


def everything(windows: Pixels, _: float) -> npt.NDArray[np.float32]:
    return np.ones(len(windows), np.float32)


def nothing(windows: Pixels, _: float) -> npt.NDArray[np.float32]:
    return np.zeros(len(windows), np.float32)


def test_whoever_takes_all_for_scratches_finds_them_all() -> None:
    frames: list[int] = []
    found = inspect(SCAN, by_windows(everything, 256), MODEL, frames.append)
    figures = measure([(TRUTH, found)] * 2)
    assert frames == [1, 2, 3, 4]
    assert figures.found.hits == figures.found.count == 2 * len(TRUTH.scratches)
    assert figures.false_defects == 0
    assert figures.area_dm2 == pytest.approx(2 * (0.0896**2))  # 896 pixels of 10 um
    for shares in (figures.by_kind, figures.by_cnr):
        assert sum(share.count for share in shares) == figures.found.count


def test_whoever_takes_nothing_for_a_scratch_misses_them_all() -> None:
    figures = measure([(TRUTH, inspect(SCAN, by_windows(nothing, 256), MODEL, lambda _: None))])
    assert figures.found.hits == 0
    assert figures.found.count == len(TRUTH.scratches)
    rate = figures.false_per_dm2
    assert (rate.value, rate.low) == (0, 0)
    assert rate.high == pytest.approx(3.69 / figures.area_dm2, rel=0.02)  # exact Poisson: 3.689


def test_defects_away_from_every_scratch_are_false() -> None:
    clean = SimulatedScan(simulate_element((896, 896), seed=3, preset="clean"), frame_px=512)
    whole = inspect(clean, by_windows(everything, 256), MODEL, lambda _: None)
    # The same map held against an element whose scratches lie elsewhere, off this map.
    far = simulate_element((896, 896), seed=3, preset="clean")
    moved = type(far)(
        far.size_px, far.seed, far.preset, far.dust_per_10k_px, traces=(), digs=far.digs
    )
    figures = measure([(moved, whole)])
    assert (figures.found.count, figures.false_defects) == (0, 1)
    assert figures.false_per_dm2.low < 1 / figures.area_dm2 < figures.false_per_dm2.high


def test_contrast_is_brightness_over_the_noise_of_the_sensor() -> None:
    scene = Scene(TRUTH)
    trace = TRUTH.scratches[0]
    doubled = type(trace)(trace.id, trace.kind, trace.vertices, 2 * trace.amplitude, trace.fwhm_px)
    once, twice = contrast_to_noise(scene, trace), contrast_to_noise(scene, doubled)
    assert twice == pytest.approx(2 * once)
    assert 1.3 < np.percentile(trace.amplitude, 90) / once < 4  # a sigma of grey levels


def test_a_model_files_windows_know_their_neighbours_as_in_a_scan() -> None:
    with model_file(None) as file:
        scorer = ModelScorer(file, threads=1)

    def alone(windows: Pixels, full_scale: float) -> npt.NDArray[np.float32]:
        return scorer(windows, full_scale)

    ways = (scorer.frame, by_windows(alone, 256))
    in_frames, single = (inspect(SCAN, how, scorer.info, lambda _: None) for how in ways)
    marked = [sum(d.windows for d in found.defects) for found in (in_frames, single)]
    assert marked[0] > marked[1] > 0
