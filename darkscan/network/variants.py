"""Every network by its name: the paper's, its ablations, ours, and the paper's peers."""

from collections.abc import Callable

from torch import Tensor, nn

from darkscan.network.attention_fusion import AttentionFusionNetwork, Parts
from darkscan.network.batches import Batch
from darkscan.network.dense import DenseNetwork
from darkscan.pipeline.core.errors import InputError

OURS = "darkscan"
DENSE = "darkscan-dense"

_OWN = {
    "resnet18": Parts(adjust=False, scale=False, channel=False),
    "resnet18+ca": Parts(adjust=False, scale=False),
    "resnet18+ca+ba": Parts(scale=False),
    "resnet18+ca+sa": Parts(adjust=False),
    "afn": Parts(),
    OURS: Parts(clip=True, lines=True),
    DENSE: Parts(clip=True, lines=True, bank=True, kinds=True),
}
_PEERS = ("attention-56", "attention-92", "xception", "inception-v3", "retinanet")

NAMES: tuple[str, ...] = (*_OWN, *_PEERS)
"""Table III's rows, ours, ours over whole images, then those of Table II and Fig. 8."""


def build(name: str, width: float = 1.0) -> nn.Module:
    """A network with fresh weights; ``width`` multiplies its channel counts.

    It has ``name``, ``width`` and ``classify(windows, full_scale)``: logits (N,) of
    windows (N, 256, 256) in grey levels; the dense one also of the windows of larger images
    (``DenseNetwork.classify``). Raises InputError if there is no such network.
    """
    if not 0 < width <= 4:  # noqa: PLR2004 - beyond, nobody has the memory
        raise InputError(f"must be above 0 and at most 4, is {width}", field="width")
    if name in _OWN:
        kind = DenseNetwork if name == DENSE else AttentionFusionNetwork
        return kind(width, name=name, parts=_OWN[name])
    if name not in _PEERS:
        raise InputError(f"is unknown: {name!r}; known are {', '.join(NAMES)}", field="network")
    from darkscan.network.peers import PEERS

    network: nn.Module = PEERS[name](width)
    network.name, network.width = name, width  # type: ignore[assignment]
    return network


def loss_of(network: nn.Module, batch: Batch) -> Tensor:
    """The loss that training reduces: the network's own, else binary cross entropy."""
    own: Callable[[Batch], Tensor] | None = getattr(network, "training_loss", None)
    if own is not None:
        return own(batch)
    classify: Callable[..., Tensor] = network.classify  # type: ignore[assignment]
    logits = classify(batch.windows.float(), batch.full_scale)
    return nn.functional.binary_cross_entropy_with_logits(logits, batch.labels)


__all__ = ["DENSE", "NAMES", "OURS", "build", "loss_of"]
