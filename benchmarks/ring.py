"""The frame ring against a memcpy floor and against frames sent over ZeroMQ ipc.

    python benchmarks/ring.py [--rounds 7] [--frames 200]

Each way moves 4 MiB frames from one process to another, in the same run, in turn. The
ring is the pipeline's own (FrameRing, Captured and Acknowledged messages, Inbox and
Outbox); the floor copies the same frames between two buffers as large as the ring.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import numpy as np
import zmq
from figures import in_turn, machine, ratio

from darkscan.pipeline.core.frame_results import Stamp
from darkscan.pipeline.core.scan import FrameMeta
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.running.specification import RING_NAME, RunFolder
from darkscan.pipeline.transport.links import Inbox, Outbox
from darkscan.pipeline.transport.messages import Acknowledged, Captured
from darkscan.pipeline.transport.ring import FrameRing

SHAPE = (2048, 2048)
SLOTS = 8
HOPS = 100
POOL = 16  # frames read from, so that they are not in the cache: 64 MiB
_hops: list[float] = []


def main() -> None:
    """Prints frames/s of each way and its ratio to the floor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--receive", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.receive:
        way, where = arguments.receive
        _receive(way, where, arguments.frames)
        return
    pool = np.random.default_rng(0).integers(0, 60, (POOL, *SHAPE), dtype=np.uint8)
    count = arguments.frames
    ways = {
        "memcpy (the floor)": lambda: _memcpy(pool, count),
        "ring": lambda: _through_ring(pool, count),
        "ipc, copied": lambda: _through_ipc(pool, count, copy=True),
        "ipc, not copied": lambda: _through_ipc(pool, count, copy=False),
    }
    figures = in_turn(ways, arguments.rounds)
    print(machine())
    for name, values in figures.items():
        rate = statistics.median(values)
        print(f"{name:<20}{rate:>8.0f} frames/s   x floor {ratio(figures, name, next(iter(ways)))}")
    print(f"descriptor there and back: p50 {statistics.median(_hops) * 1e3:.3f} ms")


def _memcpy(pool: np.ndarray, count: int) -> float:
    target = np.zeros((SLOTS, *SHAPE), np.uint8)
    target[:] = 1
    start = time.perf_counter()
    for number in range(count):
        target[number % SLOTS] = pool[number % POOL]
    return count / (time.perf_counter() - start)


def _through_ring(pool: np.ndarray, count: int) -> float:
    with RunFolder() as folder:
        ring = FrameRing.create(folder.path / RING_NAME, SLOTS, SHAPE, np.uint8)
        ring.begin_session()
        inbox, outbox = Inbox(folder.path, "acquisition"), Outbox(folder.path, "preprocessing")
        with _receiver("ring", str(folder.path), count):
            _await(inbox)  # the other side says that it is there
            _hop(ring, inbox, outbox)  # and our socket has found it
            start = time.perf_counter()
            free = deque(range(SLOTS))
            for number in range(count):
                if not free:
                    free.append(_freed(ring, inbox))
                pixels, ref = ring.lease(free.popleft(), FrameId(number))
                pixels[:] = pool[number % POOL]
                outbox.send(Captured(ref=ref, meta=_meta(number), stamps=(_STAMP,)))
            while len(free) < SLOTS:
                free.append(_freed(ring, inbox))
            rate = count / (time.perf_counter() - start)
            _hops.append(_hop(ring, inbox, outbox))
        inbox.close()
        outbox.close()
        ring.close()
    return rate


def _freed(ring: FrameRing, inbox: Inbox) -> int:
    slot = _await(inbox)
    ring.release(slot)
    return slot


def _hop(ring: FrameRing, inbox: Inbox, outbox: Outbox) -> float:
    """Seconds from sending a descriptor to its acknowledgement, median."""
    _, ref = ring.lease(0, FrameId(0))
    times = []
    for _ in range(HOPS):
        start = time.perf_counter()
        outbox.send(Captured(ref=ref, meta=_meta(0), stamps=(_STAMP,)))
        _await(inbox)
        times.append(time.perf_counter() - start)
    ring.release(0)
    return statistics.median(times)


def _through_ipc(pool: np.ndarray, count: int, *, copy: bool) -> float:
    with RunFolder() as folder:
        address = f"ipc://{folder.path}/frames.sock"
        push = _socket(zmq.PUSH)
        push.setsockopt(zmq.SNDHWM, SLOTS)
        push.bind(address)
        done = _socket(zmq.PULL)
        done.bind(address + ".done")
        with _receiver("copy" if copy else "nocopy", address, count):
            done.recv()
            start = time.perf_counter()
            for number in range(count):
                push.send(pool[number % POOL], copy=copy)
            done.recv()
            rate = count / (time.perf_counter() - start)
        push.close()
        done.close()
    return rate


def _receive(way: str, where: str, count: int) -> None:
    """The other process: looks at each frame where it arrives."""
    if way == "ring":
        run_dir = Path(where)
        ring = FrameRing.attach(run_dir / RING_NAME)
        inbox, outbox = Inbox(run_dir, "preprocessing"), Outbox(run_dir, "acquisition")
        outbox.send(Acknowledged(frame=0, outcome="mapped"))
        for _ in range(count + 2 * HOPS):
            while (message := inbox.next()) is None:
                inbox.socket.poll()
            assert isinstance(message, Captured)
            assert ring.view(message.ref)[0, 0] < 60
            outbox.send(Acknowledged(frame=message.ref.slot, outcome="mapped"))
        outbox.close(linger_ms=1000)
        return
    pull = _socket(zmq.PULL)
    pull.setsockopt(zmq.RCVHWM, SLOTS)
    pull.connect(where)
    done = _socket(zmq.PUSH)
    done.connect(where + ".done")
    done.send(b"")
    for _ in range(count):
        data = pull.recv() if way == "copy" else pull.recv(copy=False).buffer
        assert np.frombuffer(data, np.uint8)[0] < 60
    done.send(b"")
    done.close(linger=1000)


def _receiver(way: str, where: str, count: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, __file__, "--receive", way, where, "--frames", str(count)]
    return subprocess.Popen(command)


def _socket(kind: int) -> "zmq.Socket[bytes]":
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(kind)
    return socket


def _await(inbox: Inbox) -> int:
    while (message := inbox.next()) is None:
        inbox.socket.poll()
    assert isinstance(message, Acknowledged)
    return message.frame


def _meta(number: int) -> FrameMeta:
    return FrameMeta(frame=number, strip=0, position_mm=(0.0, 0.0, 0.0), exposure_ns=0)


_STAMP = Stamp(stage="acquisition", received_ns=0, started_ns=0, finished_ns=0)

if __name__ == "__main__":
    main()
