"""Torch on a GPU: its way of dividing the work everywhere, its numbers where there is a GPU."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from darkscan.inference import (
    FrameFormat,
    FrameWindows,
    ModelJob,
    Pending,
    Placement,
    Seen,
    open_backend,
    see,
)
from darkscan.inference.conventions import Precision
from darkscan.inference.frame_windows import constant_feed, padded, part_of, window_feed
from darkscan.inference.pytorch import cuda as torch_cuda
from darkscan.inference.pytorch.cuda import CudaBackend
from darkscan.pipeline.core.errors import DarkscanError
from tests.conftest import REPOSITORY
from tests.inference.models import frame_windows, logits, windows_of

FRAMES = FrameFormat((512, 384), "uint8", 255)
WINDOWED = REPOSITORY / "models" / "windowed.onnx"
needs_gpu = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs an NVIDIA GPU and a torch with CUDA"
)


class HostFrames:
    """In place of DeviceFrames: does on the host at once what they do on a GPU."""

    made: list["HostFrames"]

    def __init__(
        self,
        device: int,
        inputs: dict[str, tuple[int, ...]],
        outputs: dict[str, tuple[int, ...]],
        compute: Callable[[Any, int], None],
    ) -> None:
        assert device == 0
        self.places = inputs["origins"][0]
        self.shape = inputs["frame"]
        self.outputs = outputs
        self.compute = compute
        self.pinned: list[npt.NDArray[np.uint8]] = []
        self.closed = False
        self.made.append(self)

    def pin(self, memory: npt.NDArray[np.uint8]) -> bool:
        self.pinned.append(memory)
        return True

    def start(
        self, windows: FrameWindows, full_scale: int, *, between_batches: Callable[[], Any]
    ) -> Pending:
        feed = constant_feed(windows.frame, full_scale)
        assert feed["frame"].shape == self.shape
        feed |= window_feed(padded(windows, self.places))
        slot = SimpleNamespace(
            inputs={name: torch.from_numpy(np.array(array)) for name, array in feed.items()},
            outputs={name: torch.zeros(shape) for name, shape in self.outputs.items()},
        )
        self.compute(slot, 0)
        between_batches()
        count = len(windows.origins)
        scores, lines = (slot.outputs[name][:count].numpy() for name in ("scores", "lines"))
        return lambda: Seen(scores, lines)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def host_frames(monkeypatch: pytest.MonkeyPatch) -> list[HostFrames]:
    @contextmanager
    def on_device(device: int) -> Iterator[None]:
        yield

    HostFrames.made = []
    monkeypatch.setattr(torch_cuda, "DeviceFrames", HostFrames)
    monkeypatch.setattr(torch_cuda, "on_device", on_device)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H200")
    return HostFrames.made


def opened(model: Path, *, precision: Precision = "exact") -> CudaBackend:
    job = ModelJob.read(model, FRAMES, precision=precision)
    backend = open_backend(job, Placement("torch", device=0, batch=4))
    assert isinstance(backend, CudaBackend)
    return backend


def expected_of(model: Path, windows: FrameWindows) -> Seen:
    placement = Placement("onnxruntime", batch=4)
    return see(open_backend(ModelJob.read(model, FRAMES), placement), windows, 255)


@pytest.mark.parametrize("form", ["windowed", "dense"])
def test_a_frame_is_divided_and_put_together_again(
    form: str, dense_model: Path, host_frames: list[HostFrames], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_cuda, "_FILLS_A_GPU", 4)  # 6 windows: two passes of 3
    model = WINDOWED if form == "windowed" else dense_model
    windows = frame_windows()
    seen, expected = see(opened(model), windows, 255), expected_of(model, windows)
    np.testing.assert_allclose(logits(seen), logits(expected), atol=1e-4)
    assert seen.lines is not None
    assert expected.lines is not None
    np.testing.assert_allclose(seen.lines, expected.lines, atol=1e-4)
    assert [frames.places for frames in host_frames] == [6]


def test_fewer_windows_fill_the_places_of_a_windowed_model(host_frames: list[HostFrames]) -> None:
    fewer = part_of(frame_windows(), 0, 2)
    seen, expected = see(opened(WINDOWED), fewer, 255), expected_of(WINDOWED, fewer)
    np.testing.assert_allclose(logits(seen), logits(expected), atol=1e-4)
    assert len(host_frames) == 1


def test_a_dense_model_is_never_given_windows_that_are_not_there(
    dense_model: Path, host_frames: list[HostFrames]
) -> None:
    see(opened(dense_model), part_of(frame_windows(), 0, 2), 255)
    assert [frames.places for frames in host_frames] == [6, 2]


def test_frames_of_another_shape_are_set_up_anew_and_memory_stays_pinned(
    dense_model: Path, host_frames: list[HostFrames]
) -> None:
    backend = opened(dense_model)
    memory = np.zeros(4096, np.uint8)
    assert backend.pin(memory)
    other = windows_of(frame_windows((600, 300)).frame)
    seen, expected = see(backend, other, 255), expected_of(dense_model, other)
    np.testing.assert_allclose(logits(seen), logits(expected), atol=1e-4)
    before, now = host_frames
    assert before.closed
    assert now.pinned == [memory]
    assert now.shape == (640, 384, 1)
    backend.close()
    assert now.closed


def test_its_name_says_what_it_computes_in(
    dense_model: Path, host_frames: list[HostFrames]
) -> None:
    assert opened(dense_model).name == "torch on NVIDIA H200"
    half = opened(dense_model, precision="half")
    assert half.name == "torch on NVIDIA H200, float16"
    windows = frame_windows()
    seen, expected = see(half, windows, 255), expected_of(dense_model, windows)
    np.testing.assert_allclose(seen.scores, expected.scores, atol=0.02)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_one_line_says_so(dense_model: Path) -> None:
    with pytest.raises(DarkscanError, match="GPU 0"):
        opened(dense_model)


@needs_gpu
@pytest.mark.parametrize("precision", ["exact", "half"])
@pytest.mark.parametrize("form", ["windowed", "dense"])
def test_a_gpu_sees_the_same(form: str, precision: Precision, dense_model: Path) -> None:
    model = WINDOWED if form == "windowed" else dense_model
    ring = np.zeros(4 * 512 * 384, np.uint8)
    backend = opened(model, precision=precision)
    backend.pin(ring)
    frames = []
    for number in range(4):
        windows = frame_windows(seed=number)
        place = ring[number * 512 * 384 :][: 512 * 384].reshape(512, 384)
        place[:] = windows.frame
        frames.append(windows._replace(frame=place))
    pending = [backend.start(windows, 255) for windows in frames]  # more than two ahead
    tolerance = 1e-3 if precision == "exact" else 0.2
    for windows, wait in zip(frames, pending, strict=True):
        seen, expected = wait(), expected_of(model, windows)
        np.testing.assert_allclose(logits(seen), logits(expected), atol=tolerance)
    again = see(backend, frames[0], 255)
    np.testing.assert_array_equal(again.scores, pending[0]().scores)
    backend.close()
