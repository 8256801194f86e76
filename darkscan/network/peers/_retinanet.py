"""RetinaNet: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017.

Layers follow torchvision's ``retinanet_resnet50_fpn``: 34,014,999 parameters for 91
classes, where the backbone's batch norms are frozen; here they train, and their 53,120
weights count. A window's score is its likeliest anchor's.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    interpolate,
    relu,
    smooth_l1_loss,
)

from darkscan.network.batches import Batch
from darkscan.network.modules import GREY_RANGE
from darkscan.network.peers import _boxes as box
from darkscan.network.peers._parts import Peer, channels, conv_norm, initialise

_BLOCKS = (3, 4, 6, 3)  # ResNet-50
_STRIDES = (8, 16, 32, 64, 128)
_PYRAMID_CHANNELS = 256
_HEAD_DEPTH = 4
_PRIOR = 0.01  # the probability that an anchor is an object, before training
_FOCUS, _BALANCE = 2.0, 0.25  # the focal loss's gamma and alpha
_SMOOTH = 1 / 9
_SCRATCHED = 0.5  # from this label on, a window has a scratch to box
_LEAST_SIDE_PX = 1.0


class Bottleneck(nn.Module):
    """ResNet-50's block of 1x1, 3x3 and 1x1 convolutions; the 3x3 one has the stride."""

    def __init__(self, inputs: int, inner: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * inner
        self.residual = nn.Sequential(
            conv_norm(inputs, inner, 1),
            conv_norm(inner, inner, 3, stride=stride),
            conv_norm(inner, outputs, 1, relu=False),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = conv_norm(inputs, outputs, 1, stride=stride, relu=False)

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, 4 inner, H / stride, W / stride)."""
        return relu(self.shortcut(features) + self.residual(features))


class Pyramid(nn.Module):
    """P3 to P7 of ResNet's C3 to C5: each level has the coarser ones added to it."""

    def __init__(self, inputs: list[int], outputs: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(count, outputs, 1) for count in inputs)
        self.smooth = nn.ModuleList(nn.Conv2d(outputs, outputs, 3, padding=1) for _ in inputs)
        self.coarser = nn.ModuleList(nn.Conv2d(outputs, outputs, 3, 2, 1) for _ in range(2))

    def forward(self, stages: list[Tensor]) -> list[Tensor]:
        """Five maps (N, outputs, ...) at strides 8 to 128 from three at 8 to 32."""
        summed = [lateral(stage) for lateral, stage in zip(self.lateral, stages, strict=True)]
        for finer in (1, 0):
            size = summed[finer].shape[2:]
            summed[finer] = summed[finer] + interpolate(summed[finer + 1], size=size)
        levels = [smooth(level) for smooth, level in zip(self.smooth, summed, strict=True)]
        p6 = self.coarser[0](levels[-1])
        return [*levels, p6, self.coarser[1](relu(p6))]


class Head(nn.Module):
    """Four convolutions and the output, the same weights at every level."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        layers: list[nn.Module] = []
        for _ in range(_HEAD_DEPTH):
            layers += [nn.Conv2d(inputs, inputs, 3, padding=1), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.predict = nn.Conv2d(inputs, box.ANCHORS_PER_CELL * outputs, 3, padding=1)

    def forward(self, levels: list[Tensor]) -> Tensor:
        """(N, A, outputs): one row for each anchor, in the order of ``boxes.anchors``."""
        maps = [self.predict(self.layers(level)) for level in levels]
        rows = [one.permute(0, 2, 3, 1).reshape(len(one), -1, self.outputs) for one in maps]
        return torch.cat(rows, dim=1)


class RetinaNet(Peer):
    """The published form has 3 inputs and 91 outputs, torchvision's classes of COCO."""

    def __init__(self, width: float = 1.0, *, inputs: int = 1, outputs: int = 1) -> None:
        super().__init__("retinanet", width, inputs)
        reached = channels(64, width)
        self.stem = nn.Sequential(
            conv_norm(inputs, reached, 7, stride=2), nn.MaxPool2d(3, stride=2, padding=1)
        )
        self.stages = nn.ModuleList()
        counts = []
        for index, blocks in enumerate(_BLOCKS):
            inner = channels(64 * 2**index, width)
            stage: list[nn.Module] = []
            for block in range(blocks):
                stage.append(Bottleneck(reached, inner, 2 if index and not block else 1))
                reached = 4 * inner
            self.stages.append(nn.Sequential(*stage))
            counts.append(reached)
        pyramid = channels(_PYRAMID_CHANNELS, width)
        self.pyramid = Pyramid(counts[1:], pyramid)
        self.classes = Head(pyramid, outputs)
        self.offsets = Head(pyramid, 4)
        self._initialise(pyramid)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, outputs), of the likeliest anchor for each, of images (N, inputs, H, W)."""
        return self.detect(images)[0].amax(1)

    def detect(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (N, A, outputs) and box offsets (N, A, 4) of all anchors (A, 4)."""
        features = self.stem(images)
        stages = []
        for stage in self.stages:
            features = stage(features)
            stages.append(features)
        levels: list[Tensor] = self.pyramid(stages[1:])
        sizes = [(level.shape[2], level.shape[3]) for level in levels]
        grid = box.anchors(sizes, list(_STRIDES)).to(images.device)
        return self.classes(levels), self.offsets(levels), grid

    @torch.no_grad()
    def locate(self, windows: Tensor, full_scale: float | Tensor = GREY_RANGE) -> Tensor:
        """The box (N, 4) of the likeliest scratch in each of windows (N, H, W), in pixels."""
        logits, offsets, grid = self.detect(self.grey(windows, full_scale))
        best = logits[:, :, 0].argmax(1)
        return box.decode(offsets[torch.arange(len(best)), best], grid[best])

    def training_loss(self, batch: Batch) -> Tensor:
        """Focal loss of all anchors and smooth L1 of the scratches', over the scratches'.

        A window whose label is at least 0.5 has one scratch, in its box; where that is not
        known (zeros), in the whole window.
        """
        windows = batch.windows.float()
        logits, offsets, grid = self.detect(self.grey(windows, batch.full_scale))
        boxes = _at_least_a_pixel(batch.boxes, windows.shape[1])
        matched = box.match(boxes, batch.labels >= _SCRATCHED, grid)
        found = matched == box.SCRATCH
        anchors_found = found.sum().clamp(min=1)
        counted = matched != box.IGNORED
        classes = focal_loss(logits[:, :, 0][counted], found[counted].float())
        window, anchor = found.nonzero(as_tuple=True)
        sought = box.encode(boxes[window], grid[anchor])
        placed = smooth_l1_loss(offsets[found].float(), sought, beta=_SMOOTH, reduction="sum")
        loss: Tensor = (classes + placed) / anchors_found
        return loss

    @torch.no_grad()
    def _initialise(self, pyramid: int) -> None:
        initialise(self)
        # The published deviation of 0.01, at the same gain where there are fewer channels.
        deviation = 0.01 * math.sqrt(_PYRAMID_CHANNELS / pyramid)
        for head in (self.classes, self.offsets):
            for module in head.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.normal_(module.weight, std=deviation)
        bias = self.classes.predict.bias
        assert bias is not None
        nn.init.constant_(bias, -math.log((1 - _PRIOR) / _PRIOR))


def focal_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The paper's eq. 5 summed over logits and labels (0 or 1) of one shape."""
    signed = torch.where(labels > 0, logits, -logits)  # the logit of the true class
    missed = torch.sigmoid(-signed)
    balance = torch.where(labels > 0, _BALANCE, 1 - _BALANCE)
    entropy = binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return (balance * missed**_FOCUS * entropy).sum()


def _at_least_a_pixel(boxes: Tensor, side: int) -> Tensor:
    """Boxes (N, 4) with no side below a pixel; all zeros become the whole window."""
    unknown = (boxes == 0).all(1, keepdim=True)
    boxes = torch.where(unknown, boxes.new_tensor((0.0, 0.0, side, side)), boxes)
    low = boxes[:, :2]
    return torch.cat((low, torch.maximum(boxes[:, 2:], low + _LEAST_SIDE_PX)), dim=1)
