"""The link from a rig to its host: what a parcel costs, and that none is lost or kept twice.

    python benchmarks/host_link.py [--rounds 5] [--parcels 300]
    python benchmarks/host_link.py --kills 100 [--rig-kills 20] [--seed 1]

Without --kills: a rig's outbox and sender in this process, a host with its store in another,
over loopback; beside them the same bytes over bare sockets as floor. With --kills: host and
rig are killed by SIGKILL at random moments, or the host right after a commit, before it can
answer, while parcels flow; then every frame, line and tile must be in the store, once.
"""

import argparse
import logging
import multiprocessing
import os
import random
import resource
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

import numpy as np
import simplejpeg
import structlog
import zmq
from figures import exit_code_of, in_turn, machine, ratio

from darkscan.host.link import LinkServer
from darkscan.host.store import RigName, Store
from darkscan.pipeline.access.keys import KeyRing
from darkscan.pipeline.core.errors import DarkscanError
from darkscan.pipeline.host_link.messages import (
    FramesSettled,
    Parcel,
    Pyramid,
    Receipt,
    ScanBegan,
    ScanEnded,
    Shapes,
    Tile,
)
from darkscan.pipeline.host_link.outbox import Outbox
from darkscan.pipeline.host_link.sender import HostTarget, Sender

SCAN = "0123456789abcdef" * 2
RIG = "rig"
WINDOWS = 225
PLANNED = 20_000
FRAMES_A_KILL = 60
LONGEST_LIFE_S = 2.0
TILES_ACROSS = 40
TOGETHER = 8  # tiles that are put in one commit, as the uplink does
_PROCESSES = multiprocessing.get_context("fork")
_WAIT_S = 60.0
_NEXT = "next frame"


class Place(NamedTuple):
    """Where a rig and its host have their things."""

    folder: Path
    address: str
    insecure: bool

    @property
    def store(self) -> Path:
        """The host's."""
        return self.folder / "store"

    def ring(self) -> KeyRing | None:
        """The keys, the same on both sides, which is one computer here."""
        return None if self.insecure else KeyRing(self.folder / "keys")

    def target(self) -> HostTarget:
        """The host, as the rig sees it."""
        ring = self.ring()
        return HostTarget(
            address=self.address,
            server_key="" if ring is None else ring.own().public,
            own_key=None if ring is None else ring.own_file,
            outbox=self.folder / "outbox.sqlite",
        )


def main() -> None:
    """Measures, or kills."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parcels", type=int, default=300, help="a round")
    parser.add_argument("--kills", type=int, default=0, help="of the host")
    parser.add_argument("--rig-kills", type=int, help="default: a fifth of --kills")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="darkscan-link-") as folder:
        if arguments.kills:
            rig_kills = arguments.rig_kills
            rig_kills = arguments.kills // 5 if rig_kills is None else rig_kills
            _soak(_place(Path(folder)), arguments.kills, rig_kills, arguments.seed)
        else:
            _measure(Path(folder), arguments.rounds, arguments.parcels)


def _place(folder: Path, *, insecure: bool = False) -> Place:
    folder.mkdir(exist_ok=True)
    place = Place(folder, f"tcp://127.0.0.1:{_free_port()}", insecure)
    ring = place.ring()
    if ring is not None:
        ring.allow(ring.new().public, RIG)
    return place


def _free_port() -> int:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        return int(socket.bind_to_random_port("tcp://127.0.0.1"))


# What is sent


def _began(frames: int) -> ScanBegan:
    return ScanBegan(
        element="E1",
        side="front",
        element_size_mm=(810.0, 460.0),
        region_mm=(0.0, 0.0, 810.0, 460.0),
        pitch_um=10.0,
        origin="replay",
        began="2026-01-31T12:00:00Z",
        recipe="default",
        recipe_hash="r",
        model="default",
        model_hash="m",
        window=256,
        stride=128,
        threshold=0.5,
        grow_threshold=0.3,
        frames=np.arange(frames, dtype=np.int64),
        strips=np.zeros(frames, np.int32),
        places_mm=np.zeros((frames, 2), np.float64),
        picture=Pyramid(
            width_px=81_000,
            height_px=46_000,
            pitch_um=10.0,
            levels=9,
            softening=10.0,
            full_scale=255,
            finest=1,
        ),
    )


def _settled(frame: int) -> FramesSettled:
    """A frame with one line of two points."""
    return FramesSettled(
        frames=np.array([frame], np.int64),
        outcomes=np.zeros(1, np.uint8),
        reasons=("",),
        places_mm=np.zeros((1, 2), np.float64),
        positives=np.ones(1, np.int32),
        scores=np.full((1, WINDOWS), 7, np.uint8),
        shapes=Shapes(
            points_mm=np.array([[0, 0], [1, 1]], np.float32),
            counts=np.array([2], np.int32),
            frames=np.array([frame], np.int64),
            kinds=np.zeros(1, np.uint8),
            widths_um=np.ones(1, np.float32),
            contrasts=np.ones(1, np.float32),
        ),
        stamps=np.zeros((0, 6), np.int64),
    )


def _tile(frame: int, content: bytes) -> Tile:
    """The tile that a frame changes; each is changed again by later frames."""
    return Tile(
        level=1,
        x=frame % TILES_ACROSS,
        y=0,
        revision=1 + frame // TILES_ACROSS,
        final=False,
        jpeg=content,
    )


def _jpeg(side: int) -> bytes:
    """Noise as a dark field has it, after the look-up table."""
    noise = np.random.default_rng(0).normal(20.0, 4.0, (side, side, 1)).clip(0, 255)
    return bytes(simplejpeg.encode_jpeg(noise.astype(np.uint8), quality=85, colorspace="GRAY"))


def _ended() -> ScanEnded:
    return ScanEnded(
        outcome="complete", ended="2026-01-31T13:00:00Z", seconds=1.0, frames_not_pictured=0
    )


# The two ends, each a process of its own


def _host(place: Place, ready: object, *, dies_at_commit: int) -> None:
    """Receives until it is killed, or kills itself after so many commits, before it answers."""
    commits = 0
    with Store.open(place.store) as store:

        def receive(rig: str, parcels: Sequence[Parcel]) -> Sequence[Receipt]:
            nonlocal commits
            receipts = store.receive(RigName(rig), parcels)
            commits += 1
            if commits == dies_at_commit:
                os.kill(os.getpid(), signal.SIGKILL)
            return receipts

        def hear(rig: str, news: object) -> None:
            del rig, news

        with LinkServer(place.address, receive=receive, hear=hear, ring=place.ring()):
            ready.set()  # type: ignore[attr-defined]
            signal.pause()


def _rig(place: Place, frames: int) -> None:
    """Puts all frames, from where it was when it was killed; ends when the host has all."""
    target = place.target()
    with Outbox(target.outbox, target.address) as outbox, Sender(outbox, target, RIG) as sender:
        state = outbox.load_state(SCAN)
        if not state:
            outbox.put(SCAN, _began(frames), states={_NEXT: b"0"})
        content = _jpeg(64)
        for frame in range(int(state.get(_NEXT, b"0")), frames):
            outbox.put_tile(SCAN, _tile(frame, content))
            outbox.put(SCAN, _settled(frame), states={_NEXT: b"%d" % (frame + 1)})
            sender.work()
        if not state.get("ended"):
            outbox.put(SCAN, _ended(), states={"ended": b"yes"})
        _send_all(outbox, sender)


def _send_all(outbox: Outbox, sender: Sender) -> None:
    deadline = time.monotonic() + _WAIT_S
    least = None
    while waiting := outbox.counts().parcels + outbox.counts().tiles:
        if least is None or waiting < least:
            least, deadline = waiting, time.monotonic() + _WAIT_S
        if time.monotonic() > deadline:
            raise DarkscanError(f"{waiting} parcels are stuck: {sender.problem}")
        sender.work()
        sender.wait(0.02)


# Killing


def _soak(place: Place, kills: int, rig_kills: int, seed: int) -> None:
    """Raises DarkscanError unless everything is stored once."""
    chance = random.Random(seed)  # noqa: S311 - moments, no secrets
    frames = FRAMES_A_KILL * kills
    rig = _start(_rig, place, frames)
    host_kills = rig_killed = after_commit = 0
    try:
        while host_kills < kills and rig.is_alive():
            dies_at_commit = chance.choice((0, 0, chance.randint(1, 20)))
            host = _host_of(place, dies_at_commit)
            host.join(LONGEST_LIFE_S if dies_at_commit else chance.uniform(0.0, 0.4))
            if host.exitcode is not None:
                after_commit += 1
            _kill(host)
            host_kills += 1
            if rig_killed < rig_kills and chance.random() < 2 * rig_kills / kills:
                _kill(rig)
                rig_killed += 1
                rig = _start(_rig, place, frames)
            print(f"\r{host_kills} of {kills} kills ", end="", file=sys.stderr, flush=True)
        if host_kills < kills:
            raise DarkscanError(f"all was sent before the host was killed {kills} times")
        host = _host_of(place, 0)
        rig.join(10 * _WAIT_S)
        _kill(host)
        if rig.exitcode != 0:
            raise DarkscanError(f"the rig ended with {rig.exitcode}")
    finally:
        _kill(rig)
    _check(place, frames)
    print(file=sys.stderr)
    print(
        f"host killed {host_kills} times ({after_commit} after a commit, before its answer), rig "
        f"killed {rig_killed} times: {frames} frames and lines, {TILES_ACROSS} tiles stored, "
        "each once, none lost"
    )


def _start(work: Callable[..., None], *arguments: object, **named: object) -> BaseProcess:
    process = _PROCESSES.Process(target=work, args=arguments, kwargs=named, daemon=True)
    process.start()
    return process


def _host_of(place: Place, dies_at_commit: int) -> BaseProcess:
    """A host that is ready, if it has not died yet."""
    ready = _PROCESSES.Event()
    host = _start(_host, place, ready, dies_at_commit=dies_at_commit)
    deadline = time.monotonic() + _WAIT_S
    while not ready.wait(0.02) and host.is_alive():
        if time.monotonic() > deadline:
            raise DarkscanError("the host does not start")
    return host


def _kill(process: BaseProcess) -> None:
    process.kill()
    process.join()


def _check(place: Place, frames: int) -> None:
    """Raises DarkscanError unless the store holds every frame, line and tile once."""
    with Store.open(place.store) as store:
        numbers = store.frames(SCAN).number
        mapped = int((store.frames(SCAN).outcome == 0).sum())
        lines = store.shapes(SCAN).frame
        last = [store.tile(SCAN, 1, x, 0) for x in range(min(TILES_ACROSS, frames))]
        outcome = store.scan(SCAN).state
    target = place.target()
    with Outbox(target.outbox, target.address) as outbox:
        counts = outbox.counts()
    revisions = [tile.revision if tile else 0 for tile in last]
    wanted = [1 + (frames - 1 - x) // TILES_ACROSS for x in range(len(last))]
    for name, good in {
        "frames": list(numbers) == list(range(frames)) and mapped == frames,
        "lines": sorted(lines) == list(range(frames)),
        "tiles": revisions == wanted,
        "the end": outcome == "complete",
        "the outbox": counts.refused == counts.tiles_dropped == counts.parcels == 0,
    }.items():
        if not good:
            raise DarkscanError(f"{name}: not all are stored once, of {frames} frames; {counts}")


# Measuring


def _measure(folder: Path, rounds: int, count: int) -> None:
    content = _jpeg(512)
    hosts: list[BaseProcess] = []
    cpu: dict[str, list[tuple[float, float]]] = {}

    def way(name: str, *, insecure: bool, tiles: bool) -> Callable[[], float]:
        place = _place(folder / f"{insecure}-{tiles}", insecure=insecure)
        host = _host_of(place, 0)
        hosts.append(host)

        def send() -> float:
            before = _cpu_s(host)
            rate, used = _send(place, count, content if tiles else None)
            cpu.setdefault(name, []).append((used, (_cpu_s(host) - before) / count * 1e3))
            return rate

        return send

    try:
        ways: dict[str, Callable[[], float]] = {
            "bare sockets (the floor)": lambda: _bare(folder, count, content, insecure=True),
            "bare sockets, CURVE": lambda: _bare(folder, count, content, insecure=False),
            "tiles, insecure": way("tiles, insecure", insecure=True, tiles=True),
            "tiles, CURVE": way("tiles, CURVE", insecure=False, tiles=True),
            "frames settled, CURVE": way("frames settled, CURVE", insecure=False, tiles=False),
        }
        figures = in_turn(ways, rounds)
    finally:
        for host in hosts:
            _kill(host)
    print(machine())
    print(f"{count} parcels a round, {rounds} rounds; tiles of {len(content) / 1000:.0f} kB")
    for name, values in figures.items():
        floor = ratio(figures, name, next(iter(ways)))
        rate = statistics.median(values)
        used = ""
        if name in cpu:
            rig, host = (statistics.median(some) for some in zip(*cpu[name], strict=True))
            used = f"CPU ms a parcel: rig {rig:.2f}, host {host:.2f}"
        print(f"{name:<26}{rate:>7.0f} parcels/s   x floor {floor}   {used}")


def _send(place: Place, count: int, content: bytes | None) -> tuple[float, float]:
    """Parcels a second from the first being put to the last receipt, and CPU ms a parcel."""
    target = place.target()
    with Outbox(target.outbox, target.address) as outbox, Sender(outbox, target, RIG) as sender:
        if not outbox.load_state(SCAN):
            outbox.put(SCAN, _began(PLANNED), states={_NEXT: b"0"})
        first = int(outbox.load_state(SCAN)[_NEXT])
        _send_all(outbox, sender)
        while sender.state != "connected":
            sender.work()
            sender.wait(0.02)
        start, used = time.perf_counter(), _cpu_s()
        for begin in range(first, first + count, TOGETHER):
            frames = range(begin, min(begin + TOGETHER, first + count))
            if content is None:
                for frame in frames:
                    outbox.put(SCAN, _settled(frame))
            else:
                outbox.put_tiles(SCAN, [_tile(frame, content) for frame in frames])
            sender.work()
        _send_all(outbox, sender)
        seconds = time.perf_counter() - start
        milliseconds = (_cpu_s() - used) / count * 1e3
        outbox.save_state(SCAN, _NEXT, b"%d" % (first + count))
    return count / seconds, milliseconds


def _cpu_s(process: BaseProcess | None = None) -> float:
    """Processor time of a process so far; None: this one."""
    if process is None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def _bare(folder: Path, count: int, content: bytes, *, insecure: bool) -> float:
    """The same bytes from one process to another and a short answer to each, nothing kept."""
    port = _free_port()
    ring = None if insecure else KeyRing(folder / "bare")
    if ring is not None and not ring.own_file.exists():
        ring.new()
    other = _start(_answer, port, ring)
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    if ring is not None:
        own = ring.own()
        socket.curve_publickey, socket.curve_secretkey = own.public.encode(), own.secret.encode()
        socket.curve_serverkey = own.public.encode()
    socket.connect(f"tcp://127.0.0.1:{port}")
    socket.send(b"")
    socket.recv()
    start = time.perf_counter()
    answers = 0
    for sent in range(count):
        socket.send(content)
        if sent >= 16:  # the window of the sender
            socket.recv()
            answers += 1
    while answers < count:
        socket.recv()
        answers += 1
    seconds = time.perf_counter() - start
    _kill(other)
    context.destroy(linger=0)
    return count / seconds


def _answer(port: int, ring: KeyRing | None) -> None:
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    if ring is not None:
        socket.curve_server = True
        socket.curve_secretkey = ring.own().secret.encode()
    socket.bind(f"tcp://127.0.0.1:{port}")
    while True:
        peer, _ = socket.recv_multipart()
        socket.send_multipart([peer, b"stored"])


if __name__ == "__main__":
    sys.exit(exit_code_of(main))
