"""The supervisor: starts the stages of a run, watches, restarts and stops them."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import zmq

from darkscan.pipeline.core.errors import DarkscanError, ExitCode
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.core.stopping import ending_signals
from darkscan.pipeline.running.failures import StageFailure
from darkscan.pipeline.running.stage_processes import (
    StageKey,
    StageProcess,
    last_line,
    last_words,
    start_stage,
)
from darkscan.pipeline.transport.links import Inbox, Outbox
from darkscan.pipeline.transport.messages import (
    Halt,
    Pause,
    RunState,
    StageDied,
    Status,
    StopScan,
)
from darkscan.pipeline.transport.station import SUPERVISOR

_log = structlog.get_logger(__name__)
_TICK_S = 0.5
_GRACE_S = 5.0
_DESERTED_S = 5.0  # longer than a worker elsewhere takes to be back after a cut
_STARTING_S = 60.0  # on a busy machine libraries and a model take long to load

# Without these two a run cannot account for its frames; the others can be given up.
_ESSENTIAL = {"acquisition", "merging"}

# The run is over when these have ended well.
_FINISHERS = {"merging", "recording"}

# Frames are classified as long as one of these is there.
_CLASSIFIERS = {"classification", "gateway"}

# Nobody depends on these: they have what time the others leave, and a run goes on without them.
_DISPENSABLE = {"uplink"}
_DISPENSABLE_S = 600.0  # a busy machine leaves them no time

# A recording that broke off stays as it is: it is not begun anew.
_NEVER_RESTARTED = {"recording"}


class Aborted(DarkscanError):  # noqa: N818 - the user's will, not an error
    """The user interrupted twice: nothing is finished."""

    exit_code = ExitCode.ABORTED


@dataclass
class Progress:
    """The state of the run as the supervisor knows it."""

    statuses: dict[StageKey, Status] = field(default_factory=dict)
    restarts: Counter[str] = field(default_factory=Counter)
    stopping: bool = False
    held: bool = False
    ended: dict[str, str] = field(default_factory=dict)
    """Stages that ended early and are not started again, and why."""


class Supervisor:
    """Runs one scan's stages until merging has written the map."""

    def __init__(
        self,
        run_dir: Path,
        stages: list[StageKey],
        *,
        restarts: int,
        stage_timeout_s: float,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._run_dir = run_dir
        self._stages = stages
        names = {name for name, _ in stages}
        self._has_motion = "motion" in names
        self._unfinished = _FINISHERS & names
        self._restarts = restarts
        self._timeout = stage_timeout_s
        self._on_progress = on_progress
        self._children: dict[StageKey, StageProcess] = {}
        self._deaths: Counter[StageKey] = Counter()  # since the last settled frame
        self._settled = 0
        self._windows_before: Counter[StageKey] = Counter()  # by processes that are gone
        self._stop: StopScan | None = None
        self._interrupts = 0
        self._tended_at = 0.0  # when frames to drain last had somebody to classify them
        self._hold_wanted = False
        self._to_uplink: Outbox | None = None
        self._to_gateway: Outbox | None = None
        self._uplink_told_at = 0.0
        self.progress = Progress()

    def run(self) -> None:
        """Returns once the map is written; leaves no process behind, whatever happens.

        SIGINT, SIGTERM and their like drain the run: what is under way is finished and mapped,
        the rest is listed as not inspected. A second signal aborts. SIGUSR1 holds a rig's scan, or
        lets it go on.
        Raises DarkscanError when the run cannot be finished.
        """
        inbox = Inbox(self._run_dir, SUPERVISOR)
        self._to_acquisition = Outbox(self._run_dir, "acquisition")
        self._to_motion = Outbox(self._run_dir, "motion")
        if ("gateway", 0) in self._stages:
            self._to_gateway = Outbox(self._run_dir, "gateway", droppable=True)
        if ("uplink", 0) in self._stages:
            self._to_uplink = Outbox(self._run_dir, "uplink", droppable=True)
        poller = zmq.Poller()
        poller.register(inbox.socket, zmq.POLLIN)
        previous = {number: signal.signal(number, self._on_signal) for number in ending_signals()}
        previous[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, self._on_hold)
        try:
            for key in self._stages:
                self._start(key, poller)
            while self._unfinished:
                poller.poll(int(_TICK_S * 1000))
                for message in inbox.messages():
                    if isinstance(message, Status):
                        self._hear(message)
                self._bury(poller)
                self._kill_silent()
                self._drain_if_asked()
                self._hold_if_asked()
                self._tell_uplink()
                self._on_progress(self.progress)
        finally:
            self._stop_all()
            for number, handler in previous.items():
                signal.signal(number, handler)
            inbox.close()
            self._to_acquisition.close()
            self._to_motion.close()
            for link in (self._to_uplink, self._to_gateway):
                if link is not None:
                    link.close()

    def _start(self, key: StageKey, poller: zmq.Poller) -> None:
        child = start_stage(self._run_dir, key, last=key[0] in _DISPENSABLE)
        poller.register(child.pidfd, zmq.POLLIN)
        self._children[key] = child
        _log.info("stage started", stage=key[0], index=key[1], stage_pid=child.process.pid)

    def _hear(self, status: Status) -> None:
        key = (status.stage, status.index)
        child = self._children.get(key)
        if child is None or child.process.pid != status.pid:
            return  # last words of a process that was replaced
        child.last_heard = time.monotonic()
        child.status = status
        windows = status.windows + self._windows_before[key]
        self.progress.statuses[key] = updated(status, windows=windows)
        if status.sums is not None:
            settled = status.sums.captured - status.sums.in_flight
            if settled > self._settled:
                self._settled = settled
                for other in [key for key in self._deaths if key[0] not in _DISPENSABLE]:
                    del self._deaths[other]

    def _bury(self, poller: zmq.Poller) -> None:
        for key, child in list(self._children.items()):
            code = child.process.poll()
            if code is None:
                continue
            poller.unregister(child.pidfd)
            os.close(child.pidfd)
            del self._children[key]
            if key[0] in _FINISHERS and code == ExitCode.OK:
                self._unfinished.discard(key[0])
            else:
                self._replace(key, child, code, poller)

    def _replace(self, key: StageKey, child: StageProcess, code: int, poller: zmq.Poller) -> None:
        """Starts a stage anew that died, or gives it up; tells acquisition of its death."""
        stage, index = key
        reason = self._reason_of_death(key, code)
        self._deaths[key] += 1
        if child.status is not None:
            self._windows_before[key] += child.status.windows
        if stage == "acquisition" and self._has_motion:
            self._to_motion.send(Halt(reason="acquisition died"))
        if stage in _NEVER_RESTARTED:
            self._end_early(stage, reason or f"exit {code}")
        elif stage in _DISPENSABLE:
            self._replace_dispensable(key, reason or f"exit {code}", poller)
            return
        elif self._deaths[key] > self._restarts:
            self._give_up(key, reason)
        else:
            self.progress.restarts[stage] += 1
            self._start(key, poller)
        # After the restart: the new process is there when its frames are sent again.
        self._to_acquisition.send(StageDied(stage=stage, index=index, pid=child.process.pid))
        if stage == "acquisition":
            self._brief_acquisition()

    def _replace_dispensable(self, key: StageKey, reason: str, poller: zmq.Poller) -> None:
        """Starts such a stage anew a few times in a run; then goes on without it."""
        stage, index = key
        if self._deaths[key] <= self._restarts:
            self.progress.restarts[stage] += 1
            self._start(key, poller)
            return
        _log.warning("stage given up, the run goes on", stage=stage, index=index, reason=reason)
        self.progress.ended[stage] = reason
        self.progress.statuses.pop(key, None)

    def _reason_of_death(self, key: StageKey, code: int) -> str:
        """Why a stage died, by what it left or said last; empty if it said nothing.

        Raises the stage's own error if a new process would fail as well.
        """
        stage, index = key
        stderr = last_words(self._run_dir, key)
        _log.warning(
            "stage died", stage=stage, index=index, code=code, stderr=stderr.strip() or None
        )
        failure = StageFailure.read(self._run_dir, stage, index)
        if failure is None:
            return last_line(stderr)
        if failure.ends_run and stage in _DISPENSABLE:
            self._deaths[key] = self._restarts  # a new process would fail as well
        elif failure.ends_run:
            raise failure.error()
        return failure.message

    def _end_early(self, stage: str, reason: str) -> None:
        """Goes on without a stage that is never restarted, if the others still have a task."""
        self._unfinished.discard(stage)
        self.progress.ended[stage] = reason
        if not _FINISHERS & {name for name, _ in self._stages} - {stage}:
            raise DarkscanError(f"{stage} ended early: {reason}")

    def _brief_acquisition(self) -> None:
        """Tells a new acquisition process what only its predecessor had been told."""
        if self._stop is not None:
            self._to_acquisition.send(self._stop)
        if self.progress.held:
            self._to_acquisition.send(Pause(hold=True))
        for ended in self.progress.ended.keys() - _DISPENSABLE:
            self._to_acquisition.send(StageDied(stage=ended, index=0, pid=0))

    def _give_up(self, key: StageKey, last_reason: str) -> None:
        stage, index = key
        reason = f"{stage} died {self._restarts + 1} times in a row"
        if stage in _ESSENTIAL:
            raise DarkscanError(": ".join(filter(None, (reason, last_reason))))
        _log.error("stage given up", stage=stage, index=index, reason=reason)
        alike = _CLASSIFIERS if stage in _CLASSIFIERS else {stage}
        if not any(name in alike for name, _ in self._children):
            # Without axes nothing more is taken, but what was taken can still be inspected.
            self._tell_to_stop(StopScan(reason=reason, give_up=stage != "motion"))

    def _kill_silent(self) -> None:
        now = time.monotonic()
        for (stage, index), child in self._children.items():
            starting = child.status is None or bool(child.status.loading)
            patience = max(self._timeout, _STARTING_S) if starting else self._timeout
            if stage in _DISPENSABLE:
                patience = max(patience, _DISPENSABLE_S)
            if now - child.last_heard > patience:
                _log.warning("stage is silent, killed", stage=stage, index=index)
                child.last_heard = now
                child.process.kill()

    def _on_signal(self, _signal: int, _frame: object) -> None:
        self._interrupts += 1

    def _drain_if_asked(self) -> None:
        if self._interrupts > 1:
            raise Aborted("aborted: the map was not written")
        if self._interrupts and not self.progress.stopping:
            self.progress.stopping = True
            self._tended_at = time.monotonic()
            _log.info("draining")
            self._tell_to_stop(StopScan(reason="stopped by the operator", give_up=False))
        if self.progress.stopping:
            self._drain_unattended()

    def _drain_unattended(self) -> None:
        """Gives up what is under way if nobody is there, or comes back, to classify it."""
        now = time.monotonic()
        if not self._nobody_classifies():
            self._tended_at = now
        elif now - self._tended_at > _DESERTED_S:
            self._tended_at = now  # said again for frames that come into the ring meanwhile
            reason = "stopped by the operator while no worker was there"
            _log.warning("drained without workers")
            self._tell_to_stop(StopScan(reason=reason, give_up=True))

    def _nobody_classifies(self) -> bool:
        """Whether all depends on workers elsewhere, and the gateway says that it has none."""
        if any(name == "classification" for name, _ in self._children):
            return False
        gateway = self._children.get(("gateway", 0))
        return gateway is not None and gateway.status is not None and bool(gateway.status.doing)

    def _on_hold(self, _signal: int, _frame: object) -> None:
        self._hold_wanted = not self._hold_wanted

    def _hold_if_asked(self) -> None:
        if self._hold_wanted != self.progress.held:
            self.progress.held = self._hold_wanted
            self._to_acquisition.send(Pause(hold=self._hold_wanted))

    def _tell_uplink(self) -> None:
        """Lets the host know how the run is, twice a second."""
        now = time.monotonic()
        if self._to_uplink is None or now - self._uplink_told_at < _TICK_S:
            return
        self._uplink_told_at = now
        progress = self.progress
        self._to_uplink.send(
            RunState(
                statuses=tuple(progress.statuses.values()),
                restarts=dict(progress.restarts),
                stopping=progress.stopping,
                held=progress.held,
                ended=dict(progress.ended),
            )
        )

    def _tell_to_stop(self, stop: StopScan) -> None:
        if self._stop is None or stop.give_up:
            self._stop = stop
        self._to_acquisition.send(stop)
        if self._to_gateway is not None:
            self._to_gateway.send(stop)

    def _stop_all(self) -> None:
        for child in self._children.values():
            child.process.terminate()
        deadline = time.monotonic() + _GRACE_S
        for child in self._children.values():
            try:
                child.process.wait(max(deadline - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            os.close(child.pidfd)
        self._children.clear()
