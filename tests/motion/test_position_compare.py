"""The compare output fires at exact places, however late anybody looks."""

import numpy as np
import pytest

from darkscan.simulation.rig._axis import Axis
from darkscan.simulation.rig._position_compare import PositionCompare

SECOND = 1_000_000_000
NOW = 1_800_000_000 * SECOND


class Bench:
    """Three axes, and what fires."""

    def __init__(self, *, noise_mm: float = 0.0) -> None:
        self.axes = [Axis(place, (-1000.0, 1000.0), time_scale=1.0) for place in (0.0, 20.0, 3.0)]
        self.fired: list[tuple[int, tuple[float, float, float]]] = []
        self.compare = PositionCompare(
            self.axes,
            lambda time_ns, places: self.fired.append((time_ns, places)),
            lambda: noise_mm,
        )

    def set(self, first: float, step: float, count: int) -> None:
        self.compare.first, self.compare.step, self.compare.count = first, step, count

    def sweep(self, end: float, *, look_every_ns: int, axis: int = 0) -> None:
        moving = self.axes[axis]
        start_ns = max(NOW, moving.profile.end_ns)
        moving.go(start_ns, end, velocity=200.0, seconds=0.2, base=0.0)
        now = start_ns
        while now < moving.profile.end_ns + look_every_ns:
            self.compare.advance(now)
            now += look_every_ns


@pytest.mark.parametrize(
    "look_every_ns",
    [SECOND // 1000, SECOND // 100, SECOND // 3, 10 * SECOND],
    ids=["every ms", "every 10 ms", "late", "only after the sweep"],
)
def test_when_one_looks_does_not_matter(look_every_ns: int) -> None:
    bench = Bench()
    bench.set(first=30.0, step=18.0, count=10)
    bench.compare.arm(NOW)
    bench.sweep(400.0, look_every_ns=look_every_ns)

    places = np.array([places for _, places in bench.fired])
    np.testing.assert_allclose(places[:, 0], 30.0 + 18.0 * np.arange(10), atol=1e-6)
    assert np.all(places[:, 1:] == [20.0, 3.0])
    times = np.array([time for time, _ in bench.fired])
    np.testing.assert_allclose(np.diff(times), 0.09 * SECOND, atol=2)
    assert np.array(bench.compare.latches).reshape(-1, 3) == pytest.approx(places)


def test_a_sweep_the_other_way_fires_with_a_falling_step() -> None:
    bench = Bench()
    bench.sweep(400.0, look_every_ns=SECOND // 100)
    bench.set(first=300.0, step=-50.0, count=4)
    bench.compare.arm(bench.axes[0].profile.end_ns)
    bench.sweep(0.0, look_every_ns=SECOND // 100)
    assert [round(x) for _, (x, _, _) in bench.fired] == [300, 250, 200, 150]


def test_the_wrong_direction_fires_nothing() -> None:
    bench = Bench()
    bench.set(first=300.0, step=-50.0, count=4)
    bench.compare.arm(NOW)
    bench.sweep(400.0, look_every_ns=SECOND // 100)
    assert not bench.fired


def test_the_axis_that_is_named_is_compared() -> None:
    bench = Bench()
    bench.compare.axis = "y"
    bench.set(first=30.0, step=10.0, count=2)
    bench.compare.arm(NOW)
    bench.sweep(400.0, look_every_ns=SECOND // 100)
    assert not bench.fired
    bench.sweep(100.0, look_every_ns=SECOND // 100, axis=1)
    assert [round(y) for _, (_, y, _) in bench.fired] == [30, 40]


def test_disarmed_it_is_quiet() -> None:
    bench = Bench()
    bench.set(first=30.0, step=18.0, count=10)
    bench.compare.arm(NOW)
    bench.compare.disarm()
    bench.sweep(400.0, look_every_ns=SECOND // 100)
    assert not bench.fired


def test_a_stop_on_the_way_ends_the_triggers() -> None:
    bench = Bench()
    bench.set(first=30.0, step=18.0, count=20)
    bench.compare.arm(NOW)
    moving = bench.axes[0]
    moving.go(NOW, 400.0, velocity=200.0, seconds=0.2, base=0.0)
    bench.compare.advance(NOW + SECOND)
    moving.stop(NOW + SECOND)  # at 180 mm, to rest at 200 mm
    bench.compare.advance(NOW + 10 * SECOND)
    assert bench.fired[-1][1][0] == pytest.approx(192.0)


def test_latches_are_noisy_and_the_truth_is_not() -> None:
    bench = Bench(noise_mm=0.25)
    bench.set(first=30.0, step=18.0, count=3)
    bench.compare.arm(NOW)
    bench.sweep(400.0, look_every_ns=SECOND // 100)
    assert bench.fired[0][1][0] == pytest.approx(30.0)
    assert bench.compare.latches[:3] == pytest.approx([30.25, 20.25, 3.25])


def test_arming_again_begins_with_the_first_place() -> None:
    bench = Bench()
    bench.set(first=30.0, step=18.0, count=2)
    bench.compare.arm(NOW)
    bench.sweep(100.0, look_every_ns=SECOND // 100)
    bench.sweep(0.0, look_every_ns=SECOND // 100)
    bench.compare.arm(bench.axes[0].profile.end_ns)
    bench.sweep(100.0, look_every_ns=SECOND // 100)
    assert [round(x) for _, (x, _, _) in bench.fired] == [30, 48, 30, 48]
