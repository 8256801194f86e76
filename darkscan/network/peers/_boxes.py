"""RetinaNet's anchors: their grid, their match with the scratches' boxes, and their offsets.

Boxes are (..., 4) float32 x0, y0, x1, y1 in window pixels. Lin et al., "Focal Loss for
Dense Object Detection", ICCV 2017, section 4; offsets as Girshick et al. 2014.
"""

import torch
from torch import Tensor

SCALES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
RATIOS = (0.5, 1.0, 2.0)  # height to width
ANCHORS_PER_CELL = len(SCALES) * len(RATIOS)

_ANCHOR_STRIDES = 4  # the side of a level's smallest square anchor, in its strides
_SCRATCH_OVERLAP = 0.5
_BACKGROUND_OVERLAP = 0.4

BACKGROUND, SCRATCH, IGNORED = 0, 1, -1


def anchors(sizes: list[tuple[int, int]], strides: list[int]) -> Tensor:
    """The anchors (A, 4) of feature maps of ``sizes`` (rows, columns), level by level.

    Within a level they run by row, column, scale and ratio.
    """
    levels = []
    for (rows, columns), stride in zip(sizes, strides, strict=True):
        sides = _ANCHOR_STRIDES * stride * torch.tensor(SCALES)[:, None]
        roots = torch.tensor(RATIOS).sqrt()
        half = torch.stack((sides / roots, sides * roots), dim=-1).reshape(-1, 2) / 2
        y, x = torch.meshgrid(
            (torch.arange(rows) + 0.5) * stride,
            (torch.arange(columns) + 0.5) * stride,
            indexing="ij",
        )
        centres = torch.stack((x, y), dim=-1)[:, :, None]
        levels.append(torch.cat((centres - half, centres + half), dim=-1).reshape(-1, 4))
    return torch.cat(levels)


def overlap(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union (N, A) of each of ``boxes`` (N, 4) and ``others`` (A, 4)."""
    low = torch.maximum(boxes[:, None, :2], others[:, :2])
    high = torch.minimum(boxes[:, None, 2:], others[:, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    areas = [(part[:, 2:] - part[:, :2]).prod(-1) for part in (boxes, others)]
    return shared / (areas[0][:, None] + areas[1] - shared)


def match(boxes: Tensor, scratched: Tensor, grid: Tensor) -> Tensor:
    """The class of each anchor of ``grid`` (A, 4) in each window: (N, A) int64.

    SCRATCH from an overlap of 0.5 with the window's box (N, 4), BACKGROUND below 0.4,
    IGNORED between; all BACKGROUND where ``scratched`` (N,) is false. The anchors that
    overlap a box most are SCRATCH whatever the overlap: no anchor is as thin as the box
    of a scratch that runs along an axis.
    """
    overlaps = overlap(boxes, grid)
    matched = torch.full_like(overlaps, IGNORED, dtype=torch.int64)
    matched[overlaps < _BACKGROUND_OVERLAP] = BACKGROUND
    best = overlaps.amax(1, keepdim=True)
    matched[(overlaps >= _SCRATCH_OVERLAP) | ((overlaps == best) & (best > 0))] = SCRATCH
    matched[~scratched] = BACKGROUND
    return matched


def encode(boxes: Tensor, grid: Tensor) -> Tensor:
    """Offsets (..., 4) that lead from anchors to boxes: centre in sides, sides in logarithm."""
    centres, sides = _centres_and_sides(boxes)
    anchor_centres, anchor_sides = _centres_and_sides(grid)
    return torch.cat(
        ((centres - anchor_centres) / anchor_sides, (sides / anchor_sides).log()), dim=-1
    )


def decode(offsets: Tensor, grid: Tensor) -> Tensor:
    """The boxes (..., 4) to which ``offsets`` lead from anchors: the inverse of ``encode``."""
    anchor_centres, anchor_sides = _centres_and_sides(grid)
    centres = anchor_centres + offsets[..., :2] * anchor_sides
    half = offsets[..., 2:].exp() * anchor_sides / 2
    return torch.cat((centres - half, centres + half), dim=-1)


def _centres_and_sides(boxes: Tensor) -> tuple[Tensor, Tensor]:
    low, high = boxes[..., :2], boxes[..., 2:]
    return (low + high) / 2, high - low
