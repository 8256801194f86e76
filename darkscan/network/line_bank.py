"""A bank of oriented line filters inside the network: the matched filter, for nothing.

A faint line is found by adding up along it before anything is decided: 16 px of it hide in the
noise where 128 px stand out. Convolutions that decide cell by cell lose that; these filters add
up along straight segments of 16, 32, 64 and 128 px in all directions, with fixed weights.

They are the matched filters of straight lines in white noise, on means of 4x4 px, which keeps
0.8 of the signal-to-noise of a line 2 px wide. The longer a segment, the less a single place may
add to it: a long line is faint everywhere, and dirt is bright in few places, so that answers of
5 standard deviations are as rare on a dirty surface as on a clean one. Longer segments need more
directions, see Brandt and Dym, "Fast calculation of multiple line integrals" (SIAM J. Sci.
Comput. 1999).
"""

import math

import torch
from torch import Tensor, nn

from darkscan.network.sigma_clipping import noise_fields

POINT_PX = 4
"""The filters add up means of so many pixels squared."""

_POINTS = (4, 8, 16, 32)  # along the segments: 16, 32, 64 and 128 px
_SLOPES = (16, 16, 16, 32)  # of each length and family: none misses a line's end by a point
_DIRECTIONS = 8  # kept of each family: the best of the slopes about each
_DARK = 1  # the length whose darkest answer is kept too: an edge has a dark side, a line none
_CELL_POINTS = 2
_CLIPS = (4.0, 2.5, 1.75, 1.5)  # standard deviations; a speck counts no more than that
_SCALE = 0.25  # brings answers, about 1 to 16 standard deviations, to the trunk's range
_MOST = 10.0  # standard deviations: beyond, a line is certain anyway
_EVIDENCE = 2.0  # of squared answers: a quarter of what they say for a line, in nats

_SIDES = len(_POINTS) + 1
CHANNELS = 2 * _DIRECTIONS * _SIDES
"""Of the bank's answers, direction by direction."""
STRENGTHS = _SIDES
"""Of their maxima over all directions: one for each length, and the dark one."""


class LineBank(nn.Module):
    """The strongest answers of line filters in each cell of 8 px.

    Lines nearer to the rows and lines nearer to the columns are two families: the second is
    the first on the transposed image.
    """

    def __init__(self) -> None:
        super().__init__()
        for index, (points, slopes) in enumerate(zip(_POINTS, _SLOPES, strict=True)):
            kernels = torch.stack([_kernel(points, slope) for slope in _slopes(slopes)])
            self.register_buffer(f"kernels_{index}", kernels[:, None], persistent=False)

    def forward(self, sigmas: Tensor) -> tuple[Tensor, Tensor]:
        """Answers (B, CHANNELS, H/8, W/8) to images (B, H, W) in units of their noise.

        And the strengths (B, STRENGTHS, H/8, W/8): an eighth of the squares of their maxima over
        all directions, as evidence for a line grows. Answers are in units of four standard
        deviations of white noise, squares of one; H and W are multiples of 128.
        """
        points = nn.functional.avg_pool2d(sigmas[:, None], POINT_PX)[:, 0] * POINT_PX
        # Noise that the lens or a program has smoothed adds up to more: it counts as it is.
        points = points / noise_fields(points, POINT_PX).clamp(min=0.5)
        along_rows = self._family(points[:, None])
        turned = self._family(points.transpose(1, 2)[:, None])
        along_columns = [answer.transpose(2, 3) for answer in turned]
        strengths = [
            torch.maximum(one.amax(1), other.amax(1))
            for one, other in zip(along_rows, along_columns, strict=True)
        ]
        strongest = torch.stack(strengths, dim=1).clamp(0.0, _MOST * _SCALE)
        return torch.cat((*along_rows, *along_columns), dim=1), strongest.square() * _EVIDENCE

    def _family(self, points: Tensor) -> list[Tensor]:
        """The answers (B, directions, H/8, W/8) of each length to means (B, 1, H/4, W/4)."""
        answers: list[Tensor] = []
        for index, length in enumerate(_POINTS):
            kernels = getattr(self, f"kernels_{index}")
            step = length // 2
            margin = (kernels.shape[2] // 2, (length - step) // 2)
            even = points.clamp(-_CLIPS[index], _CLIPS[index]) / _spread(_CLIPS[index])
            answer = nn.functional.conv2d(even, kernels, stride=(1, step), padding=margin)
            sides = (answer, -answer) if index == _DARK else (answer,)
            answers += [_SCALE * _strongest(side, step // _CELL_POINTS) for side in sides]
        return answers


def _spread(clip: float) -> float:
    """The standard deviation of noise of 1 that is clipped to ``clip`` on either side."""
    density = math.exp(-0.5 * clip**2) / math.sqrt(2 * math.pi)
    beyond = math.erfc(clip / math.sqrt(2))
    return math.sqrt(1.0 - beyond - 2 * clip * density + clip**2 * beyond)


def _strongest(answer: Tensor, cells: int) -> Tensor:
    """The best of neighbouring slopes and rows, on cells of which ``cells`` share a segment."""
    best = nn.functional.max_pool2d(answer, (_CELL_POINTS, 1))
    best = best.reshape(len(best), _DIRECTIONS, -1, *best.shape[2:]).amax(2)
    if cells > 1:
        best = nn.functional.interpolate(best, scale_factor=(1, cells), mode="nearest")
    return best


def _slopes(count: int) -> list[float]:
    """Evenly from -1 to 1, steps of rows a column."""
    return [(2 * number + 1) / count - 1 for number in range(count)]


def _kernel(columns: int, slope: float) -> Tensor:
    """A line through the middle of (rows, columns), with a root sum of squares of 1.

    Its section is a tent of one row to each side, so that a line between two rows counts in both.
    """
    half = (columns - 1) / 2
    reach = math.ceil(half) + 1
    rows = torch.arange(-reach, reach + 1, dtype=torch.float64)[:, None]
    across = rows - slope * (torch.arange(columns, dtype=torch.float64) - half)
    kernel = (1.0 - across.abs()).clamp(min=0.0)
    return (kernel / kernel.square().sum().sqrt()).float()
