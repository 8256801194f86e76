"""How long frames waited and were worked on, counted as they are settled or from a trace."""

import json
import zlib

import numpy as np
import pytest

from darkscan.host.store import Store
from darkscan.pipeline.core.frame_results import STAGES
from darkscan.pipeline.core.settings import updated
from tests.host_examples import ExampleScan
from tests.host_store.conftest import RIG, send


def _stamps(*rows: tuple[int, int, int, float, float, float]) -> np.ndarray:
    """Frame, stage, worker, and ms when it was received, started and finished."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    table[:, 3:] *= 1e6
    return table.astype(np.int64)


def test_a_frame_waits_from_the_end_of_the_stage_before(store: Store, example: ExampleScan) -> None:
    first, *_ = example.settled(batch=2)
    stamps = _stamps(
        (0, 0, 0, 0, 1, 5), (0, 1, 0, 5.5, 8, 10), (1, 0, 0, 5, 5, 9), (1, 1, 1, 9, 19, 119)
    )
    send(store, example, example.began(), updated(first, stamps=stamps))
    acquisition, preprocessing = store.stage_timings(example.scan).stages
    assert (acquisition.stage, preprocessing.stage) == STAGES[:2]
    assert (acquisition.workers, acquisition.frames) == (1, 2)
    assert (preprocessing.workers, preprocessing.frames) == (2, 2)
    assert preprocessing.waiting.max == 10
    assert preprocessing.working.max == 100
    assert acquisition.working.p50 == pytest.approx(4, rel=0.13)
    assert acquisition.utilization == pytest.approx((4 + 4) / 118)
    assert preprocessing.utilization == pytest.approx((2 + 100) / (118 * 2))
    assert store.stage_timings(example.scan).bottleneck == "preprocessing"
    assert sum(preprocessing.waiting.counts) == 2
    assert len(preprocessing.waiting.edges_ms) == len(preprocessing.waiting.counts) + 1


def test_parcels_add_up_to_what_one_parcel_gives(store: Store, example: ExampleScan) -> None:
    for batch in (1, 24):
        one = ExampleScan(seed=example.seed, size_mm=example.size_mm, grid=example.grid)
        stamps = np.concatenate([content.stamps for content in one.settled(batch=8)])
        contents = [
            updated(content, stamps=stamps[np.isin(stamps[:, 0], content.frames)])
            for content in one.settled(batch=batch)
        ]
        scan = ExampleScan(seed=100 + batch, size_mm=example.size_mm, grid=example.grid)
        send(store, scan, scan.began(), *contents)
    few = store.stage_timings(ExampleScan(seed=101).scan)
    whole = store.stage_timings(ExampleScan(seed=124).scan)
    for a, b in zip(few.stages, whole.stages, strict=True):
        assert a.waiting == b.waiting
        assert a.utilization == pytest.approx(b.utilization)


@pytest.mark.parametrize("quantile", [0.5, 0.99])
def test_quantiles_are_right_to_within_a_bin(
    store: Store, example: ExampleScan, quantile: float
) -> None:
    rng = np.random.default_rng(0)
    lengths = rng.lognormal(2, 1, 23)
    rows = [(n, 2, 0, 200.0 * n, 200.0 * n, 200.0 * n + lengths[n]) for n in range(23)]
    (all_,) = example.settled(batch=24)
    send(store, example, example.began(), updated(all_, stamps=_stamps(*rows)))
    (stage,) = store.stage_timings(example.scan).stages
    found = stage.working.p50 if quantile == 0.5 else stage.working.p99
    exact = float(np.quantile(lengths, quantile, method="inverted_cdf"))
    assert found == pytest.approx(exact, rel=0.13)


def test_stamps_of_clocks_that_run_backwards_do_no_harm(store: Store, example: ExampleScan) -> None:
    first, *_ = example.settled(batch=2)
    extreme = np.array(
        [[0, 0, 0, 2**62, -(2**62), 5], [0, 1, 0, -(2**63), 2**63 - 1, -(2**63)]], np.int64
    )
    (_, receipt) = send(store, example, example.began(), updated(first, stamps=extreme))
    assert receipt.outcome == "stored"
    for stage in store.stage_timings(example.scan).stages:
        assert stage.working.max >= 0
        assert np.isfinite(stage.utilization)


def _trace(*events: dict[str, object]) -> bytes:
    return json.dumps({"displayTimeUnit": "ms", "traceEvents": list(events)}).encode()


_NAMED: dict[str, object] = {
    "ph": "M",
    "name": "process_name",
    "pid": 1,
    "args": {"name": "classification"},
}
_WORKED: dict[str, object] = {
    "ph": "X", "cat": "work", "name": "frame 0", "pid": 1, "tid": 1, "ts": 1000.0, "dur": 2000.0,
    "args": {"frame": 0, "waiting_us": 500.0},
}  # fmt: skip


@pytest.mark.parametrize(
    ("trace", "stages"),
    [
        (_trace(_NAMED, _WORKED), ["classification"]),
        (_trace(), []),
        (_trace(_WORKED), []),
        (_trace(_NAMED, {**_WORKED, "dur": "NaN"}), []),
        (_trace(_NAMED, {**_WORKED, "tid": 1e400}), []),
        (b"[]", []),
        (b"[" * 100_000, []),
        (b"\xff", []),
    ],
    ids=[
        *("a trace", "no frame", "no name of the stage", "not a number", "infinite"),
        *("another document", "deeply nested", "noise"),
    ],
)
def test_a_scan_sent_later_has_the_timings_of_its_trace(
    store: Store, example: ExampleScan, trace: bytes, stages: list[str]
) -> None:
    content = updated(example.map_finished(), trace_zlib=zlib.compress(trace))
    send(store, example, example.began(), content)
    found = store.stage_timings(example.scan)
    assert [stage.stage for stage in found.stages] == stages
    assert found.bottleneck == (stages[0] if stages else None)
    if stages:
        assert found.stages[0].working.max == 2.0
        assert found.stages[0].waiting.max == 0.5
    assert store.trace_bytes(example.scan) == trace


def test_a_scan_without_frames_has_no_timings(store: Store, example: ExampleScan) -> None:
    store.receive(RIG, [])
    send(store, example, example.began())
    assert store.stage_timings(example.scan).stages == ()
