"""Messages that no stage sends: garbage, and lies about frames that nobody planned."""

import random
from pathlib import Path

import zmq

from darkscan.pipeline.core.frame_results import NotInspected
from darkscan.pipeline.core.scan import FrameMeta
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.transport.links import endpoint
from darkscan.pipeline.transport.messages import (
    Acknowledged,
    Captured,
    Failed,
    FrameRef,
    StageDied,
    Status,
    encode,
)

_UNPLANNED = FrameId(10**9)
_FAR_SLOT = 2**40


class Forger:
    """Sends bytes into the inboxes of a run's stages, from beside it."""

    def __init__(self, run_dir: Path, rng: random.Random) -> None:
        self._run_dir = run_dir
        self._rng = rng
        self._sockets: dict[str, zmq.Socket[bytes]] = {}

    def send(self, inbox: str, data: bytes) -> None:
        """Queues bytes for a stage; they go out when it is there."""
        if inbox not in self._sockets:
            socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUSH)
            socket.setsockopt(zmq.LINGER, 0)
            socket.connect(endpoint(self._run_dir, inbox))
            self._sockets[inbox] = socket
        self._sockets[inbox].send(data, zmq.DONTWAIT)

    def lie(self, inbox: str) -> str:
        """Sends a stage one forged message; says which kind."""
        name, data = self._rng.choice(self._lies(inbox))
        self.send(inbox, data)
        return name

    def flipped(self, data: bytes) -> bytes:
        """The bytes with one to eight bits turned over."""
        changed = bytearray(data)
        for _ in range(self._rng.randint(1, 8)):
            changed[self._rng.randrange(len(changed))] ^= 1 << self._rng.randrange(8)
        return bytes(changed)

    def close(self) -> None:
        """Disconnects."""
        for socket in self._sockets.values():
            socket.close()

    def _lies(self, inbox: str) -> list[tuple[str, bytes]]:
        meta = FrameMeta(frame=_UNPLANNED, strip=0, position_mm=(0.0, 0.0, 0.0), exposure_ns=0)
        ref = FrameRef(session=1, frame=_UNPLANNED, slot=_FAR_SLOT, generation=1, attempt=0)
        unplanned = NotInspected(meta=meta, kind="lost", reason="forged")
        of_all = [
            ("garbage", self._rng.randbytes(self._rng.randint(0, 4096))),
            ("a nested array", b"\x91" * 4096),
            ("a kind of another stage", encode(unplanned if inbox != "merging" else _died())),
        ]
        status = Status(stage="forged", index=10**6, pid=1, frames=0)
        acknowledged = Acknowledged(frame=_UNPLANNED, outcome="mapped")
        failed = Failed(frame=_UNPLANNED, stage="forged", error="forged")
        own = {
            "merging": [("an unplanned frame", encode(unplanned))],
            "preprocessing": [
                ("a slot far away", encode(Captured(ref=ref, meta=meta, stamps=()))),
            ],
            "acquisition": [
                ("an unplanned frame", encode(acknowledged)),
                ("an unplanned failure", encode(failed)),
                ("the death of nobody", encode(_died())),
            ],
            "supervisor": [("a stage that is none", encode(status))],
        }
        return of_all + own[inbox]


def _died() -> StageDied:
    return StageDied(stage="forged", index=10**6, pid=1)
