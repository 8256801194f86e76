"""A model's job: the margin is added in one place, and the recipe's stride decides the windows."""

from pathlib import Path

import numpy as np
import pytest

from darkscan.inference import FrameFormat, ModelJob, Placement
from darkscan.inference.worker_backend import open_worker_backend, shares_calls
from darkscan.pipeline.core.errors import InputError
from tests.builders import scan_info
from tests.conftest import REPOSITORY

WINDOWED = REPOSITORY / "models" / "windowed.onnx"


def test_a_margin_surrounds_a_frame_on_all_sides() -> None:
    frames = FrameFormat.of_scan(scan_info((384, 512), pixel_type="uint16"), margin_px=64)
    assert frames.surrounded == (512, 640)
    assert frames.dtype == np.uint16
    surrounded = np.zeros(frames.surrounded, np.uint16)
    frames.inner(surrounded)[:] = 1
    assert surrounded.sum() == 384 * 512
    assert (surrounded[64, 64], surrounded[63, 64]) == (1, 0)


def test_windows_begin_within_the_margin(dense_model: Path) -> None:
    frames = FrameFormat((256, 384), "uint8", 255, margin_px=64)
    assert ModelJob.read(dense_model, frames).origins().tolist() == [[64, 64], [64, 192]]
    fine = ModelJob.read(dense_model, frames, stride=64)
    assert fine.origins().tolist() == [[64, 64], [64, 128], [64, 192]]
    assert fine.origins().dtype == np.int32


def test_a_frame_smaller_than_a_window_has_none(dense_model: Path) -> None:
    job = ModelJob.read(dense_model, FrameFormat((200, 384), "uint8", 255, margin_px=64))
    with pytest.raises(InputError, match="smaller than a window"):
        job.origins()


@pytest.mark.parametrize(
    ("device", "batch_wait_ms", "shares"),
    [
        pytest.param(None, 0.0, False, id="a processor"),
        pytest.param(None, 5.0, True, id="a processor whose worker waits anyway"),
        pytest.param(0, 0.0, True, id="a GPU"),
    ],
)
def test_small_frames_share_calls_where_it_pays(
    device: int | None, batch_wait_ms: float, shares: bool
) -> None:
    assert shares_calls(device, batch_wait_ms) == shares


@pytest.mark.parametrize(("sharing", "frames"), [(True, 3), (False, 1)], ids=["shared", "alone"])
def test_a_worker_fills_a_batch_with_small_frames_if_they_share_calls(
    sharing: bool, frames: int
) -> None:
    job = ModelJob.read(WINDOWED, FrameFormat((256, 384), "uint8", 255))
    placement = Placement("onnxruntime", batch=6)
    worker = open_worker_backend(job, placement, sharing=sharing)
    assert worker.frames_a_call == frames
    assert worker.backend.ahead == 2
    worker.backend.close()
