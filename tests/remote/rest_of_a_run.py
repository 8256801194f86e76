"""A gateway in a process of its own, and the test in the place of all stages around it."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import numpy as np
import zmq

from darkscan.inference import file_hash
from darkscan.pipeline.core.frame_results import ModelInfo, Traces
from darkscan.pipeline.core.recipe import Processes, Recipe
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.running.specification import RING_NAME, RunFolder, RunSpec
from darkscan.pipeline.transport.links import Desk, Inbox, Outbox
from darkscan.pipeline.transport.messages import (
    Capacity,
    FrameRef,
    FrameScores,
    Join,
    Joined,
    Message,
    Prepared,
    Scored,
    decode,
    encode,
)
from darkscan.pipeline.transport.ring import FrameRing
from tests.builders import frame_meta, scan_info
from tests.stages.running import PATIENCE_S, wait_until

SHAPE = (320, 384)
SLOTS = 8
WINDOWS = 4  # of 256 pixels at stride 128, in a frame of that shape
MODEL = Path(str(files("darkscan") / "models" / "default.onnx"))

MessageT = TypeVar("MessageT", bound=Message)


def free_address() -> str:
    """An address on this computer that nobody listens at."""
    with socket.socket() as finder:
        finder.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{finder.getsockname()[1]}"


class RestOfARun:
    """Preprocessing's desk, the other stages' inboxes, and the ring."""

    def __init__(
        self, run_dir: Path, *, stage_timeout_s: float, workers: int = 0, secured: bool = False
    ) -> None:
        self.address = free_address()
        self.process: subprocess.Popen[bytes] | None = None
        self.stopped = False
        self.run_dir = run_dir
        self.ring = FrameRing.create(run_dir / RING_NAME, SLOTS, SHAPE, np.uint8)
        self.ring.begin_session()
        self.desk = Desk(run_dir)
        self.merging = Inbox(run_dir, "merging")
        self.acquisition = Inbox(run_dir, "acquisition")
        self.preprocessing = Inbox(run_dir, "preprocessing")
        self.to_gateway = Outbox(run_dir, "gateway")
        self.model_hash = file_hash(MODEL)
        processes = Processes(stage_timeout_s=stage_timeout_s)
        RunSpec(
            scan_id="0" * 32,
            out_dir=run_dir,
            recording=None,
            speed="max",
            recipe=Recipe(processes=processes),
            recipe_hash="sha256:0",
            model_path=MODEL,
            model=ModelInfo(
                name="default",
                hash=self.model_hash,
                window=256,
                stride=128,
                threshold=0.5,
                grow_threshold=0.5,
            ),
            scan=scan_info(SHAPE),
            thumbnail_scale=8,
            backend="onnxruntime",
            workers=workers,
            threads=1,
            remote_workers=self.address,
            remote_insecure=not secured,
        ).write(run_dir)

    def prepare(self, frame: int, slot: int) -> Prepared:
        """A frame in the ring, its pixels all of its own number."""
        pixels, ref = self.ring.lease(slot, FrameId(frame))
        pixels[:] = frame
        return Prepared(
            ref=ref,
            meta=frame_meta(frame),
            gains=np.ones(WINDOWS, np.float32),
            offsets=np.zeros(WINDOWS, np.float32),
            stamps=(),
        )

    def hand_out(self, prepared: Prepared) -> None:
        """Gives a frame to whoever asks at the desk."""

        def done() -> bool:
            self.desk.listen()
            return self.desk.hand_out(prepared)

        wait_until(done)

    def stop(self) -> None:
        """Tells the gateway to stop."""
        assert self.process is not None
        self.stopped = True
        self.process.terminate()

    def somebody_asks(self) -> bool:
        """Whether the desk could hand out a frame."""
        self.desk.listen()
        return self.desk.somebody_waits

    def log(self) -> str:
        file = self.run_dir / "log.jsonl"
        return file.read_text() if file.exists() else ""

    def close(self) -> None:
        for link in (self.merging, self.acquisition, self.preprocessing, self.to_gateway):
            link.close()
        self.desk.socket.close()
        self.ring.close()


def message_in(inbox: Inbox, kind: type[MessageT]) -> MessageT:
    """The next message of an inbox."""
    assert inbox.socket.poll(PATIENCE_S * 1000), "nothing came"
    message = inbox.next()
    assert isinstance(message, kind), message
    return message


class HandWorker:
    """A worker elsewhere, its every word said by hand."""

    def __init__(
        self,
        address: str,
        *,
        name: str = "by hand",
        process: str = "one",
        curve: tuple[str, str, str] | None = None,
    ) -> None:
        """``curve``: its public and its secret key, and the run's public one."""
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        if curve is not None:
            public, secret, server = (key.encode() for key in curve)
            for option, key in (
                (zmq.CURVE_PUBLICKEY, public),
                (zmq.CURVE_SECRETKEY, secret),
                (zmq.CURVE_SERVERKEY, server),
            ):
                self.socket.setsockopt(option, key)
        self.socket.connect(address)
        self.join_message = Join(name=name, process=process, version=version("darkscan"))

    def say(self, message: Message | bytes) -> None:
        self.socket.send(message if isinstance(message, bytes) else encode(message))

    def hear(self, kind: type[MessageT]) -> tuple[MessageT, bytes]:
        """The next message of that kind, and the bytes that came with it."""
        while True:
            assert self.socket.poll(PATIENCE_S * 1000), "nothing came"
            data, *payload = self.socket.recv_multipart()
            message = decode(data)
            if isinstance(message, kind):
                return message, payload[0] if payload else b""

    def join(self, *, frames: int = 2) -> Joined:
        self.say(self.join_message)
        joined, _ = self.hear(Joined)
        self.say(Capacity(frames=frames))
        return joined

    def score(self, ref: FrameRef, score: float = 0.25) -> None:
        scores = np.full(WINDOWS, score, np.float32)
        self.say(Scored(ref=ref, scores=scores, traces=Traces(), worked_ns=5))

    def prove(self, rest: "RestOfARun") -> None:
        """Answers one frame: before that it is given no more than one at a time."""
        rest.hand_out(rest.prepare(99, slot=SLOTS - 1))
        got, _ = self.hear(Prepared)
        self.score(got.ref)
        message_in(rest.merging, FrameScores)
        rest.ring.release(SLOTS - 1)

    def close(self) -> None:
        self.socket.close()


@contextmanager
def gateway(
    *, stage_timeout_s: float = 60.0, workers: int = 0, secured: bool = False
) -> Iterator[RestOfARun]:
    """A gateway at work, and the rest of its run; ``workers``: those on this computer."""
    with RunFolder() as folder:
        rest = RestOfARun(
            folder.path, stage_timeout_s=stage_timeout_s, workers=workers, secured=secured
        )
        command = [sys.executable, "-m", "darkscan.stages", "gateway", "--run", str(folder.path)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        rest.process = process
        try:
            yield rest
        finally:
            if not rest.stopped:
                rest.stop()
            try:
                _, stderr = process.communicate(timeout=PATIENCE_S)
            finally:
                process.kill()
                rest.close()
    assert process.returncode == 0, stderr.decode()


def until(condition: Callable[[], bool]) -> None:
    """Waits for something to come true."""
    wait_until(condition)
