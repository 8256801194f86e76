import json
import subprocess
import sys

import pytest
import torch

from darkscan.network.complexity import measure
from darkscan.network.peers import PEERS, RetinaNet
from darkscan.network.peers._parts import GreyInput, Peer, channels
from darkscan.network.variants import NAMES
from tests.conftest import REPOSITORY
from tests.peers.few_steps import STEPS, lines_and_none
from tests.rounding import assert_same_but_for_rounding


def narrow(name: str) -> Peer:
    torch.manual_seed(1)
    network = PEERS[name](0.125).eval()
    assert isinstance(network, Peer)
    return network


def windows(count: int = 2) -> torch.Tensor:
    return torch.randint(0, 60, (count, 256, 256), generator=torch.Generator().manual_seed(4))


@pytest.fixture(scope="module")
def trained() -> subprocess.CompletedProcess[str]:
    """All peers, trained for a few steps in one process: it takes longer to start than to train."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.peers.few_steps", *PEERS],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
def test_a_few_steps_reduce_the_loss(trained: subprocess.CompletedProcess[str], name: str) -> None:
    losses = dict(json.loads(line) for line in trained.stdout.splitlines())
    assert name in losses, f"ended by {trained.returncode}: {trained.stderr}"
    assert len(losses[name]) == STEPS
    assert losses[name][-1] < 0.8 * losses[name][0]


@pytest.mark.slow
def test_training_the_peers_ends_without_a_fault(
    trained: subprocess.CompletedProcess[str],
) -> None:
    assert trained.returncode == 0, trained.stderr


def test_the_peers_are_among_the_networks() -> None:
    assert set(PEERS) < set(NAMES)


@pytest.mark.parametrize("name", PEERS)
def test_a_window_has_the_same_logit_alone_as_among_others(name: str) -> None:
    network, batch = narrow(name), windows().float()
    with torch.inference_mode():
        together = network.classify(batch)
        assert together.shape == (2,)
        alone = network.classify(batch[1:])
        assert_same_but_for_rounding(alone, together[1:], layers=101)  # as many as the deepest has


@pytest.mark.parametrize("name", PEERS)
def test_full_scale_may_differ_by_window(name: str) -> None:
    network, batch = narrow(name), windows().float()
    deep = batch * torch.tensor([1.0, 257.0])[:, None, None]
    scales = torch.tensor([255.0, 65535.0])[:, None, None]
    with torch.inference_mode():
        torch.testing.assert_close(
            network.classify(deep, scales), network.classify(batch), rtol=1e-3, atol=1e-4
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
def test_cost_falls_with_the_square_of_the_width(name: str) -> None:
    half, quarter = (measure(PEERS[name](width)).macs for width in (0.5, 0.25))
    assert half / quarter == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize(
    ("published", "width", "count"),
    [(728, 1.0, 728), (80, 1.0, 80), (64, 0.125, 8), (32, 0.125, 8), (728, 0.125, 88)],
)
def test_channel_counts_are_multiples_of_eight(published: int, width: float, count: int) -> None:
    assert channels(published, width) == count


def test_dark_windows_reach_the_network_spread_out() -> None:
    grey = GreyInput(3).train()
    images = grey(8 + torch.randn(4, 32, 32, generator=torch.Generator().manual_seed(1)), 65535)
    assert images.shape == (4, 3, 32, 32)
    assert images.mean().item() == pytest.approx(0, abs=1e-3)
    assert images.std().item() == pytest.approx(1, abs=0.05)


@pytest.mark.slow
def test_retinanet_finds_the_box_that_it_was_shown() -> None:
    torch.manual_seed(1)
    network = RetinaNet(0.125)
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3)
    batch = lines_and_none(count=2, width=90)
    for _ in range(30):
        loss = network.training_loss(batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
    # In training mode: the batch norms' averages have not yet settled.
    raw = batch.windows.float()
    clean, scratched = network.classify(raw).tolist()
    assert scratched > clean + 2
    torch.testing.assert_close(network.locate(raw)[1], batch.boxes[1], rtol=0, atol=30)
