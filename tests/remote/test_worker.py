"""A worker elsewhere, the gateway's part played by the test."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import msgpack
import numpy as np
import psutil
import pytest

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
    ModelFile,
    NotScored,
    Prepared,
    Refused,
    RunEnded,
    Scored,
    StillHere,
    WantModel,
    encode,
)
from darkscan.pipeline.transport.remote_links import GatewayPort
from darkscan.stages.classification._remote_checks import largest_answer
from darkscan.stages.classification.remote_worker import Means, RemoteWorker, Who
from tests.builders import frame_meta, scan_info
from tests.remote.rest_of_a_run import SHAPE, WINDOWS, free_address
from tests.stages.running import PATIENCE_S

MODEL = b"a model"
COMPUTING = Path(__file__).with_name("first_pixel.py")
MessageT = TypeVar("MessageT", bound=Message)


class Elsewhere:
    """A RemoteWorker at work in a thread, and the port it connects to."""

    def __init__(
        self,
        *,
        stays: bool = False,
        mode: str = "plain",
        longest_loading_s: float = PATIENCE_S,
        longest_frame_s: float = PATIENCE_S,
    ) -> None:
        self.said: list[str] = []
        self.folders: list[Path] = []
        self.error = ""
        self._mode = mode
        address = free_address()
        self.port = GatewayPort(address, None, largest_answer=largest_answer(WINDOWS))
        means = Means(None, None, 1, longest_loading_s, longest_frame_s, self._command)
        self._worker = RemoteWorker(
            address, Who("it", None), means, self.said.append, stays=stays, wait_s=PATIENCE_S
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def hear(self, kind: type[MessageT]) -> tuple[bytes, MessageT]:
        """The next message of that kind, and who says it."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if not self.port.socket.poll(1000):
                continue
            for arrival in self.port.arrivals():
                assert not arrival.problem
                if isinstance(arrival.message, kind):
                    return arrival.peer, arrival.message
        raise AssertionError(f"no {kind.__name__} came")

    def welcome(
        self, *, model: bytes | None = MODEL, model_info: ModelInfo | None = None, **changes: object
    ) -> bytes:
        """Takes the worker in; returns who it is. ``model`` None: it has it already."""
        peer, _ = self.hear(Join)
        changes["model"] = model_info or JOINED_MODEL
        self.port.send(peer, JOINED.model_copy(update=changes))
        if model is not None:
            self.hear(WantModel)
            self.port.send(peer, ModelFile(), model)
        return peer

    def finish(self) -> str:
        """Waits for the worker to end; returns what it complained of."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        self.port.close()
        return self.error

    def computing(self) -> list[psutil.Process]:
        """The computing processes that are alive."""
        names = {str(folder) for folder in self.folders}
        return [
            child
            for child in psutil.Process().children()
            if child.status() != psutil.STATUS_ZOMBIE and names & set(child.cmdline())
        ]

    def _command(self, run_dir: Path) -> list[str]:
        self.folders.append(run_dir)
        return [sys.executable, str(COMPUTING), self._mode, str(run_dir), str(os.getpid())]

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


JOINED_MODEL = ModelInfo(
    name="fake",
    hash="sha256:" + sha256(MODEL).hexdigest(),
    window=256,
    stride=128,
    threshold=0.9,
    grow_threshold=0.9,
)
JOINED = Joined(
    scan=scan_info(SHAPE),
    model=JOINED_MODEL,
    model_bytes=len(MODEL),
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
    assert not elsewhere.folders[0].exists()  # nothing stays behind
    assert not elsewhere.computing()
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
    elsewhere.welcome(model=None)
    elsewhere.hear(Capacity)
    elsewhere.port.send(peer, RunEnded())
    elsewhere.hear(Leaving)
    assert len(elsewhere.folders) == 1


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
    assert len(worker.folders) == 2
    assert not worker.computing()


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


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        pytest.param(MODEL[:-1], "the model came with 6 bytes, not 7", id="too short"),
        pytest.param(MODEL[:-1] + b"L", "the model did not come whole", id="another one"),
    ],
)
def test_a_model_that_is_not_whole_is_not_run(
    elsewhere: Elsewhere, model: bytes, complaint: str
) -> None:
    elsewhere.welcome(model=model)
    assert complaint in elsewhere.finish()
    assert not elsewhere.folders


HUGE = scan_info((60_000, 60_000))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        pytest.param({"scan": HUGE}, "bytes of a frame at most, not 3600000000", id="frame"),
        pytest.param(
            {"model": JOINED_MODEL.model_copy(update={"stride": 1}), "scan": scan_info((968, 968))},
            "windows of a frame at most, not 508369",
            id="half a million windows",
        ),
        pytest.param({"model_bytes": 2**40}, "bytes of the model at most", id="model"),
        pytest.param(
            {"margin_px": 4096, "scan": scan_info((20_000, 20_000))}, "frame", id="margin"
        ),
        pytest.param(
            {"model": JOINED_MODEL.model_copy(update={"stride": 0})},
            "windows of 256 px at steps of 0 fit no frame",
            id="no step",
        ),
        pytest.param(
            {"model": JOINED_MODEL.model_copy(update={"window": 4096})},
            "windows of 4096 px at steps of 128 fit no frame",
            id="window larger than the frame",
        ),
        pytest.param({"batch": 100_000}, "Joined.batch: Input should be less than", id="batch"),
        pytest.param(
            {
                "batch": 1024,
                "model": JOINED_MODEL.model_copy(update={"window": 4096, "stride": 4096}),
                "scan": scan_info((4096, 4096)),
            },
            "pixels of a batch at most",
            id="batch of large windows",
        ),
    ],
)
def test_sizes_are_checked_before_anything_of_that_size_is_made(
    elsewhere: Elsewhere, changes: dict[str, object], complaint: str
) -> None:
    peer, _ = elsewhere.hear(Join)
    before = psutil.Process().memory_info().rss
    elsewhere.port.send(peer, JOINED.model_copy(update=changes))
    said = elsewhere.finish()
    assert complaint in said
    assert said.startswith("tcp://127.0.0.1:")
    assert psutil.Process().memory_info().rss - before < 50e6
    assert not elsewhere.folders


@pytest.mark.parametrize("how", ["run ends", "refused", "time limit"])
def test_a_model_that_loops_ends(how: str) -> None:
    """Deaf to signals as a loop within a library is: it is killed with the run, or by a limit."""
    worker = Elsewhere(mode="loops", longest_frame_s=2.0 if how == "time limit" else PATIENCE_S)
    peer = worker.welcome()
    worker.hear(Capacity)
    worker.port.send(peer, prepared(1), bytes(SHAPE[0] * SHAPE[1]))
    worker.hear(StillHere)
    if how == "run ends":
        worker.port.send(peer, RunEnded())
    elif how == "refused":
        worker.port.send(peer, Refused(reason="enough"))
    worker.hear(Leaving)
    complaint = worker.finish()
    assert ("a frame took longer than 2 s" in complaint) == (how == "time limit")
    assert not worker.computing()


def test_a_model_that_never_loads_ends() -> None:
    worker = Elsewhere(mode="loads", longest_loading_s=1.0)
    worker.welcome()
    worker.hear(Leaving)
    assert worker.finish() == "loading the model took longer than 1 s"
    assert not worker.computing()


def test_a_process_that_dies_of_a_frame_leaves_without_a_word() -> None:
    """So that the gateway suspects the frame, and not the network."""
    worker = Elsewhere(mode="dies")
    peer = worker.welcome()
    worker.hear(Capacity)
    worker.port.send(peer, prepared(1), bytes(SHAPE[0] * SHAPE[1]))
    assert worker.finish() == "the model's process died of signal 9"


def test_what_the_run_says_cannot_command_the_terminal(elsewhere: Elsewhere) -> None:
    name = "\x1b]0;owned\x07" + "x" * 200
    peer = elsewhere.welcome(model_info=JOINED_MODEL.model_copy(update={"name": name}))
    elsewhere.hear(Capacity)
    elsewhere.port.send(peer, RunEnded())
    elsewhere.hear(Leaving)
    assert all(line.isprintable() for line in elsewhere.said)
    assert any("\\x1b]0;owned" in line and len(line) < 200 for line in elsewhere.said)
