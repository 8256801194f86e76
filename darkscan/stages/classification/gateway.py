"""The gateway: takes frames at preprocessing's desk for workers on other computers.

Towards the desk each of them is a worker like those on this computer. A frame stays in the
ring, and the gateway holds it there, until its answer came or its worker is lost; then
preprocessing gets it back and hands it to somebody else.
"""

import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

import structlog

from darkscan.pipeline.core.frame_results import Stamp
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.running.specification import RING_NAME, RunSpec
from darkscan.pipeline.transport.links import Outbox
from darkscan.pipeline.transport.messages import (
    Capacity,
    Captured,
    Failed,
    FrameScores,
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
    StillHere,
)
from darkscan.pipeline.transport.remote_links import Arrival, GatewayPort
from darkscan.pipeline.transport.ring import FrameRing, Role, StaleReferenceError
from darkscan.pipeline.transport.station import Station
from darkscan.stages.classification._peers import InHand, Peer, Peers
from darkscan.stages.classification._remote_checks import read_model, require_fit

_LOOK_EVERY_S = 0.5
_LAST_WORDS_S = 2.0
_MOST_PEERS = 200
_MOST_REFUSED = 1000
_MOST_IMPLAUSIBLE = 10  # answers in a row: more than one bad frame can cause
_LONGEST_REASON = 300
_JOINS_APART_S = 0.5  # sooner, a worker only says twice that it joins
_DESERTED_S = 3.0  # a worker on this computer takes up frames sooner

_log = structlog.get_logger(__name__)


class Gateway:
    """Passes frames to workers elsewhere, their answers on to merging."""

    def __init__(self, run_dir: Path, spec: RunSpec, address: str, station: Station) -> None:
        """Raises InputError if nobody can connect to ``address`` (tcp://HOST:PORT)."""
        self._spec = spec
        self._station = station
        self._timeout_s = spec.recipe.processes.stage_timeout_s
        self._address = address
        self._ring = FrameRing.attach(run_dir / RING_NAME)
        self._port = GatewayPort(address)
        self._peers = Peers(run_dir, spec.workers, station)
        self._to_merging = Outbox(run_dir, "merging")
        self._to_acquisition = Outbox(run_dir, "acquisition")
        self._to_preprocessing = Outbox(run_dir, "preprocessing")
        # For each frame the workers that were lost at work on it and not heard of since.
        self._lost_on: defaultdict[FrameId, set[str]] = defaultdict(set)
        self._refused: set[bytes] = set()  # connections told once and not listened to again
        self._next_look = 0.0
        self._deserted_since: float | None = None  # frames wait and nobody takes them
        self._frames = 0
        self._windows = 0
        station.listen_to(self._port.socket)

    def run(self) -> None:
        """Works until it is told to stop, then tells the workers that the run has ended."""
        while not self._station.stopping:
            for arrival in self._port.arrivals(self._refused):
                self._hear(arrival)
            for peer in list(self._peers):
                self._serve(peer)
            for prepared in self._peers.stranded():
                self._give_back(prepared)
            self._look_after()
            self._station.beat(
                self._frames, windows=self._windows, queue=self._peers.in_hand, doing=self._doing()
            )
            self._station.wait()
        self._say_goodbye()

    def _say_goodbye(self) -> None:
        """Tells the workers that the run has ended, and waits a moment for them to have heard."""
        until = time.monotonic() + _LAST_WORDS_S
        left = {peer.identity for peer in self._peers if self._port.send(peer.identity, RunEnded())}
        while left and time.monotonic() < until:
            self._port.socket.poll(100)
            heard = self._port.arrivals(self._refused)
            left -= {peer for peer, said, _ in heard if isinstance(said, Leaving)}
            left = {peer for peer in left if self._port.send(peer, StillHere())}
        self._port.close()

    def _doing(self) -> str:
        """Says that the run waits for a worker, if frames wait and no worker takes them."""
        since, patience_s = self._deserted_since, _DESERTED_S if self._spec.workers else 0.0
        if len(self._peers) or since is None or time.monotonic() - since < patience_s:
            return ""
        return f"waiting for a worker at {self._address}"

    def _hear(self, arrival: Arrival) -> None:
        identity, message, problem = arrival
        peer = self._peers.get(identity)
        if message is None:
            self._refuse(identity, problem)
        elif isinstance(message, Join):
            self._hear_join(identity, peer, message)
        elif peer is None:
            self._port.send(identity, JoinFirst())
        else:
            peer.last_heard = time.monotonic()
            self._hear_worker(peer, message)

    def _hear_worker(self, peer: Peer, message: Message) -> None:
        match message:
            case StillHere():
                pass
            case Capacity(frames=frames):
                peer.capacity = min(frames, self._ring.slots)
            case Scored():
                self._count(peer, message)
            case NotScored(ref=ref, error=error):
                if (in_hand := peer.in_hands.pop(ref, None)) is not None:
                    self._ring.let_go(ref, Role.CLASSIFICATION)
                    self._fail(in_hand, f"{peer.name}: {error}")
            case Leaving():
                self._part_with(peer, "it is leaving")
            case _:
                self._refuse(peer.identity, f"{type(message).__name__} is nothing a worker says")

    def _hear_join(self, identity: bytes, peer: Peer | None, join: Join) -> None:
        if peer is not None:
            if time.monotonic() - peer.joined_at < _JOINS_APART_S:
                return
            # It took us for gone, and has forgotten the frames that it held.
            self._part_with(peer, "it joins again")
        self._welcome(identity, join)

    def _welcome(self, identity: bytes, join: Join) -> None:
        ours = version("darkscan")
        if join.version != ours:
            self._refuse(identity, f"it runs darkscan {join.version}, this run {ours}")
            return
        if len(self._peers) >= _MOST_PEERS:
            self._refuse(identity, f"there are {_MOST_PEERS} workers already")
            return
        for suspects in self._lost_on.values():
            suspects.discard(join.process)  # alive: it was only cut off
        peer = self._peers.add(identity, join)
        _log.info("worker joined", worker=peer.number, name=peer.name)
        spec = self._spec
        joined = Joined(
            scan=spec.scan,
            model=spec.model,
            backend=spec.backend,
            precision=spec.recipe.inspection.precision,
            margin_px=self._ring.margin,
            batch=spec.recipe.processes.batch,
            batch_wait_ms=spec.recipe.processes.batch_wait_ms,
        )
        wanted = join.model_hash != spec.model.hash
        payload = read_model(spec.model_path, spec.model.hash) if wanted else None
        self._port.send(identity, joined, payload)

    def _refuse(self, identity: bytes, problem: str) -> None:
        reason = (problem if problem.isprintable() else ascii(problem))[:_LONGEST_REASON]
        _log.warning("worker refused", reason=reason)
        if len(self._refused) > _MOST_REFUSED:
            self._refused.clear()
        self._refused.add(identity)
        if (peer := self._peers.get(identity)) is not None:
            self._part_with(peer, reason)
        self._port.send(identity, Refused(reason=reason))

    def _serve(self, peer: Peer) -> None:
        """Passes on what the desk gave for a worker, and asks for more."""
        while (prepared := peer.next()) is not None:
            try:
                if not self._ring.hold(prepared.ref, Role.CLASSIFICATION):
                    continue
                pixels = self._ring.surrounded(prepared.ref)
            except StaleReferenceError:
                self._ring.let_go(prepared.ref, Role.CLASSIFICATION)  # if it was held before
                continue
            if not self._port.send(peer.identity, prepared, pixels):
                self._ring.let_go(prepared.ref, Role.CLASSIFICATION)
                self._give_back(prepared)
                self._part_with(peer, "its connection is gone")
                return
            peer.in_hands[prepared.ref] = InHand(prepared, time.monotonic_ns())
        peer.ask_if_room()

    def _count(self, peer: Peer, scored: Scored) -> None:
        in_hand = peer.in_hands.pop(scored.ref, None)
        if in_hand is None:
            return  # a late answer: another worker has the frame by now
        try:
            require_fit(scored, in_hand.prepared, self._spec.scan)
        except ValueError as error:
            self._ring.let_go(scored.ref, Role.CLASSIFICATION)
            self._hear_nonsense(peer, in_hand, f"its answer is none: {error}")
            return
        peer.implausible = 0
        # A slot with another frame means that this one's result is in the journal already.
        if self._ring.still_holds(scored.ref):
            self._to_merging.send(_result(in_hand, scored, peer))
            self._lost_on.pop(scored.ref.frame, None)
            self._frames += 1
            self._windows += len(scored.scores)
        self._ring.let_go(scored.ref, Role.CLASSIFICATION)

    def _hear_nonsense(self, peer: Peer, in_hand: InHand, problem: str) -> None:
        """Counts an impossible answer as the frame's failure; after several in a row, refuses."""
        self._fail(in_hand, f"{peer.name}: {problem}")
        peer.implausible += 1
        if peer.implausible >= _MOST_IMPLAUSIBLE:
            self._refuse(peer.identity, f"{problem}, and so were those before")

    def _look_after(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_EVERY_S
        if len(self._peers) or not self._ring.waits_for(Role.CLASSIFICATION):
            self._deserted_since = None
        elif self._deserted_since is None:
            self._deserted_since = now
        for peer in list(self._peers):
            if not self._port.send(peer.identity, StillHere()):
                self._lose(peer, "its connection is gone")
            elif now - peer.last_heard > self._timeout_s:
                self._port.send(peer.identity, JoinFirst())
                self._lose(peer, f"it was silent for {self._timeout_s:g} s")

    def _lose(self, peer: Peer, reason: str) -> None:
        """Parts with a worker that died or was cut off, and suspects the frame it was at work on.

        The frame has failed if another worker was lost on it before.
        """
        if peer.in_hands:
            first = next(iter(peer.in_hands))
            suspects = self._lost_on[first.frame]
            if suspects:  # not the first one
                in_hand = peer.in_hands.pop(first)
                self._ring.let_go(first, Role.CLASSIFICATION)
                self._fail(in_hand, f"{peer.name} was lost while at work on it")
            suspects.add(peer.process)
        self._part_with(peer, reason)

    def _part_with(self, peer: Peer, reason: str) -> None:
        _log.warning("worker gone", worker=peer.number, name=peer.name, reason=reason)
        for ref, in_hand in peer.in_hands.items():
            self._ring.let_go(ref, Role.CLASSIFICATION)
            self._give_back(in_hand.prepared)
        self._peers.remove(peer)

    def _give_back(self, prepared: Prepared) -> None:
        """Has preprocessing prepare the frame once more, for a worker with room."""
        captured = Captured(ref=prepared.ref, meta=prepared.meta, stamps=prepared.stamps[:1])
        self._to_preprocessing.send(captured)

    def _fail(self, in_hand: InHand, error: str) -> None:
        frame = in_hand.prepared.ref.frame
        _log.warning("frame cannot be classified", frame=frame, error=error)
        self._to_acquisition.send(Failed(frame=frame, stage="classification", error=error))


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
    )
