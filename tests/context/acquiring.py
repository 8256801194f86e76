"""Acquisition as a process of its own, with the test in place of all stages after it."""

import subprocess
import sys
import time
from pathlib import Path

from darkscan.drivers.recording import RecordingWriter
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.frame_results import FrameResult, ModelInfo
from darkscan.pipeline.core.recipe import Inspection, Processes, Recipe
from darkscan.pipeline.running.specification import RING_NAME, RunFolder, RunSpec
from darkscan.pipeline.transport.journal import JOURNAL_NAME, Journal
from darkscan.pipeline.transport.links import Inbox, Outbox
from darkscan.pipeline.transport.messages import Acknowledged, Captured
from darkscan.pipeline.transport.ring import FrameRing, StaleReferenceError
from tests.builders import frame_result
from tests.context.scene import Scene

CONTEXT_PX = 64
SLOTS = 4
PATIENCE_S = 300.0
POLL_MS = 200


def recorded(scan: Scene, path: Path) -> Path:
    """The scan in a file."""
    with RecordingWriter(path, scan.info, scan.frames) as writer:
        for index, meta in enumerate(scan.frames):
            writer.write(meta, scan.around(index, 0) if meta.usable else None)
    return path


def replay_of(scan: Scene, recording: Path, out: Path, *, context_px: int = CONTEXT_PX) -> RunSpec:
    """A replay as acquisition is told of it."""
    return RunSpec(
        scan_id="0" * 32,
        out_dir=out,
        recording=recording,
        speed="max",
        recipe=Recipe(
            inspection=Inspection(context_px=context_px), processes=Processes(ring_slots=SLOTS)
        ),
        recipe_hash="",
        model_path=out,
        model=ModelInfo(
            name="none", hash="", window=256, stride=128, threshold=0.5, grow_threshold=0.5
        ),
        scan=scan.info,
        thumbnail_scale=1,
        backend="none",
        workers=1,
        threads=1,
    )


def surroundings_seen(
    spec: RunSpec, frames: int, *, held: int = 1, kills_at: tuple[int, ...] = ()
) -> dict[int, Pixels]:
    """Replays; each of the usable frames with its surroundings, as later stages see them.

    ``held``: so many frames are in hands before they are settled, the last of them first, as
    by workers that take turns. ``kills_at``: when so many frames have been seen, acquisition
    is killed, and started anew.
    """
    spec.out_dir.mkdir()
    with RunFolder() as folder:
        spec.write(folder.path)
        shape, dtype = spec.scan.frame_shape, spec.scan.dtype
        margin = spec.recipe.inspection.context_px
        ring = FrameRing.create(folder.path / RING_NAME, SLOTS, shape, dtype, margin=margin)
        later = _LaterStages(folder.path, spec.out_dir, ring)
        kills = list(kills_at)
        process = _start(folder.path)
        try:
            while later.settled < frames:
                later.look_at(later.receive(process))
                if kills and len(later.seen) >= kills[0]:
                    kills.pop(0)
                    process.kill()
                    process.wait()
                    later.hands.clear()
                    process = _start(folder.path)
                if len(later.hands) >= min(held, frames - later.settled):
                    later.settle()
        finally:
            process.kill()
            process.wait()
            later.close()
            ring.close()
    assert not kills
    return later.seen


class _LaterStages:
    """Preprocessing's place in the run, and merging's journal."""

    def __init__(self, run_dir: Path, out: Path, ring: FrameRing) -> None:
        self._ring = ring
        self._inbox = Inbox(run_dir, "preprocessing")
        self._outbox = Outbox(run_dir, "acquisition")
        self._journal = Journal(out / JOURNAL_NAME)
        self.hands: list[Captured] = []
        self.seen: dict[int, Pixels] = {}

    @property
    def settled(self) -> int:
        """Frames that are in the journal."""
        return len(self._journal.settled)

    def receive(self, process: subprocess.Popen[bytes]) -> Captured:
        """The next frame that acquisition sends."""
        until = time.monotonic() + PATIENCE_S
        while process.poll() is None and time.monotonic() < until:
            self._inbox.socket.poll(POLL_MS)
            message = self._inbox.next()
            if isinstance(message, Captured):
                return message
        raise TimeoutError(f"no further frame came after {sorted(self.seen)}")

    def look_at(self, captured: Captured) -> None:
        """Keeps what is around a frame; one sent by a process killed since is stale."""
        try:
            around = self._ring.surrounded(captured.ref).copy()
        except StaleReferenceError:
            return
        before = self.seen.setdefault(captured.meta.frame, around)
        assert (before == around).all(), "taken again, the frame has other surroundings"
        self.hands.append(captured)

    def settle(self) -> None:
        """Puts the frames in hands into the journal, the last first."""
        while self.hands:
            meta = self.hands.pop().meta
            result = frame_result(meta.frame)
            self._journal.append(
                FrameResult(
                    meta=meta,
                    origins=result.origins,
                    scores=result.scores,
                    thumbnail=result.thumbnail,
                )
            )
            self._outbox.send(Acknowledged(frame=meta.frame, outcome="mapped"))

    def close(self) -> None:
        """Unbinds."""
        self._journal.close()
        self._inbox.close()
        self._outbox.close()


def _start(run_dir: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "darkscan.stages", "acquisition", "--run", str(run_dir)]
    )
