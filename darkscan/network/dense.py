"""The dense form of the network: one pass over a whole frame, its statistics as fields.

Cut into windows at half-window steps, every pixel passes the trunk four times. Here it passes
once; what belongs to a window (channel attention, pooling, the head) is taken from the
shared features under it. That is another function than the windowed network's: the trunk
sees across the borders of windows, and brightness adjustment changes smoothly from
window to window instead of from one to the next. So it is trained as a model of its own.
"""

import torch
from torch import Tensor, nn

from darkscan.network.attention_fusion import AttentionFusionNetwork
from darkscan.network.batches import Batch
from darkscan.network.fields import NODE_PX, at_nodes, interpolated
from darkscan.network.modules import CELL, GREY_RANGE, BrightnessAdjustment, ChannelAttention
from darkscan.network.sigma_clipping import clipped_image

WINDOW_PX = 256
STRIDE_PX = 128
STEP_PX = 32
"""The trunk's stride: windows begin on its multiples, or are moved to the nearest."""

SIDES_PX = NODE_PX
"""Images must be multiples of it high and wide."""

_WINDOW_STEPS = WINDOW_PX // STEP_PX
_WINDOW_CELLS = WINDOW_PX // CELL
_CELLS_A_STEP = STEP_PX // CELL


class DenseNetwork(AttentionFusionNetwork):
    """The Attention Fusion Network with a trunk that all windows of an image share.

    It has brightness adjustment, sigma clipping, channel attention and the line head, and
    the same weights by the same names as the windowed network of the same parts.
    """

    def see(
        self, images: Tensor, origins: Tensor, gains: Tensor, offsets: Tensor, full_scale: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, N) of N windows of each image, and of its cells of 8 px (B, H/8, W/8)."""
        logits, lines, _ = self.see_all(images, origins, gains, offsets, full_scale)
        return logits, lines

    def see_all(
        self, images: Tensor, origins: Tensor, gains: Tensor, offsets: Tensor, full_scale: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """As ``see``, and the cells' kinds (B, H/8, W/8) where the network tells them.

        ``images`` (B, H, W) float32 grey levels, sides multiples of ``SIDES_PX``;
        ``origins`` (N, 2) int64 the first pixel (y, x) of the windows, a grid with steps of
        128 px at most, the same in all images; ``gains`` and ``offsets`` (B, N) W_mult and
        W_add of each; ``full_scale`` () or (B, 1, 1), the largest grey level.
        """
        seen = views(images, origins, gains, offsets, full_scale)
        logits, lines, hidden = self._with_hidden(seen, origins)
        head = self.line_head
        return logits, lines, None if head is None or head.kinds is None else head.kinds_of(hidden)

    def _with_hidden(self, seen: Tensor, origins: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As ``see``; and the line head's features (B, C, H/8, W/8)."""
        reached, strengths = self.reached(seen)
        features = reached[-1]
        attend, line_head = self.attend, self.line_head
        assert isinstance(attend, ChannelAttention)
        assert line_head is not None
        placed = attend.by_place(features)
        hidden = line_head([*reached[1:-1], features + placed])
        lines = line_head.lines_of(hidden, strengths)
        steps = _nearest(origins, STEP_PX)
        means, placed_means = _means(features, steps), _means(placed, steps)
        pooled = attend.channel_weights(means) * means + placed_means
        coarse = nn.functional.avg_pool2d(hidden, _CELLS_A_STEP)
        brightest = nn.functional.max_pool2d(hidden, _CELLS_A_STEP)
        parts = [pooled, _means(coarse, steps), _maxima(brightest, steps)]
        if strengths is not None:
            cells = torch.cat((lines[:, None], strengths), dim=1)
            parts.append(_maxima(nn.functional.max_pool2d(cells, _CELLS_A_STEP), steps))
        logits: Tensor = self.head(torch.cat(parts, dim=2))
        return logits.squeeze(2), lines, hidden

    def logits_and_lines(
        self, windows: Tensor, gains: Tensor, offsets: Tensor, full_scale: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Logits (N,) of windows (N, 256, 256), and their cells'; each is an image of its own."""
        first = torch.zeros((1, 2), dtype=torch.int64, device=windows.device)
        logits, lines = self.see(windows, first, gains[:, None], offsets[:, None], full_scale)
        return logits.squeeze(1), lines

    def classify(self, windows: Tensor, full_scale: float = GREY_RANGE) -> Tensor:
        """Logits (N * K,) of the K windows at half-window steps in images (N, H, W).

        An image of 256x256 is one window, seen without what lies around it.
        """
        scale = windows.new_tensor(full_scale)
        return self.see(windows, *adjusted_grid(windows), scale)[0].flatten()

    def training_loss(self, batch: Batch) -> Tensor:
        """Of the images' windows and cells: scratched or not, of which kind, running where."""
        images = batch.windows.float()
        # Backgrounds and gains need more digits than bfloat16 has.
        with torch.autocast(images.device.type, enabled=False):
            origins, gains, offsets = adjusted_grid(images)
            seen = views(images, origins, gains, offsets, batch.full_scale)
        logits, lines, hidden = self._with_hidden(seen, origins)
        loss = self.loss(logits.flatten(), batch.labels.flatten(), lines, batch.lines)
        if self.line_head is not None and self.line_head.kinds is not None:
            loss = loss + self.line_head.kinds_loss(hidden, batch.kinds, batch.directions)
        return loss

    def twin(self) -> "DenseNetwork":
        """Another network of the same shape with the same weights."""
        twin = DenseNetwork(self.width, name=self.name, parts=self.parts)
        twin.load_state_dict(self.state_dict())
        return twin


def adjusted_grid(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Windows at half-window steps in images (B, H, W): origins (K, 2), gains, offsets (B, K)."""
    rows, columns = (
        torch.arange(0, side - WINDOW_PX + 1, STRIDE_PX, device=images.device)
        for side in images.shape[1:]
    )
    origins = torch.cartesian_prod(rows, columns)
    windows = images.unfold(1, WINDOW_PX, STRIDE_PX).unfold(2, WINDOW_PX, STRIDE_PX)
    gains, offsets = BrightnessAdjustment.coefficients(windows.reshape(-1, WINDOW_PX, WINDOW_PX))
    return origins, gains.reshape(len(images), -1), offsets.reshape(len(images), -1)


def line_windows(lines: Tensor, origins: Tensor) -> Tensor:
    """Each window's part (N, 32, 32) of a map of cells (H/8, W/8); origins (N, 2) in pixels."""
    width = lines.shape[1]
    first = _nearest(origins, CELL)
    along = torch.arange(_WINDOW_CELLS, device=lines.device)
    rows = first[:, 0, None, None] + along[:, None]
    columns = first[:, 1, None, None] + along
    places = (rows * width + columns).reshape(-1)
    cells = torch.index_select(lines.reshape(-1), 0, places)
    return cells.reshape(-1, _WINDOW_CELLS, _WINDOW_CELLS)


def views(
    images: Tensor, origins: Tensor, gains: Tensor, offsets: Tensor, full_scale: Tensor
) -> Tensor:
    """The trunk's input (B, 3, H, W): raw, adjusted, clipped."""
    height, width = images.shape[1:]
    nodes = (height // NODE_PX + 1, width // NODE_PX + 1)
    centres = origins + WINDOW_PX // 2
    gain, offset = (
        interpolated(at_nodes(values / GREY_RANGE, centres, nodes), (height, width), NODE_PX, 0.0)
        for values in (gains, offsets)
    )
    return torch.stack((images / full_scale, images * gain + offset, clipped_image(images)), dim=1)


def _nearest(origins: Tensor, step: int) -> Tensor:
    """Origins (N, 2) in whole steps."""
    return torch.div(origins + step // 2, step, rounding_mode="floor")


def _means(features: Tensor, steps: Tensor) -> Tensor:
    """Features (B, C, h, w) averaged over windows that begin at steps (N, 2): (B, N, C)."""
    pool, side = nn.functional.avg_pool2d, _WINDOW_STEPS
    return _picked(pool(pool(features, (side, 1), 1), (1, side), 1), steps)


def _maxima(features: Tensor, steps: Tensor) -> Tensor:
    """As ``_means``, but the largest features in place of their average."""
    pool, side = nn.functional.max_pool2d, _WINDOW_STEPS
    return _picked(pool(pool(features, (side, 1), 1), (1, side), 1), steps)


def _picked(places: Tensor, steps: Tensor) -> Tensor:
    flat = steps[:, 0] * places.shape[3] + steps[:, 1]
    return torch.index_select(places.flatten(2), 2, flat).transpose(1, 2)
