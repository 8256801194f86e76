"""The parts that the peer networks share: grey windows in, one logit out, common layers."""

import torch
from torch import Tensor, nn

from darkscan.network.modules import GREY_RANGE

_UNIT = 8  # channel counts are multiples of this, as the published ones are


def channels(published: int, width: float) -> int:
    """A published channel count times ``width``, to the nearest multiple of 8, 8 at least."""
    return max(1, round(width * published / _UNIT)) * _UNIT


def conv_norm(
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int],
    *,
    stride: int = 1,
    padding: int | tuple[int, int] | None = None,
    relu: bool = True,
) -> nn.Sequential:
    """A convolution without bias, batch norm, and ReLU unless told otherwise.

    ``padding`` is half the kernel unless given: stride 1 keeps the size.
    """
    rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (rows // 2, columns // 2) if padding is None else padding
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, (rows, columns), stride, padding, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    if relu:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class GreyInput(nn.Module):
    """Grey levels in parts of full scale, brought to mean 0 and deviation 1 over the data.

    One mean and one deviation for all windows, learned as a batch norm's and without
    parameters of its own: a window keeps its brightness beside the others, and nothing is
    stretched as brightness adjustment would. Without it, dark-field windows would all lie
    within some hundredths of each other, where training stalls.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.inputs = inputs
        # Small beside the square of a 16-bit camera's grey level, 2e-10 of full scale's.
        self.norm = nn.BatchNorm2d(1, eps=1e-12, affine=False)

    def forward(self, windows: Tensor, full_scale: float | Tensor) -> Tensor:
        """(N, H, W) grey levels to (N, inputs, H, W), every channel the same."""
        grey: Tensor = self.norm((windows / full_scale)[:, None])
        return grey.expand(-1, self.inputs, -1, -1)


class Peer(nn.Module):
    """A published network, made to tell windows with a scratch from those without.

    ``forward`` is the published one, from images (N, inputs, H, W) to logits (N, outputs);
    with the published ``inputs``, ``outputs`` and width 1 its parameters are the published
    ones, to the last.
    """

    def __init__(self, name: str, width: float, inputs: int) -> None:
        super().__init__()
        self.name = name
        self.width = width
        self.grey = GreyInput(inputs)

    def classify(self, windows: Tensor, full_scale: float | Tensor = GREY_RANGE) -> Tensor:
        """Logits (N,) of windows (N, H, W), float32 grey levels of 0 to ``full_scale``.

        That is a number, or a tensor of (N, 1, 1) where windows differ in it.
        """
        logits: Tensor = self(self.grey(windows, full_scale))
        return logits[:, 0]


@torch.no_grad()
def initialise(network: nn.Module) -> None:
    """Draws convolutions as He et al. 2015 do, so that ReLUs keep the signal's variance."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            # By inputs: outputs would count a depthwise filter once for each channel.
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
