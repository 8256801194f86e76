"""A worker elsewhere that answers falsely: the map is that of an undisturbed run, and says so."""

import json
import threading
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import zmq

from darkscan.pipeline.core.frame_results import Traces
from darkscan.pipeline.transport.messages import (
    Capacity,
    Join,
    Joined,
    Prepared,
    Refused,
    Scored,
    StillHere,
    decode,
    encode,
)
from tests.remote.rest_of_a_run import free_address
from tests.stages.running import PATIENCE_S, running

pytestmark = pytest.mark.slow


class Liar:
    """Answers every frame with zeros, at once, until it is refused."""

    def __init__(self, address: str) -> None:
        self.refused = ""
        self.answers = 0
        self._ended = threading.Event()
        self._address = address
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join(PATIENCE_S)

    def _work(self) -> None:
        windows = 0
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(self._address)
        socket.send(encode(Join(name="liar", process="1", version=version("darkscan"))))
        told_at = 0.0
        while not self._ended.is_set() and not self.refused:
            if time.monotonic() - told_at > 0.5:
                told_at = time.monotonic()
                socket.send(encode(StillHere()))
            if not socket.poll(100):
                continue
            match decode(socket.recv_multipart()[0]):
                case Joined() as joined:
                    windows = len(joined.model.origins(joined.scan.frame_shape))
                    socket.send(encode(Capacity(frames=4)))
                case Prepared(ref=ref):
                    scores = np.zeros(windows, np.float32)
                    answer = Scored(ref=ref, scores=scores, traces=Traces(), worked_ns=1)
                    socket.send(encode(answer))
                    self.answers += 1
                case Refused(reason=reason):
                    self.refused = reason
        socket.close()


def test_a_worker_that_answers_with_zeros_is_found_out_and_its_frames_inspected_again(
    recording: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out, address = tmp_path / "out", free_address()
    liar = Liar(address)
    try:
        where = ("--workers", 1, "--remote-workers", address, "--insecure")
        with running("replay", recording, "--out", out, *where) as run:
            _, stderr = run.communicate(timeout=PATIENCE_S)
            assert run.returncode == 0, stderr
    finally:
        liar.end()
    assert liar.answers > 0
    one, two = (json.loads((each / "defect-map.json").read_text()) for each in (out, undisturbed))
    (warning,) = one.pop("warnings")
    assert warning.startswith("worker liar answered falsely (frame ")
    assert one.pop("scored_by") == two.pop("scored_by")
    assert one.pop("ledger") == two.pop("ledger")
    two.pop("warnings")
    assert one == two
    assert liar.refused == "its answers are false"
