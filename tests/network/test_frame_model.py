"""The deployed graph against the path that training takes."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from darkscan.network.attention_fusion import AttentionFusionNetwork
from darkscan.network.dense import WINDOW_PX
from darkscan.network.frame_model import FrameModel
from darkscan.pipeline.core.brightness import gains_and_offsets, window_extrema
from darkscan.pipeline.core.grid import window_origins
from tests.rounding import assert_same_but_for_rounding

NETWORK = AttentionFusionNetwork(0.125).eval()


def noise_frame(dtype: npt.DTypeLike, level: float, sigma: float) -> npt.NDArray[np.generic]:
    rng = np.random.default_rng(2)
    return rng.normal(level, sigma, (420, 530)).round().clip(0).astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "level", "sigma", "full_scale"),
    [
        (np.uint8, 20, 1.5, 255),
        (np.uint16, 320, 24, 4095),
        (np.uint16, 60000, 300, 65535),
    ],
    ids=["8-bit camera", "12-bit camera", "bright 16-bit camera"],
)
def test_a_frames_windows_score_as_they_do_in_training(
    dtype: npt.DTypeLike, level: float, sigma: float, full_scale: int
) -> None:
    frame = noise_frame(dtype, level, sigma)
    origins = window_origins((420, 530), WINDOW_PX, 128)
    gains, offsets = gains_and_offsets(*window_extrema(frame, origins, WINDOW_PX))
    cut = np.stack([frame[y : y + WINDOW_PX, x : x + WINDOW_PX] for y, x in origins])
    with torch.inference_mode():
        expected = NETWORK.classify(torch.from_numpy(cut.astype(np.float32)), full_scale)
        logits, scores = FrameModel(NETWORK)(
            torch.from_numpy(frame.view(np.uint8).reshape(420, 530, -1)),
            torch.from_numpy(origins.astype(np.int64)),
            torch.from_numpy(gains),
            torch.from_numpy(offsets),
            torch.tensor(float(full_scale)),
        )
    assert_same_but_for_rounding(logits, expected)
    assert_same_but_for_rounding(scores, torch.sigmoid(expected))


def test_bytes_are_combined_little_end_first_and_windows_lie_at_their_origins() -> None:
    frame = np.arange(20 * 30, dtype="<u2").reshape(20, 30) * 100
    model = FrameModel(NETWORK, window=8)
    origins = torch.tensor([[0, 0], [3, 5], [12, 22]])
    windows = model._gather(torch.from_numpy(frame.view(np.uint8).reshape(20, 30, 2)), origins)
    for window, (y, x) in zip(windows.numpy(), origins.tolist(), strict=True):
        np.testing.assert_array_equal(window, frame[y : y + 8, x : x + 8])
