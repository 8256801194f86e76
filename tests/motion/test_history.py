"""Positions between the samples of the records."""

import numpy as np
import pytest

from darkscan.drivers.motion.history import History
from darkscan.simulation.rig._profiles import Profile

MILLISECOND = 1_000_000
NOW = 1_800_000_000_000 * MILLISECOND


def samples_of(profile: Profile, *, every_ms: float = 12.0, noise_um: float = 0.0) -> History:
    history = History(uncertainty_um=1.0)
    draws = np.random.default_rng(7)
    times = np.arange(profile.start_ns, profile.end_ns, round(every_ms * MILLISECOND))
    places = np.array([[profile.position(int(time)), 7.0, 0.0] for time in times])
    places[:, 0] += draws.normal(0.0, noise_um * 1e-3, len(times))
    for batch in np.array_split(np.arange(len(times)), 9):
        history.add(times[batch], places[batch])
    return history


def a_sweep() -> Profile:
    return Profile.rest(0.0).then_to(400.0, NOW, velocity=200.0, acceleration=1000.0)


def test_nothing_is_known_outside_the_samples() -> None:
    history = History(uncertainty_um=1.0)
    assert history.at(NOW) is None
    history.add([NOW, NOW + 10], [[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
    assert history.at(NOW - 1) is None
    assert history.at(NOW + 11) is None


def test_a_sample_is_as_it_was_measured() -> None:
    history = History(uncertainty_um=1.5)
    history.add([NOW, NOW + 10], [[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
    known = history.at(NOW + 10)
    assert known is not None
    np.testing.assert_array_equal(known[0], [1.0, 2.0, 3.0])
    assert known[1] == 1.5


def test_all_three_axes_are_interpolated() -> None:
    history = History(uncertainty_um=1.0)
    history.add([NOW, NOW + 10], [[0.0, 10.0, 1.0], [1.0, 20.0, 0.0]])
    known = history.at(NOW + 3)
    assert known is not None
    np.testing.assert_allclose(known[0], [0.3, 13.0, 0.7])


def test_what_is_not_newer_is_left_out() -> None:
    history = History(uncertainty_um=1.0)
    history.add([NOW, NOW + 20], [[0.0, 0, 0], [2.0, 0, 0]])
    history.add([NOW + 20, NOW + 10, NOW + 30, NOW + 30], [[9.0, 0, 0]] * 2 + [[3.0, 0, 0]] * 2)
    for after, place in ((10, 1.0), (20, 2.0), (30, 3.0)):
        known = history.at(NOW + after)
        assert known is not None
        assert known[0][0] == pytest.approx(place)
    history.clear()
    assert history.at(NOW + 10) is None


def test_even_motion_is_exact_and_adds_no_uncertainty() -> None:
    profile = a_sweep()
    history = samples_of(profile)
    for time in range(NOW + 400 * MILLISECOND, NOW + 1800 * MILLISECOND, 7 * MILLISECOND + 13):
        known = history.at(time)
        assert known is not None
        assert known[0][0] == pytest.approx(profile.position(time), abs=1e-6)
        assert known[1] == pytest.approx(1.0, abs=1e-3)


def test_uncertainty_covers_the_bend_of_accelerated_motion() -> None:
    profile = a_sweep()
    history = samples_of(profile)
    errors, said = [], []
    for time in range(NOW + 24 * MILLISECOND, NOW + 2150 * MILLISECOND, MILLISECOND):
        known = history.at(time)
        assert known is not None
        errors.append(abs(known[0][0] - profile.position(time)) * 1000)
        said.append(known[1])
    # 1000 mm/s2 over 12 ms: 18 um off the line in the middle.
    assert max(errors) == pytest.approx(18, rel=0.05)
    assert np.all(np.array(errors) <= np.array(said))


def test_noise_is_not_taken_for_a_bend() -> None:
    history = samples_of(a_sweep(), noise_um=0.5)
    said = [
        known[1]
        for time in range(NOW + 400 * MILLISECOND, NOW + 1800 * MILLISECOND, MILLISECOND)
        if (known := history.at(time)) is not None
    ]
    assert np.mean(said) < 1.2


def test_two_samples_alone_say_little() -> None:
    history = History(uncertainty_um=1.0)
    history.add([NOW, NOW + 10 * MILLISECOND], [[0.0, 0, 0], [2.0, 0, 0]])
    known = history.at(NOW + 5 * MILLISECOND)
    assert known is not None
    assert known[1] == pytest.approx(1000.0, rel=1e-3)
