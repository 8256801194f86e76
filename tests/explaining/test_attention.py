"""The attention weights, held against the modules that give them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from darkscan.network.dense import DenseNetwork
from darkscan.network.explaining import attention, explain
from darkscan.network.modules import ChannelAttention, ScaleAttention
from darkscan.network.variants import build
from tests.explaining.small_networks import ByHand
from tests.rounding import assert_same_but_for_rounding


def windows(count: int = 2) -> Tensor:
    rng = np.random.default_rng(3)
    return torch.from_numpy(rng.integers(5, 60, (count, 256, 256)).astype(np.float32))


def network(name: str = "afn") -> nn.Module:
    torch.manual_seed(2)
    return build(name, 0.25).eval()


def passed_through(module: nn.Module, run: nn.Module) -> tuple[Tensor, Tensor]:
    """A module's input and output while the network runs."""
    seen: list[tuple[Tensor, Tensor]] = []

    def keep(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        seen.append((inputs[0], output))

    handle = module.register_forward_hook(keep)
    with torch.no_grad():
        run.classify(windows())  # type: ignore[operator]
    handle.remove()
    (pair,) = seen
    return pair


def only(kind: type[nn.Module], of: nn.Module) -> list[nn.Module]:
    return [module for module in of.modules() if isinstance(module, kind)]


def test_channel_attention_is_equation_8_of_its_weights() -> None:
    afn = network()
    (module,) = only(ChannelAttention, afn)
    features, attended = passed_through(module, afn)
    found = attention(afn, windows())
    assert found.places is not None
    assert found.channels is not None
    weights = found.places[:, None] + found.channels[:, :, None, None]
    torch.testing.assert_close(weights * features, attended)


def test_of_a_dense_network_it_is_what_a_window_is_pooled_by() -> None:
    dense = network("darkscan-dense")
    assert isinstance(dense, DenseNetwork)
    assert isinstance(dense.attend, ChannelAttention)
    _, features = passed_through(dense.stages[-1], dense)
    found = attention(dense, windows())
    assert found.places is not None
    assert found.channels is not None
    with torch.no_grad():
        placed = dense.attend.by_place(features)
        weights = dense.attend.channel_weights(features.mean((2, 3))[:, None])
    torch.testing.assert_close(found.places[:, None] * features, placed)
    torch.testing.assert_close(found.channels, weights[:, 0])
    assert len(found.scales) == 2  # the line bank stands for the finer two
    assert found.lines is not None


def test_the_groups_of_scale_attention_are_those_that_it_joins() -> None:
    afn = network()
    found = attention(afn, windows())
    modules = only(ScaleAttention, afn)
    assert len(found.scales) == len(modules) == 4
    for module, groups in zip(modules, found.scales, strict=True):
        assert isinstance(module, ScaleAttention)
        features, output = passed_through(module, afn)
        with torch.no_grad():
            first, second, *_ = module.split(features).chunk(4, dim=1)
            filtered = module.atrous[0](second + first)
        torch.testing.assert_close(groups[:, 0], first.abs().mean(1))
        torch.testing.assert_close(groups[:, 1], filtered.abs().mean(1))
        assert groups.shape == (2, 4, *output.shape[2:])


def test_the_line_heads_map_is_shown_where_there_is_one() -> None:
    found = attention(network("darkscan"), windows())
    assert found.lines is not None
    assert found.lines.shape == (2, 32, 32)
    assert 0 <= found.lines.min() <= found.lines.max() <= 1


def test_a_network_without_attention_has_none() -> None:
    found = attention(ByHand().eval(), windows())
    assert (found.places, found.channels, found.scales, found.lines) == (None, None, (), None)


def test_an_explanation_holds_all_of_it_as_arrays() -> None:
    afn = network()
    found = explain(afn, windows().numpy().astype(np.uint16), 4095.0)
    expected = attention(afn, windows(), 4095.0)
    assert expected.places is not None
    assert found.places is not None
    assert_same_but_for_rounding(found.places, expected.places)
    with torch.no_grad():
        scores = torch.sigmoid(afn.classify(windows(), 4095.0))  # type: ignore[operator]
    assert_same_but_for_rounding(found.scores, scores)
    assert found.network == "afn"
