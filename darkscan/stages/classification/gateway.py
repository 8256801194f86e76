"""The gateway: takes frames at preprocessing's desk for workers on other computers.

Towards the desk each of them is a worker like those on this computer. Nobody is trusted: a frame
has a deadline, room is shared, and a sample of the answers is checked by the workers here.
"""

import time
from pathlib import Path

import structlog

from darkscan.pipeline.access.keys import KeyRing
from darkscan.pipeline.core.frame_results import Scorer
from darkscan.pipeline.running.specification import RunSpec
from darkscan.pipeline.transport.links import Inbox
from darkscan.pipeline.transport.messages import (
    MOST_FRAMES,
    Capacity,
    Distrusted,
    Join,
    Joined,
    JoinFirst,
    Leaving,
    Message,
    ModelFile,
    NotScored,
    Refused,
    RunEnded,
    Scored,
    StillHere,
    StopScan,
    WantModel,
)
from darkscan.pipeline.transport.remote_links import Arrival, GatewayPort
from darkscan.pipeline.transport.station import Station
from darkscan.stages.classification._admission import Admission, overdue_to_begin, short
from darkscan.stages.classification._lending import Lending
from darkscan.stages.classification._pace import Pace
from darkscan.stages.classification._peers import Guest, Peer, Peers
from darkscan.stages.classification._remote_checks import (
    largest_answer,
    read_model,
    require_size,
)

_LOOK_EVERY_S = 0.5
_LAST_WORDS_S = 2.0
_MOST_REFUSED = 1000
_MOST_IMPLAUSIBLE = 10  # answers in a row: more than one bad frame can cause
_MOST_MISSED = 2
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
        self._model = read_model(spec.model_path, spec.model.hash)
        ring = None if spec.remote_insecure else KeyRing()
        windows = len(spec.model.origins(spec.scan.frame_shape))
        self._port = GatewayPort(address, ring, largest_answer=largest_answer(windows))
        self._peers = Peers(run_dir, spec.workers, station)
        self._admission = Admission(self._peers, secured=self._port.secured)
        self._lending = Lending(run_dir, spec, self._port)
        require_size(self._joined(), field="--remote-workers")
        self._inbox = Inbox(run_dir, "gateway")
        self._hurried = False
        self._refused: dict[bytes, None] = {}  # connections told once and not listened to again
        self._next_look = 0.0
        self._deserted_since: float | None = None  # frames wait and nobody takes them
        station.listen_to(self._port.socket)
        station.listen_to(self._inbox.socket)

    def run(self) -> None:
        """Works until it is told to stop, then tells the workers that the run has ended."""
        while not self._station.stopping:
            for arrival in self._port.arrivals(self._refused):
                self._hear(arrival)
            for message in self._inbox.messages():
                self._heed(message)
            for peer in list(self._peers):
                self._serve(peer)
            for prepared in self._peers.stranded():
                self._lending.give_back(prepared)
            self._look_after()
            self._station.beat(
                self._lending.frames,
                windows=self._lending.windows,
                queue=self._peers.in_hand,
                doing=self._doing(),
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
            left -= {arrival.peer for arrival in heard if isinstance(arrival.message, Leaving)}
            left = {peer for peer in left if self._port.send(peer, StillHere())}
        self._port.close()

    def _doing(self) -> str:
        """Says that the run waits for a worker, if frames wait and no worker takes them."""
        since, patience_s = self._deserted_since, _DESERTED_S if self._spec.workers else 0.0
        if since is None or time.monotonic() - since < patience_s:
            return ""
        return f"waiting for a worker at {self._address}"

    def _heed(self, message: Message) -> None:
        """Heeds what the run itself has to say."""
        match message:
            case StopScan():
                self._hurried = True
            case Distrusted(scorer=scorer):
                for peer in [peer for peer in self._peers if _is_by(peer, scorer)]:
                    self._shut_out(peer, "its answers are false")

    def _hear(self, arrival: Arrival) -> None:
        identity, message = arrival.peer, arrival.message
        peer = self._peers.get(identity)
        if message is None:
            self._refuse(identity, arrival.name or arrival.address, arrival.problem)
        elif isinstance(message, Join):
            self._hear_join(arrival, peer, message)
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
                peer.capacity = min(frames, MOST_FRAMES)
            case Scored():
                self._hear_answer(peer, message)
            case NotScored(ref=ref, error=error):
                self._lending.not_scored(peer, ref, short(error))
            case WantModel() if not peer.has_asked_for_model:
                peer.has_asked_for_model = True
                self._port.send(peer.identity, ModelFile(), self._model)
            case Leaving():
                self._part_with(peer, "it is leaving")
            case _:
                problem = f"{type(message).__name__} is nothing a worker says"
                if isinstance(message, WantModel):
                    problem = "it wants the model twice"
                self._refuse(peer.identity, peer.name, problem)

    def _hear_join(self, arrival: Arrival, peer: Peer | None, join: Join) -> None:
        if peer is not None:
            if time.monotonic() - peer.joined_at < _JOINS_APART_S:
                return
            # It took us for gone, and has forgotten the frames that it held.
            self._part_with(peer, "it joins again")
        guest = self._admission.guest(arrival, join)
        if (problem := self._admission.why_not(guest, join)) is not None:
            self._refuse(guest.identity, guest.scorer.name, problem)
            return
        if (idle := self._admission.to_leave_for(guest)) is not None:
            self._refuse(idle.identity, idle.name, "others wait for its place")
        self._welcome(guest, join)

    def _welcome(self, guest: Guest, join: Join) -> None:
        self._lending.is_alive(join.process)
        peer = self._peers.add(guest, join.process, Pace(2 * self._timeout_s))
        _log.info("worker joined", worker=peer.number, name=peer.name)
        self._port.send(guest.identity, self._joined())

    def _joined(self) -> Joined:
        spec = self._spec
        return Joined(
            scan=spec.scan,
            model=spec.model,
            model_bytes=len(self._model),
            backend=spec.backend,
            precision=spec.recipe.inspection.precision,
            margin_px=self._lending.margin,
            batch=spec.recipe.processes.batch,
            batch_wait_ms=spec.recipe.processes.batch_wait_ms,
        )

    def _refuse(self, identity: bytes, name: str, problem: str) -> None:
        reason = short(problem)
        self._admission.tell(short(name), reason)
        while len(self._refused) >= _MOST_REFUSED:
            del self._refused[next(iter(self._refused))]
        self._refused[identity] = None
        if (peer := self._peers.get(identity)) is not None:
            self._part_with(peer, reason)
        self._port.send(identity, Refused(reason=reason))
        self._port.hang_up(identity)

    def _shut_out(self, peer: Peer, reason: str) -> None:
        """Lends nothing any more to a worker's computer, by whichever connections it comes."""
        self._admission.shut_out(peer, reason)
        for one in [each for each in self._peers if _is_by(each, peer.scorer)]:
            self._refuse(one.identity, one.name, reason)

    def _serve(self, peer: Peer) -> None:
        """Passes on what the desk gave for a worker, and asks for more."""
        while (prepared := peer.next()) is not None:
            if not self._lending.lend(peer, prepared):
                self._part_with(peer, "its connection is gone, or it does not take what it is sent")
                return
        peer.ask_if_room(self._lending.share(self._peers))

    def _hear_answer(self, peer: Peer, scored: Scored) -> None:
        """Takes an answer; after several impossible ones in a row refuses the worker."""
        problem = self._lending.take_answer(peer, scored)
        if problem is None:
            return
        peer.implausible += 1
        if peer.implausible >= _MOST_IMPLAUSIBLE:
            self._shut_out(peer, f"{problem}, and so were those before")

    def _look_after(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_EVERY_S
        # Who has joined may still load the model; a run that is to end does not wait for that.
        at_work = any(peer.capacity or not self._hurried for peer in self._peers)
        if at_work or not self._lending.waits:
            self._deserted_since = None
        elif self._deserted_since is None:
            self._deserted_since = now
        for peer in list(self._peers):
            self._look_at(peer, now)

    def _look_at(self, peer: Peer, now: float) -> None:
        if peer.identity not in self._peers:
            return  # it went with another one
        if self._lending.take_back_late(peer, hurried=self._hurried):
            peer.missed += 1
            if peer.missed >= _MOST_MISSED:
                self._shut_out(peer, f"it was late {_MOST_MISSED} times")
                return
        if overdue_to_begin(peer):
            self._refuse(peer.identity, peer.name, "it has not begun to work for ten minutes")
        elif not self._port.send(peer.identity, StillHere()):
            self._lose(peer, "its connection is gone, or it does not read")
        elif now - peer.last_heard > self._timeout_s:
            self._port.send(peer.identity, JoinFirst())
            self._lose(peer, f"it was silent for {self._timeout_s:g} s")

    def _lose(self, peer: Peer, reason: str) -> None:
        """Parts with a worker that died or was cut off, and suspects its oldest frame."""
        self._lending.suspect(peer)
        self._part_with(peer, reason)

    def _part_with(self, peer: Peer, reason: str) -> None:
        _log.warning("worker gone", worker=peer.number, name=peer.name, reason=reason)
        self._lending.take_all_back(peer)
        self._peers.remove(peer)


def _is_by(peer: Peer, scorer: Scorer) -> bool:
    return peer.scorer == scorer
