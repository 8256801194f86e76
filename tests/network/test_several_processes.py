"""Two processes that share every batch end where one with the whole batch would."""

import os
import socket
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn

from darkscan.network.batches import Batches, Curriculum
from darkscan.network.sources import SimulatedWindows
from darkscan.network.training import TrainingOptions
from darkscan.network.training._ranks import Ranks, joined
from darkscan.network.training._trainer import Trainer
from darkscan.pipeline.core.errors import InputError
from tests.network.easy_windows import easy_windows

pytestmark = pytest.mark.slow

OPTIONS = TrainingOptions(steps=3, batch=8, learning_rate=1e-2, warm_up=0)
ALONE = Ranks(0, 1, torch.device("cpu"))


class Plain(nn.Module):
    """Without batch norm, whose statistics each process takes from its share on the CPU."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 5, stride=4)
        self.head = nn.Linear(4, 1)

    def classify(self, windows: Tensor, full_scale: Tensor) -> Tensor:
        features = self.convolution((windows / full_scale)[:, None]).relu()
        logits: Tensor = self.head(features.amax((2, 3)))
        return logits.squeeze(1)


def trained(ranks: Ranks) -> tuple[list[float], dict[str, Tensor]]:
    torch.manual_seed(5)
    network = Plain()
    # Halves of a batch round otherwise than the whole: in bfloat16 by too much to compare.
    trainer = Trainer(OPTIONS, ranks, bfloat16=False, network=network)
    batches = Batches(
        SimulatedWindows(easy_windows), 1, 8, Curriculum(0), first=0, last=3, share=ranks.share(8)
    )
    losses = [trainer.train(batches[step], OPTIONS.rate(step)) for step in range(3)]
    return losses, trainer.state()["network"]


def one_of_two(rank: int, port: int, folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    with joined("cpu") as ranks:
        told = ranks.from_first(lambda: "by the first" if ranks.first else "by another")
        assert told == "by the first"
        torch.save(trained(ranks), folder / f"{rank}.pt")


def test_two_processes_end_where_one_does(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    spawn(one_of_two, (port, tmp_path), nprocs=2)  # type: ignore[no-untyped-call]
    losses, weights = trained(ALONE)
    for rank in range(2):
        theirs, their_weights = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert theirs == pytest.approx(losses, rel=1e-5)
        for name, value in weights.items():
            torch.testing.assert_close(their_weights[name], value, rtol=1e-4, atol=1e-5)


def test_every_process_gets_an_equal_share() -> None:
    shares = [list(Ranks(rank, 3, torch.device("cpu")).share(6)) for rank in range(3)]
    assert sorted(place for share in shares for place in share) == list(range(6))
    with pytest.raises(InputError, match="batch: must be a multiple of the 3 processes, is 8"):
        Ranks(0, 3, torch.device("cpu")).share(8)


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="device: must be auto, cpu or cuda"), joined("tpu"):
        pass
