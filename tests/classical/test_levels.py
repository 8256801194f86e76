import numpy as np
import pytest

from darkscan.network.classical.levels import eight_bit, full_scale_of, in_sigmas
from tests.classical.scenes import noise, with_line


@pytest.mark.parametrize(
    ("dtype", "highest", "expected"),
    [
        pytest.param(np.uint8, 12, 255, id="eight bits whatever they hold"),
        pytest.param(np.uint16, 0, 1023, id="a black deep frame"),
        pytest.param(np.uint16, 1024, 4095, id="one level too many for ten bits"),
        pytest.param(np.uint16, 65535, 65535, id="all sixteen bits"),
    ],
)
def test_full_scale_is_of_the_least_depth_that_holds_the_frame(
    dtype: type, highest: int, expected: int
) -> None:
    assert full_scale_of(np.array([[0, highest]], dtype=dtype)) == expected


def test_deep_levels_come_to_eight_bits_by_their_full_scale() -> None:
    deep = np.array([[0, 4095, 2048]], dtype=np.uint16)
    assert eight_bit(deep, 4095).tolist() == [[0, 255, 128]]


@pytest.mark.parametrize("gain", [1, 16], ids=["eight bits", "twelve bits"])
def test_noise_has_a_deviation_of_one_whatever_the_background(gain: int) -> None:
    slope = np.linspace(0, 20, 300)[np.newaxis, :]
    levels = np.random.default_rng(1).normal(30, 2, (300, 300)) + slope
    whole = np.rint(levels * gain)
    standard = in_sigmas(whole.astype(np.uint8) if gain == 1 else whole.astype(np.uint16))
    inner = standard[32:-32, 32:-32]
    assert abs(float(inner.mean())) < 0.1
    assert float(inner.std()) == pytest.approx(1.0, abs=0.12)


def test_bright_things_are_clipped_and_do_not_hide_what_is_beside_them() -> None:
    frame = with_line(noise(), (0, 60), (255, 60))
    frame[100:130, 100:130] = 255
    standard = in_sigmas(frame)
    assert float(standard.max()) == 4.0
    assert float(np.median(standard[60, 100:130])) == 4.0


def test_a_frame_of_one_level_has_no_structure() -> None:
    assert not in_sigmas(np.full((256, 256), 7, np.uint8)).any()
