"""Elements: what is drawn on them, and their ground truth as a file."""

import json
from pathlib import Path

import numpy as np
import pytest

from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.frame_results import SHORTEST_PX
from darkscan.simulation.element._element import PRESETS, simulate_element
from darkscan.simulation.element.element_truth import SCRATCH_KINDS, ElementTruth
from darkscan.simulation.element.render import Scene

SIZE = (3968, 2048)


def same(first: ElementTruth, second: ElementTruth) -> bool:
    plain = (first.size_px, first.seed, first.preset, first.dust_per_10k_px, first.digs) == (
        second.size_px,
        second.seed,
        second.preset,
        second.dust_per_10k_px,
        second.digs,
    )
    return (
        plain
        and len(first.traces) == len(second.traces)
        and all(
            (a.id, a.kind, a.fwhm_px) == (b.id, b.kind, b.fwhm_px)
            and np.array_equal(a.vertices, b.vertices)
            and np.array_equal(a.amplitude, b.amplitude)
            for a, b in zip(first.traces, second.traces, strict=True)
        )
    )


def test_a_seed_names_one_element() -> None:
    assert same(simulate_element(SIZE, 5), simulate_element(SIZE, 5))
    assert not same(simulate_element(SIZE, 5), simulate_element(SIZE, 6))


@pytest.mark.parametrize("preset", [name for name in PRESETS if PRESETS[name].certain])
def test_every_element_has_a_long_bright_and_a_weak_and_a_discontinuous_scratch(
    preset: str,
) -> None:
    for seed in range(5):
        truth = simulate_element(SIZE, seed, preset)
        lit = {
            trace.id: np.median(trace.amplitude[trace.amplitude > 0.1]) for trace in truth.traces
        }
        assert any(scratch.length_px > 2048 and lit[scratch.id] > 8 for scratch in truth.scratches)
        assert any(scratch.length_px > 400 and lit[scratch.id] < 9 for scratch in truth.scratches)
        assert any(scratch.kind == "discontinuous" for scratch in truth.scratches)


def test_most_scratches_of_a_weak_element_are_weak() -> None:
    truths = [simulate_element(SIZE, seed, "weak") for seed in range(5)]
    amplitudes = np.array([np.percentile(s.amplitude, 90) for t in truths for s in t.scratches])
    assert len(amplitudes) > 50
    assert np.mean(amplitudes < 12) > 0.7


def test_scratches_are_as_bright_and_wide_as_measured() -> None:
    truth = simulate_element((20_000, 20_000), 1)
    scratches = [s for s in truth.scratches if s.kind in {"straight", "curved"}]
    assert len(scratches) > 80
    amplitude = np.array([np.mean(s.amplitude[s.amplitude > 0]) for s in scratches])
    assert np.median(amplitude[amplitude < 9]) == pytest.approx(6.0, abs=0.8)
    assert 0.1 < np.mean(amplitude > 11) < 0.4
    widths = np.array([s.fwhm_px for s in scratches])
    assert widths.min() >= 1.6
    assert widths.max() <= 3.3


@pytest.mark.parametrize("preset", list(PRESETS))
def test_scratches_are_as_short_as_measured(preset: str) -> None:
    truths = [simulate_element((8000, 8000), seed, preset) for seed in range(3)]
    kinds = {"straight", "curved", "tapered"}
    lengths = np.array([s.length_px for t in truths for s in t.scratches if s.kind in kinds])
    assert len(lengths) > 8
    assert lengths.min() >= SHORTEST_PX - 0.1
    if len(lengths) > 60:
        assert 0.2 < np.mean(lengths < 60) < 0.5
        assert 60 < np.median(lengths) < 200


def test_an_element_has_every_kind_of_scratch() -> None:
    kinds = {scratch.kind for scratch in simulate_element((20_000, 20_000), 1).scratches}
    assert kinds == set(SCRATCH_KINDS)


def test_hairs_are_bent_and_nothing_else_is_a_line() -> None:
    others = [t for t in simulate_element((8000, 8000), 2).traces if not t.is_scratch]
    assert {trace.kind for trace in others} == {"hair", "fibre"}
    for trace in others:
        chord = np.hypot(*(trace.vertices[-1] - trace.vertices[0]))
        assert chord < 0.9 * trace.length_px


def test_the_background_of_an_optic_is_as_dark_as_measured() -> None:
    medians = []
    for seed in range(12):
        background = Scene(simulate_element((2048, 2048), seed)).background
        glow = background.render(0, 0, 2048, 2048)
        assert glow.max() - glow.min() > 0.5
        medians.append(np.median(glow))
    assert min(medians) > 13
    assert max(medians) < 36
    assert 15 < np.median(medians) < 30


def test_the_ground_truth_survives_its_file(tmp_path: Path) -> None:
    truth = simulate_element((2048, 2048), 9)
    truth.save(tmp_path / "truth.json", pitch_um=10.0)
    assert same(ElementTruth.load(tmp_path / "truth.json"), truth)
    assert [file.name for file in tmp_path.iterdir()] == ["truth.json"]


def test_the_file_says_places_in_millimetres_too(tmp_path: Path) -> None:
    truth = simulate_element((2048, 2048), 9)
    truth.save(tmp_path / "truth.json", pitch_um=5.0)
    document = json.loads((tmp_path / "truth.json").read_text())
    assert document["size_mm"] == pytest.approx([10.24, 10.24])
    for trace, record in zip(truth.traces, document["traces"], strict=True):
        assert np.allclose(record["vertices_mm"], trace.vertices * 0.005, atol=1e-6)
        assert record["box_mm"] == pytest.approx([side * 0.005 for side in trace.box])
        assert record["is_scratch"] == trace.is_scratch


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a ground truth"),
        ("[]", "not a ground truth"),
        ('{"format": "other"}', "not a ground truth"),
        ('{"format": "darkscan-truth", "version": 99}', "version 99"),
        ('{"format": "darkscan-truth", "version": 1}', "version 1 is unknown, expected 2"),
        ('{"format": "darkscan-truth", "version": 2}', "size_px"),
    ],
    ids=["empty", "a list", "another format", "a later version", "of old kinds", "half a file"],
)
def test_what_is_no_ground_truth_is_refused(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "truth.json"
    file.write_text(content)
    with pytest.raises(InputError, match=message) as refusal:
        ElementTruth.load(file)
    assert "truth.json" in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent"):
        ElementTruth.load(tmp_path / "absent.json")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        simulate_element((2048, 2048), 1).save(tmp_path / "nowhere" / "t.json", pitch_um=10.0)


@pytest.mark.parametrize(
    ("size", "seed", "preset", "message"),
    [
        ((0, 100), 1, "optic", "positive"),
        ((100, 100), -1, "optic", "seed"),
        ((100, 100), 1, "filthy", "known are optic, clean, dirty"),
    ],
    ids=["no width", "negative seed", "unknown preset"],
)
def test_what_cannot_be_simulated_is_refused(
    size: tuple[int, int], seed: int, preset: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        simulate_element(size, seed, preset)
