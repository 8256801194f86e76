"""The frames that are lent to workers elsewhere: to whom, until when, and what comes back."""

import time
from collections import defaultdict
from pathlib import Path

import structlog

from darkscan.pipeline.core.frame_results import Stamp
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.running.specification import RING_NAME, RunSpec
from darkscan.pipeline.transport.links import Outbox
from darkscan.pipeline.transport.messages import (
    Captured,
    Claimed,
    Failed,
    FrameRef,
    FrameScores,
    Prepared,
    Scored,
)
from darkscan.pipeline.transport.remote_links import GatewayPort
from darkscan.pipeline.transport.ring import FrameRing, Role, StaleReferenceError
from darkscan.stages.classification._peers import InHand, Peer, Peers
from darkscan.stages.classification._remote_checks import require_fit

_log = structlog.get_logger(__name__)


class Lending:
    """Lends frames of the ring, and passes answers on to merging.

    The ring notes the gateway as the holder of a frame that is lent, until its answer came or it
    was taken back; then preprocessing gets it back and hands it to somebody else.
    """

    def __init__(self, run_dir: Path, spec: RunSpec, port: GatewayPort) -> None:
        self._spec = spec
        self._port = port
        self._ring = FrameRing.attach(run_dir / RING_NAME)
        self._to_merging = Outbox(run_dir, "merging")
        self._to_acquisition = Outbox(run_dir, "acquisition")
        self._to_preprocessing = Outbox(run_dir, "preprocessing")
        # For each frame the workers that were lost at work on it and not heard of since.
        self._lost_on: defaultdict[FrameId, set[str]] = defaultdict(set)
        self.frames = 0
        """Frames whose answers were passed on."""
        self.windows = 0
        """Their windows."""

    @property
    def margin(self) -> int:
        """Pixels around each frame that go with it."""
        return self._ring.margin

    @property
    def waits(self) -> bool:
        """Whether there are frames in the ring, and nobody works on one."""
        return self._ring.waits_for(Role.CLASSIFICATION)

    def share(self, peers: Peers) -> int:
        """The frames that each worker may have: as many as any other, those here included.

        The ring's room is what all share; one that takes more keeps the others idle.
        """
        takers = self._spec.workers + sum(peer.capacity > 0 for peer in peers)
        return max(1, -(-self._ring.slots // max(1, takers)))

    def is_alive(self, process: str) -> None:
        """A worker that was lost is back: it was only cut off."""
        for suspects in self._lost_on.values():
            suspects.discard(process)

    def lend(self, peer: Peer, prepared: Prepared) -> bool:
        """Sends a frame to a worker; False if it does not take it, and somebody else must."""
        try:
            if not self._ring.hold(prepared.ref, Role.CLASSIFICATION):
                return True
            pixels = self._ring.surrounded(prepared.ref)
        except StaleReferenceError:
            self._ring.let_go(prepared.ref, Role.CLASSIFICATION)  # if it was held before
            return True
        if not self._port.send(peer.identity, prepared, pixels):
            self._ring.let_go(prepared.ref, Role.CLASSIFICATION)
            self.give_back(prepared)
            return False
        peer.in_hands[prepared.ref] = InHand(prepared, time.monotonic_ns())
        return True

    def take_answer(self, peer: Peer, scored: Scored) -> str | None:
        """Passes an answer on; returns what is wrong with one that cannot be.

        Some are given to merging to be checked only, and the frame to a worker here.
        """
        in_hand = peer.in_hands.pop(scored.ref, None)
        if in_hand is None:
            return None  # a late answer: another worker has the frame by now
        try:
            require_fit(scored, in_hand.prepared, self._spec.scan)
        except ValueError as error:
            self._let_go(scored.ref)
            self.fail(peer, in_hand, f"its answer is none: {error}")
            return f"its answer is none: {error}"
        peer.pace.answered(in_hand.seconds)
        # A slot with another frame means that this one's result is in the journal already.
        if self._ring.still_holds(scored.ref):
            self._pass_on(peer, _result(in_hand, scored, peer))
        self._let_go(scored.ref)
        peer.implausible = 0
        peer.answers += 1
        return None

    def not_scored(self, peer: Peer, ref: FrameRef, error: str) -> None:
        """A worker could not classify a frame."""
        if (in_hand := peer.in_hands.pop(ref, None)) is not None:
            self._let_go(ref)
            self.fail(peer, in_hand, error)

    def take_back_late(self, peer: Peer, *, hurried: bool) -> int:
        """Gives the frames to others that a worker did not answer in time; returns how many."""
        patience_s = peer.pace.patience_s(hurried=hurried)
        late = [ref for ref, in_hand in peer.in_hands.items() if in_hand.seconds > patience_s]
        for ref in late:
            _log.warning("frame is late", frame=ref.frame, name=peer.name, after_s=patience_s)
            self._let_go(ref)
            self.give_back(peer.in_hands.pop(ref).prepared)
        return len(late)

    def suspect(self, peer: Peer) -> None:
        """Suspects the frame that a worker that is lost was at work on.

        The frame has failed if another worker was lost on it before.
        """
        if not peer.in_hands:
            return
        first = next(iter(peer.in_hands))
        suspects = self._lost_on[first.frame]
        if suspects:  # not the first one
            in_hand = peer.in_hands.pop(first)
            self._let_go(first)
            self.fail(peer, in_hand, "was lost while at work on it")
        suspects.add(peer.process)

    def take_all_back(self, peer: Peer) -> None:
        """Gives all frames that a worker has to others."""
        for ref, in_hand in peer.in_hands.items():
            self._let_go(ref)
            self.give_back(in_hand.prepared)
        peer.in_hands.clear()

    def give_back(self, prepared: Prepared, *, only_here: bool = False) -> None:
        """Has preprocessing prepare the frame once more, for a worker with room."""
        captured = Captured(
            ref=prepared.ref,
            meta=prepared.meta,
            stamps=prepared.stamps[:1],
            only_here=only_here,
        )
        self._to_preprocessing.send(captured)

    def fail(self, peer: Peer, in_hand: InHand, error: str) -> None:
        """A worker elsewhere made an error of a frame: a worker here has the last word on it.

        Without one the frame has failed.
        """
        frame = in_hand.prepared.ref.frame
        _log.warning("frame cannot be classified", frame=frame, name=peer.name, error=error)
        if self._spec.workers:
            self.give_back(in_hand.prepared, only_here=True)
            return
        failed = Failed(frame=frame, stage="classification", error=f"{peer.name}: {error}")
        self._to_acquisition.send(failed)

    def _pass_on(self, peer: Peer, result: FrameScores) -> None:
        if self._spec.workers and peer.is_checked():
            self._to_merging.send(Claimed(answer=result))
            captured = Captured(
                ref=result.ref, meta=result.meta, stamps=result.stamps[:1], only_here=True
            )
            self._let_go(result.ref)  # before somebody here takes it up
            self._to_preprocessing.send(captured)
        else:
            self._to_merging.send(result)
        self._lost_on.pop(result.ref.frame, None)
        self.frames += 1
        self.windows += len(result.scores)

    def _let_go(self, ref: FrameRef) -> None:
        self._ring.let_go(ref, Role.CLASSIFICATION)


def _result(in_hand: InHand, scored: Scored, peer: Peer) -> FrameScores:
    """The frame's result as a local worker would have sent it, timed by this computer's clock."""
    prepared, finished = in_hand.prepared, time.monotonic_ns()
    stamp = Stamp(
        stage="classification",
        worker=peer.number,
        received_ns=in_hand.sent_ns,
        started_ns=max(in_hand.sent_ns, finished - scored.worked_ns),
        finished_ns=finished,
    )
    return FrameScores(
        ref=prepared.ref,
        meta=prepared.meta,
        scores=scored.scores,
        traces=scored.traces,
        stamps=(*prepared.stamps, stamp),
        scorer=peer.scorer,
    )
