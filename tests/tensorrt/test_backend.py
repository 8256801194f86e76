"""Frames through an engine, on a GPU that does everything as late as it may."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.inference import FrameWindows, see
from darkscan.inference.conventions import Precision
from darkscan.inference.tensorrt import (
    Arithmetic,
    Order,
    TensorRTBackend,
    load_library,
    make_engine,
)
from darkscan.inference.tensorrt import _order as order
from darkscan.inference.tensorrt._engines import engines_folder
from darkscan.pipeline.core.errors import DarkscanError, InputError
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.scan import PixelType
from tests.tensorrt.conftest import GPU_0, job_of, write_model
from tests.tensorrt.fake_gpu import Gpu

FULL_SCALE = 250


def frame_windows(
    seed: int, shape: tuple[int, int], dtype: PixelType = "uint8", stride: int = 128
) -> FrameWindows:
    rng = np.random.default_rng(seed)
    frame = rng.integers(0, np.iinfo(dtype).max, shape).astype(dtype)
    origins = window_origins(shape, 256, stride)
    gains, offsets = rng.normal(size=(2, len(origins))).astype(np.float32)
    return FrameWindows(frame, origins, gains, offsets)


def expected(windows: FrameWindows) -> npt.NDArray[np.float32]:
    frame, origins, gains, offsets = windows
    means = np.array([frame[y : y + 256, x : x + 256].mean() for y, x in origins])
    return np.asarray((means * gains + offsets) / FULL_SCALE, np.float32)


def opened(
    tmp_path: Path, shape: tuple[int, int], dtype: PixelType = "uint8", form: str = "windowed"
) -> TensorRTBackend:
    model = write_model(tmp_path / "model.onnx", form=form)
    job = job_of(model, shape, dtype)
    make_engine(load_library(), GPU_0, Order(job, "fp32"), engines_folder())
    return TensorRTBackend(job, device=0)


@pytest.mark.parametrize("form", ["windowed", "dense"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_each_window_gets_its_own_score_and_lines(
    gpu: Gpu, tmp_path: Path, form: str, dtype: PixelType
) -> None:
    backend = opened(tmp_path, (384, 512), dtype, form)
    windows = frame_windows(1, (384, 512), dtype)
    seen = see(backend, windows, FULL_SCALE)
    np.testing.assert_allclose(seen.scores, expected(windows), rtol=1e-4)
    assert seen.lines is not None
    np.testing.assert_allclose(seen.lines[:, 31, 0], expected(windows) / 2, rtol=1e-4)
    assert "TensorRT" in backend.name or "tensorrt" in backend.name
    assert "NVIDIA Test GPU" in backend.name


def test_frames_under_way_do_not_disturb_each_other(gpu: Gpu, tmp_path: Path) -> None:
    backend = opened(tmp_path, (256, 384))
    frames = [frame_windows(seed, (256, 384)) for seed in range(5)]
    pending = [backend.start(windows, FULL_SCALE) for windows in frames]
    for windows, wait in zip(frames, pending, strict=True):
        np.testing.assert_allclose(wait().scores, expected(windows), rtol=1e-4)


def test_a_frame_may_be_asked_back_out_of_order_and_twice(gpu: Gpu, tmp_path: Path) -> None:
    backend = opened(tmp_path, (256, 384))
    first, second = (frame_windows(seed, (256, 384)) for seed in (1, 2))
    pending = [backend.start(windows, FULL_SCALE) for windows in (first, second)]
    np.testing.assert_allclose(pending[1]().scores, expected(second), rtol=1e-4)
    np.testing.assert_allclose(pending[0]().scores, expected(first), rtol=1e-4)
    np.testing.assert_allclose(pending[0]().scores, expected(first), rtol=1e-4)


def test_what_was_seen_stays_when_the_next_frames_come(gpu: Gpu, tmp_path: Path) -> None:
    backend = opened(tmp_path, (256, 384))
    windows = frame_windows(1, (256, 384))
    seen = see(backend, windows, FULL_SCALE)
    for seed in (2, 3):
        see(backend, frame_windows(seed, (256, 384)), FULL_SCALE)
    np.testing.assert_allclose(seen.scores, expected(windows), rtol=1e-4)


def test_many_windows_take_several_passes(gpu: Gpu, tmp_path: Path) -> None:
    shape = (2304, 2304)  # 289 windows, where 256 are the most at once
    backend = opened(tmp_path, shape)
    windows = frame_windows(1, shape)
    seen = see(backend, windows, FULL_SCALE)
    assert len(seen.scores) == 289
    np.testing.assert_allclose(seen.scores, expected(windows), rtol=1e-4)


def test_a_windowed_engine_takes_fewer_windows(gpu: Gpu, tmp_path: Path) -> None:
    backend = opened(tmp_path, (384, 512))
    frame, origins, gains, offsets = frame_windows(1, (384, 512))
    some = FrameWindows(frame, origins[2:4], gains[2:4], offsets[2:4])
    np.testing.assert_allclose(see(backend, some, FULL_SCALE).scores, expected(some), rtol=1e-4)
    none = FrameWindows(frame, origins[:0], gains[:0], offsets[:0])
    assert len(see(backend, none, FULL_SCALE).scores) == 0


def test_a_dense_engine_takes_no_other_number_of_windows(gpu: Gpu, tmp_path: Path) -> None:
    backend = opened(tmp_path, (384, 512), form="dense")
    frame, origins, gains, offsets = frame_windows(1, (384, 512))
    with pytest.raises(DarkscanError, match="takes 6 windows a frame, not 2"):
        backend.start(FrameWindows(frame, origins[:2], gains[:2], offsets[:2]), FULL_SCALE)


def test_a_dense_engine_takes_frames_that_must_be_enlarged(gpu: Gpu, tmp_path: Path) -> None:
    backend = opened(tmp_path, (300, 400), form="dense")
    windows = frame_windows(1, (300, 400))
    np.testing.assert_allclose(
        see(backend, windows, FULL_SCALE).scores, expected(windows), rtol=1e-4
    )


def test_frames_of_pinned_memory_are_uploaded_from_where_they_are(
    gpu: Gpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = opened(tmp_path, (256, 384))
    ring = np.zeros((3, 256, 384), np.uint8)
    assert backend.pin(ring.reshape(-1))
    windows = frame_windows(1, (256, 384))
    ring[1] = windows.frame
    read_only = ring[1].view()
    read_only.flags.writeable = False
    pending = backend.start(windows._replace(frame=read_only), FULL_SCALE)
    ring[1] += 1  # nobody has read it yet: so it was not copied
    changed = windows._replace(frame=ring[1])
    np.testing.assert_allclose(pending().scores, expected(changed), rtol=1e-4)
    backend.close()
    assert not gpu.registered


def test_who_waits_is_told_of_every_frame(gpu: Gpu, tmp_path: Path) -> None:
    backend = opened(tmp_path, (256, 384))
    beats: list[int] = []
    pending = backend.start(
        frame_windows(1, (256, 384)), FULL_SCALE, between_batches=lambda: beats.append(1)
    )
    pending()
    assert beats


def test_another_shape_is_refused_in_one_line(gpu: Gpu, tmp_path: Path) -> None:
    backend = opened(tmp_path, (256, 384))
    with pytest.raises(DarkscanError, match="does not fit"):
        backend.start(frame_windows(1, (384, 384)), FULL_SCALE)


def test_what_cuda_says_is_one_line(gpu: Gpu, tmp_path: Path) -> None:
    backend = opened(tmp_path, (256, 384))
    gpu.broken = "CUDA error: an illegal memory access was encountered\nSearch for it\nmore"
    with pytest.raises(DarkscanError, match=r"^GPU 0: CUDA error: an illegal .* encountered$"):
        backend.start(frame_windows(1, (256, 384)), FULL_SCALE)
    backend.close()


def test_a_failure_while_it_is_waited_for_is_one_line(gpu: Gpu, tmp_path: Path) -> None:
    backend = opened(tmp_path, (256, 384))
    pending = backend.start(frame_windows(1, (256, 384)), FULL_SCALE)
    gpu.broken = "CUDA error: unspecified launch failure\nmore"
    with pytest.raises(DarkscanError, match=r"^GPU 0: CUDA error: unspecified launch failure$"):
        pending()


def test_a_closed_backend_says_so(gpu: Gpu, tmp_path: Path) -> None:
    backend = opened(tmp_path, (256, 384))
    backend.close()
    backend.close()
    with pytest.raises(DarkscanError, match="closed"):
        backend.start(frame_windows(1, (256, 384)), FULL_SCALE)


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:10])


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(_truncated, r"cannot be opened, build it anew .*magic tag", id="truncated"),
        pytest.param(Path.unlink, "no engine was built .* darkscan engine build", id="gone"),
    ],
)
def test_a_spoilt_engine_is_one_line(
    gpu: Gpu, tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    opened(tmp_path, (256, 384)).close()
    (engine,) = engines_folder().glob("*.engine")
    spoil(engine)
    with pytest.raises(DarkscanError, match=says):
        TensorRTBackend(job_of(tmp_path / "model.onnx", (256, 384)), device=0)


def test_of_several_engines_the_one_asked_for_last_runs(
    gpu: Gpu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "in_half", lambda content, *_, **__: content)
    model = write_model(tmp_path / "model.onnx")
    for moment, arithmetic in enumerate(get_args(Arithmetic)):
        wanted = Order(job_of(model, (256, 384)), arithmetic)
        made = make_engine(load_library(), GPU_0, wanted, engines_folder())
        os.utime(made.path, (moment, moment))
    job = job_of(model, (256, 384), precision="half")
    make_engine(load_library(), GPU_0, Order(job, "fp16"), engines_folder())
    assert TensorRTBackend(job, device=0).name.endswith("fp16")


@pytest.mark.parametrize(
    ("built", "precision", "runs"),
    [
        pytest.param(("fp32", "fp16"), "exact", "fp32", id="exact, though fp16 was built last"),
        pytest.param(("fp16", "fp32"), "half", "fp16", id="half, though fp32 was built last"),
        pytest.param(("fp32",), "half", "fp32", id="half, where there is none"),
        pytest.param(("fp16", "bf16"), "exact", "", id="exact, where there is none"),
    ],
)
def test_an_engine_of_the_precision_that_is_asked_for_runs(
    gpu: Gpu,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    built: tuple[Arithmetic, ...],
    precision: Precision,
    runs: str,
) -> None:
    monkeypatch.setattr(order, "in_half", lambda content, *_, **__: content)
    model = write_model(tmp_path / "model.onnx")
    for moment, arithmetic in enumerate(built):
        wanted = Order(job_of(model, (256, 384)), arithmetic)
        made = make_engine(load_library(), GPU_0, wanted, engines_folder())
        os.utime(made.path, (moment, moment))
    job = job_of(model, (256, 384), precision=precision)
    if not runs:
        says = r"^no exact engine .* frames of 384x256, only in 16 bits: darkscan engine build"
        with pytest.raises(InputError, match=says):
            TensorRTBackend(job, device=0)
    else:
        assert TensorRTBackend(job, device=0).name.endswith(runs)


def test_a_stride_finer_than_the_models_runs(gpu: Gpu, tmp_path: Path) -> None:
    shape = (640, 640)
    model = write_model(tmp_path / "model.onnx")
    job = job_of(model, shape, stride=64)
    make_engine(load_library(), GPU_0, Order(job, "fp32"), engines_folder())
    backend = TensorRTBackend(job, device=0)
    windows = frame_windows(1, shape, stride=64)
    seen = see(backend, windows, FULL_SCALE)
    assert len(seen.scores) == 49
    np.testing.assert_allclose(seen.scores, expected(windows), rtol=1e-4)


def test_an_engine_of_full_passes_takes_a_finer_stride(gpu: Gpu, tmp_path: Path) -> None:
    shape = (2304, 2304)
    opened(tmp_path, shape).close()
    backend = TensorRTBackend(job_of(tmp_path / "model.onnx", shape, stride=120), device=0)
    windows = frame_windows(1, shape, stride=120)
    assert len(windows.origins) == 361
    seen = see(backend, windows, FULL_SCALE)
    np.testing.assert_allclose(seen.scores, expected(windows), rtol=1e-4)


def test_an_engine_for_other_frames_is_none(gpu: Gpu, tmp_path: Path) -> None:
    opened(tmp_path, (256, 384)).close()
    with pytest.raises(InputError, match=r"frames of 512x256.*--frame 512x256 --depth 16"):
        TensorRTBackend(job_of(tmp_path / "model.onnx", (256, 512), "uint16"), device=0)
