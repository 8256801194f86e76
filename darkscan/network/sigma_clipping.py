"""A third view of a window, that neither a bright speck nor the camera's depth can dim."""

import torch
from torch import Tensor, nn

from darkscan.network.fields import NODE_PX, interpolated

_SPACING = 4  # statistics are taken on every fourth pixel of every fourth row
_BACKGROUND_CELL = 8  # every fourth pixel is used: the background follows a grid of 32 px
_CLIP_SIGMAS = 3.0
_CLIP_ROUNDS = 3
_CLIP_SIGMAS_OF_BLOCKS = 2.0  # more than an even slope of the background reaches
_LOWEST, _HIGHEST = -4.0, 8.0  # sigmas shown; a weak scratch has 2 to 5
_QUANTISATION = 0.29  # grey levels: the noise of rounding, below which no camera's falls


class SigmaClipping(nn.Module):
    """Each window less its local background, in units of its noise, clipped.

    One saturated grain takes brightness adjustment's whole range (eq. 1); sigma clipping
    (iterated, as is usual in astronomy) leaves such pixels out of the statistics. A
    scratch of three sigmas looks the same in every camera and beside every speck.
    """

    def forward(self, windows: Tensor) -> Tensor:
        """(N, H, W) grey levels to (N, H, W) about -1 to 2; H and W are multiples of 32."""
        few = windows[:, ::_SPACING, ::_SPACING]
        mean, spread = few.mean((1, 2), keepdim=True), few.std((1, 2), keepdim=True)
        for _ in range(_CLIP_ROUNDS):
            clipped = _within(few, mean, _CLIP_SIGMAS * spread)
            mean, spread = clipped.mean((1, 2), keepdim=True), clipped.std((1, 2), keepdim=True)
        clipped = _within(few, mean, _CLIP_SIGMAS * spread)
        cells = nn.functional.avg_pool2d(clipped[:, None], _BACKGROUND_CELL)
        rest = few - _enlarged(cells, _BACKGROUND_CELL)
        noise = _within(rest, torch.zeros_like(spread), _CLIP_SIGMAS * spread)
        noise = _within(rest, torch.zeros_like(spread), _CLIP_SIGMAS * _rms(noise))
        sigma = _rms(noise).clamp(min=_QUANTISATION)
        background = _enlarged(cells, _BACKGROUND_CELL * _SPACING)
        return ((windows - background) / sigma).clamp(_LOWEST, _HIGHEST) / -_LOWEST


def clipped_image(images: Tensor) -> Tensor:
    """As SigmaClipping, of whole images (N, H, W) whose statistics change from place to place.

    Means and spreads are those of the 256 px around each node of ``fields``, interpolated;
    on a window of an even image they are the window's. H and W are multiples of 128.
    """
    few = images[:, ::_SPACING, ::_SPACING]
    clipped = few
    for _ in range(_CLIP_ROUNDS + 1):
        mean = _smooth(_node_means(clipped), few.shape[1:])
        spread = _smooth(_node_means((clipped - mean).square()).sqrt(), few.shape[1:])
        clipped = _within(few, mean, _CLIP_SIGMAS * spread)
    # The background from every pixel: its own noise, were it that of every sixteenth, would hide
    # long faint lines, along which a line bank adds up noise of 0.04 sigma only.
    blocks = nn.functional.avg_pool2d(images[:, None], _SPACING)[:, 0]
    blocks = _within(blocks, mean, _CLIP_SIGMAS_OF_BLOCKS * spread)
    cells = nn.functional.avg_pool2d(blocks[:, None], _BACKGROUND_CELL)[:, 0]
    rest = few - _smooth_cells(cells, few.shape[1:])
    zero = torch.zeros_like(rest)
    noise = _within(rest, zero, _CLIP_SIGMAS * spread)
    sigma = _smooth(_node_means(noise.square()).sqrt(), few.shape[1:])
    noise = _within(rest, zero, _CLIP_SIGMAS * sigma)
    sigma = _node_means(noise.square()).sqrt().clamp(min=_QUANTISATION)
    shape = images.shape[1:]
    scale = _smooth(-1.0 / (_LOWEST * sigma), shape)
    away = (images - _smooth_cells(cells, shape)) * scale
    return away.clamp(-1.0, -_HIGHEST / _LOWEST)


def in_sigmas(clipped: Tensor) -> Tensor:
    """What ``SigmaClipping`` and ``clipped_image`` give, in standard deviations of the noise."""
    return clipped * -_LOWEST


def noise_fields(samples: Tensor, spacing: int) -> Tensor:
    """The standard deviation about zero (N, h, w) of samples (N, h, w), outliers clipped.

    ``spacing`` is the distance of samples in pixels of the image; the deviation is that of the
    256 px around each node of ``fields``, interpolated.
    """
    spread = samples
    for _ in range(2):
        variance = _smooth(_node_means(spread.square(), spacing), samples.shape[1:])
        limit = _CLIP_SIGMAS * variance.sqrt()
        spread = _within(samples, torch.zeros_like(limit), limit)
    return _smooth(_node_means(spread.square(), spacing), samples.shape[1:]).sqrt()


def _node_means(few: Tensor, spacing: int = _SPACING) -> Tensor:
    """The means (N, r, c) over 256 px around each node, or what of it lies in the image."""
    pool = nn.functional.avg_pool2d
    between = pool(few[:, None], NODE_PX // spacing)
    return pool(between, 2, stride=1, padding=1, count_include_pad=False)[:, 0]


def _smooth(nodes: Tensor, shape: torch.Size) -> Tensor:
    """Values (N, r, c) at the nodes interpolated to images (N, *shape) of any resolution."""
    spacing = shape[0] // (nodes.shape[1] - 1)
    return interpolated(nodes, shape, spacing, 0.0)


def _smooth_cells(cells: Tensor, shape: torch.Size) -> Tensor:
    """Means (N, h, w) of cells interpolated to images (N, *shape) of any resolution."""
    spacing = shape[0] // cells.shape[1]
    return interpolated(cells, shape, spacing, spacing / 2)


def _within(values: Tensor, middle: Tensor, reach: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(values, middle - reach), middle + reach)


def _rms(values: Tensor) -> Tensor:
    return values.square().mean((1, 2), keepdim=True).sqrt()


def _enlarged(cells: Tensor, factor: int) -> Tensor:
    """(N, 1, h, w) to (N, h * factor, w * factor), smoothly."""
    return nn.functional.interpolate(
        cells, scale_factor=factor, mode="bilinear", align_corners=False
    ).squeeze(1)
