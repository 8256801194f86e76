import numpy as np
import pytest

from darkscan.network.classical import FilterBank, gabor_kernel, line_kernel, methods
from darkscan.network.classical.banks import LENGTH_PX, oriented
from tests.classical.scenes import ORIGIN, noise, with_line


@pytest.mark.parametrize("shape", [line_kernel, gabor_kernel], ids=["line", "gabor"])
def test_kernels_are_sixteen_directions_of_unit_noise(shape: object) -> None:
    kernels = oriented(shape)  # type: ignore[arg-type]
    assert len(kernels) == 16
    for kernel in kernels:
        assert kernel.shape == (LENGTH_PX, LENGTH_PX)
        assert float((kernel**2).sum()) == pytest.approx(1.0, abs=1e-5)
        np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-6)
    np.testing.assert_allclose(kernels[8], kernels[0].T, atol=1e-6)


@pytest.mark.parametrize("name", ["line-bank", "gabor-bank"])
@pytest.mark.parametrize(
    ("first", "last"),
    [
        pytest.param((0, 128), (255, 128), id="level"),
        pytest.param((128, 0), (128, 255), id="upright"),
        pytest.param((10, 20), (240, 250), id="diagonal"),
        pytest.param((5, 180), (250, 100), id="between two directions"),
    ],
)
def test_a_weak_line_outscores_noise_in_any_direction(
    name: str, first: tuple[int, int], last: tuple[int, int]
) -> None:
    bank = methods()[name]
    backgrounds = [float(bank.window_scores(noise(seed=seed), ORIGIN)[0]) for seed in range(5)]
    scratched = with_line(noise(seed=9), first, last, amplitude=6.0)
    assert float(bank.window_scores(scratched, ORIGIN)[0]) > 1.3 * max(backgrounds)


def test_marks_lie_along_the_line() -> None:
    bank = FilterBank("bank", 12.0, line_kernel)
    marks = bank.mark(with_line(noise(), (0, 128), (255, 128), amplitude=10.0))
    assert marks[128, 20:-20].mean() > 0.9
    assert not marks[:100].any()
    assert not marks[156:].any()
