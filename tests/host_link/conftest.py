"""A host and a rig that know each other."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from darkscan.host.link import LinkServer
from darkscan.pipeline.access.keys import KeyRing
from darkscan.pipeline.host_link.messages import News, Parcel, Receipt
from darkscan.pipeline.host_link.outbox import Outbox
from darkscan.pipeline.host_link.sender import HostTarget, Sender

DEADLINE_S = 60.0


def until(reached: Callable[[], object], work: Callable[[], None] | None = None) -> None:
    """Works until something is so; fails if it does not come."""
    deadline = time.monotonic() + DEADLINE_S
    while not reached():
        assert time.monotonic() < deadline, "it does not come"
        if work is None:
            time.sleep(0.01)
        else:
            work()


@dataclass
class Kept:
    """What a host without a store has received."""

    parcels: list[tuple[str, Parcel]] = field(default_factory=list)
    news: list[tuple[str, News]] = field(default_factory=list)

    def receive(self, rig: str, parcels: Sequence[Parcel]) -> list[Receipt]:
        known = {parcel.id for _, parcel in self.parcels}
        self.parcels += [(rig, parcel) for parcel in parcels if parcel.id not in known]
        return [
            Receipt(id=parcel.id, outcome="known" if parcel.id in known else "stored")
            for parcel in parcels
        ]

    def hear(self, rig: str, news: News) -> None:
        self.news.append((rig, news))


@dataclass
class Ends:
    """Both ends of a link, opened as they are asked for."""

    folder: Path
    opened: ExitStack
    kept: Kept = field(default_factory=Kept)

    def __post_init__(self) -> None:
        self.rig_keys = KeyRing(self.folder / "rig")
        self.host_keys = KeyRing(self.folder / "host")
        self.rig_keys.new()
        self.host_keys.new()
        self.rig_keys.allow(self.host_keys.own().public, "host")

    def allow_rig(self, name: str = "rig A") -> None:
        self.host_keys.allow(self.rig_keys.own().public, name)

    def host(
        self,
        address: str = "tcp://127.0.0.1:0",
        *,
        insecure: bool = False,
        receive: Callable[[str, Sequence[Parcel]], Sequence[Receipt]] | None = None,
    ) -> LinkServer:
        server = LinkServer(
            address,
            receive=receive or self.kept.receive,
            hear=self.kept.hear,
            ring=None if insecure else self.host_keys,
            name="the host",
        )
        return self.opened.enter_context(server)

    def target(self, address: str, *, insecure: bool = False) -> HostTarget:
        outbox = self.folder / "outbox.sqlite"
        if insecure:
            return HostTarget(address=address, outbox=outbox)
        key = self.host_keys.own().public
        return HostTarget(
            address=address, server_key=key, own_key=self.rig_keys.own_file, outbox=outbox
        )

    def rig(self, target: HostTarget) -> tuple[Outbox, Sender]:
        outbox = self.opened.enter_context(Outbox(target.outbox, target.address))
        return outbox, self.opened.enter_context(Sender(outbox, target, "this computer"))


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[Ends]:
    with ExitStack() as opened:
        yield Ends(tmp_path, opened)


def busy(sender: Sender) -> Callable[[], None]:
    """What the process that owns a sender does all day."""

    def work() -> None:
        sender.work()
        sender.wait(0.02)

    return work
