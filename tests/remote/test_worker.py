"""A worker elsewhere, the gateway's part played by the test."""

import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import msgpack
import numpy as np
import pytest

from darkscan.inference import FrameWindows, Pending, Seen
from darkscan.inference.worker_backend import WorkerBackend
from darkscan.pipeline.core.errors import DarkscanError
from darkscan.pipeline.core.frame_results import ModelInfo
from darkscan.pipeline.transport.messages import (
    Capacity,
    FrameRef,
    Join,
    Joined,
    JoinFirst,
    Leaving,
    Message,
    NotScored,
    Prepared,
    Refused,
    RunEnded,
    Scored,
    encode,
)
from darkscan.pipeline.transport.remote_links import GatewayPort
from darkscan.stages.classification.remote_worker import RemoteWorker
from tests.builders import frame_meta, scan_info
from tests.remote.rest_of_a_run import SHAPE, WINDOWS, free_address
from tests.stages.running import PATIENCE_S

MODEL = b"a model"
MessageT = TypeVar("MessageT", bound=Message)


class FirstPixel:
    """Scores windows by their first pixel; keeps the frames it was given."""

    name = "first pixel"
    ahead = 1

    def __init__(self) -> None:
        self.frames: list[Any] = []
        self.closed = False

    def start(
        self,
        windows: FrameWindows,
        full_scale: int,
        *,
        between_batches: Callable[[], Any] = lambda: None,
    ) -> Pending:
        between_batches()
        self.frames.append(windows.frame)
        firsts = windows.frame[windows.origins[:, 0], windows.origins[:, 1]]
        return lambda: Seen((firsts / full_scale).astype(np.float32), None)

    def close(self) -> None:
        self.closed = True


class Elsewhere:
    """A RemoteWorker at work in a thread, and the port it connects to."""

    def __init__(self, *, stays: bool = False) -> None:
        self.said: list[str] = []
        self.models: list[bytes] = []
        self.folders: list[Path] = []
        self.backends: list[FirstPixel] = []
        self.error = ""
        address = free_address()
        self.port = GatewayPort(address)
        self._worker = RemoteWorker(
            address, "it", self._open, self.said.append, stays=stays, wait_s=PATIENCE_S
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def hear(self, kind: type[MessageT]) -> tuple[bytes, MessageT]:
        """The next message of that kind, and who says it."""
        while True:
            assert self.port.socket.poll(PATIENCE_S * 1000), "nothing came"
            for peer, message, problem in self.port.arrivals():
                assert not problem
                if isinstance(message, kind):
                    return peer, message

    def welcome(self, *, model: bytes | None = MODEL, **changes: object) -> bytes:
        """Takes the worker in; returns who it is."""
        peer, _ = self.hear(Join)
        self.port.send(peer, JOINED.model_copy(update=changes), model)
        return peer

    def finish(self) -> str:
        """Waits for the worker to end; returns what it complained of."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        self.port.close()
        return self.error

    def _open(self, model_path: Path, _joined: Joined) -> WorkerBackend:
        self.models.append(model_path.read_bytes())
        self.folders.append(model_path.parent)
        self.backends.append(FirstPixel())
        return WorkerBackend(self.backends[-1])

    def _run(self) -> None:
        try:
            self._worker.run()
        except DarkscanError as error:
            self.error = str(error)


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    worker = Elsewhere()
    yield worker
    worker.finish()


JOINED = Joined(
    scan=scan_info(SHAPE),
    model=ModelInfo(
        name="fake",
        hash="sha256:" + sha256(MODEL).hexdigest(),
        window=256,
        stride=128,
        threshold=0.9,
        grow_threshold=0.9,
    ),
    backend="onnxruntime",
    precision="exact",
    margin_px=0,
    batch=32,
    batch_wait_ms=0,
)


def prepared(frame: int, **changes: object) -> Prepared:
    fields = {
        "ref": FrameRef(session=1, frame=frame, slot=0, generation=1, attempt=0),
        "meta": frame_meta(frame),
        "gains": np.ones(WINDOWS, np.float32),
        "offsets": np.zeros(WINDOWS, np.float32),
        "stamps": (),
    }
    return Prepared.model_validate(fields | changes)


def test_it_classifies_what_it_is_sent_until_the_run_ends(elsewhere: Elsewhere) -> None:
    peer = elsewhere.welcome()
    assert elsewhere.hear(Capacity)[1].frames == 3
    assert not elsewhere.folders[0].exists()  # nothing stays behind, however this ends
    for frame in (51, 102):
        pixels = np.full(SHAPE, frame, np.uint8)
        elsewhere.port.send(peer, prepared(frame), pixels)
        _, scored = elsewhere.hear(Scored)
        assert (scored.ref.frame, scored.scores.tolist()) == (
            frame,
            pytest.approx([frame / 255] * WINDOWS),
        )
    elsewhere.port.send(peer, RunEnded())
    elsewhere.hear(Leaving)
    assert elsewhere.finish() == ""
    assert elsewhere.models == [MODEL]
    assert elsewhere.backends[0].closed
    assert elsewhere.said[-1] == "the run has ended: 2 frames, 8 windows"


def test_the_margin_around_a_frame_comes_with_it(elsewhere: Elsewhere) -> None:
    peer = elsewhere.welcome(margin_px=64)
    surrounded = np.zeros((SHAPE[0] + 128, SHAPE[1] + 128), np.uint8)
    surrounded[64, 64] = 51  # the frame's own first pixel
    elsewhere.port.send(peer, prepared(1), surrounded)
    assert elsewhere.hear(Scored)[1].scores[0] == pytest.approx(0.2)
    elsewhere.port.send(peer, RunEnded())
    elsewhere.hear(Leaving)


@pytest.mark.parametrize(
    ("pixels", "changes", "expected"),
    [
        (b"", {}, "came with 0 bytes of pixels"),
        (bytes(99), {}, "came with 99 bytes of pixels"),
        (None, {"gains": np.ones(3, np.float32)}, "gains must be float32 (4,)"),
        (None, {"offsets": np.zeros(4, np.int64)}, "offsets must be float32 (4,)"),
    ],
    ids=["no pixels", "too few pixels", "too many gains", "offsets of another type"],
)
def test_a_frame_that_is_none_is_not_scored(
    elsewhere: Elsewhere, pixels: bytes | None, changes: dict[str, object], expected: str
) -> None:
    peer = elsewhere.welcome()
    whole = bytes(SHAPE[0] * SHAPE[1])
    elsewhere.port.send(peer, prepared(1, **changes), whole if pixels is None else pixels)
    _, failed = elsewhere.hear(NotScored)
    assert failed.ref.frame == 1
    assert expected in failed.error
    elsewhere.port.send(peer, prepared(2), whole)
    elsewhere.hear(Scored)
    elsewhere.port.send(peer, RunEnded())
    elsewhere.hear(Leaving)
    assert elsewhere.finish() == ""
    assert "1 frames failed" in elsewhere.said[-1]


def test_asked_to_it_joins_again_and_keeps_what_it_has_of_the_run(elsewhere: Elsewhere) -> None:
    peer = elsewhere.welcome()
    elsewhere.hear(Capacity)
    elsewhere.port.send(peer, JoinFirst())
    peer, join = elsewhere.hear(Join)
    assert join.model_hash == JOINED.model.hash
    elsewhere.port.send(peer, JOINED)
    elsewhere.hear(Capacity)
    elsewhere.port.send(peer, RunEnded())
    elsewhere.hear(Leaving)
    assert len(elsewhere.backends) == 1


def test_if_it_stays_it_takes_part_in_the_next_run() -> None:
    worker = Elsewhere(stays=True)
    for scan in (JOINED.scan, scan_info((384, 384))):
        peer = worker.welcome(scan=scan, model=MODEL if scan is JOINED.scan else None)
        worker.hear(Capacity)
        worker.port.send(peer, RunEnded())
        worker.hear(Leaving)
    worker.hear(Join)
    worker.port.send(peer, Refused(reason="enough"))
    assert worker.finish().endswith("refused: enough")
    assert worker.models == [MODEL, MODEL]
    assert [backend.closed for backend in worker.backends] == [True, True]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(
            encode(Refused(reason="it runs darkscan 1, this run 2")),
            "refused: it runs darkscan 1, this run 2",
            id="refused",
        ),
        pytest.param(
            msgpack.packb({"v": 99, "kind": "Refused", "body": {}}),
            "speaks another language: wire version 99 is not",
            id="another wire version",
        ),
        pytest.param(b"nonsense", "speaks another language: not", id="nonsense"),
    ],
)
def test_it_says_why_it_cannot_take_part(
    elsewhere: Elsewhere, answer: bytes, expected: str
) -> None:
    peer, _ = elsewhere.hear(Join)
    elsewhere.port.socket.send_multipart([peer, answer])
    complaint = elsewhere.finish()
    assert complaint.startswith("tcp://127.0.0.1:")
    assert expected in complaint


def test_a_model_that_is_not_whole_is_not_run(elsewhere: Elsewhere) -> None:
    elsewhere.welcome(model=MODEL[:-1])
    assert elsewhere.finish() == "the model did not come whole"
    assert not elsewhere.models
