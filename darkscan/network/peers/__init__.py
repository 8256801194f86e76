"""The networks that the paper compares with, as compact definitions of our own.

Each takes windows as the paper's comparison gives them: raw grey levels in parts of full
scale, without brightness adjustment.
"""

from collections.abc import Callable

from torch import nn

from darkscan.network.peers._inception import InceptionV3
from darkscan.network.peers._residual_attention import attention_56, attention_92
from darkscan.network.peers._retinanet import RetinaNet
from darkscan.network.peers._xception import Xception

PEERS: dict[str, Callable[[float], nn.Module]] = {
    "attention-56": attention_56,
    "attention-92": attention_92,
    "xception": Xception,
    "inception-v3": InceptionV3,
    "retinanet": RetinaNet,
}
"""Width multiplier to network, by name; channel counts are multiples of 8."""

__all__ = ["PEERS", "InceptionV3", "RetinaNet", "Xception", "attention_56", "attention_92"]
