"""The deployed form of the network: from a frame's bytes to the logits of its windows."""

import torch
from torch import Tensor, nn

from darkscan.network.attention_fusion import AttentionFusionNetwork
from darkscan.network.dense import WINDOW_PX, DenseNetwork, line_windows

_AT_ONCE = 8


def frame_model(network: AttentionFusionNetwork) -> nn.Module:
    """The network as it is deployed, windowed or dense."""
    return DenseFrameModel(network) if isinstance(network, DenseNetwork) else FrameModel(network)


class FrameModel(nn.Module):
    """Gathers windows out of a frame, adjusts their brightness and classifies them.

    The frame crosses to the device once, in the camera's own depth: it is given as its
    raw bytes, so that one model serves uint8 and uint16 cameras.
    """

    def __init__(self, network: AttentionFusionNetwork, window: int = WINDOW_PX) -> None:
        super().__init__()
        self.network = network
        self.window = window

    def forward(
        self, frame: Tensor, origins: Tensor, gains: Tensor, offsets: Tensor, full_scale: Tensor
    ) -> tuple[Tensor, ...]:
        """Logits and scores, (N,) float32 each; a score is the probability of a scratch.

        A network with a line head also gives lines (N, 32, 32), the probability of each
        cell of 8 px that a scratch crosses it.

        ``frame`` (H, W, B) uint8: the little-endian bytes of each pixel, B = 1 or 2.
        ``origins`` (N, 2) int64: the first pixel (y, x) of each window, which must lie
        within the frame. ``gains`` and ``offsets`` (N,) float32: W_mult and W_add of each
        window, for grey levels as the camera gives them. ``full_scale`` () float32: the
        largest grey level that it can give, 255 or 4095 for instance.
        """
        windows = self._gather(frame, origins)
        logits, lines = self.network.logits_and_lines(windows, gains, offsets, full_scale)
        outputs = (logits, torch.sigmoid(logits))
        return outputs if lines is None else (*outputs, self.network.line_probabilities(lines))

    def _gather(self, frame: Tensor, origins: Tensor) -> Tensor:
        """The windows (N, window, window) of a frame (H, W, B), float32 grey levels."""
        _, width, depth = frame.shape
        along = torch.arange(self.window, device=frame.device)
        rows = origins[:, 0, None, None] + along[:, None]
        columns = origins[:, 1, None, None] + along
        places = (rows * width + columns).reshape(-1)
        # Straight to float: TensorRT takes uint8 as an input but not in arithmetic.
        pixels = torch.index_select(frame.to(torch.float32).reshape(-1, depth), 0, places)
        return grey_levels(pixels).reshape(-1, self.window, self.window)


class DenseFrameModel(nn.Module):
    """Passes a whole frame through the network once, for all of its windows.

    Inputs and outputs are those of ``FrameModel``; the frame's sides are multiples of 128.
    """

    def __init__(self, network: DenseNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, frame: Tensor, origins: Tensor, gains: Tensor, offsets: Tensor, full_scale: Tensor
    ) -> tuple[Tensor, ...]:
        """Logits, scores, lines and kinds of the frame's windows; see ``FrameModel.forward``.

        A network that tells kinds also gives those of each cell of 8 px (N, 32, 32), as numbers
        plus their probability: 0 nothing, 1 a fault of the sensor, 2 glow, 3 dust, 4 a dig, 5 a
        fibre, 6 a scratch.

        ``origins`` are a grid over the frame with steps of 128 px at most.
        """
        height, width, depth = frame.shape
        # Straight to float: TensorRT takes uint8 as an input but not in arithmetic.
        pixels = frame.to(torch.float32).reshape(-1, depth)
        image = grey_levels(pixels).reshape(1, height, width)
        logits, lines, kinds = self.network.see_all(
            image, origins, gains[None], offsets[None], full_scale
        )
        cells = line_windows(self.network.line_probabilities(lines[0]), origins)
        outputs = (logits[0], torch.sigmoid(logits[0]), cells)
        return outputs if kinds is None else (*outputs, line_windows(kinds[0], origins))


def grey_levels(pixels: Tensor) -> Tensor:
    """Grey levels (P,) of little-endian bytes (P, B), B = 1 or 2, P a multiple of 8; all float32.

    A product with the bytes' weights, 1 and 256, for several pixels at a time: picking bytes
    out, summing them, and a product for single ones cost several times as much on a CPU.
    """
    depth = pixels.shape[1]
    byte = torch.arange(depth, device=pixels.device, dtype=pixels.dtype)
    own = torch.eye(_AT_ONCE, device=pixels.device, dtype=pixels.dtype)
    weights = own[:, None, :] * (1.0 + 255.0 * byte)[:, None]
    together = pixels.reshape(-1, _AT_ONCE * depth)
    return (together @ weights.reshape(_AT_ONCE * depth, _AT_ONCE)).reshape(-1)
