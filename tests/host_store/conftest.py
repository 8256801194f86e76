"""A store to receive into, and a small scan to send."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from darkscan.host.store import RigName, Store
from darkscan.pipeline.host_link.messages import Content, Receipt
from tests.host_examples import ExampleScan, parcel

RIG = RigName("rig-a")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "store") as opened:
        yield opened


@pytest.fixture(scope="session")
def example() -> ExampleScan:
    """24 frames, of which one could not be inspected, and 100 defects on 30 x 20 mm."""
    return ExampleScan(seed=1, size_mm=(30.0, 20.0), grid=(6, 4), defects=100)


def send(
    store: Store, example: ExampleScan, *contents: Content, rig: RigName = RIG
) -> list[Receipt]:
    """The receipts for contents of a scan, which are received together."""
    return store.receive(rig, [parcel(example.scan, content) for content in contents])


def outcomes(receipts: list[Receipt]) -> list[str]:
    return [receipt.outcome for receipt in receipts]
