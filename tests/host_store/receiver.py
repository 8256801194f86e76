"""A process that receives a scan, for tests that kill it.

    python -m tests.host_store.receiver FOLDER SEED FIRST

Writes a line ``NUMBER OUTCOME`` for each receipt, after it was given.
"""

import sys
from hashlib import sha256
from pathlib import Path

from darkscan.host.store import RigName, Store
from darkscan.pipeline.host_link.messages import Parcel, encode_content
from tests.host_examples import ExampleScan

RIG = RigName("rig-a")
_TOGETHER = 3


def example(seed: int) -> ExampleScan:
    """The scan that is sent."""
    return ExampleScan(seed=seed, size_mm=(60.0, 40.0), grid=(20, 8), defects=300, finest=1)


def parcels(seed: int) -> list[Parcel]:
    """Its parcels: the same at each call, ids too, as an outbox has them."""
    scan = example(seed)
    contents = list(scan.contents(tiles=True, batch=2))
    return [
        Parcel(
            id=sha256(f"{seed} {number}".encode()).digest()[:16],
            scan=scan.scan,
            content=encode_content(content),
        )
        for number, content in enumerate(contents)
    ]


def main() -> None:
    """Receives from parcel FIRST on, some at a time."""
    folder, seed, first = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    waiting = parcels(seed)
    with Store.open(folder) as store:
        print("ready", flush=True)  # noqa: T201
        for start in range(first, len(waiting), _TOGETHER):
            some = waiting[start : start + _TOGETHER]
            for number, receipt in enumerate(store.receive(RIG, some), start):
                print(number, receipt.outcome, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
